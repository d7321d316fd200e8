"""What an import taught: sessions by host, corrections by kind, what recurs, and what codifying it would cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hivemind_cli.app import llm_setting
from hivemind_cli.app.imported import Imported
from hivemind_cli.app.recurring import Recurring, recurring
from hivemind_cli.core.assets import asset
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, CorrectionKind, SkillRevision
from hivemind_cli.core.text import tokens_about
from hivemind_cli.llm import choose
from hivemind_cli.llm.prices import MODEL, cost_usd
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify import CODIFY, CODIFY_HISTORY
from hivemind_cli.pipeline.codify.evidence import carried
from hivemind_cli.pipeline.codify.gate import immature, refusal
from hivemind_cli.pipeline.codify.model import CORRECTIONS_MAX
from hivemind_cli.storage.base import Store

RECURRING_MAX = 10
REQUEST_TOKENS = 700
"""Of a request besides its instructions and evidence: the schema, and existing skills."""
ANSWER_TOKENS = 450
"""Of a typical draft."""


@dataclass(frozen=True, slots=True)
class OfHost:
    """One agent's part."""

    host: str
    sessions: int
    prompts: int
    new: int
    """Records stored by this import."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """Corrections of one kind, by how sure the detector is."""

    kind: CorrectionKind
    clear: int
    """Shown to a person without being asked for."""
    likely: int
    candidates: int
    """Turns that a model may judge."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What making skills of it would take. An estimate: what a model writes is not known before."""

    skills: int
    """Mistakes ripe for a skill: each is one call, where there is a model."""
    drafter: str
    """extractive, or the provider."""
    model: str
    tokens_in: int
    tokens_out: int
    usd: float
    calls_day_max: int
    """Beyond so many a day, skills are drafted without a model."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The report of an import."""

    hosts: tuple[OfHost, ...]
    first_at: datetime | None
    last_at: datetime | None
    unchanged: int
    """Sessions that were read before, and not again."""
    new: int
    kinds: tuple[OfKind, ...]
    retries: int
    """Errors and what then worked: no corrections by a person."""
    recurring: tuple[Recurring, ...]
    cost: Cost | None
    """None for a dry run."""
    left_out: Mapping[str, int]
    """Why -> sessions."""
    unread: tuple[tuple[str, str], ...]
    """(path, why) of sessions that could not be read to their end."""
    torn: tuple[tuple[str, str], ...]
    """(path, what) of sessions of which lines were passed over."""
    strangers: int
    """Files that are no host's."""


def learned(
    done: Sequence[Imported],
    store: Store | None,
    paths: Paths,
    config: Config,
    env: Mapping[str, str],
    *,
    strangers: int = 0,
    faults: Sequence[str] = (),
) -> Learned:
    """The report on `done`. With no store (a dry run) nothing was learned, only counted."""
    counting = [one for one in done if not one.left_out]
    sessions = {(one.host, one.session_id) for one in counting}
    corrections: list[Correction] = []
    if store:
        found = (row.record for row in store.find(Correction))
        corrections = judged.effective(store, [one for one in found if (one.host, one.session_id) in sessions])
    kinds = [one for one in corrections if one.kind is not CorrectionKind.TOOL_RETRY]
    return Learned(
        hosts=_hosts(counting),
        first_at=min((one.first_at for one in counting if one.first_at), default=None),
        last_at=max((one.last_at for one in counting if one.last_at), default=None),
        unchanged=sum(one.unchanged for one in counting),
        new=sum(one.new for one in done),
        kinds=_kinds(kinds),
        retries=len(corrections) - len(kinds),
        recurring=_lessons(store) if store else (),
        cost=_cost(store, paths, config, env) if store else None,
        left_out=dict(Counter(one.left_out for one in done if one.left_out)),
        unread=(
            *((place, why) for place, _, why in (fault.partition(": ") for fault in faults)),
            *((str(one.path), one.fault) for one in done if one.unread),
        ),
        torn=tuple((str(one.path), one.fault) for one in done if one.fault and not one.unread),
        strangers=strangers,
    )


def _lessons(store: Store) -> tuple[Recurring, ...]:
    found = recurring(store, now=datetime.now(UTC))
    return tuple(one for one in found if not one.retry)[:RECURRING_MAX]


def _hosts(counting: Sequence[Imported]) -> tuple[OfHost, ...]:
    by_host: dict[str, list[Imported]] = {}
    for one in counting:
        by_host.setdefault(one.host, []).append(one)
    found = [
        OfHost(host, len(group), sum(one.prompts for one in group), sum(one.new for one in group))
        for host, group in by_host.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.sessions, one.host)))


def _kinds(corrections: Sequence[Correction]) -> tuple[OfKind, ...]:
    found = []
    for kind in CorrectionKind:
        sure = [one.confidence for one in corrections if one.kind is kind and one.confidence >= judged.PASS_MIN]
        if sure:
            clear = sum(one >= judged.SHOWN_MIN for one in sure)
            likely = sum(judged.CORRECTION_MIN <= one < judged.SHOWN_MIN for one in sure)
            found.append(OfKind(kind, clear, likely, len(sure) - clear - likely))
    return tuple(sorted(found, key=lambda one: -(one.clear + one.likely)))


def _cost(store: Store, paths: Paths, config: Config, env: Mapping[str, str]) -> Cost:
    """Of what codify has not read yet: the corrections of one mistake make one skill, and one call."""
    ripe = [group for group in _waiting(store) if not immature(group)]
    provider = choose(llm_setting(paths, config, env)).provider
    model = (config.llm.model or MODEL) if provider else ""
    tokens_in = tokens_out = 0
    if provider:
        system = tokens_about(asset("skills_templates", "codify.md").read_text("utf-8")) + REQUEST_TOKENS
        tokens_in = sum(system + sum(map(_tokens, group[-CORRECTIONS_MAX:])) for group in ripe)
        tokens_out = ANSWER_TOKENS * len(ripe)
    return Cost(
        skills=len(ripe),
        drafter=provider.name if provider else "extractive",
        model=model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd=cost_usd(model, fresh=tokens_in, written=0, read=0, out=tokens_out) if provider else 0.0,
        calls_day_max=config.llm.calls_day_max,
    )


def _waiting(store: Store) -> list[list[Correction]]:
    """What the gate would let through and no skill carries, by mistake."""
    after = min(store.cursor(CODIFY), store.cursor(CODIFY_HISTORY))
    on_shelf = {one for row in store.find(SkillRevision) for one in carried(row.record)}
    found = judged.effective(store, [row.record for row in store.find(Correction, after=after)])
    groups: dict[Any, list[Correction]] = {}
    for one in found:
        if one.id not in on_shelf and not refusal(one):
            groups.setdefault((one.workspace_id, one.project_id, one.recurrence_key or one.id), []).append(one)
    return list(groups.values())


def _tokens(one: Correction) -> int:
    return sum(tokens_about(text[:1500]) for text in (one.quote, one.after, one.task, one.before)) + 60
