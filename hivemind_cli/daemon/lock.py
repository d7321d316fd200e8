"""Who owns the store: whoever holds a lock on run/daemon.lock. It dies with its process, so it is never stale."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from hivemind_cli.core.errors import StoreLocked
from hivemind_cli.core.paths import FILE_MODE, Paths

_RETRY_S = 0.02
_PROBE_S = 0.1
"""`holder` takes a shared lock for an instant; an `acquire` at that instant must not fail."""


class Lock:
    """The lock, held. Its file names our pid; the file stays behind, only the lock counts."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    def lost(self) -> bool:
        """Was the file removed or replaced under us (`uninstall --purge`)? Then the store is no longer ours."""
        try:
            there, ours = self._path.stat(), os.fstat(self._fd)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def acquire(paths: Paths, *, wait_s: float = 0.0) -> Lock:
    """Own the store, waiting at most `wait_s` for a former owner to finish. StoreLocked: it has another owner."""
    deadline = time.monotonic() + max(wait_s, _PROBE_S)
    while True:
        held = _try(paths.lock)
        if held is not None:
            return held
        if time.monotonic() >= deadline:
            raise StoreLocked(
                f"The store in {paths.root} is in use.",
                why=f"Process {_written(paths.lock) or '(unknown)'} owns it, and only one may.",
                fix="Commands ask that process; `hivemind daemon stop` ends it.",
            )
        time.sleep(_RETRY_S)


def holder(paths: Paths) -> int | None:
    """The pid of the process that holds the lock; None if it is free. 0: held, by one that has not signed yet."""
    try:
        fd = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _written(paths.lock)
    else:
        return None
    finally:
        os.close(fd)


def _try(path: Path) -> Lock | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    held = Lock(path, fd)
    if held.lost():  # the file was removed between our open and our lock
        held.release()
        return None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return held


def _written(path: Path) -> int:
    try:
        return int(path.read_text("ascii", "replace").strip() or 0)
    except (OSError, ValueError):
        return 0
