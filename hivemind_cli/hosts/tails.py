"""A transcript read on from where it was left, by readers that must have seen all before it.

Where a host gives no ids, a key holds the count of equal ones since the session's beginning. A reader is therefore kept
between two tails of its file; where it was not (a restart, too many sessions), the file is read from its start again.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from hivemind_cli.hosts.base import Seen, Tail
from hivemind_cli.hosts.jsonlines import STRANGE, Object, lines, parse

READERS_MAX = 8
"""Kept at once, each of a few MB at most."""
TAIL_BYTES_MAX = 32_000_000
"""A longer tail is read in several calls."""


class Session(Protocol):
    """Reads one session's lines, in order."""

    def feed(self, line: Object) -> list[Seen]:
        """What this line shows. What it raises is in jsonlines.STRANGE: it is not as its host writes it."""

    def held(self) -> list[Seen]:
        """What is complete by now, but would be told only by a later line; told again by that."""


class Tails:
    """The tails of one host's transcripts. Any thread may read."""

    def __init__(self, begin: Callable[[Path], Session]) -> None:
        """`begin(path)` makes the reader of one session."""
        self._begin = begin
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, tuple[Session, int, int]] = OrderedDict()
        """Path -> reader, how far it has read, and the file's number."""

    def read(self, path: Path, offset: int) -> Tail:
        """What the transcript says after `offset` bytes, at most 32 MB of it; call again while the offset grows.

        A file shorter than `offset` was written anew and is read from its start. No file: an empty tail.
        """
        try:
            with path.open("rb") as file:
                return self._read(file, path, offset)
        except FileNotFoundError:
            return Tail(seen=(), offset=0)

    def _read(self, file: BinaryIO, path: Path, offset: int) -> Tail:
        told = os.fstat(file.fileno())
        start = offset if 0 <= offset <= told.st_size else 0
        with self._lock:
            reader, at, number = self._kept.pop(path, (None, 0, 0))
        if reader is None or at != start or number != told.st_ino:
            reader, at = self._begin(path), 0
        seen: list[Seen] = []
        skipped, end = 0, start
        for found, end in _told(file, reader, at):
            if end <= start:
                continue
            if found is None:
                skipped += 1
            else:
                seen += found
            if end - start >= TAIL_BYTES_MAX:
                break
        seen += reader.held()
        end = max(end, start)
        with self._lock:
            self._kept[path] = (reader, end, told.st_ino)
            while len(self._kept) > READERS_MAX:
                self._kept.popitem(last=False)
        return Tail(seen=seen, offset=end, skipped=skipped)


def _told(file: BinaryIO, reader: Session, start: int) -> Iterator[tuple[list[Seen] | None, int]]:
    """What each whole line behind `start` shows (None: it cannot be read), and the offset behind it."""
    file.seek(start)
    for line, end in lines(file):
        try:
            value = None if line is None else parse(line)
            yield (None if value is None else reader.feed(value)), end
        except STRANGE:
            yield None, end


def own_transcript(named: object, *roots: Path) -> Path | None:
    """The file `named`, links resolved; None if it is no absolute path of a `.jsonl` file below one of `roots`."""
    if not isinstance(named, str) or not named.startswith("/") or "\0" in named:
        return None
    try:
        path = Path(named).resolve()
        if path.suffix != ".jsonl" or not any(path.is_relative_to(root.resolve()) for root in roots):
            return None
        return None if path.exists() and not path.is_file() else path
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long or no text
        return None
