"""The second socket, run/memory.sock: the agents' tables. Hooks have their own, and never wait for this one.

    {"call": "memory.<method>", "args": {...}}\\n  ->  {"ok": value}\\n or {"error": ...}\\n, then the next, in turn

Clients keep their connections. One that says nothing costs a file descriptor and no thread: a selector watches them
all, and whoever has said something is answered by one of a few threads.
"""

import contextlib
import functools
import logging
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from hivemind_cli.core.caller import waiting
from hivemind_cli.daemon.server import SEND_WAIT_S, Lines, bound, hung_up, same_user
from hivemind_cli.daemon.wake import Wake

logger = logging.getLogger(__name__)

THREADS = 16
BACKLOG = 1024
CONNECTIONS_MAX = 768
"""More are hung up on; their clients come again."""


class _Client:
    """A connection between two requests, and what was read of the next."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = Lines(connection)


class MemoryServer:
    """Listens from `listen` to `stop`; `answer` gives a request line's reply line."""

    def __init__(self, path: Path, answer: Callable[[bytes], bytes]) -> None:
        self._path = path
        self._answer = answer
        self._listener: socket.socket | None = None
        self._back: queue.SimpleQueue[_Client] = queue.SimpleQueue()
        self._wake = Wake()
        self._inode = -1
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="memory")

    def listen(self) -> None:
        """Bind, replacing a stale socket, and start. OSError: we cannot."""
        self._listener = bound(self._path, BACKLOG)
        self._inode = self._path.stat().st_ino
        self._thread = threading.Thread(target=self._run, args=(self._listener,), name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the socket away; what is being answered is. Idempotent."""
        if self._listener is None:
            return
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._back.empty():
            self._back.get().connection.close()
        self._listener.close()
        self._listener = None

    def _run(self, listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select():
                    if key.fileobj is listener:
                        self._accept(listener, selector)
                    elif key.fileobj is self._wake:
                        self._wake.clear()
                    else:
                        selector.unregister(key.fileobj)
                        answered = self._pool.submit(self._serve, key.data)
                        answered.add_done_callback(functools.partial(_close_unheard, key.data))
                while not self._back.empty():
                    client = self._back.get()
                    selector.register(client.connection, selectors.EVENT_READ, client)
            for key in list(selector.get_map().values()):
                if isinstance(key.data, _Client):
                    key.data.connection.close()

    def _accept(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    return
                except OSError as exc:
                    logger.warning("a connection could not be accepted: %s", exc)
                    return
                if not same_user(connection) or len(selector.get_map()) > CONNECTIONS_MAX:
                    connection.close()
                    continue
                selector.register(connection, selectors.EVENT_READ, _Client(connection))

    def _serve(self, client: _Client) -> None:
        """Answer what it has said; then it is watched again."""
        connection = client.connection
        try:
            while True:
                line = client.lines.next()
                if line is None:
                    connection.close()
                    return
                with waiting(lambda: hung_up(connection)):
                    reply = self._answer(line) + b"\n"
                connection.settimeout(SEND_WAIT_S)
                connection.sendall(reply)
                if not client.lines.begun:
                    break
            self._back.put(client)
            self._wake.set()
        except OSError:
            connection.close()  # it is gone or too slow: its own affair
        except Exception:
            connection.close()
            logger.exception("a connection failed")


def _close_unheard(client: _Client, answered: "Future[None]") -> None:
    """Hang up on who had come, but whose turn did not before the end: its request was not read."""
    if answered.cancelled():
        client.connection.close()
