"""aider: one running history a project, `.aider.chat.history.md`, in which a session begins at
`# aider chat started at <time>`.

`#### ` lines are what the person typed, `> ` lines what aider itself said (commands, edits, commits, errors), all else
is the model's reply. Times of prompts stand in `.aider.input.history`, where there is one. Source: its published code
(0.86) and published histories of 0.50 to 0.86.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

from hivemind_cli.hosts import databases, histories
from hivemind_cli.hosts.aider_turn import Turn
from hivemind_cli.hosts.base import Seen, reading
from hivemind_cli.hosts.keys import digest
from hivemind_cli.hosts.telling import Teller

NAME = "aider"
CONFIG_ENV = ""

FILE = ".aider.chat.history.md"
INPUTS = ".aider.input.history"
LINE_BYTES_MAX = 1_000_000
PART_CHARS_MAX = 4_000_000
"""Of one prompt or reply; what is longer is cut, and told."""
INPUTS_MAX = 20_000
"""Of the times of prompts that are held for one session."""
HEAD_BYTES = 4_000

_START = re.compile(rb"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*\Z")
_ASIDE = "> "
_SAID = "####"
_END = "  "


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Histories in the folders that hosts.histories walks."""
    del config_dir
    for folder in histories.folders(home):
        yield from histories_in(folder)


def histories_in(root: Path) -> Sequence[Path]:
    """The sessions of one working tree's history, in its order."""
    return sessions_in(root / FILE)


def original(path: Path) -> tuple[str, str] | None:
    """None: the history is aider's own."""
    del path
    return None


def sessions_in(path: Path) -> tuple[Path, ...]:
    """The sessions of a Markdown file whose first line begins one; a name of one session is itself."""
    file, session_id = databases.unnamed(path)
    if file.suffix != ".md" or not _is_ours(file):
        return ()
    try:
        begun = _beginnings(file, *_state(file))
    except (OSError, ValueError):
        return ()
    return tuple(databases.named(file, one) for one, _, _ in begun if session_id in ("", one))


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session of the history. OSError: it cannot be read, or holds no such session."""
    file, session_id = databases.unnamed(path)
    begun = _beginnings(file, *_state(file))
    for n, (one, at, offset) in enumerate(begun):
        if session_id in ("", one):
            until = begun[n + 1] if n + 1 < len(begun) else ("", None, None)
            yield from _read(file, one, at, offset, until[1], until[2])
        if session_id == one:
            return
    if session_id:
        raise OSError(f"{file} holds no session {session_id}. It may have been edited or cut.")


def _read(
    file: Path, session_id: str, at: datetime | None, offset: int, until: datetime | None, end: int | None
) -> Iterator[Seen]:
    teller = Teller(session_id, cwd=str(file.parent), at=at)
    yield teller.start(at)
    turn = Turn(teller, _times(file.with_name(INPUTS), at, until))
    for kind, text in _parts(file, offset, end):
        yield from turn.take(kind, text)
    yield from turn.end()
    yield from teller.close()


def _parts(file: Path, offset: int, end: int | None) -> Iterator[tuple[str, str]]:
    """("said", a person's lines), ("aside", one line of aider's) and ("reply", the model's text), in order."""
    kind, lines, chars = "", list[str](), 0
    marked: bool | None = None
    for line in _lines(file, offset, end):
        if marked is None and line.startswith((_ASIDE, _SAID)):
            marked = line.endswith(_END)
        now, text = _kind(line, kind, marked=marked is not False)
        if kind and (now != kind or now == "aside"):
            yield kind, "\n".join(lines)
            lines, chars = [], 0
        kind = now
        chars += len(text) + 1
        if kind and chars <= PART_CHARS_MAX:
            lines.append(text)
        elif kind and chars - len(text) - 1 <= PART_CHARS_MAX:
            reading().skipped["reply too long"] += 1
    if kind:
        yield kind, "\n".join(lines)


def _kind(line: str, before: str, *, marked: bool) -> tuple[str, str]:
    """`marked`: aider ends its lines and the person's with two blanks, so a model's own heading or quote is told apart;
    some histories have lost them."""
    ends = line.endswith(_END) or not marked
    if line.startswith(f"{_SAID} ") and ends:
        return "said", line[len(_SAID) + 1 :].rstrip()
    if line.startswith(_ASIDE) and (ends or before != "reply"):
        return "aside", line[len(_ASIDE) :].strip()
    if not line.strip():
        return (before, "") if before == "reply" else ("", "")
    return ("aside", line.strip()) if before == "aside" else ("reply", line.rstrip())


def _lines(file: Path, offset: int, end: int | None) -> Iterator[str]:
    """Lines of one session; a line too long to hold is passed over."""
    with file.open("rb") as opened:
        opened.seek(offset)
        opened.readline(LINE_BYTES_MAX)  # the heading
        cut = False
        while (end is None or opened.tell() < end) and (raw := opened.readline(LINE_BYTES_MAX)):
            whole = raw.endswith(b"\n") or len(raw) < LINE_BYTES_MAX
            if whole and not cut:
                yield raw.replace(b"\0", b"").decode("utf-8", "replace").rstrip("\r\n")
            elif not cut:
                reading().skipped["line too long"] += 1
            cut = not whole


def _is_ours(file: Path) -> bool:
    try:
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            first = next((line for line in opened.read(HEAD_BYTES).splitlines() if line.strip()), b"")
    except (OSError, ValueError):
        return False
    return _START.match(first.removeprefix(b"\xef\xbb\xbf")) is not None


def _state(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=4)
def _beginnings(file: Path, size: int, changed_ns: int) -> tuple[tuple[str, datetime | None, int], ...]:
    """(id, time, offset) of each session. A history of years is read through once, not once a session."""
    del size, changed_ns  # only name the state of the file
    found: list[tuple[str, datetime | None, int]] = []
    taken: dict[str, int] = {}
    folder = digest(str(file.parent))[:8]
    with file.open("rb") as opened:
        offset = 0
        while raw := opened.readline(LINE_BYTES_MAX):
            started = _START.match(raw.removeprefix(b"\xef\xbb\xbf"))
            if started:
                when = started.group(1).decode("ascii")
                nth = taken[when] = taken.get(when, 0) + 1
                name = f"{when.replace(' ', 'T').replace(':', '')}-{folder}"
                found.append((name if nth == 1 else f"{name}-{nth}", _local(when), offset))
            offset += len(raw)
    return tuple(found)


def _local(when: str) -> datetime | None:
    """aider writes the machine's own time."""
    try:
        return datetime.fromisoformat(when).astimezone().astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _times(file: Path, since: datetime | None, until: datetime | None) -> dict[str, list[datetime]]:
    """What was typed in this session -> when, in order; {} without the file of inputs."""
    times: dict[str, list[datetime]] = {}
    if since is None:
        return times
    for n, (at, said) in enumerate(_inputs(file, since, until)):
        if n >= INPUTS_MAX:
            break
        times.setdefault(said, []).append(at)
    return times


def _inputs(file: Path, since: datetime, until: datetime | None) -> Iterator[tuple[datetime, str]]:
    """A `# time` line, then the lines of the input, each with a + before it."""
    at: datetime | None = None
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            lines = iter(lambda: opened.readline(LINE_BYTES_MAX), "")
            for line in lines:
                if line.startswith("# "):
                    at = _local(line[2:].strip())
                elif line.startswith("+") and at is not None and at >= since and (until is None or at < until):
                    rest = takewhile(lambda more: more.startswith("+"), lines)
                    yield at, "\n".join(one[1:].rstrip() for one in (line, *rest)).strip()
                    at = None
    except (OSError, ValueError):
        return
