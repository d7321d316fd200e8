"""How a turn went, 0..1, from what was seen: tests, what people put right, and whether the lines stayed.

The score begins with what the checks say, and each further fact takes its share of it. The numbers order what is
compared (a green run that nobody objected to stands above an unchecked one, that above a corrected one, and what was
taken back stands last); they are no probabilities.
"""

from dataclasses import dataclass

from hivemind_cli.core.records import Correction, CorrectionKind, TaskOutcome
from hivemind_cli.pipeline.experience.turn import Turn
from hivemind_cli.pipeline.spoken import own_words

GREEN, STALE, UNCHECKED, RED = 0.95, 0.8, 0.7, 0.25
"""Checks passed; passed, but files were edited since; none ran; one failed at the end."""
UNANSWERED = 0.9
"""The person has not spoken since: nobody said that it will do."""
NOTHING_DONE = 0.2
STOPPED = 0.5
TAKES = {
    CorrectionKind.SAID: 0.45,
    CorrectionKind.REDO: 0.45,
    CorrectionKind.INTERRUPTED: 0.3,
    CorrectionKind.REJECTED: 0.3,
    CorrectionKind.RED_AFTER_DONE: 0.25,
    CorrectionKind.REVERTED: 0.1,
}
"""What is left of the score; each kind counts once."""
HAND_LEAST, HAND_SHARE = 0.3, 0.5
"""What is left after a person changed lines: the least, and more by the share that stayed."""
SUCCESS_MIN, PARTIAL_MIN = 0.6, 0.3
QUOTE_CHARS_MAX = 400
LESSONS_MAX = 5
HAND_LINES_MAX = 6


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a turn came to."""

    outcome: TaskOutcome
    score: float
    lessons: str
    evidence: tuple[str, ...]
    """What it rests on, in words."""


def weigh(turn: Turn) -> Weighed:
    """From the facts of a turn alone: the same facts always give the same."""
    score, evidence = _checked(turn)
    if turn.all_failed:
        score *= NOTHING_DONE
        evidence.append("nothing that was tried went through")
    kinds = list(dict.fromkeys(one.kind for one in turn.corrected))
    for kind in kinds:
        score *= _left(turn) if kind is CorrectionKind.HAND_EDIT else TAKES.get(kind, 1.0)
        evidence.append(_told(turn, kind))
    if turn.stopped and CorrectionKind.INTERRUPTED not in kinds:
        score *= STOPPED
        evidence.append("the person stopped it")
    if turn.next_prompt is None:
        score *= UNANSWERED
        evidence.append("the person has not spoken since")
    elif not kinds:
        evidence.append("the person went on without putting anything right")
    if turn.lines_written and turn.next_prompt is not None:
        evidence.append(f"{max(turn.lines_written - turn.lines_changed, 0)} of {turn.lines_written} lines stayed")
    score = round(score, 3)
    outcome = TaskOutcome.SUCCESS if score >= SUCCESS_MIN else TaskOutcome.PARTIAL
    if score < PARTIAL_MIN:
        outcome = TaskOutcome.FAILURE
    return Weighed(outcome, score, _lessons(turn), tuple(evidence))


def _checked(turn: Turn) -> tuple[float, list[str]]:
    checks = turn.checks
    failed = [check.name for check in checks if not check.passed]
    if failed:
        return RED, [f"failed: {', '.join(failed)}"]
    if not checks:
        return UNCHECKED, ["no test or other check ran"]
    names = ", ".join(check.name for check in checks)
    if turn.edits > max(check.edits_before for check in checks):
        return STALE, [f"passed: {names}, before the last edit"]
    return GREEN, [f"passed: {names}"]


def _left(turn: Turn) -> float:
    written = turn.lines_written
    stayed = max(written - turn.lines_changed, 0) / written if written else 0.5
    return HAND_LEAST + HAND_SHARE * stayed


def _told(turn: Turn, kind: CorrectionKind) -> str:
    first = next(one for one in turn.corrected if one.kind is kind)
    return f"{kind.value.replace('_', ' ')}: {first.cause}" if first.cause else kind.value.replace("_", " ")


def _lessons(turn: Turn) -> str:
    """What people said and changed, of the turn before whose mistake this one put right too; each once."""
    told = [lesson for one in (*turn.put_right, *turn.corrected) if (lesson := _lesson(one))]
    return "\n".join(list(dict.fromkeys(told))[:LESSONS_MAX])


def _lesson(one: Correction) -> str:
    said = " ".join((own_words(one.quote) or one.quote).split())[:QUOTE_CHARS_MAX]
    if said:
        return f"The person said: {said}"
    if one.kind is CorrectionKind.HAND_EDIT and (one.before or one.after):
        gone, come = one.before.splitlines(), one.after.splitlines()
        lines = [f"-{line}" for line in gone if line not in come] + [f"+{line}" for line in come if line not in gone]
        path = str(one.act.get("path", "")) if one.act else ""
        shown = "\n".join(line[:QUOTE_CHARS_MAX] for line in lines[:HAND_LINES_MAX])
        return f"The person changed {path or 'a line'}:\n{shown}"
    if one.kind in (CorrectionKind.REVERTED, CorrectionKind.RED_AFTER_DONE):
        return f"{one.cause[:1].upper()}{one.cause[1:]}." if one.cause else ""
    return ""
