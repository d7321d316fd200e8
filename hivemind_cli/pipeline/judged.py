"""What counts of what was noticed: the detector's opinion, a model's over it, a person's over both.

Everybody who reads corrections to act on them (memos, codify, feedback, lists) reads them through `effective`:

    a person said so      the newest that a person said counts, unless it is `unknown`
    a model said so       else the newest that a model said, unless it is `unknown`
    nobody did            the correction as the detector recorded it
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from hivemind_cli.core.records import Correction, Judgement, SaidKind
from hivemind_cli.storage.base import Store

PERSON = "person"
"""`by` of what a person said; everything else is a model's."""
TAKEN_BACK = "taken back"
"""`reason` of a person's `unknown` that undoes what they said before: the turn is asked about again."""
PASS_MIN, CORRECTION_MIN, SHOWN_MIN = 0.08, 0.25, 0.4
"""Probability from which a turn is recorded, called a correction, and shown to a person without being asked."""
PERSON_YES, MODEL_YES = 1.0, 0.9
"""Confidence, at least, of what was judged to be a correction: above SHOWN_MIN, or the judging would change nothing."""
NO = 0.0
"""Confidence of what was judged to be none. No detector gives it."""
CORRECTIONS = frozenset({SaidKind.CORRECTION, SaidKind.REJECTION_INTERRUPT})
"""What is a yes. A failure report is none: it says that something is wrong, and no rule."""


def counting(judgements: Iterable[Judgement]) -> Judgement | None:
    """The one of these judgements of one turn that counts; None if all that was said is `unknown`."""
    newest_last = sorted(judgements, key=lambda one: one.occurred_at)
    for of_person in (True, False):
        said = [one for one in newest_last if (one.by == PERSON) is of_person]
        if said and said[-1].said is not SaidKind.UNKNOWN:
            return said[-1]
    return None


def of_turns(store: Store, event_ids: Collection[str]) -> dict[str, list[Judgement]]:
    """Everything that was ever said of these turns, by reaction event, in the order of storing."""
    found: dict[str, list[Judgement]] = {}
    for row in store.find(Judgement, event_id=sorted(set(event_ids))) if event_ids else []:
        found.setdefault(row.record.event_id, []).append(row.record)
    return found


def about(judgement: Judgement, correction: Correction) -> bool:
    """Was this said of `correction`? What is said of a turn is said of its words, not of what the hand did beside."""
    if judgement.correction_id == correction.id:
        return True
    return judgement.event_id == correction.reaction_event_id and bool(correction.quote.strip())


def effective(store: Store, corrections: Sequence[Correction]) -> list[Correction]:
    """The corrections, in order, with the confidence and durability that count by now. NO: judged to be none."""
    said = of_turns(store, {one.reaction_event_id for one in corrections})
    return [_as_judged(one, said.get(one.reaction_event_id, ())) for one in corrections]


def refused(correction: Correction) -> bool:
    """Was this effective correction judged to be none?"""
    return correction.confidence <= NO


def is_called(correction: Correction) -> bool:
    """Is this effective correction more than a candidate?"""
    return correction.confidence >= CORRECTION_MIN


def called(store: Store, **equals: Any) -> list[Correction]:
    """The effective corrections that are more than candidates, in the order of storing."""
    rows = store.find(Correction, **equals)
    return [one for one in effective(store, [row.record for row in rows]) if is_called(one)]


def touched(store: Store, judgements: Iterable[Judgement]) -> list[Correction]:
    """The corrections that these judgements are about, as they count by now, in the order of storing."""
    events = sorted({one.event_id for one in judgements})
    rows = store.find(Correction, reaction_event_id=events) if events else []
    return effective(store, [row.record for row in rows])


def _as_judged(correction: Correction, said: Iterable[Judgement]) -> Correction:
    judgement = counting(one for one in said if about(one, correction))
    if judgement is None:
        return correction
    who = f"{judgement.by} said: {judgement.said.replace('_', ' ')}"
    if judgement.said not in CORRECTIONS:
        return replace(correction, confidence=NO, cause=who)
    yes = PERSON_YES if judgement.by == PERSON else MODEL_YES
    return replace(
        correction,
        confidence=max(correction.confidence, yes),
        durable=correction.durable if judgement.durable is None else judgement.durable,
        cause=f"{who}; {correction.cause}" if correction.cause else who,
    )
