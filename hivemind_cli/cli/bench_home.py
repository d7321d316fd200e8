"""A home of its own to measure in: the real hook and daemon, a made-up history, and nothing left afterwards."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import FrameType

from hivemind_cli.app import Hivemind, installing
from hivemind_cli.app.owned import OwnedHivemind
from hivemind_cli.app.publishing import STAGE as PUBLISHED
from hivemind_cli.app.skill_tests import Retests
from hivemind_cli.cli.bench_hooks import BenchRow, bench_hooks
from hivemind_cli.cli.bench_made import HOST, Made, events
from hivemind_cli.cli.door import Door
from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, Record
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.spawn import command
from hivemind_cli.pipeline.detect import Detect

SKILLS = 1000
_LOAD_EVENTS = 5000
"""In one commit."""
_LONG_S = 600.0
_STOP_S = 5.0


def bench(rounds: int) -> list[BenchRow]:
    """Time the hooks at SKILLS skills, each of which answers a prompt. Everything is gone afterwards."""
    made = Made()
    with home() as door:
        load(door, made, skills=SKILLS)
        door.ask("settle", timeout_s=_LONG_S)
        return bench_hooks(door.paths, hook_command(door), rounds, prompts=made.questions(rounds + 1))


def hook_command(door: Door) -> str:
    """What the host runs in this home, before the event's name."""
    return installing.command_for(door.paths, door.hosts[HOST])


@contextmanager
def home(config: str = "") -> Iterator[Door]:
    """A home with these settings (TOML), removed at the end with its daemon, at Ctrl-C and SIGTERM, too."""
    before = signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a Ctrl-C now would leave the folder
    folder = Path(tempfile.mkdtemp(prefix="hivemind-bench-")).resolve()
    door = Door.apart(Paths(root=folder / ".hivemind", home=folder))
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        door.paths.make()
        door.paths.config.write_text(config, "utf-8")
        installing.copy_hook(door.paths)
        installing.write_settings(door.paths, door.config, list(door.hosts.values()), daemon=command())
        yield door
    finally:
        try:
            _end(door)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            signal.signal(signal.SIGTERM, before)


def load(
    door: Door, made: Made, *, skills: int, count: int = 0, progress: Callable[[int], object] = lambda _: None
) -> None:
    """Store `skills` skills and `count` events as if the loop had worked on them before. No daemon may run yet.

    progress  called with how many events are stored
    """
    now = datetime.now(UTC)
    with lock.acquire(door.paths):
        owner = Hivemind.own(door.paths, door.config, env=door.env)
        try:
            store = owner.store
            store.commit(PUBLISHED, [made.skill() for _ in range(skills)], cursor_from=0, cursor_to=skills)
            stored = 0
            for batch in _batches(events(made, door.hosts[HOST], str(door.paths.home), count, now)):
                store.append(batch)
                stored += len(batch)
                progress(stored)
            _tested(door, owner)
            newest = store.find(Event, newest_first=True, limit=1)
            if newest:
                store.commit(Detect.name, [], cursor_from=store.cursor(Detect.name), cursor_to=newest[0].seq)
        finally:
            owner.close()


def _tested(door: Door, owner: OwnedHivemind) -> None:
    """What the loop does of skills that nobody has tested yet: for minutes, half a second in each half minute."""
    applies_min = door.config.recall.applies_min
    Retests(owner.store, applies_min=applies_min, model=owner.model, clock=system_clock, run_s=_LONG_S).run()


def _end(door: Door) -> None:
    """Its store is thrown away: a daemon that still works on a flood need not finish it."""
    try:
        door.client.stop(_STOP_S)
    except DaemonError:
        if pid := lock.holder(door.paths):
            os.kill(pid, signal.SIGKILL)


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while batch := list(islice(rest, _LOAD_EVENTS)):
        yield batch
