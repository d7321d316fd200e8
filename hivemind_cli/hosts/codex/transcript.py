"""Codex's rollout files, `<config folder>/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`: found, read whole, or from
an offset on.

A tail is read with what stands before it in view, so that its lines find their turn and calls; a reply is told once
its turn is over.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hivemind_cli.hosts import jsonlines, values
from hivemind_cli.hosts.base import Seen, Tail
from hivemind_cli.hosts.codex.reader import Reader
from hivemind_cli.hosts.tails import own_transcript

LOOK_BACK_BYTES = 2_000_000
"""Read again before a tail; the file's first line, which says whose it is, always is."""
TAIL_BYTES_MAX = 32_000_000
"""A longer tail is read in several calls."""
_FOLDERS = ("sessions", "archived_sessions")
_LINES = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state"})
_ID_CHARS = 36


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every rollout, oldest first, archived ones too. A subagent's is its own file and names its parent's session."""
    found: list[Path] = []
    for root in _roots(home, config_dir):
        found += jsonlines.own_files(root.rglob("rollout-*.jsonl"), root.resolve())
    yield from sorted(found, key=lambda path: (path.name, path))


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first lines is a rollout's, else ()."""
    return (path,) if any(_is_own(value) for value in jsonlines.head(path)) else ()


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """The session's rollout, links resolved; None if it keeps none, or it does not lie in the host's own folders.

    Of a subagent that ends, its own.
    """
    named = payload.get("agent_transcript_path") or payload.get("transcript_path")
    return own_transcript(named, *_roots(home, config_dir))


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one rollout, in order. OSError if it cannot be read."""
    reader = Reader(path.stem[-_ID_CHARS:])
    return jsonlines.told(path, reader.feed, reader.close)


def read_tail(path: Path, offset: int) -> Tail:
    """What the rollout says after `offset` bytes, at most 32 MB of it; call again while the offset grows.

    A file shorter than `offset` was written anew and is read from its start. No file: an empty tail.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = offset if 0 <= offset <= size else 0
            reader = Reader(path.stem[-_ID_CHARS:])
            _look_back(file, reader, start)
            return _read_on(file, reader, start)
    except FileNotFoundError:
        return Tail(seen=(), offset=0)


def _look_back(file: BinaryIO, reader: Reader, start: int) -> None:
    """Show the reader the first line, and those of the window before `start`."""
    window = max(start - LOOK_BACK_BYTES, 0)
    if window:
        _feed_until(file, reader, 1)
        file.seek(window)
        file.readline()  # the rest of a line cut by the window
    _feed_until(file, reader, start)


def _feed_until(file: BinaryIO, reader: Reader, end_min: int) -> None:
    """Feed whole lines until one ends at `end_min` or beyond; what they show is known."""
    if file.tell() >= end_min:
        return
    for line, end in jsonlines.lines(file):
        _feed(reader, line)
        if end >= end_min:
            return


def _read_on(file: BinaryIO, reader: Reader, start: int) -> Tail:
    file.seek(start)
    seen: list[Seen] = []
    offset, skipped = start, 0
    for line, end in jsonlines.lines(file):
        found = _feed(reader, line)
        if found is None:
            skipped += 1
        else:
            seen += found
        offset = end
        if offset - start >= TAIL_BYTES_MAX:
            break
    return Tail(seen=seen, offset=offset, skipped=skipped)


def _feed(reader: Reader, line: bytes | None) -> list[Seen] | None:
    """What the line shows; None if it cannot be read."""
    if line is None:
        return None
    if not line.strip(b"\0 \t\r\n"):
        return []
    try:
        value = jsonlines.parse(line)
        return None if value is None else reader.feed(value)
    except jsonlines.STRANGE:
        return None


def _roots(home: Path, config_dir: Path | None) -> list[Path]:
    return [(config_dir or home / ".codex") / name for name in _FOLDERS]


def _is_own(value: Mapping[str, Any]) -> bool:
    if isinstance(value.get("payload"), dict):
        return values.text(value.get("type")) in _LINES
    first = "instructions" in value and isinstance(value.get("id"), str)
    kind = values.text(value.get("type"))
    return first or "record_type" in value or kind in ("function_call", "function_call_output")
