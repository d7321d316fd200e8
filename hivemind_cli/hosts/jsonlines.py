"""Session files with a JSON object a line: read as a stream, in bounded memory, whatever stands in them.

A line that is torn, strange or too long to hold is told in `reading().skipped`; the lines around it count.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, BinaryIO

from hivemind_cli.hosts.base import Seen, reading

LINE_BYTES_MAX = 16_000_000
HEAD_LINES = 20
HEAD_BYTES_MAX = 2_000_000
"""Lines, and bytes, looked at to know whose file it is."""
STRANGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What a value that is not as its host writes it may raise."""

Object = dict[str, Any]


def lines(file: BinaryIO, *, to_the_end: bool = False) -> Iterator[tuple[bytes | None, int]]:
    """Whole lines and the offset behind each; None for one too long to hold. `to_the_end`: a last line without
    its newline counts too."""
    offset = file.tell()
    while line := file.readline(LINE_BYTES_MAX):
        length = len(line)
        too_long = not line.endswith(b"\n") and length == LINE_BYTES_MAX
        while too_long and (rest := file.readline(LINE_BYTES_MAX)):
            length += len(rest)
            line = rest
            if rest.endswith(b"\n"):
                break
        if not line.endswith(b"\n") and not to_the_end:
            return
        offset += length
        yield None if too_long else line, offset


def parse(line: bytes) -> Object | None:
    """The JSON object in the line; None if it is none. Bytes that are no UTF-8 cost only their own characters."""
    try:
        value = json.loads(line.strip(b"\0 \t\r\n").decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class Once:
    """Names that came before, the last of them: of a session of any length only so many are remembered."""

    def __init__(self, names_max: int = 50_000) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()
        self._max = names_max

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def new(self, name: str) -> bool:
        """Did `name` not come before? Now it did."""
        if name in self._names:
            return False
        self._names[name] = None
        if len(self._names) > self._max:
            self._names.popitem(last=False)
        return True


def told(path: Path, feed: Callable[[Object], list[Seen]], close: Callable[[], list[Seen]]) -> Iterator[Seen]:
    """What `feed` sees in each line of the file, and `close` behind the last. OSError if it cannot be read.

    A line that stands there twice (a file edited by hand) is told once, as far as its keys are its own.
    """
    said = reading()
    once = Once()
    with path.open("rb") as file:
        for line, said.bytes_read in lines(file, to_the_end=True):
            if line is not None and not line.strip(b"\0 \t\r\n"):
                continue
            value = None if line is None else parse(line)
            try:
                found = None if value is None else feed(value)
            except STRANGE:
                found = None
            if found is None:
                said.skipped["line too long" if line is None else "line torn or strange"] += 1
            else:
                yield from (seen for seen in found if once.new(seen.native_key))
    yield from close()


def head(path: Path, suffix: str = ".jsonl") -> list[Object]:
    """The objects among the first lines of a file of that suffix; [] if there is no such file. Never raises."""
    try:
        if path.suffix != suffix or not path.is_file():
            return []
        with path.open("rb") as file:
            first = takewhile(lambda one: one[1] <= HEAD_BYTES_MAX, islice(lines(file, to_the_end=True), HEAD_LINES))
            parsed = (parse(line) for line, _ in first if line)
            return [value for value in parsed if value is not None]
    except (OSError, ValueError):
        return []


def own_files(paths: Iterable[Path], root: Path) -> Iterator[Path]:
    """Those that are files, and lie under the host's own root when links are followed."""
    for path in paths:
        try:
            if path.is_file() and path.resolve().is_relative_to(root):
                yield path
        except (OSError, RuntimeError):  # a loop of links
            continue


def age(path: Path) -> tuple[int, str]:
    """Sorts the oldest file first."""
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:  # the host has just removed it
        return 0, path.name
