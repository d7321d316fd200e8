"""What is known, as plain values for any door: corrections, skills, sessions, and the why behind a line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from typing import Any

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    Project,
    Recall,
    SkillRevision,
    SkillState,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.storage.base import Store

LIKENESS_MIN = 0.6
"""Of two names, 0..1, below which none is offered (difflib's own cutoff)."""
WINDOWS_DAYS = (1, 8, 64, 512)
"""Looked through for the sessions that were active last, one after the other: an import stores old ones last."""
WAITING = (SkillState.REVIEW, SkillState.QUARANTINED, SkillState.DRAFT)
"""What waits for a person, in the order in which it is shown."""
_BEGINNINGS = (EventKind.PROMPT, EventKind.SESSION_START)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One session in a line."""

    host: str
    session_id: str
    project: str
    started_at: datetime
    last_at: datetime
    prompts: int
    tool_calls: int
    corrections: int
    recalls: int


@dataclass(frozen=True, slots=True)
class Why:
    """The evidence behind one line of a skill."""

    line_number: int
    text: str
    corrections: tuple[Correction, ...]


def current_skills(store: Store, *, states: Sequence[SkillState] = ()) -> list[SkillRevision]:
    """The newest revision of every skill, by name; only those in `states`, if given."""
    newest: dict[str, SkillRevision] = {}
    for row in store.find(SkillRevision):
        known = newest.get(row.record.skill_id)
        if known is None or row.record.version >= known.version:
            newest[row.record.skill_id] = row.record
    found = [revision for revision in newest.values() if not states or revision.state in states]
    return sorted(found, key=lambda revision: (revision.name, revision.skill_id))


def skill_named(store: Store, name: str) -> SkillRevision:
    """The newest revision of the skill called `name`. HivemindError with the nearest name if there is none."""
    skills = current_skills(store)
    found = [revision for revision in skills if revision.name == name or revision.skill_id == name]
    live = [revision for revision in found if revision.state is not SkillState.RETIRED]
    if live or found:
        return (live or found)[-1]
    names = [revision.name for revision in skills]
    near = max(names, key=lambda one: _likeness(name, one), default="")
    if near and _likeness(name, near) < LIKENESS_MIN:
        near = ""
    raise HivemindError(
        f"No skill is called {name!r}.",
        why=f"Did you mean {near!r}?" if near else "" if names else "There is no skill yet.",
        fix="`hivemind skillify` lists them all.",
    )


def _likeness(name: str, other: str) -> float:
    """0..1; a name is also like the beginning of a longer one."""
    words = other.split("-")
    beginnings = ("-".join(words[:n]) for n in range(1, len(words) + 1))
    return max(SequenceMatcher(None, name, one).ratio() for one in beginnings)


def history_of(store: Store, skill_id: str) -> list[SkillRevision]:
    """All revisions of a skill, oldest first."""
    rows = store.find(SkillRevision, skill_id=skill_id)
    return sorted((row.record for row in rows), key=lambda revision: revision.version)


def version_named(history: Sequence[SkillRevision], version: int) -> SkillRevision:
    """The version with that number. HivemindError, with those there are, if there is none."""
    found = next((one for one in history if one.version == version), None)
    if found is None:
        known = ", ".join(str(one.version) for one in history)
        raise HivemindError(
            f"{history[-1].name} has no version {version}.",
            why=f"There is version {known}." if len(history) == 1 else f"There are versions {known}.",
            fix=f"`hivemind skillify log {history[-1].name}` lists them.",
        )
    return found


def why(store: Store, revision: SkillRevision, line: int | None = None) -> list[Why]:
    """The evidence behind each line, or behind line number `line` (from 1)."""
    numbered = [(n, one) for n, one in enumerate(revision.lines, 1) if line in (None, n)]
    if line is not None and not numbered:
        raise HivemindError(
            f"{revision.name} has no line {line}.",
            why=f"It has lines 1 to {len(revision.lines)}.",
            fix=f"`hivemind why {revision.name}` shows them.",
        )
    ids = sorted({one for _, each in numbered for one in each.correction_ids})
    known = {row.record.id: row.record for row in store.find(Correction, id=ids)} if ids else {}
    return [Why(n, one.text, tuple(known[each] for each in one.correction_ids if each in known)) for n, one in numbered]


def corrections(
    store: Store,
    *,
    limit: int,
    kinds: Sequence[CorrectionKind] = (),
    project_ids: Collection[str] = (),
    hosts: Collection[str] = (),
    since: datetime | None = None,
    sure_min: float = 0.0,
    refused: bool = False,
) -> tuple[list[Correction], int]:
    """(the newest as they count by now, how many newer than the oldest of them were left out as less sure).

    Newest first, at most `limit`. What was judged to be no correction is left out without being counted, or listed,
    too, if `refused`: with confidence judged.NO, and who said so as the cause.
    """
    filters: dict[str, Any] = {"kind": list(kinds), "project_id": sorted(project_ids), "host": sorted(hosts)}
    equals = {name: value for name, value in filters.items() if value}
    rows = store.find(Correction, since=since, **equals)
    counting = judged.effective(store, [row.record for row in reversed(rows)])
    found: list[Correction] = []
    unsure = 0
    for one in sorted(counting, key=lambda each: each.occurred_at, reverse=True):
        if len(found) == limit:
            break
        if judged.refused(one) and not refused:
            continue
        if one.confidence >= sure_min:
            found.append(one)
        else:
            unsure += 1
    return found, unsure


def projects_named(store: Store, name: str) -> set[str]:
    """Ids of the projects called `name`, or of the one with that id. HivemindError with the nearest name if none is."""
    names = project_names(store)
    found = {project_id for project_id, known in names.items() if name in (known, project_id)}
    if found:
        return found
    near = max(names.values(), key=lambda one: _likeness(name, one), default="")
    if near and _likeness(name, near) < LIKENESS_MIN:
        near = ""
    raise HivemindError(
        f"No project is called {name!r}.",
        why=f"Did you mean {near!r}?"
        if near
        else f"Known are {', '.join(sorted(set(names.values())))}."
        if names
        else "",
        fix="`hivemind sessions` shows the projects that were captured.",
    )


def project_names(store: Store) -> dict[str, str]:
    """project_id -> its folder's name."""
    return {row.record.project_id: row.record.name for row in store.find(Project)}


def session_ids(
    store: Store,
    *,
    limit: int | None = None,
    now: datetime | None = None,
    since: datetime | None = None,
    **equals: Any,
) -> list[tuple[str, str]]:
    """(host, session_id), the last active first; all of them without a limit. `equals` are an event's fields."""
    today = now or datetime.now(UTC)
    newest: dict[tuple[str, str], datetime] = {}
    for days in (*WINDOWS_DAYS, None) if limit and not since else (None,):
        begin = today - timedelta(days=days) if days else since
        for row in store.find(Event, kind=_BEGINNINGS, since=begin, **equals):
            key = (row.record.host, row.record.session_id)
            newest[key] = max(newest.get(key, row.record.occurred_at), row.record.occurred_at)
        if limit and len(newest) >= limit:
            break
    return sorted(newest, key=lambda key: (newest[key], key), reverse=True)[:limit]


def session_named(store: Store, name: str) -> tuple[str, str]:
    """(host, session_id) of the session with that id, or else of the only one whose id begins so.

    `name` may have the host before it, "codex:01a1". HivemindError: there is none, or more than one.
    """
    known = session_ids(store)
    found = [one for one in known if name in (one[1], ":".join(one))]
    found = found or [one for one in known if one[1].startswith(name) or ":".join(one).startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise HivemindError(f"No session begins with {name!r}.", fix="`hivemind sessions` lists them.")
    fix = "Give more of the id."
    if len({session_id for _, session_id in found}) == 1:
        fix = f"Put the agent before the id: {' or '.join(map(':'.join, found))}."
    raise HivemindError(f"{len(found)} sessions begin with {name!r}.", fix=fix)


def sessions(
    store: Store,
    *,
    limit: int = 50,
    project_ids: Collection[str] = (),
    hosts: Collection[str] = (),
    since: datetime | None = None,
) -> list[SessionSummary]:
    """Sessions, the last active first; only of these projects and hosts, and active since then, if given."""
    names = project_names(store)
    filters = {"project_id": sorted(project_ids), "host": sorted(hosts)}
    equals: dict[str, Any] = {name: value for name, value in filters.items() if value}
    found = session_ids(store, limit=limit, since=since, **equals)
    return [_summary(store, host, session_id, names) for host, session_id in found]


def given(store: Store, host: str, session_id: str) -> int:
    """How often an agent was told something in the session; a decision to be silent is none."""
    place: dict[str, Any] = {"host": host, "session_id": session_id}
    return store.count(Recall, **place) - store.count(Recall, **place, text="")


def _summary(store: Store, host: str, session_id: str, names: dict[str, str]) -> SessionSummary:
    first = store.find(Event, host=host, session_id=session_id, limit=1)[0].record
    last = store.find(Event, host=host, session_id=session_id, newest_first=True, limit=1)[0].record
    return SessionSummary(
        host=host,
        session_id=session_id,
        project=names.get(last.project_id, ""),
        started_at=min(first.occurred_at, last.occurred_at),
        last_at=max(first.occurred_at, last.occurred_at),
        prompts=store.count(Event, host=host, session_id=session_id, kind=EventKind.PROMPT),
        tool_calls=store.count(Event, host=host, session_id=session_id, kind=EventKind.TOOL_CALL),
        corrections=len(judged.called(store, host=host, session_id=session_id)),
        recalls=given(store, host, session_id),
    )
