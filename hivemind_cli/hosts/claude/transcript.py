"""Claude Code's own session files: `<config folder>/projects/<project>/<session>.jsonl`, a JSON line a thing.

Read as a stream, in bounded memory: bookkeeping lines (some repeat whole model requests) are skipped by their
first bytes, unparsed. A line that is torn or strange is skipped and counted; one without its newline is left.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hivemind_cli.hosts.base import Seen, Tail, reading
from hivemind_cli.hosts.claude.reader import Reader
from hivemind_cli.hosts.jsonlines import STRANGE, age, head, lines, own_files, parse
from hivemind_cli.hosts.tails import own_transcript

LOOK_BACK_BYTES = 2_000_000
"""Read again before a tail, so that its lines find their prompt, calls and queue."""
TAIL_BYTES_MAX = 32_000_000
"""A longer tail is read in several calls."""

_FIRST_KEY_IS_TYPE = re.compile(rb'\s*\{\s*"type": ?"([a-z-]+)"')
_WANTED = frozenset({b"user", b"assistant", b"attachment", b"system", b"queue-operation"})
_PROGRESS = re.compile(rb'"type": ?"progress"')
_HEAD_BYTES = 600
_IDS = ("sessionId", "leafUuid", "parentUuid")


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """The session's transcript, links resolved; None if it does not lie under the host's own projects folder."""
    return own_transcript(payload.get("transcript_path"), (config_dir or home / ".claude") / "projects")


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every session file, oldest first within a project; each is followed by the files of its subagents.

    A subagent's lines name their parent's session, so reading them adds to it. Older versions kept its file beside
    the sessions'.
    """
    projects = (config_dir or home / ".claude") / "projects"
    root = projects.resolve()
    for project in sorted(path for path in projects.glob("*") if path.is_dir()):
        for session in sorted(own_files(project.glob("*.jsonl"), root), key=age):
            yield session
            yield from sorted(own_files((project / session.stem / "subagents").glob("agent-*.jsonl"), root))


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first readable lines is Claude Code's, else ()."""
    return (path,) if any(_is_own(value) for value in head(path)) else ()


def _is_own(value: dict[str, Any]) -> bool:
    """Copilot's lines have a type too, and Gemini's a session; only here do both stand in one line, side by side."""
    return isinstance(value.get("type"), str) and any(name in value for name in _IDS)


def read_tail(path: Path, offset: int) -> Tail:
    """What the transcript says after `offset` bytes, at most 32 MB of it; call again while the offset grows.

    A file shorter than `offset` was written anew and is read from its start. No file: an empty tail.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = offset if 0 <= offset <= size else 0
            reader = _context(file, path, start)
            return _read_on(file, reader, start)
    except FileNotFoundError:
        return Tail(seen=(), offset=0)


def _context(file: BinaryIO, path: Path, start: int) -> Reader:
    reader = Reader(path.stem)
    file.seek(max(start - LOOK_BACK_BYTES, 0))
    if file.tell():
        file.readline()  # the rest of a line cut by the window
    for line, end in lines(file):
        if end > start:
            break
        _feed(reader, line)
    return reader


def _read_on(file: BinaryIO, reader: Reader, start: int) -> Tail:
    file.seek(start)
    seen: list[Seen] = []
    offset, skipped = start, 0
    for line, end in lines(file):
        found = _feed(reader, line)
        if found is None:
            skipped += 1
        else:
            seen += found
        offset = end
        if offset - start >= TAIL_BYTES_MAX:
            break
    seen += reader.close(over=False)
    return Tail(seen=seen, offset=offset, skipped=skipped)


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session file, in order. OSError if it cannot be read."""
    reader = Reader(path.stem)
    told = reading()
    with path.open("rb") as file:
        for line, told.bytes_read in lines(file, to_the_end=True):
            found = _feed(reader, line)
            if found is None:
                told.skipped["line torn or strange" if line else "line too long"] += 1
            else:
                yield from found
    yield from reader.close(over=True)


def _feed(reader: Reader, line: bytes | None) -> list[Seen] | None:
    """What the line shows; None if it cannot be read."""
    if line is None:
        return None
    if _bookkeeping(line):
        return []
    try:
        value = parse(line)
        return None if value is None else reader.feed(value)
    except STRANGE:
        return None


def _bookkeeping(line: bytes) -> bool:
    head = line[:_HEAD_BYTES]
    first = _FIRST_KEY_IS_TYPE.match(head)
    if first:
        return first.group(1) not in _WANTED
    return not head.strip(b"\0 \t\r\n") or _PROGRESS.search(head) is not None
