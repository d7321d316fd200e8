"""What making skills now would take: the codifier itself is run, with a model that only counts, and nothing is kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hivemind_cli.core.config import Config
from hivemind_cli.core.records import Correction, GateSkip
from hivemind_cli.core.templates import template
from hivemind_cli.llm.base import Provider, Reply, Request
from hivemind_cli.llm.meter import Metered, spent_today, standing
from hivemind_cli.llm.prices import DEAREST, Price, priced, tokens_of
from hivemind_cli.pipeline.codify import CODIFY, CODIFY_HISTORY, Codify
from hivemind_cli.pipeline.codify.evidence import of_history
from hivemind_cli.pipeline.judge_prompt import batches
from hivemind_cli.pipeline.judge_prompt import tokens_of as tokens_of_turns
from hivemind_cli.pipeline.judging import CALLS_A_RUN_MAX, Judge
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind

QUOTE_CHARS_MAX = 200
JUDGED_MAX = 100
CALLS_A_LESSON = 2
"""One drafts, one checks."""
DRAFT_OUT, CHECK_OUT = 600, 500
"""Tokens that an answer usually has: a skill of a few lines; a finding and a quote for each."""
_COUNTED = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Corrections of one mistake, of which one skill or a part of one would be made."""

    quote: str
    """The newest of the person's words about it; "" where a change says it."""
    corrections: int
    imported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `hivemind skillify run` would do."""

    lessons: tuple[Lesson, ...]
    """The newest first."""
    skipped: dict[str, int]
    """Why nothing is made of the others -> of how many corrections."""
    judged: int
    """Turns that a model would be asked about before; what it confirms is not counted here."""
    provider: str
    """Who would be asked; "" for nobody: the skills are drafted from the person's own words."""
    model: str
    calls: int
    """At most: one to draft and one to check a lesson, and those of the judge."""
    tokens_in: int
    tokens_out: int
    cost_usd: float
    """About; 0 for a provider that tells no price."""
    cost_usd_max: float
    """If every answer is as long as it may be."""
    usd_left: float
    tokens_left: int
    calls_left: int
    """Of today's caps; what does not fit is drafted without a model."""
    pause: str
    """Why nobody would be asked now; "" if somebody would."""


@dataclass(slots=True)
class _Counter:
    """A model that answers every request for a draft with "no", and remembers what it was asked."""

    name: str = "counter"
    asked: list[Request] = field(default_factory=list)

    def available(self) -> str:
        return ""

    def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply(value={"decision": "skip", "target": "", "reason": _COUNTED}, model=self.name)


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_out_max: int = 0

    def add(self, tokens_in: int, tokens_out: int, tokens_out_max: int) -> None:
        self.calls += 1
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.tokens_out_max += max(tokens_out, tokens_out_max)


def plan(owner: "OwnedHivemind", now: datetime) -> Plan:
    """What making skills now would take; nothing is sent or stored."""
    store, config = owner.store, owner.config
    counter, lessons, skipped = _Counter(), [], dict[str, int]()
    for history in (False, True):
        for skip in _outputs(store, config, counter, history=history):
            if _COUNTED in skip.reason:
                lessons.append(_lesson(store, skip, imported=history))
            else:
                skipped[skip.reason] = skipped.get(skip.reason, 0) + len(skip.correction_ids)
    asked = [] if owner.provider is None else counter.asked
    taken = _taken(asked)
    judged = _judged(owner.judge, store, taken)
    spent = spent_today(store, now)
    provider, model = who(owner.provider)
    price = listed(owner.provider)
    return Plan(
        lessons=tuple(reversed(lessons)),
        skipped=skipped,
        judged=judged,
        provider=provider,
        model=model,
        calls=taken.calls,
        tokens_in=taken.tokens_in,
        tokens_out=taken.tokens_out,
        cost_usd=round(priced(price, taken.tokens_in, taken.tokens_out), 4),
        cost_usd_max=round(priced(price, taken.tokens_in, taken.tokens_out_max), 4),
        usd_left=round(max(config.llm.usd_per_day - spent.usd, 0.0), 4),
        tokens_left=max(config.llm.tokens_per_day - spent.tokens, 0),
        calls_left=max(config.llm.calls_day_max - spent.calls, 0),
        pause=pause(owner, now),
    )


def pause(owner: "OwnedHivemind", now: datetime) -> str:
    """Why a provider that is there would not be asked now, in words; "" if it would, or if there is none."""
    name, _ = who(owner.provider)
    if isinstance(owner.provider, Metered) and owner.provider.awake:
        return ""
    found = standing(owner.store, owner.config.llm, name, listed(owner.provider), now) if name else None
    return found.why if found else ""


def listed(provider: Provider | None) -> Price:
    """What a call may cost, as far as known before."""
    return provider.price if isinstance(provider, Metered) else DEAREST


def who(provider: Provider | None) -> tuple[str, str]:
    """(name, model as far as known) of a provider; ("", "") for none."""
    if provider is None:
        return "", ""
    return provider.name, provider.model if isinstance(provider, Metered) else ""


def _outputs(store: Store, config: Config, counter: _Counter, *, history: bool) -> list[GateSkip]:
    """What the codifier would make of all it has not read, were every draft a skip."""
    stage = Codify(counter, applies_min=config.recall.applies_min, history=history)
    cursor = store.cursor(CODIFY_HISTORY if history else CODIFY)
    found: list[GateSkip] = []
    while rows := store.find(Correction, after=cursor, limit=stage.batch_size):
        found += [record for record in stage.step(rows, store) if isinstance(record, GateSkip)]
        cursor = rows[-1].seq
    return found


def _lesson(store: Store, skip: GateSkip, *, imported: bool) -> Lesson:
    rows = store.find(Correction, id=list(skip.correction_ids))
    quotes = [row.record.quote for row in rows if row.record.quote]
    quote = " ".join(quotes[-1].split())[:QUOTE_CHARS_MAX] if quotes else ""
    return Lesson(quote=quote, corrections=len(skip.correction_ids), imported=imported)


def _taken(drafts: Sequence[Request]) -> _Sum:
    """Of the requests for drafts, and of the check that follows each."""
    taken = _Sum()
    for draft in drafts:
        texts = tokens_of(draft.prompt, json.dumps(draft.schema))
        taken.add(tokens_of(draft.system) + texts, DRAFT_OUT, draft.tokens_max)
        # The check is shown the same corrections beside the draft's lines.
        taken.add(tokens_of(template("check")[0]) + texts + DRAFT_OUT, CHECK_OUT, draft.tokens_max)
    return taken


def _judged(judge: Judge | None, store: Store, taken: _Sum) -> int:
    """How many turns the judge would be asked about first; what that takes is added to `taken`."""
    if judge is None:
        return 0
    unsure = judge.pending(store, JUDGED_MAX)
    past = of_history([turn.correction for turn in unsure], store)
    turns = [turn for turn in unsure if turn.correction.id not in past]
    requests = list(batches(turns))[: min(CALLS_A_RUN_MAX, judge.calls_left(store))]
    for request in requests:
        tokens_in, tokens_out = tokens_of_turns(request)
        taken.add(tokens_in, tokens_out, 2 * tokens_out)
    return sum(map(len, requests))
