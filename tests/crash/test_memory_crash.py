"""`kill -9` of the daemon amid hundreds of writers' steps on many branches: no acknowledged step is lost."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hivemind_cli import memory
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.client import Client

WITHIN_S = 300.0


class Writer:
    """One agent, with a run of its own on a branch that others write to, too."""

    def __init__(self, number: int, branch: memory.Database, steps: int) -> None:
        self.run = branch.run(f"run-{number}")
        self.acknowledged: list[int] = []
        self.failed: list[str] = []
        self._wanted = steps
        self._asked = 0
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        """As an agent does it: go on where the run stands, and after a crash look where that is."""
        try:
            while len(self.acknowledged) < self._wanted:
                with contextlib.suppress(DaemonError):
                    self._resume()
                    while len(self.acknowledged) < self._wanted:
                        self._step()
        except Exception as exc:  # noqa: BLE001  told by the test
            self.failed.append(repr(exc))

    def _resume(self) -> None:
        found = self.run.resume()
        assert found.step in (self._last(), self._asked), f"{found} after {self._last()} was acknowledged"
        assert found.state == self._state(found.step) and found.next_step == found.step + 1, found
        if found.step > self._last():  # stored, and the daemon died before it could say so
            self.acknowledged.append(found.step)

    def _step(self) -> None:
        self._asked = self._last() + 1
        made = self.run.step(action="act", observation="é" * 200, state=self._state(self._asked))
        assert made.step == self._asked, made
        self.acknowledged.append(made.step)

    def _last(self) -> int:
        return self.acknowledged[-1] if self.acknowledged else 0

    def _state(self, step: int) -> dict[str, object] | None:
        return {"at": step, "run": self.run.id} if step else None


@pytest.fixture
def paths() -> Iterator[Paths]:
    paths = Paths.from_env(os.environ)
    paths.make()
    yield paths
    Client(paths).stop(30)
    assert lock.holder(paths) is None


def crash(paths: Paths, writers: int, branches: int, steps: int, kills: int) -> None:
    """`writers` of `steps` each, and the daemon killed so many times while they write."""
    chance = random.Random(writers)
    with memory.connect("hivemind://crash") as db:
        places = [db.branch(f"agent/{number}") for number in range(branches)]
        at_work = [Writer(number, places[number % branches], steps) for number in range(writers)]
        for one in at_work:
            one.thread.start()
        killed: set[int] = set()
        for turn in range(kills):
            wanted = writers * steps * (turn + chance.random()) / (kills + 1)
            _wait(lambda wanted=wanted: _done(at_work) >= wanted)  # type: ignore[misc]
            pid = lock.holder(paths)
            if pid and _done(at_work) < writers * steps:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        _wait(lambda: not any(one.thread.is_alive() for one in at_work))
        assert len(killed) == kills
        assert [one.failed for one in at_work if one.failed] == []
        assert all(one.acknowledged == list(range(1, steps + 1)) for one in at_work)
        for number, place in enumerate(places):
            found = place.query("SELECT run_id, step, state FROM steps ORDER BY run_id, step")
            runs = sorted(one.run.id for one in at_work[number::branches])
            assert [(row["run_id"], row["step"]) for row in found] == [
                (run, step + 1) for run in runs for step in range(steps)
            ]
            assert all(row["state"] == {"at": row["step"], "run": row["run_id"]} for row in found)
            assert at_work[number].run.resume().next_step == steps + 1
        assert db.runs() == []
        for place in places:
            db.merge(place.branch_name)
        assert sum(run.steps for run in db.runs()) == writers * steps


def _done(at_work: list[Writer]) -> int:
    return sum(len(one.acknowledged) for one in at_work)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not done():
        assert time.monotonic() < deadline, "the writers do not get on"
        time.sleep(0.01)


def test_no_acknowledged_step_is_lost(paths: Paths) -> None:
    crash(paths, writers=20, branches=4, steps=3, kills=1)


@pytest.mark.thorough
def test_no_acknowledged_step_of_500_writers_on_20_branches_is_lost(paths: Paths) -> None:
    crash(paths, writers=500, branches=20, steps=4, kills=3)
