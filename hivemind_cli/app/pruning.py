"""Forgetting a session, with all that rests on it; a tombstone keeps an import from bringing it back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hivemind_cli.app.publishing import STAGE as PUBLISH
from hivemind_cli.app.reading import current_skills, history_of
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import (
    DEFAULT_WORKSPACE,
    Correction,
    Event,
    Experience,
    Notice,
    Recall,
    SkillLine,
    SkillRevision,
    SkillState,
    Tombstone,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.draft import TITLE_CHARS_MAX
from hivemind_cli.pipeline.codify.revise import beginning_with_when, rebuilt
from hivemind_cli.pipeline.hand import PERSON
from hivemind_cli.skills.format import without
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.forgetting import PRUNED, blank, cites, falls, is_blank


@dataclass(frozen=True, slots=True)
class Lost:
    """What goes with a session."""

    events: int
    corrections: int
    recalls: int
    attempts: int = 0
    """Experiences and fixes that it told."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """Skill's name -> its lines whose last evidence goes."""


def consequences(store: Store, host: str, session_id: str) -> Lost:
    """What `prune_session` would delete; nothing is changed."""
    gone = _corrections(store, host, session_id)
    lines = {}
    for revision in current_skills(store):
        lost = _lost(history_of(store, revision.skill_id), gone)
        falling = [line.text for line in revision.lines if _goes(line, gone, lost)]
        if falling:
            lines[revision.name] = falling
    return Lost(
        events=store.count(Event, host=host, session_id=session_id),
        corrections=len(judged.called(store, host=host, session_id=session_id)),
        recalls=store.count(Recall, host=host, session_id=session_id),
        attempts=len({row.record.event_id for row in store.find(Experience, host=host, session_id=session_id)}),
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
    """As `prune_session`, of a session that is stored as another: no tombstone keeps it away.

    The person, who did not ask for it, is told of the skills in use that go with it.
    """
    live = {one.skill_id: one for one in current_skills(store, states=[SkillState.LIVE])}
    deleted = _forgotten(store, host, session_id, now, bury=False)
    gone = [live[one.skill_id] for one in current_skills(store) if is_blank(one) and one.skill_id in live]
    store.append([_given_way(one, now) for one in gone])
    return deleted


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
    lost = _lost(history, gone)
    kept = tuple(
        replace(line, correction_ids=tuple(one for one in line.correction_ids if one not in gone))
        for line in revision.lines
        if not _goes(line, gone, lost)
    )
    ids = sorted({one for line in kept for one in line.correction_ids})
    left = (
        sorted((row.record for row in store.find(Correction, id=ids)), key=lambda one: one.occurred_at) if ids else []
    )
    if revision.body and (theirs := _body_left(revision, gone, lost)):
        following = _of_theirs(revision, theirs, kept, left, history, gone)
    elif left:
        following = rebuilt(revision, kept, left)
    else:
        return blank(revision, now)
    return replace(following, id=new_id(now), reason=PRUNED, occurred_at=now)


def _of_theirs(
    revision: SkillRevision,
    body: str,
    lines: tuple[SkillLine, ...],
    left: list[Correction],
    history: Sequence[SkillRevision],
    gone: set[str],
) -> SkillRevision:
    """The skill with what is left of a person's own file; the drafter's title and description of it are made anew."""
    words = next(line.strip("-*+ \t") for line in body.splitlines() if _says(line))
    if left:
        made = rebuilt(revision, lines, left)
    else:
        trigger = beginning_with_when(words)
        bare = replace(revision, version=revision.version + 1, lines=lines, moments=(), backtest={}, applies={})
        made = replace(bare, title=words[:TITLE_CHARS_MAX], trigger=trigger, acts=(), tasks=())
    drafted = [one for one in history if one.drafter != PERSON and cites(one, gone)]
    title = made.title if revision.title in {one.title for one in drafted} else revision.title
    trigger = made.trigger if revision.trigger in {one.trigger for one in drafted} else revision.trigger
    head = f"# {revision.title}"
    text = "\n".join(f"# {title}" if line.strip() == head else line for line in body.split("\n"))
    return replace(made, title=title, trigger=trigger, body=text, drafter=PERSON)


def _body_left(revision: SkillRevision, gone: set[str], lost: set[str]) -> str:
    """A person's Markdown without the lines that go; "" if it says nothing then."""
    body = without(revision.body, lambda line: _goes(line, gone, lost), gone)
    return body if any(map(_says, body.splitlines())) else ""


def _says(line: str) -> bool:
    return bool(line.strip("-*+ \t")) and not line.lstrip().startswith("#")


def _lost(history: Sequence[SkillRevision], gone: set[str]) -> set[str]:
    """Texts of the lines that rested on nothing else, in any version: a person may have left them without a mark."""
    return {line.text for one in history for line in one.lines if falls(line, gone)}


def _goes(line: SkillLine, gone: set[str], lost: set[str]) -> bool:
    return falls(line, gone) or (not line.correction_ids and line.text in lost)


def _given_way(skill: SkillRevision, now: datetime) -> Notice:
    return Notice(
        id=new_id(now),
        workspace_id=skill.workspace_id,
        occurred_at=now,
        about="skill_gone",
        text=f"{skill.name} is out of use: it was made of a kept history, and the agent's own record of that session "
        "was imported, which counts instead.",
        fix="`hivemind skillify run` makes skills of what that record tells.",
        subject=skill.name,
    )
