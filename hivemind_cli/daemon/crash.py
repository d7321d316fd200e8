"""Crash reports: a file for each bug, so that the daemon can live on and a person can still see what happened.

A report holds frames and source lines, never values of variables; the message is redacted.
"""

import logging
import os
import platform
import traceback
from datetime import UTC, datetime
from pathlib import Path

from hivemind_cli import __version__
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths

logger = logging.getLogger(__name__)

REPORTS_MAX = 30
"""Older ones are deleted."""
MESSAGE_CHARS_MAX = 2000


def report_crash(paths: Paths, where: str, exc: BaseException) -> Path | None:
    """Write down that `exc` ended `where`. None if it could not be written (a full disk, a removed home)."""
    now = datetime.now(UTC)
    path = paths.crash / f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}-{_plain(where)}.txt"
    try:
        # Never with parents: hivemind's home may just have been removed, and stays so.
        paths.crash.mkdir(mode=FOLDER_MODE, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_text(where, exc, now))
        for old in sorted(paths.crash.glob("*.txt"))[:-REPORTS_MAX]:
            old.unlink(missing_ok=True)
    except OSError:
        logger.error("%s failed with %s; no crash report could be written", where, type(exc).__name__)
        return None
    logger.error("%s failed with %s; see %s", where, type(exc).__name__, path)
    return path


def _text(where: str, exc: BaseException, now: datetime) -> str:
    lines = [
        f"hivemind {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{now.isoformat()} in {where}, process {os.getpid()}",
        "",
    ]
    current: BaseException | None = exc
    while current is not None:
        lines += [line.rstrip("\n") for line in traceback.format_tb(current.__traceback__)]
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}: {_message(current)}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if current is not None:
            lines += ["", "which came of:"]
    from hivemind_cli.core import redact  # its pattern takes a while to compile, and crashes are rare

    return redact.text("\n".join(lines) + "\n")


def _message(exc: BaseException) -> str:
    from hivemind_cli.core import redact

    return redact.cut(str(exc), MESSAGE_CHARS_MAX)


def _plain(where: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in where)[:40]
