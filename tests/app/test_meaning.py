"""The loop with an embedding model: it waits for none, and uses it once it is loaded."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.app import Hivemind
from hivemind_cli.app.meaning import WhenLoaded
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction
from hivemind_cli.index.base import Where
from tests.app.talk import Talk


class Slow:
    """A worker whose model is not there yet."""

    name, dim = "all-MiniLM-L6-v2/slow", 4

    def __init__(self) -> None:
        self.loaded, self.warmed, self.closed = False, 0, False

    def ready(self) -> bool:
        return self.loaded

    def warm(self) -> None:
        self.warmed += 1

    def embed(self, texts: Sequence[str], *, tokens_max: int = 256) -> NDArray[np.float32]:
        return np.full((len(texts), self.dim), 0.5, np.float32)

    def close(self) -> None:
        self.closed = True


def test_nobody_waits_for_a_model_to_load() -> None:
    worker: Any = Slow()
    embedder = WhenLoaded(worker)
    for _ in range(3):
        with pytest.raises(ModelError, match="still being loaded"):
            embedder.embed(["a"])
    assert worker.warmed == 1  # not at every call
    worker.loaded = True
    assert embedder.embed(["a", "b"]).shape == (2, 4)
    embedder.close()
    assert worker.closed


@pytest.mark.parametrize("runtime", ["auto", "onnx", "none"])
def test_without_an_exported_model_the_loop_goes_by_words(own_home: Path, tmp_path: Path, runtime: str) -> None:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    owner = Hivemind.own(paths, Config(embedding=EmbeddingConfig(runtime=runtime)), env={})
    talk = Talk(paths, tmp_path)
    talk.says("write the parser")
    talk.runs("make it")
    talk.says("no, never do that here, always ask me first")
    owner.settle()
    assert owner.store.count(Correction) == 1
    owner.close()


@pytest.mark.model
def test_words_gain_meaning_once_the_model_is_loaded(own_home: Path, tmp_path: Path, exported_model: Path) -> None:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    shutil.copytree(exported_model, paths.models / exported_model.name)
    owner = Hivemind.own(paths, Config(), env=dict(os.environ))
    assert owner.sidecars.embedder is not None
    for session in ("by words", "by meaning"):
        talk = Talk(paths, tmp_path, session)
        talk.says("make the page")
        talk.writes(tmp_path / "page.html", "<main></main>\n")
        talk.says("the list should sit above the map")
        owner.settle()  # asks for the model the first time, and goes on without it
        until = time.monotonic() + 60
        while not owner.sidecars.embedder.ready():
            assert time.monotonic() < until, "the model never came up"
            time.sleep(0.1)
    by_words, by_meaning = (row.record for row in owner.store.find(Correction))
    assert by_words.quote == by_meaning.quote
    assert by_words.confidence != by_meaning.confidence
    assert owner.sidecars.settle(60)
    assert owner.sidecars.state()["tier"] == "hybrid"
    asked = owner.sidecars.meaning("move the overview over the chart of the city", 5)  # shares no word
    assert asked is not None and owner.sidecars.text_vectors is not None
    nearest = [id for id, _ in owner.sidecars.text_vectors.near(asked, Where(workspace_id="default"), limit=2)]
    assert set(nearest) == {by_words.reaction_event_id, by_meaning.reaction_event_id}
    assert len(owner.sidecars.embedder.in_bulk(["a", "b"])) == 2  # by a process of its own
    owner.close()
    assert not owner.sidecars.embedder.ready()
