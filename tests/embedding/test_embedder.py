"""What every embedder keeps: any text in, unit rows out, in order, each text for itself."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hivemind_cli.embedding import Embedder, embed_stream
from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.embedding.onnx import Onnx
from hivemind_cli.embedding.worker import InWorker
from tests.embedding import tiny

REAL = [pytest.mark.slow, pytest.mark.model]
ODD = (
    "",
    " \t\n",
    "red",
    "one two three",
    "\ud83d half of a pair \udc00",
    "🙂‍↔️ 🏳️‍🌈 ",
    "\0\x1b[31m",
    "a" * 1_000_000,
    "blue " * 200_000,
)


@pytest.fixture(
    params=[
        "hashing",
        "onnx",
        "worker",
        pytest.param("real onnx", marks=REAL),
        pytest.param("sentence_transformers", marks=REAL),
    ]
)
def embedder(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Iterator[Embedder]:
    """Each of them."""
    match request.param:
        case "hashing":
            yield Hashing(64)
        case "onnx":
            yield Onnx(tiny_model)
        case "real onnx":
            yield Onnx(request.getfixturevalue("exported_model"))
        case "worker":
            yield from _worker("onnx", tiny_model, "tiny/onnx-int8", tiny.DIM, tmp_path)
        case _:
            folder = request.getfixturevalue("model_folder")
            yield from _worker("sentence_transformers", folder, "m/sentence-transformers", 384, tmp_path)


def _worker(runtime: str, folder: Path, name: str, dim: int, work: Path) -> Iterator[InWorker]:
    worker = InWorker(runtime, folder=folder, model="m", name=name, dim=dim, env=os.environ, work=work)
    yield worker
    worker.close()


def test_any_text_has_a_direction(embedder: Embedder) -> None:
    vectors = embedder.embed(ODD)
    assert vectors.shape == (len(ODD), embedder.dim) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_no_texts_are_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_a_text_does_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    together = embedder.embed(ODD)
    for text, row in zip(ODD, together, strict=True):
        assert np.allclose(embedder.embed([text])[0], row, atol=1e-5)


def test_only_the_first_tokens_count(embedder: Embedder) -> None:
    begin = "one two three four " * 4
    short, same, other = embedder.embed([begin + "red", begin + "blue", "red " + begin], tokens_max=10)
    assert np.allclose(short, same, atol=1e-5)
    assert not np.allclose(short, other, atol=1e-3)


def test_a_stream_is_the_same_vectors_and_tells_how_far_it_is(embedder: Embedder) -> None:
    texts = ["one red", "two blue", "three green"] * 50
    done: list[int] = []
    parts = list(embed_stream(embedder, iter(texts), progress=done.append))
    assert sum(done) == len(texts) and max(done) < len(texts)
    assert np.allclose(np.concatenate(parts), embedder.embed(texts), atol=1e-5)


@pytest.mark.slow
@pytest.mark.model
def test_the_export_knows_meaning_and_agrees_with_its_model(
    exported_model: Path, model_folder: Path, tmp_path: Path
) -> None:
    texts = ["the cat sleeps on the sofa", "a kitten naps on the couch", "quarterly tax rates were raised"]
    exported = Onnx(exported_model).embed(texts)
    assert exported[0] @ exported[1] > 0.5 > 0.2 > exported[0] @ exported[2]
    worker = _worker("sentence_transformers", model_folder, "m/sentence-transformers", 384, tmp_path)
    for source in worker:
        assert ((source.embed(texts) * exported).sum(axis=1) > 0.97).all()
