"""Run one child program within bounds: no shell, no inherited files, its own process group, low priority."""

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hivemind_cli.core.child import end, start
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable

OUTPUT_BYTES_MAX = 2_000_000
GRACE_S = 1.0
"""So long, after the program's end, its pipes are read on: who still holds them is no part of the answer."""
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended."""

    code: int
    stdout: bytes
    stderr: bytes
    """Its first 64 KB; the rest is dropped."""


def run(argv: Sequence[str], *, stdin: bytes, env: Mapping[str, str], cwd: Path, timeout_s: float) -> Finished:
    """Run `argv` to its end, with `stdin` as its input.

    ProviderUnavailable after `timeout_s` seconds. ProviderError if the program cannot be started or says more
    than OUTPUT_BYTES_MAX. Either way nothing of its process group stays alive.
    """
    try:
        child = start(argv, env=env, cwd=cwd)
    except (OSError, ValueError) as exc:
        raise ProviderError(f"{argv[0]} cannot be started.", why=str(exc)) from exc
    try:
        stdout, stderr = _converse(child, stdin, time.monotonic() + timeout_s, argv[0])
    finally:
        end(child)
    return Finished(child.returncode, stdout, stderr)


def _converse(child: subprocess.Popen[bytes], stdin: bytes, deadline: float, program: str) -> tuple[bytes, bytes]:
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    stdout, stderr = bytearray(), bytearray()
    rest = memoryview(stdin)
    ended, until = False, deadline
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdin, child.stdout, child.stderr):
            os.set_blocking(stream.fileno(), False)
        selector.register(child.stdin, selectors.EVENT_WRITE)
        selector.register(child.stdout, selectors.EVENT_READ)
        selector.register(child.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(min(max(until - time.monotonic(), 0), GRACE_S))
            now = time.monotonic()
            if not ended and child.poll() is not None:
                ended, until = True, min(deadline, now + GRACE_S)
            if now >= until:
                if ended:
                    break
                raise ProviderUnavailable(f"{program} gave no answer in time.", fix="It is tried again later.")
            for key, _ in ready:
                if key.fileobj is child.stdin:
                    rest = _feed(selector, child.stdin, rest)
                    continue
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stdout:
                    stdout += chunk
                else:
                    stderr += chunk[: max(_CHUNK - len(stderr), 0)]
            if len(stdout) > OUTPUT_BYTES_MAX:
                raise ProviderError(f"{program} said more than {OUTPUT_BYTES_MAX} bytes; it was stopped.")
    try:
        child.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired as exc:
        raise ProviderUnavailable(f"{program} did not end in time.") from exc
    return bytes(stdout), bytes(stderr)


def _feed(selector: selectors.BaseSelector, pipe: IO[bytes], rest: memoryview) -> memoryview:
    try:
        rest = rest[os.write(pipe.fileno(), rest[:_CHUNK]) :]
    except BlockingIOError:
        return rest
    except OSError:  # it reads no further: what it answers decides
        rest = rest[:0]
    if not rest:
        selector.unregister(pipe)
        pipe.close()
    return rest
