"""`kill -9` of the real daemon while sessions become experiences: each stands once in the tables, whenever it dies."""

import os
import random
import time

import pytest

from hivemind_cli import memory
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event
from hivemind_cli.daemon.client import Client
from hivemind_cli.storage.daemon import DaemonStore
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.crash.test_daemon_crash import kill
from tests.pipeline.session import Session

SESSIONS, TURNS = 10, 4
LONGEST_LIFE_S = 1.5
"""Covers the start, the stage, the opening of the tables and some rounds of feeding them."""


@pytest.mark.thorough
def test_a_daemon_killed_while_it_remembers_forgets_and_doubles_nothing(own_home: object) -> None:
    paths = Paths.from_env(os.environ)
    paths.make()
    client, chance = Client(paths), random.Random(7)
    try:
        for n in range(SESSIONS):
            works(client, n)
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
            kill(paths)
        client.ensure(60)
        assert client.call("settle", {"seconds": 60}, timeout_s=90)["done"]
        with memory.connect("hivemind://default", wait_s=60) as db:
            for table, per_session in (("experiences", TURNS), ("debugging", TURNS)):
                rows = db.query(f"SELECT id, session_id FROM {table}")
                assert len({row["id"] for row in rows}) == len(rows), "nothing twice"
                told = {f"s{n}": per_session for n in range(SESSIONS)}
                assert {one: sum(row["session_id"] == one for row in rows) for one in told} == told
        assert client.call("daemon")["failing"] == []
    finally:
        client.stop(30)


def works(client: Client, n: int) -> None:
    """A session of several turns; each meets an error and gets over it. Stored once, whatever dies meanwhile."""
    made = InMemoryStore()
    session = Session(made, f"s{n}")
    for turn in range(TURNS):
        part = f"part{'abcdef'[turn]}"
        session.says(f"run importer {turn} of part {n} on the new files")
        session.runs(f"python importer{turn}.py", error=f"ModuleNotFoundError: No module named '{part}'")
        session.runs(f"uv pip install {part}")
        session.runs(f"python importer{turn}.py")
        session.replies()
    deadline = time.monotonic() + 60
    while True:
        try:
            DaemonStore(client.call).append([row.record for row in made.find(Event)])
            return
        except DaemonError:  # of the one that was killed, whose socket stands yet
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
