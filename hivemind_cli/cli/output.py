"""stdout is data, stderr is narration; one function turns an error into advice and an exit code."""

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


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(plain(value), ensure_ascii=False, indent=2))


def say(text: str = "") -> None:
    """A line for the person, on stdout; rich markup."""
    console.print(text, soft_wrap=True)


def note(text: str) -> None:
    """A line beside the data, on stderr."""
    narration.print(text, soft_wrap=True)


def quoted(text: str, limit: int = 100) -> str:
    """A person's words on one line, safe to print."""
    line = " ".join(text.split())
    return escape(line if len(line) <= limit else f"{line[: limit - 1]}…")


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in a word or two."""
    if moment is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def fail(exc: Exception) -> int:
    """Tell the person what happened, why, and what to do; the exit code."""
    if isinstance(exc, HivemindError):
        narration.print(f"[bold red]{escape(exc.what)}[/]", soft_wrap=True)
        for part in (exc.why, exc.fix):
            if part:
                narration.print(escape(part), soft_wrap=True)
        return exc.exit_code
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.daemon.crash import report_crash

    report = report_crash(Paths.from_env(os.environ), "command", exc)
    narration.print(f"[bold red]hivemind made a mistake of its own: {escape(repr(exc))[:300]}[/]", soft_wrap=True)
    if report:
        narration.print(f"The report is in {escape(str(report))}; please attach it to an issue.", soft_wrap=True)
    if os.environ.get("HIVEMIND_DEBUG"):
        import traceback

        traceback.print_exception(exc, file=sys.stderr)
    return EXIT_BUG
