"""A person's hand on skills: accept, undo, retire. Each is a new revision; nothing is rewritten."""

from dataclasses import replace
from datetime import datetime

from hivemind_cli.app.reading import history_of
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Correction, SkillRevision, SkillState
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.forgetting import is_blank

_UNDONE = "undone by a person"
"""How the reason of a version begins that an undo made: the next undo goes behind what it brought back."""


def accept(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Make a draft, reviewed or quarantined revision live."""
    if revision.state is SkillState.LIVE:
        raise HivemindError(
            f"{revision.name} is live already.", fix=f"`hivemind skillify undo {revision.name}` takes it back."
        )
    _check_evidence(store, revision)
    return _next(store, revision, revision, SkillState.LIVE, "accepted by a person", now)


def retire(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Take a skill out of use; its history stays."""
    if revision.state is SkillState.RETIRED:
        raise HivemindError(
            f"{revision.name} is retired already.", fix=f"`hivemind skillify accept {revision.name}` brings it back."
        )
    return _next(store, revision, revision, SkillState.RETIRED, "retired by a person", now)


def undo(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Go back to what was live before `revision`, and at the next undo to what was before that.

    Nothing before it was live: the skill is retired.
    """
    history = [one for one in history_of(store, revision.skill_id) if one.version < revision.version]
    if revision.reason.startswith(_UNDONE):
        own = [one.version for one in history if _said(one) == _said(revision) and not one.reason.startswith(_UNDONE)]
        history = [one for one in history if own and one.version < own[-1]]
    before = [one for one in history if one.state is SkillState.LIVE]
    if before:
        _check_evidence(store, before[-1])
        reason = f"{_UNDONE}: version {revision.version} back to version {before[-1].version}"
        return _next(store, revision, before[-1], SkillState.LIVE, reason, now)
    _check_evidence(store, revision)
    if revision.state is SkillState.RETIRED:
        raise HivemindError(
            f"{revision.name} is retired, and nothing before it was live.",
            fix=f"`hivemind skillify accept {revision.name}` brings it back.",
        )
    return _next(store, revision, revision, SkillState.RETIRED, f"{_UNDONE}: nothing before it was live", now)


def _said(revision: SkillRevision) -> tuple[object, ...]:
    """What makes two versions the same to a reader."""
    return revision.lines, revision.body


def _check_evidence(store: Store, revision: SkillRevision) -> None:
    """HivemindError if `revision` rests on a session that was pruned since."""
    ids = {one for line in revision.lines for one in line.correction_ids}
    if is_blank(revision) or (ids and store.count(Correction, id=sorted(ids)) < len(ids)):
        raise HivemindError(
            f"Version {revision.version} of {revision.name} cannot come back.",
            why="A session it rested on was pruned.",
            fix=f"`hivemind skillify show {revision.name}` shows what is left.",
        )


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
