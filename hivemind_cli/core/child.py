"""Child processes of ours: started apart from everything we hold open, niced, and ended together at shutdown."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = "HIVEMIND_INTERNAL"
"""Set in every child of ours: our hook, if anything runs it there, leaves at once."""
NICE = 10
_live: set[int] = set()
"""Process groups that run now."""
_stops = 0


def start(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start `argv` with pipes for stdin, stdout and stderr: no shell, no inherited files, its own process group, niced.

    Give it to `end` when it is no longer needed. OSError, ValueError: it cannot be started.
    """
    cwd.mkdir(mode=0o700, parents=True, exist_ok=True)
    child = subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**env, GUARD: "1"},
        cwd=cwd,
        start_new_session=True,
    )
    _live.add(child.pid)
    with contextlib.suppress(OSError):  # already gone, or not allowed: then it runs at normal priority
        os.setpriority(os.PRIO_PGRP, child.pid, NICE)
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole group; whoever waits for its words hears their end. `end` is still owed."""
    if child.pid in _live:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)


def end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the group survives, whether the child ended by itself or not. Idempotent."""
    kill(child)
    child.wait()
    _live.discard(child.pid)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def stop_all() -> None:
    """Kill every child that runs now: their callers get an error. For a daemon that leaves."""
    global _stops
    _stops += 1
    for group in list(_live):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def stops() -> int:
    """How often `stop_all` was called: a child lost meanwhile is not to be started again."""
    return _stops


def bound(memory_bytes: int | None, cpu_s: int | None) -> None:
    """Limit this process: address space, processor seconds from now on, no core file. None: not limited."""
    import resource  # not on every platform

    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = None if cpu_s is None else int(used.ru_utime + used.ru_stime) + cpu_s
    for which, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0)):
        if most is None:
            continue
        hard = resource.getrlimit(which)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses some: the wall limit still holds
            resource.setrlimit(which, (soft, hard))
