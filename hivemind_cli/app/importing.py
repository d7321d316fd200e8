"""Past sessions from the agents' own files and kept histories, into the store.

What hooks captured is not doubled; twice changes nothing; what was pruned stays pruned; of a session that several
files tell, one counts. An import that ends early, however it ends, goes on where it was: a session's mark is stored
together with the last of its events, and a session without one is read again from its beginning.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from hivemind_cli.app.finding import Finding, Found, find, kept_in
from hivemind_cli.app.imported import (
    KEPT,
    PRUNED,
    Imported,
    Session,
    Tally,
    copies_told,
    joined,
    mark_of,
    path_key,
    remembered,
    stamp_of,
)
from hivemind_cli.app.installing import installed_dirs
from hivemind_cli.app.machine import machine_key, this_person
from hivemind_cli.app.pruning import forget_copy
from hivemind_cli.core import redact
from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import identify, kept_workspaces
from hivemind_cli.core.records import Event, ImportMark, Project, Record, Tombstone
from hivemind_cli.hosts import HOSTS, KEEPERS
from hivemind_cli.hosts.base import Keeper, Reading, Seen, listening
from hivemind_cli.pipeline.capture import Capture
from hivemind_cli.storage.base import Store

__all__ = ["Finding", "Found", "Import", "Imported", "Watch", "find", "import_sessions"]

logger = logging.getLogger(__name__)

BATCH = 250
BATCH_CHARS = 500_000
"""Of text, in one batch: fields are cut at 64 KB each, but a call may have many."""
SHOWN_BYTES = 500_000
"""A progress bar moves by so much, at least."""


class Watch:
    """Is told how an import gets on. This one does not care."""

    def found(self, finding: Finding) -> None:
        """These are about to be read."""

    def reads(self, found: Found, bytes_read: int) -> None:
        """So much of one is read."""

    def ends(self, found: Found, imported: Imported) -> None:
        """One is done."""


def import_sessions(
    finding: Finding,
    *,
    paths: Paths,
    config: Config,
    store: Store | None,
    workspace: str = "",
    keepers: Mapping[str, Keeper] = KEEPERS,
    again: bool = False,
) -> list[Imported]:
    """Read each session and store what is new; with no store, only count. One for each session, in the order found."""
    run = Import(paths, config, store, workspace=workspace, keepers=keepers, again=again)
    run.take(finding)
    return copies_told(run.done)


class Import:
    """One import under way. With no store it only counts."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store | None,
        *,
        workspace: str = "",
        keepers: Mapping[str, Keeper] = KEEPERS,
        again: bool = False,
        watch: Watch | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """`again`: also what was read before and has not changed since."""
        self.done: list[Imported] = []
        """One for each session, in the order read. The file of a subagent adds to its session; where that is not
        found, it stands for itself."""
        self.forgotten: set[Session] = set()
        """Kept histories whose records gave way to the agent's own."""
        self._paths = paths
        self._store = store
        self._workspace = workspace
        self._keepers = keepers
        self._again = again
        self._watch = watch or Watch()
        self._clock = clock
        folders = installed_dirs(paths, HOSTS)
        self._capture = Capture(
            paths, config, HOSTS, this_person(), machine_key(paths), kept_workspaces(paths), folders
        )
        self._book = Book(store, keepers)
        self._cwds: set[str] = set()
        self._places: dict[Session, tuple[int, bool]] = {}
        """Session -> (its place in `done`, is it only the work of subagents so far?)."""

    def take(self, finding: Finding) -> None:
        """Read what was found. StoreError, DaemonError: the rest is not read."""
        self._watch.found(finding)
        for found in finding.sessions:
            imported, subagents = self._one(found)
            self._watch.ends(found, imported)
            self._count(imported, subagents=subagents)

    def take_kept(self) -> Finding:
        """Read the histories kept in every working tree that is known by now."""
        home = self._paths.home
        roots = {identity.root for cwd in self._cwds if (identity := identify(cwd, home)).id}
        if self._store:
            roots |= {row.record.root for row in self._store.find(Project)}
        read = {one.path for one in self.done}
        kept = kept_in((Path(root) for root in roots if root), self._keepers)
        fresh = replace(kept, sessions=tuple(one for one in kept.sessions if one.path not in read))
        self.take(fresh)
        return fresh

    def _count(self, imported: Imported, *, subagents: bool) -> None:
        session = imported.host, imported.session_id
        place, waits = self._places.get(session, (len(self.done), False))
        if place < len(self.done) and subagents:
            self.done[place] = joined(self.done[place], imported)
        elif waits:
            self.done[place] = joined(imported, self.done[place])
            self._places[session] = place, False
        else:
            self._places[session] = len(self.done), subagents
            self.done.append(imported)

    def _one(self, found: Found) -> tuple[Imported, bool]:
        """What it gave, and whether that was the work of subagents alone."""
        host = found.reader.NAME
        try:
            stamp = stamp_of(found.path)
            original = self._keepers[host].original(found.path) if host in self._keepers else None
        except OSError as fault:
            return Imported(found.path, host, fault=_told(fault), unread=True), False
        stands = self._book.stands_for(original) if original else ""
        if original and stands and self._store:
            self._give_way(original)
            return Imported(found.path, host, session_id=original[1], left_out=stands), False
        mark = self._book.marks.get(path_key(found.path))
        if mark and mark.stamp == stamp and not self._again:
            imported, subagents = remembered(found.path, mark), bool(mark.told.get("subagents"))
        else:
            imported, subagents = self._read(found, stamp, original)
        self._book.read.add((host, imported.session_id))
        if imported.new:
            self._give_way((host, imported.session_id))
        return replace(imported, left_out=imported.left_out or stands), subagents

    def _read(self, found: Found, stamp: str, original: Session | None) -> tuple[Imported, bool]:
        tally = Tally()
        trouble: list[str] = []
        new = 0
        batch: list[Record] = []
        with listening() as told:
            seen = self._seen(found, told, tally, trouble)
            if self._store is None:
                for one in seen:
                    tally.add(one)
            else:
                records = self._capture.read(found.reader, seen, self._store, workspace=self._workspace)
                for full, batch in _batches(tally.watch(records)):
                    new += self._append(self._store, batch, told) if full else 0
        self._cwds |= tally.cwds
        imported = Imported(
            path=found.path,
            host=found.reader.NAME,
            **tally.counts,  # type: ignore[arg-type]
            fault=_faults(trouble, told),
            session_id=tally.session_id,
            first_at=tally.first_at,
            last_at=tally.last_at,
            left_out=PRUNED if tally.pruned and not tally.session_id else "",
            unread=bool(trouble),
        )
        if self._store:
            last = mark_of(imported, stamp, subagents=tally.only_subagents, original=original, at=self._clock())
            new += self._finish(self._store, batch, last, told, whole=not trouble)
        return replace(imported, new=new, fault=_faults(trouble, told)), tally.only_subagents

    def _finish(self, store: Store, batch: list[Record], mark: ImportMark, told: Reading, *, whole: bool) -> int:
        """Store the last batch and, if it is the last, that the session is read to its end: both or neither."""
        if not whole:
            return self._append(store, batch, told)
        known = self._book.marks.get(mark.path_sha256)
        self._book.note(mark)
        return self._append(store, [*batch, mark], told) - (known is None or known.id != mark.id)

    def _seen(self, found: Found, told: Reading, tally: Tally, trouble: list[str]) -> Iterator[Seen]:
        """What the reader sees, to its end or to what stops it; nothing of sessions that were pruned."""
        host = found.reader.NAME
        shown = 0
        try:
            for one in found.reader.read_transcript(found.path):
                if told.bytes_read - shown > SHOWN_BYTES:
                    shown = told.bytes_read
                    self._watch.reads(found, shown)
                if self._book.buried(host, one.session_id):
                    tally.pruned = True
                elif one.occurred_at and one.occurred_at.tzinfo is None:
                    yield replace(one, occurred_at=one.occurred_at.replace(tzinfo=UTC))
                else:
                    yield one
        except MemoryError:
            raise
        except Exception as fault:  # noqa: BLE001  one session, whatever is wrong with it, never stops the others
            logger.info("reading a session of host=%s ends with %s", host, type(fault).__name__)
            trouble.append(_told(fault))

    def _append(self, store: Store, batch: list[Record], told: Reading) -> int:
        """Store a batch; where it is refused, what of it can be stored."""
        if not batch:
            return 0
        try:
            return store.append(batch)
        except StoreError:
            stored, refused = 0, 0
            for record in batch:
                try:
                    stored += store.append([record])
                except StoreError:
                    refused += 1
            if refused == len(batch):
                raise
            told.skipped["record that cannot be stored"] += refused
            return stored

    def _give_way(self, original: Session) -> None:
        """The agent's own session is stored: what kept histories told of it goes."""
        if self._store:
            for history in self._book.histories_of(original):
                forget_copy(self._store, *history, self._clock())
                self.forgotten.add(history)


class Book:
    """What is known of sessions before and while they are imported."""

    def __init__(self, store: Store | None, keepers: Mapping[str, Keeper]) -> None:
        self.marks: dict[str, ImportMark] = {}
        """path_sha256 -> the newest."""
        self.read: set[Session] = set()
        """Sessions that this import met in the agents' own files."""
        self._store = store
        self._keepers = keepers
        self._buried: set[Session] = set()
        self._histories: dict[Session, set[Session]] = {}
        if store:
            self._buried = {(row.record.host, row.record.session_id) for row in store.find(Tombstone)}
            for row in store.find(ImportMark):
                self.note(row.record)

    def note(self, mark: ImportMark) -> None:
        """A session is read to its end."""
        self.marks[mark.path_sha256] = mark
        original = mark.told.get("original")
        if isinstance(original, (list, tuple)) and len(original) == 2:
            self._histories.setdefault((original[0], original[1]), set()).add((mark.host, mark.session_id))

    def buried(self, host: str, session_id: str) -> bool:
        """Was the session pruned, itself or as a kept history of it?"""
        return any((name, session_id) in self._buried for name in (host, *self._keepers))

    def stands_for(self, original: Session) -> str:
        """Why a history of `original` does not count; "" if it does."""
        if self.buried(*original):
            return PRUNED
        if original in self.read:
            return KEPT
        host, session_id = original
        stored = self._store and self._store.count(Event, host=host, session_id=session_id)
        return KEPT if stored else ""

    def histories_of(self, original: Session) -> set[Session]:
        """Kept histories of `original` that are stored, once."""
        return self._histories.pop(original, set())


def _batches(records: Iterable[Record]) -> Iterator[tuple[bool, list[Record]]]:
    """Lists to store, each with whether it is full; the last one, which may be empty, is not."""
    batch: list[Record] = []
    chars = 0
    for record in records:
        batch.append(record)
        chars += _chars(record.payload) if isinstance(record, Event) else 0
        if len(batch) >= BATCH or chars >= BATCH_CHARS:
            yield True, batch
            batch, chars = [], 0
    yield False, batch


def _chars(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_chars, value.values()))
    return sum(map(_chars, value)) if isinstance(value, (list, tuple)) else 8


def _faults(trouble: list[str], told: Reading) -> str:
    return "; ".join([*trouble, *(_counted(n, what) for what, n in told.skipped.items())])


def _counted(number: int, what: str) -> str:
    """`what` begins with its noun: "line too long"."""
    noun, space, rest = what.partition(" ")
    return f"{number} {noun}{'' if number == 1 else 's'}{space}{rest}"


def _told(fault: Exception) -> str:
    """In a line; of what it says, only what the system says: the rest may quote anything."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return f"{type(fault).__name__}: {redact.cut(str(fault), 200)}" if str(fault) else type(fault).__name__
