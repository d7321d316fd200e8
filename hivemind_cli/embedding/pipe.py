"""Frames between us and a child of ours: 4 bytes of length, a JSON header, and the raw bytes the header announces."""

import contextlib
import json
import os
import select
import selectors
import struct
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any

from hivemind_cli.core.child import end, kill
from hivemind_cli.embedding.base import SILENT

Frame = tuple[dict[str, Any], bytes]
HEADER_BYTES_MAX = 64 << 20
BODY_BYTES_MAX = 64 << 20
_CHUNK = 65_536
_LENGTH = struct.Struct(">I")
_STDERR_KEPT = 4096
_LOOK_MS = 1000
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "CUDA_VISIBLE_DEVICES")


def child_env(env: Mapping[str, str]) -> dict[str, str]:
    """All that a child that runs a model inherits of `env`: no key, no proxy; and that it tells nobody."""
    return {**{name: env[name] for name in _INHERITED if name in env}, **SILENT}


class Pipe:
    """Our end of a child that speaks in frames. For one thread at a time, but for `kill`."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        """`child` was started by core.child.start."""
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        self.child = child
        self._stdin, self._stdout, self._stderr = child.stdin.fileno(), child.stdout.fileno(), child.stderr.fileno()
        for handle in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(handle, False)
        self._heard = bytearray()
        self._said = bytearray()

    def send(self, header: Mapping[str, Any], deadline: float) -> None:
        """EOFError: the child is gone. TimeoutError: it did not take all by `deadline` (time.monotonic)."""
        rest = memoryview(_packed(header, b""))
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stderr, selectors.EVENT_READ)
            while rest:
                for key, _ in _ready(selector, deadline):
                    if key.fd == self._stderr:
                        self._overhear(selector)
                        continue
                    try:
                        rest = rest[os.write(self._stdin, rest[:_CHUNK]) :]
                    except OSError as exc:
                        raise EOFError from exc

    def receive(self, deadline: float) -> Frame:
        """The next frame. EOFError: the child is gone, or what it says has no form. TimeoutError."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._stderr, selectors.EVENT_READ)
            while (frame := self._whole()) is None:
                for key, _ in _ready(selector, deadline):
                    if key.fd == self._stderr:
                        self._overhear(selector)
                        continue
                    chunk = os.read(self._stdout, _CHUNK)
                    if not chunk:
                        raise EOFError
                    self._heard += chunk
        return frame

    def last_words(self) -> str:
        """The end of what it said on stderr, for an error's reason: of a child that is gone."""
        with contextlib.suppress(BlockingIOError):  # a process of its own may still hold the other end
            while chunk := os.read(self._stderr, _CHUNK):
                self._said = (self._said + chunk)[-_STDERR_KEPT:]
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][-300:] if lines else ""

    def alive(self) -> bool:
        """Does the child run?"""
        return self.child.poll() is None

    def kill(self) -> None:
        """From any thread: whoever waits in `receive` gets EOFError."""
        kill(self.child)

    def close(self) -> None:
        """End the child and let go of it."""
        end(self.child)

    def _overhear(self, selector: selectors.BaseSelector) -> None:
        chunk = os.read(self._stderr, _CHUNK)
        if not chunk:
            selector.unregister(self._stderr)
        self._said = (self._said + chunk)[-_STDERR_KEPT:]

    def _whole(self) -> Frame | None:
        heard = self._heard
        if len(heard) < _LENGTH.size:
            return None
        size = _LENGTH.size + _LENGTH.unpack_from(heard)[0]
        if size > HEADER_BYTES_MAX:
            raise EOFError
        if len(heard) < size:
            return None
        header, body = _parsed(bytes(heard[_LENGTH.size : size]))
        if len(heard) < size + body:
            return None
        frame = header, bytes(heard[size : size + body])
        del heard[: size + body]
        return frame


class ChildEnd:
    """The child's end: frames on its stdin and on what was its stdout; whatever a library prints goes to stderr."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Blocks until it is taken."""
        rest = memoryview(_packed(header, body))
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def receive(self, idle_s: float | None = None) -> Frame | None:
        """The next frame; None: there is no more, or nothing came for `idle_s`."""
        if not select.select([0], [], [], idle_s)[0]:
            return None
        try:
            header, body = _parsed(_exactly(_LENGTH.unpack(_exactly(_LENGTH.size))[0]))
            return header, _exactly(body)
        except EOFError:
            return None


def _leave_with_parent(parent: int) -> None:
    """Leave at once when stdin closes or the parent is another, in the middle of whatever is computed."""
    poll = select.poll()
    poll.register(0, select.POLLHUP)  # only its end is of interest; macOS tells it to those who ask
    while not poll.poll(_LOOK_MS) and os.getppid() == parent:
        pass
    os._exit(0)


def _ready(selector: selectors.BaseSelector, deadline: float) -> list[tuple[selectors.SelectorKey, int]]:
    found = selector.select(max(deadline - time.monotonic(), 0))
    if time.monotonic() >= deadline:
        raise TimeoutError
    return found


def _packed(header: Mapping[str, Any], body: bytes) -> bytes:
    said = json.dumps({**header, "bytes": len(body)}).encode()
    return _LENGTH.pack(len(said)) + said + body


def _parsed(said: bytes) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes follow it. EOFError: it has no form."""
    try:
        header = json.loads(said)
        size = int(header["bytes"])
    except (ValueError, TypeError, KeyError) as exc:
        raise EOFError from exc
    if not isinstance(header, dict) or not 0 <= size <= BODY_BYTES_MAX:
        raise EOFError
    return header, size


def _exactly(size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        chunk = os.read(0, min(size - len(found), 1 << 20))
        if not chunk:
            raise EOFError
        found += chunk
    return bytes(found)
