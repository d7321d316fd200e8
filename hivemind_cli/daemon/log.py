"""The daemon's log: logs/daemon.log, 0600, three files of a megabyte, nothing sensitive."""

import faulthandler
import io
import logging
import logging.handlers
import os
import sys

from hivemind_cli.core.paths import FILE_MODE, Paths

BYTES_MAX = 1_000_000
FILES = 3
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def open_log(paths: Paths, *, foreground: bool = False) -> None:
    """Send all logging to the log, and in the foreground to stderr as well."""
    logging.raiseExceptions = False  # a full disk or a removed home must not end the daemon
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    handlers: list[logging.Handler] = [
        _OwnersFile(paths.log, maxBytes=BYTES_MAX, backupCount=FILES - 1, encoding="utf-8", delay=True)
    ]
    if foreground:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(_Redacted(_FORMAT))
        root.addHandler(handler)
    logging.getLogger("watchdog").setLevel(logging.WARNING)
    faulthandler.enable(_opened(str(paths.log)))  # a crash in a C library leaves its frames, and nothing else


class _OwnersFile(logging.handlers.RotatingFileHandler):
    """Readable by its owner alone, whatever the umask."""

    def _open(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(
            io.FileIO(_opened(self.baseFilename), "a"), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)


class _Redacted(logging.Formatter):
    """Whatever an error quotes, no secret reaches the file."""

    def format(self, record: logging.LogRecord) -> str:
        from hivemind_cli.core import redact  # its pattern is compiled at the first line, when the socket listens

        return redact.text(super().format(record))
