"""Asking the daemon about tables: JSON lines over its memory socket, on connections that stay open between calls."""

import contextlib
import json
import os
import socket
import threading
import time
import weakref
from collections import deque
from typing import Any

from hivemind_cli.core.errors import DaemonError, StoreError, WrongValue
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.client import Client, short_name
from hivemind_cli.storage.wire import error_from_json

WAIT_S = 600.0
"""For one answer: a statement over millions of rows takes its time."""
LINE_BYTES_MAX = 64 * 1024 * 1024
"""The daemon hangs up on longer ones; big batches go by file."""
_CHUNK_BYTES = 256 * 1024
_AGAIN_S = 30.0
"""So long we try again where nobody takes the request: a daemon that ends, starts, or has its hands full."""
_PAUSE_MAX_S = 0.2


class Link:
    """The daemon of one home, started if absent. Safe to share between threads, and usable after a fork.

    Each call takes a connection that is idle, or makes one: so many stay open as calls were ever under way at once.
    """

    def __init__(self, paths: Paths, *, wait_s: float = WAIT_S) -> None:
        self.paths = paths
        self._wait_s = wait_s
        self._idle: deque[socket.socket] = deque()
        self._starting = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        self._finalizer = weakref.finalize(self, _close_all, self._idle)

    def ask(self, method: str, args: dict[str, Any], *, reads: bool = True) -> Any:
        """What the daemon answers to memory.<method>, as JSON. Its own HivemindError, DaemonError; StoreError: closed.

        reads   asking twice does no harm: where the daemon dies over it, the next one is asked
        """
        if self._closed:
            raise StoreError("This database is closed.", fix="Connect again.")
        line = json.dumps({"call": f"memory.{method}", "args": args}, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) > LINE_BYTES_MAX:
            raise WrongValue(
                f"The request has {len(line):,} bytes.", why=f"The daemon takes {LINE_BYTES_MAX:,} at most."
            )
        reply = json.loads(self._answer(line, method, reads=reads))
        if "error" in reply:
            raise error_from_json(reply["error"])
        return reply.get("ok")

    def close(self) -> None:
        """End all idle connections; those under way end with their call. Idempotent."""
        self._closed = True
        _close_all(self._idle)

    def _answer(self, line: bytes, method: str, *, reads: bool) -> bytes:
        deadline = time.monotonic() + _AGAIN_S
        pause_s, deaths = 0.002, 0
        while True:
            connection = self._taken()
            try:
                reply = _exchanged(connection, line)
            except _NotHeardError:
                _close_all(self._idle)  # from before the daemon ended, like this one
            except _DiedError as exc:
                deaths += 1
                if not reads or deaths > 1:
                    raise _died(method, reads=reads) from exc
            except TimeoutError as exc:
                raise DaemonError(
                    f"The daemon did not answer {method!r} within {self._wait_s:g} s.",
                    why="It may still be at work on it.",
                    fix="Ask for less at once, or connect with a larger wait_s.",
                ) from exc
            else:
                self._give_back(connection)
                return reply
            if time.monotonic() > deadline:
                raise DaemonError("The daemon takes no requests.", fix="Look with `hivemind doctor`.")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)

    def _taken(self) -> socket.socket:
        """An idle connection, else a new one. DaemonError."""
        if os.getpid() != self._pid:  # the parent's connections: not for two to speak on
            self._idle, self._starting, self._pid = deque(), threading.Lock(), os.getpid()
            self._finalizer = weakref.finalize(self, _close_all, self._idle)
        try:
            return self._idle.pop()
        except IndexError:
            return self._connected()

    def _give_back(self, connection: socket.socket) -> None:
        self._idle.append(connection)
        if self._closed:
            _close_all(self._idle)

    def _connected(self) -> socket.socket:
        deadline = time.monotonic() + _AGAIN_S
        pause_s = 0.002
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._wait_s)
                with short_name(self.paths.memory_socket) as address:
                    connection.connect(address)
            except (BlockingIOError, TimeoutError):  # its queue is full
                connection.close()
                if time.monotonic() > deadline:
                    raise DaemonError("The daemon has its hands full.", fix="Try again.") from None
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise DaemonError("The daemon takes no requests.", fix="Look with `hivemind doctor`.") from None
                with self._starting:  # hundreds of threads would start as many processes, all but one in vain
                    self._start()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)

    def _start(self) -> None:
        """The daemon runs. ConfigError, DaemonError: it cannot."""
        from hivemind_cli.core.settings import load

        Client.of(self.paths, os.environ, load(self.paths, os.environ).config.llm).ensure(_AGAIN_S)


class _NotHeardError(Exception):
    """The connection ended before the daemon had read the request."""


class _DiedError(Exception):
    """The connection ended when the daemon had read the request: it may have been done."""


def _exchanged(connection: socket.socket, line: bytes) -> bytes:
    """The reply to one line; on any failure the connection is closed. _NotHeardError, _DiedError, TimeoutError."""
    heard = False
    parts: list[bytes] = []
    try:
        connection.sendall(line)  # what of a line has arrived is no request before its end has
        heard = True
        while not (parts and parts[-1].endswith(b"\n")):
            part = connection.recv(_CHUNK_BYTES)
            if not part:
                raise _DiedError
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except ConnectionResetError as exc:  # the system's word for: closed with our bytes unread
        connection.close()
        raise (_DiedError if parts else _NotHeardError) from exc
    except TimeoutError:
        connection.close()
        raise
    except OSError as exc:
        connection.close()
        raise (_DiedError if heard else _NotHeardError) from exc
    except BaseException:
        connection.close()
        raise


def _died(method: str, *, reads: bool) -> DaemonError:
    why = "It ended twice over it." if reads else "What was asked may have been done, or not: all of it or nothing."
    return DaemonError(
        f"The daemon ended while it answered {method!r}.",
        why=why,
        fix="Look whether it was done, then ask again; a new daemon starts by itself.",
    )


def _close_all(connections: deque[socket.socket]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            connections.pop().close()
