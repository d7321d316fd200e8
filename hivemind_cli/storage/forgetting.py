"""What else falls with a pruned session, for every engine: whatever was made of its corrections, and told of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    Correction,
    Event,
    Experience,
    GateSkip,
    ImportMark,
    Judgement,
    Notice,
    Recall,
    Record,
    SkillCheck,
    SkillLine,
    SkillRevision,
    SkillState,
    TranscriptMark,
)

OF_SESSION: tuple[type[Event | Correction | Judgement | Experience | Recall | TranscriptMark | ImportMark], ...] = (
    Event,
    Correction,
    Judgement,
    Experience,
    Recall,
    TranscriptMark,
    ImportMark,
)
"""What names its host and session, and goes with them."""
PRUNED = "a session it rested on was pruned"
"""`reason` of a revision that stands where others were deleted."""
_SAID = ("injected", "held", "named")
"""Decisions of a candidate whose words are in the recall's text."""


@dataclass(frozen=True, slots=True)
class Fallout:
    """Beyond the session's own rows."""

    deleted: dict[type[Record], list[str]] = field(default_factory=dict)
    """Record type -> ids."""
    added: list[SkillRevision] = field(default_factory=list)
    """What withdraws or replaces a skill whose newest revision is among the deleted."""
    skills: frozenset[str] = frozenset()
    """Skills of which something was deleted: other sessions' recalls may hold their words."""


def fallout(
    gone: Collection[str],
    session_id: str,
    at: datetime,
    *,
    revisions: Iterable[SkillRevision],
    skips: Iterable[GateSkip],
    notices: Iterable[Notice],
    checks: Iterable[SkillCheck],
) -> Fallout:
    """What rests on the corrections `gone`, deleted at `at`.

    From the first version that cites one of them on, a skill's versions carry their words on: they go, all but
    a newest one that cites none. The versions before stay.
    """
    histories: dict[str, list[SkillRevision]] = {}
    for revision in revisions:
        histories.setdefault(revision.skill_id, []).append(revision)
    fallen: list[SkillRevision] = []
    added: list[SkillRevision] = []
    for history in histories.values():
        history.sort(key=lambda one: one.version)
        lost = _falling(history, gone)
        fallen += lost
        if history[-1] in lost:
            added.append(_successor([one for one in history if one not in lost], history[-1], at))
    skills = {one.skill_id for one in fallen}
    versions = {(one.skill_id, one.version) for one in fallen}
    names = {one.name for one in fallen}
    told = [
        one.id
        for one in notices
        if one.subject in {session_id, *names, *skills}
        or one.subject.partition("@")[0] in skills
        or any(name in f"{one.text} {one.fix}" for name in names)
    ]
    deleted: dict[type[Record], list[str]] = {
        SkillRevision: [one.id for one in fallen],
        GateSkip: [one.id for one in skips if not set(one.correction_ids).isdisjoint(gone)],
        Notice: told,
        SkillCheck: [one.id for one in checks if (one.skill_id, one.version) in versions or cites(one, gone)],
    }
    return Fallout({kind: ids for kind, ids in deleted.items() if ids}, added, frozenset(skills))


def cites(record: Record, gone: Collection[str]) -> bool:
    """Does this revision or skip rest on one of the corrections `gone`, or was its moment replayed in this check?"""
    if isinstance(record, SkillCheck):
        return str(record.figures.get("correction_id", "")) in gone
    if isinstance(record, GateSkip):
        return any(one in gone for one in record.correction_ids)
    return isinstance(record, SkillRevision) and any(
        one in gone for line in record.lines for one in line.correction_ids
    )


def falls(line: SkillLine, gone: Collection[str]) -> bool:
    """Has the line lost its last evidence with the corrections `gone`?"""
    return bool(line.correction_ids) and all(one in gone for one in line.correction_ids)


def blank(revision: SkillRevision, at: datetime) -> SkillRevision:
    """What withdraws the skill after `revision`: retired, without a word but the name, by which its file is found."""
    return replace(
        revision,
        id=derived_id(at, "pruned", revision.id),
        version=revision.version + 1,
        title="",
        trigger="",
        lines=(),
        body="",
        acts=(),
        tasks=(),
        applies={},
        moments=(),
        backtest={},
        relations={},
        state=SkillState.RETIRED,
        reason=PRUNED,
        occurred_at=at,
    )


def is_blank(revision: SkillRevision) -> bool:
    """Was it emptied by a prune?"""
    return revision.reason == PRUNED and revision.state is SkillState.RETIRED and not (revision.lines or revision.body)


def silenced(recall: Recall, forgotten: Collection[str]) -> Recall:
    """`recall` of another session without what it said of the skills and memos `forgotten`."""
    if not any(one.id in forgotten for one in recall.candidates):
        return recall
    said = any(one.id in forgotten and one.decision in _SAID for one in recall.candidates)
    candidates = tuple(replace(one, name="") if one.id in forgotten else one for one in recall.candidates)
    return replace(recall, candidates=candidates, text="" if said else recall.text)


def _falling(history: list[SkillRevision], gone: Collection[str]) -> list[SkillRevision]:
    """Of one skill's versions, in order."""
    first = next((n for n, one in enumerate(history) if cites(one, gone)), len(history))
    newest = history[-1]
    return [
        one
        for n, one in enumerate(history)
        if (n >= first and (one is not newest or cites(one, gone))) or (is_blank(one) and one is not newest)
    ]


def _successor(left: list[SkillRevision], newest: SkillRevision, at: datetime) -> SkillRevision:
    """The newest of what is left again, in the state of the deleted `newest`; nothing left: a blank one."""
    emptied = blank(newest, at)
    if not left or is_blank(left[-1]):
        return emptied
    return replace(left[-1], id=emptied.id, version=emptied.version, state=newest.state, reason=PRUNED, occurred_at=at)
