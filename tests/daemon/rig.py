"""What the daemon's tests share: waiting, delivering as the hook does, and raw connections."""

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol

from hivemind_cli.core.paths import Paths


class Start(Protocol):
    """Starts fake_daemon.py with these options; waits until it answers, unless told not to."""

    def __call__(self, *, wait: bool = True, **options: Any) -> "subprocess.Popen[bytes]": ...


def until(true: Callable[[], object], *, within_s: float = 60.0) -> None:
    """Return as soon as `true()`; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def drop(paths: Paths, name: str, body: bytes = b"v=1\n\n{}") -> None:
    """Deliver as the hook does: write aside, then rename."""
    aside = paths.spool_tmp / name
    aside.write_bytes(body)
    aside.rename(paths.spool_new / name)


def noted(paths: Paths, file: str) -> list[str]:
    """Lines of what the fake owner wrote down."""
    try:
        return (paths.root / f"{file}.txt").read_text().splitlines()
    except FileNotFoundError:
        return []


def dial(paths: Paths, *, timeout_s: float = 10.0) -> socket.socket:
    """A connection to the daemon, as a program that is not ours would make it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    connection.connect(str(paths.socket))
    return connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the daemon hangs up."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:  # it hung up on what we had not finished saying
        pass
    return b"".join(parts)


def recall(paths: Paths, name: str) -> bytes:
    """What the daemon sends to the hook for spool file `name`."""
    with dial(paths) as connection:
        connection.sendall(f"recall {name}\n".encode())
        return received(connection)
