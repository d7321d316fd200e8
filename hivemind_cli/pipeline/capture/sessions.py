"""What capture remembers of the sessions it sees: derived from the store, so a restart loses nothing."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core.records import Event, EventKind, Project, TranscriptMark
from hivemind_cli.pipeline.capture.repo import Mark, Repo, repo_of
from hivemind_cli.storage.base import Store

SESSIONS_MAX = 64
"""Sessions kept in memory between batches; the least recently used is read again from the store when it comes back."""
EVENTS_MAX = 4000
"""Of one session, the newest looked at when it is read from the store."""
TURNS_KEPT = 6
"""Turns for which what the agent wrote is watched."""
FILES_MAX = 200
"""Files of a session that are watched; the one written longest ago goes first."""
LINES_MAX = 2000
"""Lines of the agent in one file that are watched; the newest stay."""
_COUNTED = (
    EventKind.PROMPT,
    EventKind.STEER,
    EventKind.REPLY,
    EventKind.INTERRUPT,
    EventKind.SESSION_START,
    EventKind.SESSION_END,
    EventKind.COMPACT,
)
"""Kinds whose keys are counted."""


@dataclass(slots=True)
class Own:
    """A line of the agent's."""

    text: str
    """As it may be shown."""
    call_id: str


@dataclass(slots=True)
class Watched:
    """A file the agent wrote to, as it stood when the agent last touched it."""

    path: str
    at: datetime
    """When the agent is known to have left it so."""
    turn: int
    own: dict[str, Own]
    """Hash of a line -> the line."""
    lines: list[str]
    """Hashes of all lines, in order; [] if the host did not show the file."""
    state: str = ""
    """The digest of `lines` if an event holds them; "" if somebody changed them since."""
    was: set[str] = field(default_factory=set)
    """Digests of the whole file before each write; "" for no file."""
    seen: tuple[int, int, int] | None = None
    """Time, size and number of the file when it was last looked at; None after a restart."""


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
        self.watched: OrderedDict[str, Watched] = OrderedDict()
        """Path -> what the agent wrote there in the last turns; the newest last."""
        self.marks: dict[str, Mark] = {}
        """Working tree -> how long git's logs were when the agent last moved; empty after a restart."""
        self._repos: dict[str, Repo | None] = {}
        self.person_ran: tuple[datetime, str] | None = None
        """The command a person last ran within the session, and when."""
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
            self._prompt(event)
        elif event.kind is EventKind.STEER and event.payload.get("ran"):
            self.person_ran = (event.occurred_at, str(event.payload["ran"]))
        elif event.kind not in (EventKind.STEER, EventKind.SESSION_START, EventKind.SESSION_END):
            self.agent_at = max(self.agent_at or event.occurred_at, event.occurred_at)
        wrote = event.payload.get("wrote")
        if isinstance(wrote, dict) and str(wrote.get("path", "")).startswith("/"):
            self._wrote(event, wrote)
        for stood in event.payload.get("stood", ()):
            if stood.get("gone"):
                self.watched.pop(str(stood["path"]), None)
            else:
                self._wrote(event, stood)

    def _prompt(self, event: Event) -> None:
        for path in [path for path, one in self.watched.items() if one.turn <= event.turn - TURNS_KEPT]:
            del self.watched[path]
        for edit in event.payload.get("edited", ()):
            watched = self.watched.get(str(edit.get("full_path", "")))
            if watched is None:
                continue
            told = set(edit.get("removed", ()))
            watched.own = {digest: own for digest, own in watched.own.items() if own.text not in told}
            if edit.get("cut") or edit.get("gone"):
                del self.watched[watched.path]

    def _wrote(self, event: Event, wrote: Mapping[str, Any]) -> None:
        """The agent left a file so: by an edit, or by a command it ran."""
        path = str(wrote["path"])
        before = self.watched.pop(path, None)
        lines = _after(wrote, before)
        call_id = str(wrote.get("call_id") or event.payload.get("call_id", ""))
        stands = set(lines)
        own = dict(before.own) if before else {}
        own |= {digest: Own(text, call_id) for digest, text in wrote.get("written", ())}
        if lines:
            own = {digest: one for digest, one in own.items() if digest in stands}
        self.watched[path] = Watched(
            path=path,
            at=event.occurred_at,
            turn=event.turn,
            own=dict(list(own.items())[-LINES_MAX:]),
            lines=lines,
            state=str(wrote.get("is", "")) if lines else "",
            was=(before.was if before else set()) | ({str(wrote["was"])} if "was" in wrote else set()),
        )
        while len(self.watched) > FILES_MAX:
            self.watched.popitem(last=False)

    def repo(self, path: str) -> Repo | None:
        """The repository that holds a watched file; looked for once a folder."""
        folder = path.rpartition("/")[0]
        if folder not in self._repos:
            self._repos[folder] = repo_of(Path(path))
        return self._repos[folder]

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
        self._sessions.move_to_end(key)
        return session

    def trim(self) -> None:
        """Let go of those not used for long; only between batches, for what a batch tells is not in the store yet."""
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def forget(self, host: str, session_id: str) -> None:
        """Drop one session from memory."""
        self._sessions.pop((host, session_id), None)

    def clear(self) -> None:
        """Drop all of it: a commit failed, and memory may be ahead of the store."""
        self._sessions.clear()
        self._projects.clear()

    def knows_project(self, row_id: str) -> bool:
        """Was `new_project` asked about that row?"""
        return row_id in self._projects

    def new_project(self, row: Project, store: Store) -> Project | None:
        """`row` if this working tree was never seen, else None."""
        self._projects.add(row.id)
        return None if store.count(Project, id=row.id) else row


def _after(wrote: Mapping[str, Any], before: Watched | None) -> list[str]:
    """A file's lines as an event tells them: all, or what changed since the write before; [] if that is not known."""
    if "since" not in wrote:
        return list(wrote.get("after", ()))
    if before is None or before.state != wrote["since"]:
        return []
    start, end = wrote["between"]
    return before.lines[:start] + list(wrote["after"]) + before.lines[len(before.lines) - end :]


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
