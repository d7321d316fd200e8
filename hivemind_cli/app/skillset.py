"""A person's hand on skills: accept, undo, retire. Each is a new revision; nothing is rewritten."""

from dataclasses import replace
from datetime import datetime

from hivemind_cli.app.reading import history_of
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import SkillRevision, SkillState
from hivemind_cli.storage.base import Store


def accept(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Make a draft, reviewed or quarantined revision live."""
    if revision.state is SkillState.LIVE:
        raise HivemindError(
            f"{revision.name} is live already.", fix=f"`hivemind skillify undo {revision.name}` takes it back."
        )
    return _next(store, revision, revision, SkillState.LIVE, "accepted by a person", now)


def retire(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Take a skill out of use; its history stays."""
    if revision.state is SkillState.RETIRED:
        raise HivemindError(
            f"{revision.name} is retired already.", fix=f"`hivemind skillify accept {revision.name}` brings it back."
        )
    return _next(store, revision, revision, SkillState.RETIRED, "retired by a person", now)


def undo(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Go back to what was live before `revision`; without such a version, retire the skill."""
    history = history_of(store, revision.skill_id)
    before = [one for one in history if one.version < revision.version and one.state is SkillState.LIVE]
    if not before:
        return _next(store, revision, revision, SkillState.RETIRED, "undone by a person: it was the first version", now)
    reason = f"version {revision.version} undone by a person: back to version {before[-1].version}"
    return _next(store, revision, before[-1], SkillState.LIVE, reason, now)


def _next(
    store: Store, newest: SkillRevision, content: SkillRevision, state: SkillState, reason: str, now: datetime
) -> SkillRevision:
    following = replace(
        content,
        id=new_id(now),
        version=newest.version + 1,
        state=state,
        reason=reason,
        occurred_at=now,
    )
    store.append([following])
    return following
