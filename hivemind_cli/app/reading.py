"""What is known, as plain values for any door: corrections, skills, sessions, and the why behind a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import (
    Correction,
    Event,
    EventKind,
    Project,
    Recall,
    SkillRevision,
    SkillState,
)
from hivemind_cli.storage.base import Store

LIKENESS_MIN = 0.6
"""Of two names, 0..1, below which none is offered (difflib's own cutoff)."""
PROMPTS_A_SESSION = 20
"""Looked through for each session that is to be listed; a session of many prompts takes the place of others."""
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
class Recurring:
    """Corrections that share a key."""

    key: str
    count: int
    since: datetime
    last_at: datetime
    projects: tuple[str, ...]
    quote: str
    skill: str
    """Name of the skill that carries one of them, or ""."""


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


def recurring(store: Store) -> list[Recurring]:
    """What keeps coming back, most often first."""
    groups: dict[str, list[Correction]] = {}
    for row in store.find(Correction):
        groups.setdefault(row.record.recurrence_key, []).append(row.record)
    carried = {
        one: revision.name
        for revision in current_skills(store)
        for each in revision.lines
        for one in each.correction_ids
    }
    names = project_names(store)
    found = []
    for key, group in groups.items():
        if len(group) < 2:
            continue
        last = max(group, key=lambda one: one.occurred_at)
        found.append(
            Recurring(
                key=key,
                count=len(group),
                since=min(one.occurred_at for one in group),
                last_at=last.occurred_at,
                projects=tuple(sorted({names.get(one.project_id, one.project_id) for one in group})),
                quote=last.quote or last.cause,
                skill=next((carried[one.id] for one in group if one.id in carried), ""),
            )
        )
    return sorted(found, key=lambda one: (-one.count, one.key))


def project_names(store: Store) -> dict[str, str]:
    """project_id -> its folder's name."""
    return {row.record.project_id: row.record.name for row in store.find(Project)}


def session_ids(store: Store, *, limit: int) -> list[tuple[str, str]]:
    """(host, session_id), the last active first."""
    newest: dict[tuple[str, str], datetime] = {}
    for row in store.find(Event, kind=_BEGINNINGS, newest_first=True, limit=limit * PROMPTS_A_SESSION):
        newest.setdefault((row.record.host, row.record.session_id), row.record.occurred_at)
    return sorted(newest, key=lambda key: newest[key], reverse=True)[:limit]


def sessions(store: Store, *, limit: int = 50) -> list[SessionSummary]:
    """Sessions, the last active first."""
    names = project_names(store)
    return [_summary(store, host, session_id, names) for host, session_id in session_ids(store, limit=limit)]


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
        corrections=store.count(Correction, host=host, session_id=session_id),
        recalls=store.count(Recall, host=host, session_id=session_id),
    )
