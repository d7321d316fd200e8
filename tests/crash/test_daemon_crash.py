"""`kill -9` of the real daemon at random moments, with real hooks delivering: nothing lost, nothing twice, in order."""

import contextlib
import os
import random
import signal
import time

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.daemon.client import Client
from hivemind_cli.storage.daemon import DaemonStore
from tests.hooks.rig import Rig

DELIVERIES_A_ROUND = 3
LONGEST_LIFE_S = 0.9
"""Covers the start, the opening of the store, a migration, a drain and the work after it."""


@pytest.fixture
def paths() -> Paths:
    paths = Paths.from_env(os.environ)
    paths.make()
    return paths


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(10, marks=pytest.mark.thorough), pytest.param(200, marks=pytest.mark.slow)]
)
def test_a_daemon_killed_at_any_moment_loses_and_doubles_nothing(paths: Paths, rounds: int) -> None:
    chance = random.Random(rounds)
    rig = Rig(paths.root).install()
    client = Client(paths)
    sent = 0
    try:
        for _ in range(rounds):
            spawn.spawn(paths, os.environ)
            dies_at = time.monotonic() + chance.uniform(0, LONGEST_LIFE_S)
            for _ in range(DELIVERIES_A_ROUND):
                rig.run("UserPromptSubmit", prompt(sent))
                sent += 1
            time.sleep(max(dies_at - time.monotonic(), 0))
            kill(paths)
        assert prompts(client, paths) == [f"prompt {number:05}" for number in range(sent)]
        assert client.call("daemon")["failing"] == []
        assert not list(paths.quarantine.iterdir())
    finally:
        client.stop(30)
    assert lock.holder(paths) is None


def prompt(number: int) -> dict[str, str]:
    return {
        "session_id": "5e551070-0000-4000-8000-000000000000",
        "hook_event_name": "UserPromptSubmit",
        "cwd": os.environ["HOME"],
        "prompt_id": f"{number:08}-0000-4000-8000-000000000000",
        "prompt": f"prompt {number:05}",
    }


def kill(paths: Paths) -> None:
    """The daemon, wherever it is in its life; one that has not even taken the lock lives on to the next round."""
    pid = lock.holder(paths)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def prompts(client: Client, paths: Paths) -> list[str]:
    """The texts of all prompts in the order of storing, once the spool is empty."""
    client.ensure(30)
    deadline = time.monotonic() + 60
    while any(paths.spool_new.iterdir()):
        assert time.monotonic() < deadline, "the spool is not drained"
        time.sleep(0.05)
    rows = DaemonStore(client.call).find(Event, kind=EventKind.PROMPT)
    return [str(row.record.payload["text"]) for row in rows]
