"""Feedback: what came of each injection. `held` needs an opportunity taken the corrected way; else `unknown`.

A session is judged when it ends or falls silent, and again if it goes on; a recurrence is told at the end of its
turn. The newest Outcome of a recall and its subject counts.
"""

from collections.abc import Sequence
from datetime import datetime

from hivemind_cli.core.acts import Act
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    Correction,
    Event,
    EventKind,
    Outcome,
    Recall,
    Record,
    SkillRevision,
    Verdict,
)
from hivemind_cli.core.same import follows, repeats, shows_again
from hivemind_cli.pipeline import judged
from hivemind_cli.storage.base import Row, Store


class Feedback:
    """The stage. Stateless."""

    name = "feedback"
    reads = Event
    batch_size = 500

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        """Outcomes of the sessions that end in `batch`; of those that end a turn, what recurred."""
        outcomes: list[Record] = []
        for kind in (EventKind.REPLY, EventKind.SESSION_END):
            sessions = {
                (row.record.host, row.record.session_id): row.record.occurred_at
                for row in batch
                if row.record.kind is kind
            }
            for (host, session_id), at in sessions.items():
                judged = judge_session(store, host, session_id, at)
                ended = kind is EventKind.SESSION_END
                outcomes += [one for one in judged if ended or one.verdict is Verdict.RECURRED]
        return outcomes


def judge_session(store: Store, host: str, session_id: str, at: datetime) -> list[Outcome]:
    """One Outcome for each thing that was injected or held in the session."""
    recalls = [row.record for row in store.find(Recall, host=host, session_id=session_id)]
    spoken = [recall for recall in recalls if recall.text]
    if not spoken:
        return []
    events = [row.record for row in store.find(Event, host=host, session_id=session_id)]
    noticed = [row.record for row in store.find(Correction, host=host, session_id=session_id)]
    corrections = [one for one in judged.effective(store, noticed) if judged.is_called(one)]
    outcomes = []
    for recall in spoken:
        after = [event for event in events if event.occurred_at > recall.occurred_at]
        for candidate in recall.candidates:
            if candidate.decision not in ("injected", "held"):
                continue
            evidence = _lesson(store, candidate.id)
            verdict, proof, reason = _verdict(evidence, recall, after, corrections)
            outcomes.append(
                Outcome(
                    id=derived_id(recall.occurred_at, "outcome", recall.id, candidate.id, verdict),
                    workspace_id=recall.workspace_id,
                    project_id=recall.project_id,
                    session_id=session_id,
                    occurred_at=at,
                    recall_id=recall.id,
                    subject_id=candidate.id,
                    verdict=verdict,
                    evidence=proof,
                    reason=reason,
                )
            )
    return outcomes


def _lesson(store: Store, subject_id: str) -> list[Correction]:
    """The corrections behind a skill or memo."""
    revisions = store.find(SkillRevision, skill_id=subject_id, newest_first=True, limit=1)
    ids = [subject_id]
    if revisions:
        ids = sorted({one for line in revisions[0].record.lines for one in line.correction_ids})
    return [row.record for row in store.find(Correction, id=ids)] if ids else []


def _verdict(
    lesson: list[Correction], recall: Recall, after: list[Event], corrections: list[Correction]
) -> tuple[Verdict, tuple[str, ...], str]:
    keys = {correction.recurrence_key for correction in lesson} - {""}
    again = [one for one in corrections if one.recurrence_key in keys and one.occurred_at > recall.occurred_at]
    if again:
        return Verdict.RECURRED, tuple(one.reaction_event_id for one in again), "it was corrected again"
    taught = [(Act.of(one.act), one.quote, one.task) for one in lesson if one.act]
    ran = [event for event in after if event.kind in (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE)]
    telling = [one for one in taught if shows_again(*one[:2])]
    repeated = [event for event in ran if (did := _act(event)) and any(repeats(did, *one) for one in telling)]
    if repeated:
        return Verdict.RECURRED, tuple(event.id for event in repeated), "the corrected act was done again"
    right = [event for event in ran if (did := _act(event)) and any(follows(did, *one) for one in taught)]
    if right:
        return Verdict.HELD, tuple(event.id for event in right), "the same work was done the corrected way"
    return Verdict.UNKNOWN, (), "the act did not come up again"


def _act(event: Event) -> Act | None:
    value = event.payload.get("act")
    return Act.of(value) if isinstance(value, dict) and value else None
