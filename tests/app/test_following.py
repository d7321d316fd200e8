"""What is derived follows the store: corpus and vectors, without keeping anybody waiting, whatever fails."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.meaning import WhenLoaded
from hivemind_cli.app.pruning import forget_copy
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.index.base import Where
from tests.app.talk import Talk

HASHING = Config(embedding=EmbeddingConfig(runtime="hashing"))
EVERYWHERE = Where(workspace_id="default")


def own(paths: Paths, config: Config = HASHING) -> OwnedHivemind:
    return Hivemind.own(paths, config, env={})


@pytest.fixture
def hive(paths: Paths) -> Iterator[OwnedHivemind]:
    owner = own(paths)
    yield owner
    owner.close()


def corrected(owner: OwnedHivemind, tree: Path, session: str = "s1") -> None:
    talk = Talk(owner.paths, tree, session)
    talk.says("write the parser for dates")
    talk.runs("make it")
    talk.says("no, never do that here, always ask me first before you run make")
    owner.settle()


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_memos_and_texts_get_their_vectors_by_themselves(hive: OwnedHivemind, tree: Path) -> None:
    corrected(hive, tree)
    assert hive.sidecars.settle(20)
    state = hive.sidecars.state()
    assert state["tier"] == "hybrid"
    assert state["documents"] == state["embedded"] == 1
    assert (state["words_behind"], state["meaning_behind"], state["fault"]) == (0, 0, "")
    assert not hive.sidecars.busy()
    assert hive.sidecars.vectors is not None and hive.sidecars.text_vectors is not None
    query = hive.sidecars.meaning("always ask me first", 1)
    assert query is not None
    (memo,) = hive.index.all()
    assert [id for id, _ in hive.sidecars.vectors.near(query, EVERYWHERE, limit=3)] == [memo.id]
    found = hive.sidecars.text_vectors.near(query, EVERYWHERE, limit=20)
    assert memo.id in [id for id, _ in found[:2]]  # beside the prompt itself
    kinds = {text.kind for text in hive.sidecars.corpus.get([id for id, _ in found], EVERYWHERE).values()}  # type: ignore[union-attr]
    assert kinds == {"prompt", "correction", "session"}  # not what was run


def test_opened_again_nothing_is_embedded_a_second_time(paths: Paths, tree: Path, monkeypatch: Any) -> None:
    owner = own(paths)
    corrected(owner, tree)
    assert owner.sidecars.settle(20)
    before = owner.sidecars.state()
    owner.close()
    monkeypatch.setattr(Hashing, "embed", lambda *args, **more: pytest.fail("it is there already"))
    owner = own(paths)
    assert owner.sidecars.settle(20)
    assert owner.sidecars.state() == before
    owner.close()


def test_another_model_begins_the_vectors_anew_and_none_leaves_them(
    paths: Paths, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = own(paths)
    corrected(owner, tree)
    assert owner.sidecars.settle(20)
    before = owner.sidecars.state()
    owner.close()
    owner = own(paths, Config(embedding=EmbeddingConfig(runtime="none")))
    assert owner.sidecars.settle(20)
    assert owner.sidecars.state()["tier"] == "lexical"
    assert "none" in owner.sidecars.state()["why"]
    owner.close()
    monkeypatch.setattr("hivemind_cli.app.meaning.Precedence.give_way", lambda self: None)
    monkeypatch.setattr(Hashing, "__init__", lambda self: self.__dict__.update(dim=64, name="hashing-64"))
    owner = own(paths)
    assert owner.sidecars.settle(20)
    after = owner.sidecars.state()
    assert after["model"] == "hashing-64"
    assert (after["vectors"], after["embedded"]) == (before["vectors"], before["embedded"])
    owner.close()


def test_a_rebuild_gives_the_same_again(hive: OwnedHivemind, tree: Path) -> None:
    corrected(hive, tree)
    assert hive.sidecars.settle(20)
    before = hive.sidecars.state()
    assert hive.call("reindex", {"vectors": True}) == {"documents": 1}
    assert hive.sidecars.settle(20)
    assert hive.call("index.state", {}) == before


def test_a_forgotten_session_is_found_by_nobody(hive: OwnedHivemind, tree: Path) -> None:
    corrected(hive, tree)
    corrected(hive, tree, "s2")
    assert hive.sidecars.settle(20)
    hive.sidecars.forget([("claude", "s1")])
    assert hive.sidecars.text_vectors is not None and hive.sidecars.corpus is not None
    ids = hive.sidecars.text_vectors.ids(EVERYWHERE)
    assert {text.session_id for text in hive.sidecars.corpus.get(ids, EVERYWHERE).values()} == {"s2"}
    assert len(hive.sidecars.corpus.get(ids, EVERYWHERE)) == len(ids)


def test_a_copy_that_gave_way_to_its_original_leaves_no_vector(hive: OwnedHivemind, tree: Path) -> None:
    for session in ("s1", "s2"):
        corrected(hive, tree, session)
    assert hive.sidecars.settle(20)
    forget_copy(hive.store, "claude", "s1", datetime.now(UTC))  # no tombstone tells whoever follows
    assert hive.call("reindex", {"gone": [["claude", "s1"]]}) == {"documents": 1}
    assert hive.sidecars.settle(20)
    vectors = hive.sidecars.text_vectors
    assert vectors is not None and not vectors.ids(replace(EVERYWHERE, session_ids=("s1",)))
    assert vectors.ids(replace(EVERYWHERE, session_ids=("s2",)))


class Odd:
    """A model that can be slow, or fail."""

    name, dim = "odd", 4

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.loaded, self.fails, self.asked = True, False, 0
        self.may_go = threading.Event()
        self.may_go.set()

    def ready(self) -> bool:
        return self.loaded

    def warm(self) -> None:
        """It comes up, or does not, whatever one does."""

    def close(self) -> None:
        self.may_go.set()

    def embed(self, texts: Sequence[str], *, tokens_max: int = 256) -> NDArray[np.float32]:
        self.asked += 1
        self.may_go.wait(20)
        if self.fails:
            raise ModelError("It fails.")
        return np.full((len(texts), self.dim), 0.5, np.float32)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    odd = Odd()
    monkeypatch.setattr("hivemind_cli.app._when_loaded", lambda *args: (WhenLoaded(odd), ""))
    return odd


def test_a_model_that_fails_keeps_neither_the_words_back_nor_the_daemon_awake(
    paths: Paths, tree: Path, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivemind_cli.app.following.AGAIN_S", 0.05)
    odd.loaded, odd.fault = False, ModelError("The export is damaged.")
    owner = own(paths)
    corrected(owner, tree)
    until(lambda: owner.sidecars.state()["texts"] > 2, "the words do not follow")
    until(lambda: owner.sidecars.state()["fault"], "nothing is said")
    state = owner.sidecars.state()
    assert (state["tier"], state["why"]) == ("lexical", "The export is damaged.")
    assert not owner.sidecars.busy()
    odd.loaded, odd.fails = True, True
    owner.sidecars.wake()
    until(lambda: owner.sidecars.state()["fault"] == "It fails.", "nothing is said")
    assert not owner.sidecars.busy()
    odd.fails = False
    until(lambda: owner.sidecars.state()["meaning_behind"] == 0, "it is not tried again")
    until(lambda: owner.sidecars.state()["embedded"] == 1, "it is not tried again")
    owner.close()


def test_a_query_waits_no_longer_than_it_may_and_is_known_the_next_time(odd: Odd) -> None:
    model = WhenLoaded(odd)
    odd.may_go.clear()
    begun = time.perf_counter()
    assert model.query("a", 0.02) is None
    assert model.query("a", 0.02) is None
    assert time.perf_counter() - begun < 1
    odd.may_go.set()
    until(lambda: model.query("a", 0.0) is not None, "it is lost")
    assert odd.asked == 1
    model.close()
    assert model.query("b", 1.0) is None


def test_closing_ends_a_batch_under_way(paths: Paths, tree: Path, odd: Odd) -> None:
    odd.may_go.clear()
    owner = own(paths)
    threading.Timer(0.3, lambda: owner.sidecars.wake(documents=True)).start()
    Talk(owner.paths, tree, "s").says("write the parser")
    owner.drain()
    until(lambda: odd.asked, "nothing is embedded")
    begun = time.perf_counter()
    owner.close()
    assert time.perf_counter() - begun < 5
