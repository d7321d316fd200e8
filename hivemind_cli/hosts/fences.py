"""Code fences in Markdown that agents write: found in one pass, however many are never closed."""

from collections.abc import Iterator
from dataclasses import dataclass

_MARK = "```"


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block."""

    info: str
    """The word behind the opening marks: python, diff, ... or ""."""
    body: str
    above: str
    """The last line of words before it, "" if there is none."""
    start: int
    """Offset of its opening line."""
    end: int
    """Offset behind its closing line, or behind the text if it is never closed."""


def fences(text: str) -> Iterator[Fence]:
    """Every fence of backticks at the beginning of a line; a longer one may hold shorter ones."""
    marks, info, above, start, at, lines = "", "", "", 0, 0, list[str]()
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if marks:
            if bare.startswith(marks) and not bare.strip("`"):
                yield Fence(info, "".join(lines), above, start, at + len(line))
                marks, above = "", ""
            else:
                lines.append(line)
        elif line.startswith(_MARK):
            info = bare.lstrip("`")
            marks, info, start, lines = bare[: len(bare) - len(info)], info.strip(), at, []
        elif bare:
            above = bare
        at += len(line)
    if marks:
        yield Fence(info, "".join(lines), above, start, at)


def outside(text: str) -> str:
    """The text without its fences."""
    parts, at = list[str](), 0
    for one in fences(text):
        parts.append(text[at : one.start])
        at = one.end
    return "\n".join([*parts, text[at:]])
