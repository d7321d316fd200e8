"""What an import says of one session, and what it remembers of it, so that it need not be read again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivemind_cli import __version__
from hivemind_cli.app.finding import file_of
from hivemind_cli.core import acts
from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import DEFAULT_WORKSPACE, JSON, Event, EventKind, ImportMark, Record
from hivemind_cli.hosts.base import Seen

Session = tuple[str, str]
"""host, session_id."""

COPY = "a copy of a session that was read"
KEPT = "a kept history of a session that the agent's own file tells"
PRUNED = "pruned"
COUNTS = ("prompts", "interrupts", "tool_rejections", "tool_uses", "tool_errors", "edits")
_EPOCH = from_ns(0)


@dataclass(frozen=True, slots=True)
class Imported:
    """What one session gave; the work of its subagents is stored with it, but not counted in it."""

    path: Path
    host: str
    prompts: int = 0
    interrupts: int = 0
    tool_rejections: int = 0
    tool_uses: int = 0
    tool_errors: int = 0
    edits: int = 0
    new: int = 0
    """Records that were not known before."""
    fault: str = ""
    """What could not be read, or ""."""
    session_id: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    left_out: str = ""
    """COPY, KEPT or PRUNED: why it does not count; "" for one that does."""
    unread: bool = False
    """Did reading end at the fault? Else it is of lines that were passed over."""
    unchanged: bool = field(default=False, compare=False)
    """Was it read before, and so not again?"""

    def line(self) -> dict[str, Any]:
        """As a program reads it."""
        counts = {name: getattr(self, name) for name in COUNTS}
        return {"path": str(self.path), "host": self.host, **counts, "new": self.new, "fault": self.fault}


class Tally:
    """Counts what passes by, without the work of subagents."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.session_id = ""
        """Of the first thing seen."""
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.cwds: set[str] = set()
        self.pruned = False
        """Was something of a pruned session met, which is not to be counted?"""
        self._own = self._subagents = 0

    @property
    def only_subagents(self) -> bool:
        """Was there something, and all of it done by subagents?"""
        return self._subagents > 0 and self._own == 0

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """`records`, counted as they are taken."""
        for record in records:
            if isinstance(record, Event):
                self.add(record)
            yield record

    def add(self, one: Seen | Event) -> None:
        """Count one thing that was seen."""
        self.session_id = self.session_id or one.session_id
        self.cwds.add(one.cwd)
        if one.occurred_at and one.occurred_at != _EPOCH:
            self.first_at = min(self.first_at or one.occurred_at, one.occurred_at)
            self.last_at = max(self.last_at or one.occurred_at, one.occurred_at)
        if "agent_id" in one.payload:
            self._subagents += 1
            return
        self._own += 1
        denied = one.kind is EventKind.TOOL_DENIED
        called = one.kind is EventKind.TOOL_CALL
        self.counts["prompts"] += one.kind is EventKind.PROMPT
        self.counts["interrupts"] += one.kind is EventKind.INTERRUPT
        self.counts["tool_uses"] += called
        self.counts["edits"] += called and one.payload["act"].get("kind") == acts.EDIT
        self.counts["tool_rejections"] += denied and one.payload.get("by") == "person"
        self.counts["tool_errors"] += denied or one.kind is EventKind.TOOL_FAILURE


def path_key(path: Path) -> str:
    """By what a mark is found."""
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()


def stamp_of(path: Path) -> str:
    """What changes when the session's file does: size and time, of a database's journal too. OSError: no file."""
    file = file_of(path)
    parts = [__version__, _state(file)]
    for beside in ("-wal", "-journal"):
        try:
            parts.append(_state(file.with_name(file.name + beside)))
        except OSError:
            pass
    return " ".join(parts)


def _state(file: Path) -> str:
    found = file.stat()
    return f"{found.st_size}@{found.st_mtime_ns}"


def mark_of(imported: Imported, stamp: str, *, subagents: bool, original: Session | None, at: datetime) -> ImportMark:
    """What is remembered of a session that was read to its end."""
    key = path_key(imported.path)
    told: dict[str, Any] = {name: getattr(imported, name) for name in (*COUNTS, "fault", "left_out")}
    if subagents:
        told["subagents"] = True
    if original:
        told["original"] = list(original)
    if imported.first_at and imported.last_at:
        told["period"] = [imported.first_at.isoformat(), imported.last_at.isoformat()]
    return ImportMark(
        id=derived_id(_EPOCH, "import_mark", key, stamp),
        workspace_id=DEFAULT_WORKSPACE,
        host=imported.host,
        session_id=imported.session_id,
        occurred_at=at,
        path_sha256=key,
        stamp=stamp,
        told=told,
    )


def remembered(path: Path, mark: ImportMark) -> Imported:
    """What was said of the session when it was read."""
    first, last = _period(mark.told)
    return Imported(
        path=path,
        host=mark.host,
        **{name: int(mark.told.get(name, 0)) for name in COUNTS},  # type: ignore[arg-type]
        fault=str(mark.told.get("fault", "")),
        left_out=str(mark.told.get("left_out", "")),
        session_id=mark.session_id,
        first_at=first,
        last_at=last,
        unchanged=True,
    )


def joined(session: Imported, subagent: Imported) -> Imported:
    """A session with what the file of one of its subagents gave."""
    return replace(session, new=session.new + subagent.new, fault=session.fault or subagent.fault)


def copies_told(done: Sequence[Imported]) -> list[Imported]:
    """`done`, of each session that several files tell all but the fullest marked as copies."""
    fullest: dict[Session, Imported] = {}
    for one in done:
        if one.session_id and not one.left_out:
            known = fullest.setdefault((one.host, one.session_id), one)
            if sum(getattr(one, name) for name in COUNTS) > sum(getattr(known, name) for name in COUNTS):
                fullest[one.host, one.session_id] = one
    return [
        replace(one, left_out=COPY)
        if not one.left_out and fullest.get((one.host, one.session_id), one) is not one
        else one
        for one in done
    ]


def _period(told: Mapping[str, Any] | JSON) -> tuple[datetime | None, datetime | None]:
    try:
        first, last = (datetime.fromisoformat(one).astimezone(UTC) for one in told.get("period", ()))
    except (TypeError, ValueError):
        return None, None
    return first, last
