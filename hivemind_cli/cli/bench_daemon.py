"""What a home's daemon costs and how fast it answers, measured from outside: its socket, its process, its spool."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hivemind_cli.cli.bench_made import delivery
from hivemind_cli.cli.door import Door
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import spawn
from hivemind_cli.daemon.client import short_name
from hivemind_cli.pipeline.spool import Delivery, Spool

ANSWER_S = 10.0
START_S = 30.0
FLOOD_S = 600.0
_MOVE = """
import os, sys
for name in sorted(os.listdir(sys.argv[1])):
    os.rename(os.path.join(sys.argv[1], name), os.path.join(sys.argv[2], name))
"""
"""In a process of its own, as hooks are: beside it in this one, a recall would wait for our interpreter."""
LOOK_S = 0.01
"""Between two looks at whether something has come to its end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One recall over the socket."""

    ms: float
    """From the connection to the last byte."""
    answer: bytes
    """Without its length; b"" for silence."""


class Asker:
    """Drops prompts into the spool and asks the daemon about each, as hooks do but without their process.

    Each is a session of its own: what was said in one is not said again. Safe to share between threads.
    """

    def __init__(self, door: Door, prompts: Sequence[str]) -> None:
        self._paths, self._prompts = door.paths, prompts
        self._spool = Spool(door.paths)
        self._numbers = count()
        self._folder = str(door.paths.home)

    def ask(self) -> Asked:
        """The next prompt. OSError: nobody listens. DaemonError: it hung up without a word: its store is not open."""
        number = next(self._numbers)
        fields = {"session_id": f"ask-{number}", "cwd": self._folder, "prompt_id": f"p{number}"}
        payload = {**fields, "prompt": self._prompts[number % len(self._prompts)]}
        name = self._spool.put(delivery("UserPromptSubmit", payload, time.time_ns())).name
        started = time.perf_counter()
        reply = _asked(self._paths, name)
        ms = (time.perf_counter() - started) * 1000
        length, found, answer = reply.partition(b"\n")
        if not found or len(answer) != int(length):
            raise DaemonError("The daemon hung up on a recall.")
        return Asked(ms, answer)

    def many(self, times: int, *, pause_s: float = 0.0) -> list[Asked]:
        """One after the other."""
        found = []
        for _ in range(times):
            found.append(self.ask())
            time.sleep(pause_s)
        return found

    def at_once(self, clients: int, times: int) -> tuple[list[Asked], float]:
        """`clients` threads, `times` prompts each: (what each was answered, seconds in all)."""
        started = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            found = [one for part in pool.map(self.many, [times] * clients) for one in part]
        return found, time.perf_counter() - started

    def until(self, done: threading.Event, *, pause_s: float) -> list[Asked]:
        """Until it is set."""
        found = []
        while not done.is_set():
            found.append(self.ask())
            done.wait(pause_s)
        return found


def _asked(paths: Paths, name: str) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_S)
        with short_name(paths.socket) as address:
            connection.connect(address)
        connection.sendall(b"recall " + name.encode() + b"\n")
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def cold_start(door: Door, asker: Asker) -> tuple[float, float]:
    """(seconds until a new daemon listens, until it has answered a recall). The one that runs is ended first."""
    door.client.stop()
    started = time.perf_counter()
    spawn.spawn(door.paths, door.env)
    deadline = time.monotonic() + START_S
    listens = _until(lambda: _listens(door.paths), deadline) - started
    return listens, _until(lambda: _answers(asker), deadline) - started


def _listens(paths: Paths) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            with short_name(paths.socket) as address:
                connection.connect(address)
        except OSError:
            return False
    return True


def _answers(asker: Asker) -> bool:
    with suppress(OSError, DaemonError):
        asker.ask()
        return True
    return False


def _until(true: Callable[[], bool], deadline: float) -> float:
    """When it was true; DaemonError at the deadline (monotonic)."""
    while not true():
        if time.monotonic() > deadline:
            raise DaemonError(f"The daemon did not start within {START_S:g} s.")
        time.sleep(0.001)
    return time.perf_counter()


def cpu_s(door: Door) -> float:
    """Processor seconds that the daemon has used so far: these a busy machine hardly changes."""
    return float(door.ask("daemon")["cpu_s"])


def rss_mb(door: Door) -> tuple[float, float]:
    """Resident memory in MB: (of the daemon, of the processes it started)."""
    pid = int(door.ask("daemon")["pid"])
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family, found = {pid}, 0
    while len(family) > found:
        found = len(family)
        family |= {child for child, parent, _ in rows if parent in family}
    sizes = {one: rss for one, _, rss in rows if one in family}
    return sizes.get(pid, 0) / 1024, sum(rss for one, rss in sizes.items() if one != pid) / 1024


@dataclass(frozen=True, slots=True)
class Ingested:
    """A flood of deliveries, taken in."""

    files: int
    stored_s: float
    """Until the last one had left the spool, which it does once it is committed."""
    asked: tuple[Asked, ...]
    """Recalls meanwhile."""


def ingest(door: Door, deliveries: Iterable[Delivery], asker: Asker | None, *, pause_s: float = 0.02) -> Ingested:
    """Let all of these arrive at once and wait until they are stored; `asker` asks meanwhile."""
    aside = Paths(root=door.paths.root / "bench", home=door.paths.home)
    spool = Spool(aside)
    waiting = [spool.put(one) for one in deliveries]
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asker.until, done, pause_s=pause_s) if asker else None
        try:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-S", "-c", _MOVE, aside.spool_new, door.paths.spool_new], check=True)
            while _left(door.paths.spool_new, waiting):
                if time.perf_counter() - started > FLOOD_S:
                    raise DaemonError(f"{len(waiting):,} deliveries were not stored within {FLOOD_S:g} s.")
                time.sleep(LOOK_S)
            stored_s = time.perf_counter() - started
        finally:
            done.set()
    return Ingested(len(waiting), stored_s, tuple(asked.result()) if asked else ())


def _left(folder: Path, files: Sequence[Path]) -> bool:
    """Is one of `files` still there? They go in their order, so the last is looked for first."""
    if files and (folder / files[-1].name).exists():
        return True
    with os.scandir(folder) as entries:
        there = {entry.name for entry in entries}
    return any(path.name in there for path in files)
