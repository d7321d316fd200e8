"""What capture remembers of the sessions it sees: derived from the store, so a restart loses nothing."""

from collections import OrderedDict
from datetime import datetime
from pathlib import Path

from hivemind_cli.core.acts import SHELL
from hivemind_cli.core.records import Event, EventKind, Project, TranscriptMark
from hivemind_cli.storage.base import Store

SESSIONS_MAX = 64
"""Sessions kept in memory; the least recently used is read again from the store when it comes back."""
EVENTS_MAX = 4000
"""Of one session, the newest looked at when it is read from the store."""
_COUNTED = (EventKind.PROMPT, EventKind.STEER, EventKind.SESSION_START, EventKind.SESSION_END, EventKind.COMPACT)
"""Kinds whose keys are counted."""


class Session:
    """One session's keys, counts and recent writes."""

    def __init__(self, host: str, session_id: str) -> None:
        self.host = host
        self.id = session_id
        self.keys: set[str] = set()
        self.prompt_keys: set[str] = set()
        self.hook_counts: dict[str, int] = {}
        self.turns = 0
        self.offsets: dict[str, int] = {}
        self.latest_hook_at: datetime | None = None
        self.latest_hook_name = ""
        """Names of deliveries sort by a clock that cannot go back (but at a restart of the machine)."""
        self.wrote: dict[str, Event] = {}
        """Path -> the last tool_result of this turn that wrote it."""
        self.shell_at: datetime | None = None
        """When the agent last ran a command: it may have moved or removed files."""
        self.agent_at: datetime | None = None
        """When the agent last did or said anything."""

    def note(self, event: Event) -> None:
        """Remember an event that is about to be stored."""
        if event.native_key in self.keys:
            return
        self.keys.add(event.native_key)
        if event.kind is EventKind.PROMPT:
            self.prompt_keys.add(event.native_key)
            self.turns += 1
            self.wrote.clear()
        elif event.kind not in (EventKind.STEER, EventKind.SESSION_START, EventKind.SESSION_END):
            self.agent_at = max(self.agent_at or event.occurred_at, event.occurred_at)
        act = event.payload.get("act")
        if isinstance(act, dict) and act.get("kind") == SHELL:
            self.shell_at = max(self.shell_at or event.occurred_at, event.occurred_at)
        wrote = event.payload.get("wrote")
        if isinstance(wrote, dict) and wrote.get("path"):
            self.wrote[str(wrote["path"])] = event

    def turn_of(self, kind: EventKind, key: str) -> int:
        """The turn of an event that comes next."""
        return self.turns + (kind is EventKind.PROMPT and key not in self.prompt_keys)

    def offset(self, path: Path, store: Store) -> int:
        """How far `path` has been read, in bytes."""
        known = self.offsets.get(str(path))
        if known is not None:
            return known
        rows = store.find(
            TranscriptMark, host=self.host, session_id=self.id, path=str(path), newest_first=True, limit=1
        )
        return rows[0].record.offset if rows else 0


class Sessions:
    """The sessions in memory."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._projects: set[str] = set()

    def of(self, host: str, session_id: str, store: Store) -> Session:
        """The session, read from the store if it is not in memory."""
        key = (host, session_id)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = _read(host, session_id, store)
            while len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(key)
        return session

    def forget(self, host: str, session_id: str) -> None:
        """Drop one session from memory."""
        self._sessions.pop((host, session_id), None)

    def clear(self) -> None:
        """Drop all of it: a commit failed, and memory may be ahead of the store."""
        self._sessions.clear()
        self._projects.clear()

    def new_project(self, row: Project, store: Store) -> Project | None:
        """`row` if this working tree was never seen, else None."""
        if row.id in self._projects:
            return None
        self._projects.add(row.id)
        return None if store.count(Project, id=row.id) else row


def _read(host: str, session_id: str, store: Store) -> Session:
    session = Session(host, session_id)
    rows = store.find(Event, host=host, session_id=session_id, newest_first=True, limit=EVENTS_MAX)
    for row in reversed(rows):
        event = row.record
        session.note(event)
        _count(session, event)
        if event.source == "hook":
            session.latest_hook_at = max(session.latest_hook_at or event.occurred_at, event.occurred_at)
    if len(rows) == EVENTS_MAX:  # what is counted from the beginning of a session is counted from there
        for row in store.find(Event, host=host, session_id=session_id, kind=_COUNTED):
            _count(session, row.record)
    session.turns = max((row.record.turn for row in rows), default=0)
    return session


def _count(session: Session, event: Event) -> None:
    session.keys.add(event.native_key)
    if event.kind is EventKind.PROMPT:
        session.prompt_keys.add(event.native_key)
    stem, mark, n = event.native_key.rpartition("#")
    if mark and n.isdigit() and event.source == "hook":
        session.hook_counts[stem] = max(session.hook_counts.get(stem, 0), int(n) + 1)
