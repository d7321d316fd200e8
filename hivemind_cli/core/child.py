"""Child processes of ours: started apart from everything we hold open, niced, and ended together at shutdown.

None outlives us, whatever we die of. Each shares its process group with a keeper, a shell that waits for the end of a
pipe whose other end only we hold, and then kills the group:

    we ══pipe══▶ keeper (leads the group) ─┐ at the pipe's end, by `kill -9` of us too: SIGKILL to the whole group
     └─────────▶ child ─▶ its children ────┘

There is no moment at which a child could be missed: between fork and exec it holds the pipe's end itself, and it
closes that only after it has joined the group.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = "HIVEMIND_INTERNAL"
"""Set in every child of ours: our hook, if anything runs it there, leaves at once."""
NICE = 10
_KEEP = "trap '' HUP INT QUIT TERM PIPE ALRM USR1 USR2 TSTP TTIN TTOU; echo; exec >&2; read -r line; kill -s KILL 0"
"""Whatever a child sends to its own group short of SIGKILL, the keeper stays; it says so before there is a child."""
_KEEPER = ("/bin/sh", "-c", _KEEP, "hivemind-keeper")
_live: dict[subprocess.Popen[bytes], subprocess.Popen[bytes]] = {}
"""Child -> its keeper, of those that were not ended. A keeper is not reaped before: its group's number stays ours."""
_lock = threading.Lock()
"""Held while groups are killed, so that none is taken for one that was reaped meanwhile."""
_stops = 0


def start(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, nice: int = NICE) -> subprocess.Popen[bytes]:
    """Start `argv` with pipes for stdin, stdout, stderr: no shell, no inherited files, in a new process group, niced.

    It dies with us, as does all of its group. Give it to `end` when it is no longer needed. `nice` 0: somebody waits
    for what it does.
    OSError, ValueError: it cannot be started.
    """
    cwd.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = subprocess.Popen(
        _KEEPER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        process_group=0,
    )
    try:
        if keeper.stdout is not None:
            with keeper.stdout as said:
                said.read(1)
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, GUARD: "1"},
            cwd=cwd,
            process_group=keeper.pid,
        )
    except BaseException:
        _kill_group(keeper)
        _reap(keeper)
        raise
    with _lock:
        _live[child] = keeper
    if nice:
        with contextlib.suppress(OSError):  # already gone, or not allowed: then it runs at normal priority
            os.setpriority(os.PRIO_PGRP, keeper.pid, nice)
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole group; whoever waits for its words hears their end. `end` is still owed."""
    with _lock:
        if child in _live:
            _kill_group(_live[child])


def end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the group survives, whether the child ended by itself or not. Idempotent."""
    with _lock:
        keeper = _live.pop(child, None)
        if keeper is not None:
            _kill_group(keeper)
    child.wait()
    if keeper is not None:
        _reap(keeper)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def stop_all() -> None:
    """Kill every child that runs now: their callers get an error. For a daemon that leaves."""
    global _stops
    _stops += 1
    with _lock:
        for keeper in list(_live.values()):
            _kill_group(keeper)


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


def _kill_group(keeper: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(keeper.pid, signal.SIGKILL)


def _reap(keeper: subprocess.Popen[bytes]) -> None:
    keeper.wait()
    if keeper.stdin is not None:
        keeper.stdin.close()
