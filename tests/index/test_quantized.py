"""Nearest rows found by bytes are the nearest rows."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.index import quantized
from hivemind_cli.index.quantized import Quantized

DIM, COUNT = 48, 10


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return found


def made(rows: int, spread: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(rows)
    centres = unit(rng.standard_normal((20, DIM)))
    vectors = unit(centres[rng.integers(0, 20, rows)] + spread * unit(rng.standard_normal((rows, DIM))))
    return vectors, unit(centres[:5] + spread * unit(rng.standard_normal((5, DIM))))


def nearest(vectors: NDArray[np.float32], asked: NDArray[np.float32], places: NDArray[np.int64]) -> set[int]:
    cosines = vectors[places] @ asked
    return set(places[np.argsort(-cosines)[:COUNT]].tolist())


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_nearest_are_among_those_to_look_at(monkeypatch: pytest.MonkeyPatch, spread: float) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    vectors, questions = made(3000, spread)
    known = Quantized(DIM)
    narrowed = 0
    for rows in (2000, 3000):  # it grows with the matrix
        seen = np.arange(rows) % 3 > 0
        for asked in questions:
            for mask in (None, seen):
                places = known.could_be_nearest(vectors[:rows], asked, COUNT, mask)
                if places is None:
                    continue
                narrowed += len(places) < rows // 10
                all_places = np.arange(rows) if mask is None else np.flatnonzero(mask)
                found = places if mask is None else places[mask[places]]
                assert nearest(vectors, asked, found) == nearest(vectors, asked, all_places)
    assert narrowed > 10


def test_few_rows_and_rows_that_bytes_cannot_tell_apart_are_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, questions = made(2000, 1.0)
    assert Quantized(DIM).could_be_nearest(vectors, questions[0], COUNT, None) is None
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    same = np.repeat(questions[:1], 2000, axis=0)
    assert Quantized(DIM).could_be_nearest(same, questions[0], COUNT, None) is None
    nobody = np.zeros(2000, np.bool_)
    assert Quantized(DIM).could_be_nearest(vectors, questions[0], COUNT, nobody) is None


def test_without_numkong_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    vectors, questions = made(3000, 1.0)
    with_it = Quantized(DIM).could_be_nearest(vectors, questions[0], COUNT, None)
    monkeypatch.setitem(__import__("sys").modules, "numkong", None)
    without = Quantized(DIM).could_be_nearest(vectors, questions[0], COUNT, None)
    assert with_it is not None and without is not None
    assert with_it.tolist() == without.tolist()
