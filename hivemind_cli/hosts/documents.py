"""Session files that are one JSON object with a long list in it: read as a stream, in bounded memory.

Older versions of some hosts wrote them. A file cut short gives what stands before the cut.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from hivemind_cli.hosts.base import Seen, reading
from hivemind_cli.hosts.jsonlines import LINE_BYTES_MAX, STRANGE, Object, Once, parse

_CHUNK_BYTES = 1 << 16
_HEAD_BYTES_MAX = 1 << 20
"""Within which the list must begin."""
_TORN = "part torn or strange"


def head(path: Path, *lists: str) -> Object | None:
    """The fields that stand before the first of these lists, and the list's name under "list"; None: there is none.

    Never raises.
    """
    try:
        if path.suffix != ".json" or not path.is_file():
            return None
        with path.open("rb") as file:
            found = _Document(file).begin(lists)
    except (OSError, ValueError):
        return None
    return None if found is None else {**found[0], "list": found[1]}


def told(
    path: Path, lists: tuple[str, ...], feed: Callable[[Object], list[Seen]], close: Callable[[], list[Seen]]
) -> Iterator[Seen]:
    """What `feed` sees in the fields before the list, then in each of its objects; `close` behind the last.

    OSError if it cannot be read.
    """
    said = reading()
    once = Once()
    with path.open("rb") as file:
        document = _Document(file)
        for value in document.objects(lists):
            said.bytes_read = file.tell()
            try:
                found = feed(value)
            except STRANGE:
                said.skipped[_TORN] += 1
                continue
            yield from (seen for seen in found if once.new(seen.native_key))
        said.skipped[_TORN] += document.torn
    yield from close()


class _Document:
    """The text of the file from where it is read to, a chunk at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._text = ""
        self._chunk = _CHUNK_BYTES
        self.torn = 0
        """1 if the list could not be read to its end."""

    def objects(self, lists: tuple[str, ...]) -> Iterator[Object]:
        """The fields before the list, then its objects."""
        found = self.begin(lists)
        if found is None:
            self.torn = 1
            return
        yield {**found[0], "list": found[1]}
        decoder = json.JSONDecoder(strict=False)
        while True:
            self._text = self._text.lstrip(" \t\r\n,")
            if self._text.startswith("]"):
                return
            try:
                value, end = decoder.raw_decode(self._text)
            except (ValueError, RecursionError):
                if len(self._text) > LINE_BYTES_MAX or not self._more():
                    self.torn = 1
                    return
                continue
            self._text, self._chunk = self._text[end:], _CHUNK_BYTES
            if isinstance(value, dict):
                yield value

    def begin(self, lists: tuple[str, ...]) -> tuple[Object, str] | None:
        """Fields before the first of these lists, and its name; what follows is the list. None: it is not there."""
        begins = re.compile(rf'"({"|".join(lists)})"\s*:\s*\[')
        while (match := begins.search(self._text)) is None:
            if len(self._text) > _HEAD_BYTES_MAX or not self._more():
                return None
        fields = parse((self._text[: match.start()].rstrip().rstrip(",") + "}").encode("utf-8", "replace"))
        self._text = self._text[match.end() :]
        return None if fields is None else (fields, match.group(1))

    def _more(self) -> bool:
        """Read on; each time more of a long value, so that it is not tried too often."""
        chunk = self._file.read(self._chunk)
        self._chunk *= 2
        self._text += self._decode(chunk, not chunk)
        return bool(chunk)
