"""Forgetting a session, with all that rests on it; a tombstone keeps an import from bringing it back."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import (
    DEFAULT_WORKSPACE,
    Correction,
    Event,
    Recall,
    SkillRevision,
    SkillState,
    Tombstone,
)
from hivemind_cli.storage.base import Store


@dataclass(frozen=True, slots=True)
class Lost:
    """What goes with a session."""

    events: int
    corrections: int
    recalls: int
    lines: dict[str, list[str]] = field(default_factory=dict)
    """Skill's name -> its lines whose last evidence goes."""


def consequences(store: Store, host: str, session_id: str) -> Lost:
    """What `prune_session` would delete; nothing is changed."""
    gone = _corrections(store, host, session_id)
    lines = {}
    for revision in current_skills(store):
        falling = [line.text for line in revision.lines if line.correction_ids and set(line.correction_ids) <= gone]
        if falling:
            lines[revision.name] = falling
    return Lost(
        events=store.count(Event, host=host, session_id=session_id),
        corrections=len(gone),
        recalls=store.count(Recall, host=host, session_id=session_id),
        lines=lines,
    )


def prune_session(store: Store, host: str, session_id: str, now: datetime) -> int:
    """Delete the session and the skill lines that rest on it alone; how many records were deleted."""
    gone = _corrections(store, host, session_id)
    revisions = [_without(revision, gone, now) for revision in current_skills(store)]
    store.append([revision for revision in revisions if revision])
    rows = store.find(Event, host=host, session_id=session_id, limit=1)
    workspace = rows[0].record.workspace_id if rows else DEFAULT_WORKSPACE
    tombstone = Tombstone(id=new_id(now), workspace_id=workspace, host=host, session_id=session_id, occurred_at=now)
    return store.prune(host, session_id, tombstone)


def _corrections(store: Store, host: str, session_id: str) -> set[str]:
    return {row.record.id for row in store.find(Correction, host=host, session_id=session_id)}


def _without(revision: SkillRevision, gone: set[str], now: datetime) -> SkillRevision | None:
    touched = any(set(line.correction_ids) & gone for line in revision.lines)
    if not touched or revision.state is SkillState.RETIRED:
        return None
    kept = tuple(
        replace(line, correction_ids=tuple(one for one in line.correction_ids if one not in gone))
        for line in revision.lines
        if not line.correction_ids or set(line.correction_ids) - gone
    )
    carried = any(line.correction_ids for line in kept)
    return replace(
        revision,
        id=new_id(now),
        version=revision.version + 1,
        lines=kept if carried else (),
        acts=revision.acts if carried else (),
        tasks=revision.tasks if carried else (),
        state=revision.state if carried else SkillState.RETIRED,
        reason="a session it rested on was pruned",
        occurred_at=now,
    )
