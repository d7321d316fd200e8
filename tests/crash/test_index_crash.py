"""`kill -9` while the indexes follow the store and the model changes: the next start answers at once, and heals."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding.hashing import Hashing
from tests.app.conftest import make_tree
from tests.app.talk import Talk

ASKED = "write the parser for dates"
ANSWER_S = 5.0
"""For the first recall after a start, on a machine that does much else."""
MODELS = (32, 64)


def own(paths: Paths, dim: int) -> OwnedHivemind:
    """An owner whose model's vectors are so long."""
    Hashing.__init__.__defaults__ = (dim,)
    return Hivemind.own(paths, Config(embedding=EmbeddingConfig(runtime="hashing")), env={})


def live(root: Path, home: Path, tree: Path, dim: int, number: int, told: Connection) -> None:
    """A daemon's life, until it is killed: it answers, then hears and follows sessions without end."""
    paths = Paths(root=root, home=home)
    owner = own(paths, dim)
    begun = time.monotonic()
    found = owner.call("recall", {"query": ASKED, "cwd": str(tree)})
    told.send((time.monotonic() - begun, [one["id"] for one in found["candidates"]]))
    for turn in range(10_000):
        talk = Talk(paths, tree, f"session-{number}-{turn}")
        talk.says(f"{ASKED} of the {turn}th kind, and tell me how it went with number {number}")
        owner.settle(5)


def corrected(paths: Paths, tree: Path) -> str:
    """One session in which a person puts the agent right; the memo's id."""
    owner = own(paths, MODELS[0])
    talk = Talk(paths, tree, "first")
    talk.says(ASKED)
    talk.runs("make it")
    talk.says("no, never do that here, always ask me first before you run make")
    owner.settle()
    (memo,) = owner.index.all()
    owner.close()
    return memo.id


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    paths.make()
    before = Hashing.__init__.__defaults__
    yield paths
    Hashing.__init__.__defaults__ = before


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(30, marks=pytest.mark.thorough), pytest.param(100, marks=pytest.mark.slow)]
)
def test_indexes_killed_at_any_moment_and_under_another_model_heal(paths: Paths, own_home: Path, rounds: int) -> None:
    tree = make_tree(own_home / "app")
    chance = random.Random(rounds)
    memo = corrected(paths, tree)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "hivemind_cli.app.owned", "hivemind_cli.index.usearch"])
    slowest = 0.0
    for number in range(rounds):
        ours, theirs = context.Pipe()
        process = context.Process(target=live, args=(paths.root, own_home, tree, MODELS[number % 2], number, theirs))
        process.start()
        theirs.close()
        if number % 3:  # the others are killed while they open, or wherever they are
            assert ours.poll(30), f"round {number} does not answer"
            seconds, found = ours.recv()
            slowest = max(slowest, seconds)
            assert found == [memo], f"round {number} forgot what was said"
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        process.join(10)
        assert process.exitcode == -9, "it did not live until it was killed"
        ours.close()
    assert slowest < ANSWER_S
    owner = own(paths, MODELS[0])
    healed = healthy(owner)
    owner.call("reindex", {"vectors": True})
    assert healthy(owner) == healed  # as if nobody had ever been killed
    owner.close()
    print(f"{rounds} rounds, the slowest answer after {slowest:.3f} s, {healed['state']['texts']} texts")


def healthy(owner: OwnedHivemind) -> dict[str, Any]:
    """Everything derived, once it has caught up."""
    owner.settle()
    assert owner.sidecars.settle(60), owner.sidecars.state()
    state = owner.sidecars.state()
    assert state["embedded"] == state["documents"] == 1
    assert (state["words_behind"], state["meaning_behind"], state["fault"]) == (0, 0, "")
    vectors, text_vectors = owner.sidecars.vectors, owner.sidecars.text_vectors
    assert vectors is not None and text_vectors is not None
    return {"state": state, "documents": vectors.digests(), "texts": text_vectors.digests()}
