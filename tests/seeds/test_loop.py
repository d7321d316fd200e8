"""State of an agentic loop: "durable, queryable state that survives crashes ... and supports branching"."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from hivemind_cli import memory
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.client import Client
from tests.seeds import pages
from tests.seeds.conftest import Address, Embed
from tests.seeds.pages import adapted, run

RUN = "run-42"


class Agent:
    """What the page's agent can do."""

    def __init__(self) -> None:
        self.state: Any = None
        self.from_step = 0

    def restore(self, state: Any) -> None:
        self.state = state

    def resume(self, from_step: int) -> None:
        self.from_step = from_step


def begun(url: str) -> dict[str, Any]:
    """A program that has run the page's first two blocks."""
    import_and_url = {
        "import deeplake": "from hivemind_cli import memory as deeplake",
        "deeplake://my-org/agent-runs": url,
    }
    names: dict[str, Any] = {"run_id": RUN, "agent": Agent()}
    run(adapted(pages.SCHEMA_DESIGN, import_and_url), names)
    run(pages.CHECKPOINTING, names)
    return names


@pytest.fixture
def program(address: Address) -> Iterator[dict[str, Any]]:
    names = begun(address(""))
    yield names
    names["db"].close()


def persist(program: dict[str, Any], db: memory.Database, step: int, embed: Embed, *, by: str = "main") -> None:
    state = {"tokens_used": 100 * step, "plan": ["read", {"step": step}], "by": by}
    program["persist_step"](db, RUN, step, f"act {step}", f"saw {step}", embed(f"act {step}"), state)


def test_a_loop_resumes_at_the_last_step_and_one(program: dict[str, Any], embed: Embed) -> None:
    for step in range(1, 6):
        persist(program, program["db"], step, embed)
    again = begun_again(program)
    run(pages.RECOVERING, again)
    assert again["agent"].from_step == 6
    assert again["agent"].state == {"tokens_used": 500, "plan": ["read", {"step": 5}], "by": "main"}
    row = program["db"].execute("SELECT * FROM iterations WHERE step = 3").fetchone()
    assert (row["action"], row["observation"], row["tokens_used"]) == ("act 3", "saw 3", 300)
    assert row["created_at"].tzinfo is not None
    near = "SELECT step FROM iterations ORDER BY cosine_similarity(embedding, %s) LIMIT 1"
    assert program["db"].query(near, [embed("act 4")]) == [{"step": 4}]


def begun_again(program: dict[str, Any]) -> dict[str, Any]:
    """The same program after its end: it has nothing but the database."""
    return {**program, "agent": Agent(), "last": None}


def test_approaches_are_tried_on_branches_and_the_winner_is_merged(program: dict[str, Any], embed: Embed) -> None:
    db: memory.Database = program["db"]
    persist(program, db, 1, embed)
    run(pages.PARALLEL_EXPLORATION, program)
    a, b = db.on("run-42/approach-a"), db.on("run-42/approach-b")
    for step in (2, 3):
        persist(program, a, step, embed, by="a")
    persist(program, b, 2, embed, by="b")
    count = "SELECT count(*) AS n FROM iterations"
    assert [one.query(count)[0]["n"] for one in (db, a, b)] == [1, 3, 2]
    run(pages.MERGE_THE_WINNER, program)
    assert [one.query(count)[0]["n"] for one in (db, a, b)] == [3, 3, 2]
    run(pages.RECOVERING, program)
    assert program["agent"].from_step == 4
    assert program["agent"].state["by"] == "a"


@pytest.fixture
def own_daemon(own_home: object) -> Iterator[Paths]:
    """A home whose daemon may be killed."""
    paths = Paths.from_env(os.environ)
    yield paths
    Client(paths).stop(30.0)


@pytest.mark.thorough
def test_a_killed_daemon_takes_no_step_with_it(own_daemon: Paths, embed: Embed) -> None:
    program = begun("hivemind://agent-runs")
    for step in range(1, 4):
        persist(program, program["db"], step, embed)
        pid = lock.holder(own_daemon)
        assert pid
        os.kill(pid, signal.SIGKILL)
    run(pages.RECOVERING, begun_again(program) | {"agent": program["agent"]})
    assert program["agent"].from_step == 4
    persist(program, program["db"], 4, embed)
    program["db"].close()
