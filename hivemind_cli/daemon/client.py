"""Asking the daemon, and starting it where it is not running: for commands, the SDK and `storage.daemon`."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hivemind_cli import __version__
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.storage.wire import error_from_json

CALL_WAIT_S = 60.0
PING_WAIT_S = 2.0
_SPAWN_AGAIN_S = 2.0
_SETTLED_S = 0.05
"""A starting daemon that waits for the lock takes it within 20 ms."""
_LOG_LINES = 5
_SUN_PATH_BYTES = 103
"""macOS takes 104 with the closing zero, Linux 108."""


class Client:
    """Talks to the daemon of one hivemind home, a connection a call. Safe to share between threads."""

    def __init__(self, paths: Paths, *, env: Mapping[str, str] | None = None, key_names: Iterable[str] = ()) -> None:
        """`env` is what a daemon we start may take its allowed variables from, `key_names` ([llm] key_env) included."""
        self._paths = paths
        self._env = os.environ if env is None else env
        self._key_names = tuple(key_names)

    @classmethod
    def of(cls, paths: Paths, env: Mapping[str, str], llm: LLMConfig) -> "Client":
        """A daemon that this one starts has the provider's keys, if the person allows one."""
        if not llm.allow:
            return cls(paths, env=env)
        from hivemind_cli.llm import ENVIRONMENT

        return cls(paths, env=env, key_names=(llm.key_env, *ENVIRONMENT))

    def call(self, verb: str, args: dict[str, Any] | None = None, *, timeout_s: float = CALL_WAIT_S) -> Any:
        """What the daemon answers, starting it if absent. The daemon's own HivemindError, or DaemonError."""
        try:
            connection = self._connected(timeout_s)
        except OSError:
            self.ensure()
            try:
                connection = self._connected(timeout_s)
            except OSError as exc:
                raise DaemonError("The daemon ended just now.", fix="Run the command again.") from exc
        return self._asked(connection, verb, args or {}, timeout_s)

    def ping(self) -> dict[str, Any] | None:
        """pid, version and ready of the running daemon; None if none answers. Starts nothing."""
        try:
            value = self._asked(self._connected(PING_WAIT_S), "ping", {}, PING_WAIT_S)
        except (OSError, DaemonError):
            return None
        return value if isinstance(value, dict) else None

    def alive(self) -> bool:
        """Does a daemon answer?"""
        return self.ping() is not None

    def ensure(self, timeout_s: float = 5.0) -> None:
        """A daemon of our version runs: start it, or replace one from before an upgrade. DaemonError: it cannot."""
        deadline = time.monotonic() + timeout_s
        spawn_at = 0.0
        while True:
            there = self.ping()
            if there is not None and there.get("version") == __version__:
                return
            if there is not None:
                self.stop()
            if time.monotonic() >= spawn_at and lock.holder(self._paths) is None:
                self._spawn()
                spawn_at = time.monotonic() + _SPAWN_AGAIN_S
            if time.monotonic() >= deadline:
                raise self._cannot_start(timeout_s)
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End the daemon: ask it, then SIGTERM. False: none ran. DaemonError: it is still there."""
        if lock.holder(self._paths) is None:
            return False
        if self._ends(timeout_s, self._ask_to_end) or self._ends(timeout_s, _terminate):
            return True
        pid = lock.holder(self._paths) or "unknown"
        raise DaemonError(
            f"The daemon (process {pid}) does not end.",
            why="It was asked, and then sent SIGTERM.",
            fix=f"Look into {self._paths.log}; `kill -9` loses nothing that was captured.",
        )

    def _ends(self, timeout_s: float, end: Callable[[int], bool]) -> bool:
        """`end` each process that holds the lock (another may have waited for it), until none does."""
        deadline = time.monotonic() + timeout_s
        ended: int | None = None
        free_since: float | None = None
        while True:
            now = time.monotonic()
            pid = lock.holder(self._paths)
            if pid is not None:
                free_since = None
                if pid != ended and end(pid):
                    ended = pid
            elif free_since is None:
                free_since = now
            elif now - free_since > _SETTLED_S:
                return True
            if now >= deadline:
                return False
            time.sleep(0.01)

    def _ask_to_end(self, pid: int) -> bool:
        try:
            self._asked(self._connected(PING_WAIT_S), "shutdown", {}, PING_WAIT_S)
        except (OSError, DaemonError):
            return False  # not listening yet, or no longer
        return True

    def _connected(self, timeout_s: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            with short_name(self._paths.socket) as address:
                connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    def _asked(self, connection: socket.socket, verb: str, args: dict[str, Any], timeout_s: float) -> Any:
        request = json.dumps({"call": verb, "args": args}, separators=(",", ":")).encode() + b"\n"
        deadline = time.monotonic() + timeout_s
        try:
            with connection:
                connection.sendall(request)
                reply = json.loads(_line(connection, deadline))
        except TimeoutError as exc:
            raise DaemonError(
                f"The daemon did not answer {verb!r} within {timeout_s:g} s.",
                why="It may be at work on something long.",
                fix="Try again, or see `hivemind doctor`.",
            ) from exc
        except (OSError, ValueError) as exc:
            raise DaemonError(
                f"The daemon ended while it answered {verb!r}.",
                why=self._last_words(),
                fix="Run the command again; a new daemon starts by itself.",
            ) from exc
        if "error" in reply:
            raise error_from_json(reply["error"])
        return reply.get("ok")

    def _spawn(self) -> None:
        try:
            self._paths.make()
            spawn.spawn(self._paths, self._env, key_names=self._key_names)
        except (OSError, subprocess.SubprocessError) as exc:
            raise DaemonError(
                "The daemon could not be started.",
                why=f"{spawn.command()[0]} or {self._paths.root}: {exc}",
                fix="Check that the folder can be written, and run `hivemind doctor`.",
            ) from exc

    def _cannot_start(self, timeout_s: float) -> DaemonError:
        pid = lock.holder(self._paths)
        if pid is not None:
            return DaemonError(
                f"The daemon (process {pid or 'unknown'}) runs but does not answer.",
                why=self._last_words(),
                fix="Run `hivemind daemon stop`, and then the command again.",
            )
        return DaemonError(
            f"The daemon did not start within {timeout_s:g} s.",
            why=self._last_words(),
            fix=f"Run `{' '.join(spawn.command())}` to see what it says, or `hivemind doctor`.",
        )

    def _last_words(self) -> str:
        """The end of the log, and of the newest crash report of the last minute."""
        said: list[str] = []
        with contextlib.suppress(OSError):
            said = self._paths.log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
        with contextlib.suppress(OSError, IndexError):
            newest = sorted(self._paths.crash.glob("*.txt"))[-1]
            if time.time() - newest.stat().st_mtime < 60:
                said.append(f"{newest}: {newest.read_text('utf-8', 'replace').splitlines()[-1]}")
        return "\n".join(["Its last words:", *said]) if said else "It left no word in its log."


def _terminate(pid: int) -> bool:
    """SIGTERM to the holder of the lock: it wrote its number there itself, so it is no reused one."""
    if pid:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    return bool(pid)


def _line(connection: socket.socket, deadline: float) -> bytes:
    """What comes before the newline. TimeoutError, or OSError where the stream ends first."""
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionResetError("no whole reply")
        parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of the socket that fits into a socket address, however deep the home lies."""
    if len(os.fsencode(path)) <= _SUN_PATH_BYTES:
        yield str(path)
    elif sys.platform == "linux":
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{folder}/{path.name}"
        finally:
            os.close(folder)
    else:
        made = tempfile.mkdtemp(prefix="hm")
        try:
            Path(made, "r").symlink_to(path.parent)
            yield f"{made}/r/{path.name}"
        finally:
            shutil.rmtree(made, ignore_errors=True)
