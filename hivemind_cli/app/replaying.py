"""The counterfactual check: the moment of a mistake again, with and without the skill in front of the model.

    correction ─▶ its task, the steps before ─▶ K answers without, K with ─▶ by facts, else a blind judge ─▶ counts

It costs calls of a model, so it runs only when a person asks. A call that fails counts as failed, never as a verdict.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.app import reading
from hivemind_cli.app.estimating import listed, pause, who
from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.caller import caller_left
from hivemind_cli.core.errors import HivemindError, ProviderError
from hivemind_cli.core.fence import fenced
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.intervals import clopper_pearson, fisher
from hivemind_cli.core.records import Correction, CorrectionKind, Event, EventKind, LLMCall, SkillCheck, SkillRevision
from hivemind_cli.core.same import follows, names, repeats
from hivemind_cli.core.templates import template
from hivemind_cli.llm import CONSENT
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.llm.meter import CapReached, Ends, Resting, spent_today
from hivemind_cli.llm.prices import priced, tokens_of
from hivemind_cli.pipeline.codify.check import shown
from hivemind_cli.pipeline.indexing import skill_document
from hivemind_cli.pipeline.spoken import own_words
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind

KIND, PURPOSE = "replay", "replay"
TIMES, TIMES_MAX = 3, 20
"""Answers for each arm: fewer prove nothing at all, more cost more than they tell."""
P_MAX = 0.05
WITHOUT, WITH = "without", "with"
REPEATED, AVOIDED, UNDECIDED = "repeated", "avoided", "undecided"
STEPS_MAX = 6
_TEXT_CHARS_MAX = 1500
_SHORT_CHARS_MAX = 160
_TOKENS_MAX, _TOKENS_OUT = 700, 120
"""Of an answer: at most, and usually."""
_JUDGE_OUT = 30
"""Tokens of a verdict."""
_TOOLS = ("shell", "edit", "read", "other", "none")
_VERDICTS = {"repeats": REPEATED, "avoids": AVOIDED, "neither": UNDECIDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a replay would take."""

    name: str
    version: int
    task: str
    """The prompt of the moment that is replayed."""
    act: str
    """What the agent did then; "" if only its words were put right."""
    quote: str
    times: int
    calls: int
    """One for each answer, and one for the judge, if the answers themselves do not tell."""
    tokens_in: int
    tokens_out: int
    cost_usd: float
    """About; at the dearest price for a model that is not known, 0 for a provider that tells none."""
    usd_left: float
    tokens_left: int
    calls_left: int
    provider: str
    pause: str
    """Why nobody would be asked now; "" if somebody would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The answers with, or without, the skill."""

    repeated: int = 0
    avoided: int = 0
    undecided: int = 0
    """It did not come to the point, or nobody could tell."""
    failed: int = 0
    """Calls without an answer, or never made."""
    low: float = 0.0
    """Of the share of `repeated` in those that tell: the exact interval (95 %)."""
    high: float = 1.0

    @property
    def told(self) -> int:
        """Answers that say whether the mistake came back."""
        return self.repeated + self.avoided


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it."""

    name: str
    version: int
    times: int
    without: Arm
    with_: Arm
    p: float
    """Fisher's exact, two-sided: how likely such a difference is by chance."""
    passed: bool | None
    words: str
    answers: tuple[dict[str, str], ...]
    """{arm, did, verdict, by: fact|judge|nobody} of each, in the order they were asked."""
    stopped: str
    """Why not all were asked; "" if they were."""
    calls: int
    cost_usd: float


@dataclass(slots=True)
class _Answer:
    arm: str
    value: dict[str, Any] | None
    """None: the call failed."""
    verdict: str = UNDECIDED
    by: str = "nobody"


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where the mistake was made."""

    skill: SkillRevision
    correction: Correction
    text: str
    """The skill as recall would put it in front of the agent."""
    steps: tuple[str, ...] = field(default=())


def plan(owner: "OwnedHivemind", name: str, times: int, now: datetime) -> Plan:
    """What replaying skill `name` would take; nothing is sent. HivemindError: it cannot be replayed."""
    moment, provider = _moment(owner.store, name), _provider(owner)
    requests = [_request(moment, arm) for arm in (WITHOUT, WITH)]
    inputs = sum(tokens_of(one.system, one.prompt, json.dumps(one.schema)) for one in requests) * times
    judge_in = tokens_of(template("replay_judge")[0], json.dumps(_mistake(moment))) + 2 * times * _TOKENS_OUT
    tokens_in, tokens_out = inputs + judge_in, 2 * times * (_TOKENS_OUT + _JUDGE_OUT)
    who_, price = who(provider)[0], listed(provider)
    spent, config = spent_today(owner.store, now), owner.config.llm
    return Plan(
        name=moment.skill.name,
        version=moment.skill.version,
        task=_line(moment.correction.task),
        act=_line(Act.of(moment.correction.act).short) if moment.correction.act else "",
        quote=_line(moment.correction.quote),
        times=times,
        calls=2 * times + 1,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=round(priced(price, tokens_in, tokens_out), 4),
        usd_left=round(max(config.usd_per_day - spent.usd, 0.0), 4),
        tokens_left=max(config.tokens_per_day - spent.tokens, 0),
        calls_left=max(config.calls_day_max - spent.calls, 0),
        provider=who_,
        pause=pause(owner, now),
    )


def replay(owner: "OwnedHivemind", name: str, times: int, now: datetime) -> Replayed:
    """Ask, count, and store a SkillCheck. HivemindError: it cannot be replayed, or is stopped in its middle.

    A failed call does not raise: it is counted.
    """
    moment, provider = _moment(owner.store, name), _provider(owner)
    answers, stopped = _asked(moment, provider, times)
    _decided_by_facts(answers, moment.correction)
    stopped = _decided_by_judge(answers, moment, provider) or stopped
    without, with_ = (_arm(answers, arm, times) for arm in (WITHOUT, WITH))
    p = fisher(without.repeated, without.told, with_.repeated, with_.told)
    paid = [row.record for row in owner.store.find(LLMCall, subject=moment.skill.skill_id, purpose=PURPOSE, since=now)]
    found = Replayed(
        name=moment.skill.name,
        version=moment.skill.version,
        times=times,
        without=without,
        with_=with_,
        p=round(p, 6),
        passed=_passed(without, with_, p),
        words=_words(without, with_, p),
        answers=tuple(_told(one) for one in answers),
        stopped=stopped,
        calls=len(paid),
        cost_usd=round(sum(call.cost_usd for call in paid), 6),
    )
    owner.store.append([_check(moment, found, who(provider), now)])
    return found


def last(store: Store, name: str) -> SkillCheck:
    """The newest replay of skill `name`, of whichever version. HivemindError: there is none."""
    skill = reading.skill_named(store, name)
    rows = store.find(SkillCheck, skill_id=skill.skill_id, kind=KIND, newest_first=True, limit=1)
    if not rows:
        raise HivemindError(f"{skill.name} was never replayed.", fix=f"hivemind skillify replay {skill.name}")
    return rows[0].record


def _moment(store: Store, name: str) -> _Moment:
    skill = reading.skill_named(store, name)
    ids = sorted({one for line in skill.lines for one in line.correction_ids})
    behind = [row.record for row in store.find(Correction, id=ids)] if ids else []
    told = [one for one in behind if one.task and (one.act or one.quote)]
    if not told:
        raise HivemindError(
            f"{skill.name} has no moment that could be replayed.",
            why="None of its corrections knows what had been asked for."
            if behind
            else "No correction stands behind it.",
        )
    correction = max(told, key=lambda one: (bool(one.act), one.occurred_at, one.id))
    text = fenced([skill_document(skill, store).text])
    return _Moment(skill, correction, text, _steps(store, correction))


def _steps(store: Store, correction: Correction) -> tuple[str, ...]:
    """The last calls of the turn before the mistake; not those that were the mistake already."""
    found = store.find(Event, id=correction.act_event_id, limit=1) if correction.act_event_id else []
    if not found:
        return ()
    act = found[0]
    rows = store.find(
        Event,
        host=act.record.host,
        session_id=act.record.session_id,
        turn=act.record.turn,
        kind=EventKind.TOOL_CALL,
        until=act.seq - 1,
        newest_first=True,
        limit=2 * STEPS_MAX,
    )
    corrected = Act.of(correction.act)
    acts = [Act.of(row.record.payload["act"]) for row in reversed(rows) if "act" in row.record.payload]
    other = [one for one in acts if one.signature != corrected.signature]
    return tuple(f"{one.tool}: {redact.text(one.short)}" for one in other[-STEPS_MAX:])


def _provider(owner: "OwnedHivemind") -> Provider:
    if owner.provider is not None:
        return owner.provider
    if not owner.config.llm.allow:
        raise ProviderError("No model may be asked.", why="`llm.allow` is not set.", fix=CONSENT)
    raise ProviderError("There is no model to ask.", fix="`hivemind status` says what is missing.")


def _asked(moment: _Moment, provider: Provider, times: int) -> tuple[list[_Answer], str]:
    """The answers, in turns with and without, so that both arms have as many if it stops; and why it did."""
    answers: list[_Answer] = []
    for _ in range(times):
        for arm in (WITHOUT, WITH):
            if caller_left():
                raise HivemindError("The replay was stopped.", why="Nobody waits for it any more.")
            try:
                answers.append(_Answer(arm, provider.complete(_request(moment, arm)).value))
            except Ends:
                raise  # what was counted so far says nothing
            except (CapReached, Resting) as exc:
                return answers, str(exc)
            except ProviderError:
                answers.append(_Answer(arm, None))
    return answers, ""


def _request(moment: _Moment, arm: str) -> Request:
    document: dict[str, Any] = {"task": _shortened(own_words(moment.correction.task) or moment.correction.task)}
    if arm == WITH:
        document = {"recalled": _shortened(moment.text, 2 * _TEXT_CHARS_MAX), **document}
    if moment.steps:
        document["untrusted_so_far"] = list(moment.steps)
    text = {"type": "string", "maxLength": 2 * _TEXT_CHARS_MAX}
    properties = {"tool": {"type": "string", "enum": list(_TOOLS)}, "command": text, "path": text, "text": text}
    return Request(
        purpose=PURPOSE,
        subject=moment.skill.skill_id,
        system=template("replay")[0],
        prompt=json.dumps(document, ensure_ascii=False, indent=1),
        schema=_object(properties),
        tokens_max=_TOKENS_MAX,
    )


def _decided_by_facts(answers: Sequence[_Answer], correction: Correction) -> None:
    """The corrected act again, or the same work done as the person said. What is neither is left to the judge."""
    if not correction.act:
        return
    corrected, words = Act.of(correction.act), f"{own_words(correction.quote)}\n{correction.after}"
    if correction.kind in (CorrectionKind.SAID, CorrectionKind.INTERRUPTED) and not names(words, corrected):
        return  # the words may be about something else than the last act
    for answer in answers:
        if answer.value is None:
            continue
        call = Act.of({"tool": corrected.tool, **answer.value, "kind": answer.value["tool"]})
        call = replace(call, tool=corrected.tool)
        if follows(call, corrected, words, correction.task):
            answer.verdict, answer.by = AVOIDED, "fact"
        elif repeats(call, corrected, words, correction.task):
            answer.verdict, answer.by = REPEATED, "fact"


def _decided_by_judge(answers: Sequence[_Answer], moment: _Moment, provider: Provider) -> str:
    """Ask about what no fact decided, without saying which arm an answer is of; why that failed, "" if it did not."""
    open_ = [one for one in answers if one.value is not None and one.by == "nobody"]
    if not open_:
        return ""
    # What two arms say alike is judged once, and so alike.
    texts = sorted({_canonical(one.value) for one in open_})
    seed = hashlib.sha256("\0".join((moment.skill.id, moment.correction.id, *texts)).encode()).digest()
    random.Random(seed).shuffle(texts)
    ids = {text: f"a{n}" for n, text in enumerate(texts, 1)}
    try:
        found = provider.complete(_judge_request(moment, ids)).value["answers"]
    except ProviderError as exc:
        return f"The judge gave no verdict. {exc}"
    said: dict[str, set[str]] = {}
    for one in found:
        said.setdefault(one["id"], set()).add(_VERDICTS[one["verdict"]])
    for answer in open_:
        verdicts = said.get(ids[_canonical(answer.value)], set())
        if len(verdicts) == 1:  # two verdicts on one answer are none
            answer.verdict, answer.by = next(iter(verdicts)), "judge"
    return ""


def _judge_request(moment: _Moment, ids: Mapping[str, str]) -> Request:
    given = [{"id": id, **json.loads(text)} for text, id in ids.items()]
    document = {"mistake": _mistake(moment), "untrusted_answers": given}
    verdict = {
        "id": {"type": "string", "enum": list(ids.values())},
        "verdict": {"type": "string", "enum": list(_VERDICTS)},
    }
    return Request(
        purpose=PURPOSE,
        subject=moment.skill.skill_id,
        system=template("replay_judge")[0],
        prompt=json.dumps(document, ensure_ascii=False, indent=1),
        schema=_object({"answers": {"type": "array", "items": _object(verdict)}}),
        tokens_max=200 + 2 * _JUDGE_OUT * len(ids),
    )


def _mistake(moment: _Moment) -> dict[str, str]:
    return {name: value for name, value in shown("", moment.correction).items() if name != "id"}


def _arm(answers: Sequence[_Answer], arm: str, times: int) -> Arm:
    mine = [one for one in answers if one.arm == arm]
    counts = {
        verdict: sum(one.verdict == verdict for one in mine if one.value is not None) for verdict in _VERDICTS.values()
    }
    low, high = clopper_pearson(counts[REPEATED], counts[REPEATED] + counts[AVOIDED])
    failed = times - sum(counts.values())
    return Arm(**counts, failed=failed, low=round(low, 4), high=round(high, 4))


def _passed(without: Arm, with_: Arm, p: float) -> bool | None:
    if p > P_MAX:
        return None
    return with_.repeated * without.told < without.repeated * with_.told


def _words(without: Arm, with_: Arm, p: float) -> str:
    """What it says, and no more than that."""
    if not without.told or not with_.told:
        return "It proves nothing: on one side no answer told whether the mistake came back."
    counts = f"{with_.repeated} of {with_.told} with the skill against {without.repeated} of {without.told} without"
    chance = f"p = {_p(p)}"
    passed = _passed(without, with_, p)
    if passed is not None:
        often = "less often" if passed else "MORE often"
        return f"With the skill the mistake came back {often}: {counts} ({chance})."
    if not without.repeated and not with_.repeated:
        return (
            f"The mistake came back on neither side ({counts}): this model does not make it here, so nothing is proved."
        )
    if with_.repeated * without.told == without.repeated * with_.told:
        return f"It made no difference here: {counts}."
    least = next(n for n in range(1, TIMES_MAX + 1) if fisher(n, n, 0, n) <= P_MAX)
    few = f" With fewer than {least} a side nothing could." if min(without.told, with_.told) < least else ""
    return f"{counts} proves little: {chance}.{few}"


def _p(p: float) -> str:
    return f"{p:.2f}"[-3:] if 0.01 <= p < 0.995 else "1" if p >= 0.995 else f"{p:.1g}"


def _told(answer: _Answer) -> dict[str, str]:
    if answer.value is None:
        return {"arm": answer.arm, "did": "", "verdict": "failed", "by": "nobody"}
    said = answer.value["command"] or answer.value["path"] or answer.value["text"]
    did = f"{answer.value['tool']}: {_line(said)}"
    return {"arm": answer.arm, "did": did, "verdict": answer.verdict, "by": answer.by}


def _check(moment: _Moment, found: Replayed, asked: tuple[str, str], now: datetime) -> SkillCheck:
    figures = {
        "correction_id": moment.correction.id,
        "provider": "/".join(filter(None, asked)),
        "prompts": [template("replay")[1], template("replay_judge")[1]],
        "times": found.times,
        "without": asdict(found.without),
        "with": asdict(found.with_),
        "p": found.p,
        "answers": list(found.answers),
        "stopped": found.stopped,
        "calls": found.calls,
        "cost_usd": found.cost_usd,
    }
    return SkillCheck(
        id=new_id(now),
        workspace_id=moment.skill.workspace_id,
        project_id=moment.skill.project_id,
        occurred_at=now,
        skill_id=moment.skill.skill_id,
        version=moment.skill.version,
        kind=KIND,
        passed=found.passed,
        figures=figures,
        reason=found.words,
    )


def _canonical(value: dict[str, Any] | None) -> str:
    kept = {name: _shortened(str(text)) for name, text in (value or {}).items() if text}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _shortened(text: str, chars: int = _TEXT_CHARS_MAX) -> str:
    return redact.text(text)[:chars]


def _line(text: str) -> str:
    return " ".join(redact.text(text).split())[:_SHORT_CHARS_MAX]


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
