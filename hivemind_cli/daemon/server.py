"""The socket: run/daemon.sock, one line in, one reply out. Knows bytes, threads and limits, nothing of verbs.

    recall <spool file name>\\n            ->  <length>\\n<bytes>, and the connection ends
    {"call": verb, "args": {...}}\\n       ->  {"ok": value}\\n or {"error": {type, what, why, fix}}\\n, then the next

The kernel's accept queue holds those who come while all threads are at work; whoever is slow, hostile or
another user is cut off.
"""

import contextlib
import logging
import os
import queue
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hivemind_cli.core.caller import waiting
from hivemind_cli.core.paths import FILE_MODE, Paths
from hivemind_cli.daemon.service import Service
from hivemind_cli.daemon.wake import Wake

logger = logging.getLogger(__name__)

THREADS = 16
BACKLOG = 128
WAITING_MAX = 64
"""Accepted connections without a thread; more are hung up on, which a hook takes for silence."""
LINE_WAIT_S = 5.0
"""For a whole line, from the moment we wait for it; so long may a connection idle between lines, too."""
SEND_WAIT_S = 30.0
RECALL_SEND_WAIT_S = 2.0
RECALL_LINE_BYTES_MAX = 4 * 1024
JSON_LINE_BYTES_MAX = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class Server:
    """Listens from `listen` to `stop`; answers come from a Service."""

    def __init__(self, paths: Paths, service: Service) -> None:
        self._path = paths.socket
        self._service = service
        self._listener: socket.socket | None = None
        self._inode = -1
        self._stopping = Wake()
        self._acceptor: threading.Thread | None = None
        self._waiting: queue.Queue[socket.socket | None] = queue.Queue(WAITING_MAX)

    def listen(self) -> None:
        """Bind, replacing a stale socket, and start the threads. Only for who holds the lock. OSError: we cannot."""
        self._listener = bound(self._path)
        self._inode = self._path.stat().st_ino
        for number in range(THREADS):
            threading.Thread(target=self._serve_all, name=f"serve-{number}", daemon=True).start()
        self._acceptor = threading.Thread(target=self._accept_all, args=(self._listener,), name="accept", daemon=True)
        self._acceptor.start()

    def lost(self) -> bool:
        """Was the socket file removed or replaced under us?"""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def stop(self, wait_s: float = 5.0) -> None:
        """Take the socket away, answer who had come before, and wait at most `wait_s` for them. Idempotent."""
        if self._listener is None:
            return
        if not self.lost():
            self._path.unlink(missing_ok=True)
        deadline = time.monotonic() + wait_s
        self._stopping.set()
        if self._acceptor is not None:
            self._acceptor.join(wait_s)
        self._listener.close()
        self._listener = None
        while (self._waiting.qsize() or self._service.under_way) and time.monotonic() < deadline:
            time.sleep(0.005)
        with contextlib.suppress(queue.Full):
            for _ in range(THREADS):
                self._waiting.put_nowait(None)

    def _accept_all(self, listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._stopping, selectors.EVENT_READ)
            stopping = False
            while not stopping:
                ready = selector.select()
                stopping = any(key.fileobj is self._stopping for key, _ in ready)
                while self._accept_one(listener):
                    pass

    def _accept_one(self, listener: socket.socket) -> bool:
        """Take the next connection, if there is one."""
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return False
        except OSError as exc:
            logger.warning("a connection could not be accepted: %s", exc)
            time.sleep(0.1)  # out of file descriptors: some will be closed soon
            return False
        if not same_user(connection):
            logger.warning("a connection of another user was refused")
            connection.close()
            return True
        try:
            self._waiting.put_nowait(connection)
        except queue.Full:
            connection.close()
        return True

    def _serve_all(self) -> None:
        while (connection := self._waiting.get()) is not None:
            try:
                with connection:
                    self._serve(connection)
            except OSError:
                pass  # the client is gone or too slow: its own affair
            except Exception:
                logger.exception("a connection failed")

    def _serve(self, connection: socket.socket) -> None:
        lines = Lines(connection)
        while (line := lines.next()) is not None:
            if line.startswith(b"recall "):
                name = line[len(b"recall ") :].decode("utf-8", "replace")
                self._service.recall(name, lambda answer: _send_answer(connection, answer))
                return
            with waiting(lambda: hung_up(connection)):
                reply = self._service.call(line) + b"\n"
            connection.settimeout(SEND_WAIT_S)
            connection.sendall(reply)


class Lines:
    """The lines a client sends, each within its time and size."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    @property
    def begun(self) -> bool:
        """Was something of the next line read already?"""
        return bool(self._buffer)

    def next(self) -> bytes | None:
        """The next line without its newline; None at the end. OSError: too slow or too long."""
        deadline = time.monotonic() + LINE_WAIT_S
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > (JSON_LINE_BYTES_MAX if self._buffer.startswith(b"{") else RECALL_LINE_BYTES_MAX):
                raise OSError("the line is too long")
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
            chunk = self._connection.recv(_CHUNK_BYTES)
            if not chunk:
                return None  # half a line at the end is no request
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def _send_answer(connection: socket.socket, answer: bytes) -> bool:
    """Send what the hook prints; False if it had hung up."""
    connection.settimeout(RECALL_SEND_WAIT_S)
    try:
        connection.sendall(b"%d\n%b" % (len(answer), answer))
    except OSError:
        return False
    return True


def hung_up(connection: socket.socket) -> bool:
    """Has the client closed its end? Asked at any time, without waiting."""
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def bound(path: Path, backlog: int = BACKLOG) -> socket.socket:
    """A listening socket at `path`, 0600 before anyone can see it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    aside = path.with_name(f"{path.name}.new")  # one name: what a killed daemon left is replaced, too
    try:
        aside.unlink(missing_ok=True)
        with _inside(path.parent):
            listener.bind(aside.name)  # by its bare name: macOS allows 104 bytes for all of it
        aside.chmod(FILE_MODE)
        listener.listen(backlog)
        listener.setblocking(False)
        aside.rename(path)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """The process's current folder is `folder` for a moment, while it has only one thread."""
    try:
        before = Path.cwd()
    except OSError:
        before = Path("/")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def same_user(connection: socket.socket) -> bool:
    """Does the other end run as us, or as root? The folder's mode says so already; this is the second lock."""
    if sys.platform == "darwin":
        credentials = connection.getsockopt(0, getattr(socket, "LOCAL_PEERCRED", 1), 76)  # SOL_LOCAL; struct xucred
        uid = struct.unpack_from("=II", credentials)[1]
    elif hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", credentials)[1]
    else:
        return True
    return uid in {os.geteuid(), 0}
