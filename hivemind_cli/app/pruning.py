"""Forgetting a session, with all that rests on it; a tombstone keeps an import from bringing it back."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from hivemind_cli.app.publishing import STAGE as PUBLISH
from hivemind_cli.app.reading import current_skills, history_of
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import (
    DEFAULT_WORKSPACE,
    Correction,
    Event,
    Recall,
    SkillRevision,
    Tombstone,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.revise import rebuilt
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.forgetting import PRUNED, blank, cites, falls, is_blank


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
        falling = [line.text for line in revision.lines if falls(line, gone)]
        if falling:
            lines[revision.name] = falling
    return Lost(
        events=store.count(Event, host=host, session_id=session_id),
        corrections=len(judged.called(store, host=host, session_id=session_id)),
        recalls=store.count(Recall, host=host, session_id=session_id),
        lines=lines,
    )


def prune_session(store: Store, host: str, session_id: str, now: datetime) -> int:
    """Delete the session and all that was made of it; how many records were deleted.

    A skill that rests on it alone is retired without a word left but its name, which `forget_names` takes once
    the file is gone. One with other evidence is rebuilt of that; its name stays, and so do its older versions
    up to the first that cited the session.
    """
    return _forgotten(store, host, session_id, now, bury=True)


def forget_copy(store: Store, host: str, session_id: str, now: datetime) -> int:
    """As `prune_session`, of a session that is stored as another: no tombstone keeps it away."""
    return _forgotten(store, host, session_id, now, bury=False)


def _forgotten(store: Store, host: str, session_id: str, now: datetime, *, bury: bool) -> int:
    gone = _corrections(store, host, session_id)
    revisions = [_without(store, revision, gone, now) for revision in current_skills(store)] if gone else []
    store.append([revision for revision in revisions if revision])
    rows = store.find(Event, host=host, session_id=session_id, limit=1)
    workspace = rows[0].record.workspace_id if rows else DEFAULT_WORKSPACE
    return store.prune(host, session_id, _tombstone(workspace, host, session_id, now), bury=bury)


def forget_names(store: Store, host: str, session_id: str, now: datetime) -> bool:
    """Once the files of the emptied skills are withdrawn, their names go too. Are all names gone?

    A name is made of the person's words, but by it publishing finds the file.
    """
    named = [one for one in current_skills(store) if is_blank(one) and one.name != _neutral(one)]
    published = store.cursor(PUBLISH)
    done = [one for one in named if all(row.seq <= published for row in store.find(SkillRevision, id=one.id))]
    store.append([replace(blank(one, now), name=_neutral(one)) for one in done])
    if done:
        store.prune(host, session_id, _tombstone(done[0].workspace_id, host, session_id, now))
    return len(done) == len(named)


def _tombstone(workspace: str, host: str, session_id: str, now: datetime) -> Tombstone:
    return Tombstone(id=new_id(now), workspace_id=workspace, host=host, session_id=session_id, occurred_at=now)


def _neutral(revision: SkillRevision) -> str:
    return f"pruned-{revision.skill_id[-8:].lower()}"


def _corrections(store: Store, host: str, session_id: str) -> set[str]:
    return {row.record.id for row in store.find(Correction, host=host, session_id=session_id)}


def _without(store: Store, revision: SkillRevision, gone: set[str], now: datetime) -> SkillRevision | None:
    """The skill as what is left of its evidence makes it; None if it never rested on `gone`."""
    history = history_of(store, revision.skill_id)
    if not any(cites(one, gone) for one in history):
        return None
    lost = {line.text for one in history for line in one.lines if falls(line, gone)}
    kept = tuple(
        replace(line, correction_ids=tuple(one for one in line.correction_ids if one not in gone))
        for line in revision.lines
        if not falls(line, gone) and (line.correction_ids or line.text not in lost)
    )
    ids = sorted({one for line in kept for one in line.correction_ids})
    left = (
        sorted((row.record for row in store.find(Correction, id=ids)), key=lambda one: one.occurred_at) if ids else []
    )
    if not left:
        return blank(revision, now)
    return replace(rebuilt(revision, kept, left), id=new_id(now), reason=PRUNED, occurred_at=now)
