"""stdout is data, stderr is narration; one function turns an error into advice and an exit code."""

import errno
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from hivemind_cli.core.errors import HivemindError

EXIT_BUG = 70
WIDTH_MIN = 40
"""Columns; in a narrower terminal lines are left to it."""

console = Console(highlight=False)
narration = Console(stderr=True, highlight=False)


def plain(value: Any) -> Any:
    """`value` as JSON can say it: records become objects, times ISO 8601, paths text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON document on stdout; in one line without `indent`."""
    said = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    print(said.encode("utf-8", "backslashreplace").decode("utf-8"))  # half characters, as of file names: \udcff


def say(text: str = "", *, indent: int = 0) -> None:
    """A line for the person, on stdout; rich markup. In a terminal it goes on `indent` columns from the left."""
    _line(console, text, indent)


def row(text: str) -> None:
    """A line of a list, on stdout: in a terminal cut to its width, in a pipe whole."""
    if console.is_terminal:
        console.print(text, no_wrap=True, overflow="ellipsis")
    else:
        _line(console, text, 0)


def note(text: str, *, indent: int = 0) -> None:
    """A line beside the data, on stderr."""
    _line(narration, text, indent)


def show_text(text: str, *, indent: int = 4, style: str = "cyan") -> None:
    """A file's text as it is, moved right; in a terminal long lines go on under their own beginning."""
    for line in text.strip().splitlines():
        lead = indent + len(line) - len(line.lstrip(" -"))
        # A comment at a line's end stays in one piece.
        glued = line.replace("<!-- ", "<!--\N{NO-BREAK SPACE}").replace(" -->", "\N{NO-BREAK SPACE}-->")
        for part in _folded(" " * indent + glued, lead, console):
            console.print(part.replace("\N{NO-BREAK SPACE}", " ").rstrip(), style=style, markup=False, soft_wrap=True)
    console.print()


def quoted(text: str, limit: int = 100) -> str:
    """A person's words on one line, safe to print."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return escape(line if len(line) <= limit else f"{line[: limit - 1]}…")


def counted(number: int, what: str, more: str = "") -> str:
    """`1 skill`, `2 skills`; `more` is the plural where it is no plain s."""
    return f"{number:,} {what if number == 1 else more or f'{what}s'}"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in a word or two."""
    if moment is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""What the machine says of files, where the mistake is not ours."""


def fail(exc: Exception) -> int:
    """Tell the person what happened, why, and what to do; the exit code."""
    if isinstance(exc, HivemindError):
        note(f"[bold red]{escape(exc.what)}[/]")
        for part in (exc.why, exc.fix):
            if part:
                note(escape(part))
        return exc.exit_code
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.daemon.crash import report_crash

    paths = Paths.from_env(os.environ)
    if isinstance(exc, OSError) and exc.filename and (exc.errno in REFUSED or not paths.root.exists()):
        note(f"[bold red]{escape(str(exc.filename))} cannot be used: {escape(exc.strerror or str(exc))}.[/]")
        note("See that it is there, that you may read and write it, and that the disk has room.")
        return 1
    report = report_crash(paths, "command", exc)
    note(f"[bold red]hivemind made a mistake of its own: {escape(repr(exc))[:300]}[/]")
    if report:
        note(f"The report is in {escape(str(report))}; please attach it to an issue.")
    if os.environ.get("HIVEMIND_DEBUG"):
        import traceback

        traceback.print_exception(exc, file=sys.stderr)
    return EXIT_BUG


def _line(to: Console, text: str, indent: int) -> None:
    if not to.is_terminal or to.width < WIDTH_MIN:
        to.print(text, soft_wrap=True)
        return
    from rich.text import Text

    whole = Text.from_markup(text)
    if len(whole) <= to.width:
        to.print(whole, soft_wrap=True)
        return
    head, body = whole[:indent], whole[indent:]
    for number, part in enumerate(body.wrap(to, to.width - indent)):
        part.rstrip()
        to.print(head + part if number == 0 else Text(" " * indent) + part, soft_wrap=True)


def _folded(line: str, lead: int, to: Console) -> list[str]:
    import textwrap

    if not to.is_terminal or to.width < WIDTH_MIN + lead:
        return [line]
    return textwrap.wrap(
        line, to.width, subsequent_indent=" " * lead, break_long_words=False, break_on_hyphens=False
    ) or [line]
