"""A person's hand on skills: accept, reject, retire, undo, roll back, promote, edit. Each is a new revision.

Nothing is rewritten, and a person's word is the last: what their own edit said before stays as a version.
"""

import os
from dataclasses import replace
from datetime import datetime

from hivemind_cli.app.reading import current_skills, history_of, version_named
from hivemind_cli.app.relations import opposed_live
from hivemind_cli.core import redact
from hivemind_cli.core.errors import HivemindError, VersionTaken
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Scope, SkillRevision, SkillState
from hivemind_cli.pipeline.hand import BY_PERSON, PERSON, REJECTED
from hivemind_cli.skills.format import parse
from hivemind_cli.skills.receipts import TreeReceipts
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.forgetting import is_blank

IN_FILE = "a person edited the file"
"""Reason of a revision that a person made in the file itself: where it stands so, it is not written again."""
IN_REVIEW = f"edited {BY_PERSON} in a review"
_UNDONE = f"undone {BY_PERSON}"
"""How the reason of a version begins that an undo made: the next undo goes behind what it brought back."""


def accept(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Make a draft, reviewed, quarantined or retired revision live."""
    if revision.state is SkillState.LIVE:
        raise HivemindError(
            f"{revision.name} is live already.", fix=f"`hivemind skillify undo {revision.name}` takes it back."
        )
    _check_evidence(store, revision)
    return _next(store, revision, revision, SkillState.LIVE, f"accepted {BY_PERSON}", now)


def accept_instead(store: Store, revision: SkillRevision, now: datetime) -> list[SkillRevision]:
    """`accept`, and put out of use the live skill that `revision` contradicts. The new revisions, the accepted first.

    Two skills that ask for opposite things help nobody.
    """
    other = opposed_live(store, revision)
    accepted = accept(store, revision, now)
    if other is None:
        return [accepted]
    return [accepted, _next(store, other, other, SkillState.RETIRED, _instead(revision.name), now)]


def undo_instead(store: Store, revision: SkillRevision, now: datetime) -> list[SkillRevision]:
    """`undo`, and what was retired when `revision` was accepted instead is in use again. Its own comes first."""
    undone = undo(store, revision, now)
    if undone.state is SkillState.LIVE:
        return [undone]
    retired = [one for one in current_skills(store, states=[SkillState.RETIRED]) if one.reason == _instead(undone.name)]
    return [undone, *(undo(store, one, now) for one in retired)]


def _instead(name: str) -> str:
    return f"retired {BY_PERSON}: {name}, which contradicts it, was accepted instead"


def reject(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Drop what waits. It is not proposed again before its evidence has doubled (codify knows it by its corrections).

    Where it would have followed a live version, that one stays live.
    """
    if revision.state in (SkillState.LIVE, SkillState.RETIRED):
        raise HivemindError(
            f"{revision.name} does not wait: it is {revision.state.value}.",
            fix=f"`hivemind skillify retire {revision.name}` takes a live skill out of use.",
        )
    before = [one for one in history_of(store, revision.skill_id) if one.version < revision.version]
    if before and before[-1].state is SkillState.LIVE:
        why = f"{REJECTED}: version {revision.version}; version {before[-1].version} stays"
        return _next(store, revision, before[-1], SkillState.LIVE, why, now)
    return _next(store, revision, revision, SkillState.RETIRED, REJECTED, now)


def retire(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Take a skill out of use; its history stays."""
    if revision.state is SkillState.RETIRED:
        raise HivemindError(
            f"{revision.name} is retired already.", fix=f"`hivemind skillify accept {revision.name}` brings it back."
        )
    return _next(store, revision, revision, SkillState.RETIRED, f"retired {BY_PERSON}", now)


def undo(store: Store, revision: SkillRevision, now: datetime) -> SkillRevision:
    """Go back to what was live before `revision`, and at the next undo to what was before that.

    Nothing before it was live: the skill is retired. The scope goes back, too.
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


def rollback(store: Store, revision: SkillRevision, to: int, now: datetime) -> SkillRevision:
    """Make version `to` live again, in the scope it had. It wins over a person's edit, which stays as a version."""
    history = history_of(store, revision.skill_id)
    content = version_named(history, to)
    if to == revision.version and revision.state is SkillState.LIVE:
        raise HivemindError(
            f"Version {to} of {revision.name} is live already.",
            fix=f"`hivemind skillify log {revision.name}` lists the others.",
        )
    _check_evidence(store, content)
    why = f"rolled back {BY_PERSON}: version {revision.version} to version {to}"
    return _next(store, revision, content, SkillState.LIVE, why, now)


def lost_edit(store: Store, revision: SkillRevision, to: int) -> SkillRevision | None:
    """The newest version that a person wrote after version `to`, if going back to it takes their words out of use."""
    history = history_of(store, revision.skill_id)
    content = version_named(history, to)
    if (revision.lines, revision.body) == (content.lines, content.body):
        return None
    return next((one for one in reversed(history) if one.version > to and one.reason in (IN_FILE, IN_REVIEW)), None)


def check_promotable(revision: SkillRevision) -> None:
    """HivemindError: it is for every project already, or out of use."""
    if revision.scope is not Scope.PROJECT:
        raise HivemindError(
            f"{revision.name} is for every project already.",
            fix=f"`hivemind skillify log {revision.name}` shows since when.",
        )
    if revision.state is SkillState.RETIRED:
        raise HivemindError(
            f"{revision.name} is retired.", fix=f"`hivemind skillify accept {revision.name}` brings it back first."
        )


def promote(store: Store, revision: SkillRevision, now: datetime, paths: Paths) -> SkillRevision:
    """Make a project's skill one for every project, live by the person's word."""
    check_promotable(revision)
    _check_evidence(store, revision)
    _check_place(revision, paths)
    wide = replace(revision, scope=Scope.USER)
    return _next(store, revision, wide, SkillState.LIVE, f"promoted {BY_PERSON}: for every project", now)


def edited(revision: SkillRevision, text: str, now: datetime, reason: str) -> SkillRevision:
    """The live version after `revision` that a person made of it by writing `text`, a whole SKILL.md. Not stored.

    Name and scope stay; a line may name only corrections that the skill carried. SkillFault: it cannot be read.
    """
    parsed = parse(redact.text(text))
    carried = {one for line in revision.lines for one in line.correction_ids}  # others may be forged
    lines = (
        replace(line, correction_ids=tuple(one for one in line.correction_ids if one in carried))
        for line in parsed.lines
    )
    return replace(
        revision,
        id=new_id(now),
        version=revision.version + 1,
        title=parsed.title or revision.title,
        trigger=parsed.description,
        lines=tuple(lines),
        body=parsed.body,
        drafter=PERSON,
        state=SkillState.LIVE,
        reason=reason,
        occurred_at=now,
    )


def edit(store: Store, revision: SkillRevision, text: str, now: datetime) -> SkillRevision:
    """Store what a person made of `revision` in a review, live by their word."""
    _check_evidence(store, revision)
    return _stored(store, edited(revision, text, now, IN_REVIEW))


def _said(revision: SkillRevision) -> tuple[object, ...]:
    """What makes two versions the same to a reader."""
    return revision.lines, revision.body, revision.scope


def _check_evidence(store: Store, revision: SkillRevision) -> None:
    """HivemindError if `revision` rests on a session that was pruned since."""
    ids = {one for line in revision.lines for one in line.correction_ids}
    if is_blank(revision) or (ids and store.count(Correction, id=sorted(ids)) < len(ids)):
        raise HivemindError(
            f"Version {revision.version} of {revision.name} cannot come back.",
            why="A session it rested on was pruned.",
            fix=f"`hivemind skillify show {revision.name}` shows what is left.",
        )


def _check_place(revision: SkillRevision, paths: Paths) -> None:
    """HivemindError if something that is not ours stands where a skill for every project goes."""
    folder = paths.home / ".claude" / "skills" / revision.name
    receipt = TreeReceipts.of(paths.receipts, paths.home).get(revision.name)
    if os.path.lexists(folder) and (receipt is None or receipt.skill_id != revision.skill_id):
        raise HivemindError(
            f"{revision.name} cannot be put beside your own skills.",
            why=f"{folder} is there already, and hivemind did not write it for this skill.",
            fix="Rename or remove that folder, and run the command again.",
        )


def _next(
    store: Store, newest: SkillRevision, content: SkillRevision, state: SkillState, reason: str, now: datetime
) -> SkillRevision:
    return _stored(
        store,
        replace(content, id=new_id(now), version=newest.version + 1, state=state, reason=reason, occurred_at=now),
    )


def _stored(store: Store, following: SkillRevision) -> SkillRevision:
    try:
        stored = store.append([following])
    except VersionTaken:
        stored = 0
    if not stored:
        raise HivemindError(
            f"{following.name} was changed meanwhile; nothing was done.",
            why=f"There is a version {following.version} already.",
            fix=f"Look at it with `hivemind skillify log {following.name}`, and run the command again.",
        )
    return following
