"""Nearest rows found by bytes are the nearest rows."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.index import quantized
from hivemind_cli.index.columns import VectorColumn
from hivemind_cli.index.quantized import Quantized, among_best

DIM, COUNT = 48, 10


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return found


def made(rows: int, spread: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(rows)
    centres = unit(rng.standard_normal((20, DIM)))
    vectors = unit(centres[rng.integers(0, 20, rows)] + spread * unit(rng.standard_normal((rows, DIM))))
    return vectors, unit(centres[:5] + spread * unit(rng.standard_normal((5, DIM))))


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_best_are_among_those_to_look_at(monkeypatch: pytest.MonkeyPatch, spread: float) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    vectors, questions = made(3000, spread)
    narrowed = 0
    for rows in (2000, 3000):
        known = Quantized.of(vectors[:rows])
        for asked in questions:
            exact = vectors[:rows] @ asked
            found = known.cosines(asked)
            assert found is not None
            cosines, slack = found
            assert float(np.abs(cosines - exact).max()) <= slack < 0.1
            places = among_best(cosines, COUNT, slack)
            if places is not None:
                narrowed += 1
                assert set(np.argsort(-exact)[:COUNT].tolist()) <= set(places.tolist())
    assert narrowed > 5


def test_few_rows_are_not_worth_it_and_equal_ones_cannot_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, questions = made(2000, 1.0)
    assert Quantized.of(vectors).cosines(questions[0]) is None
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    assert Quantized.of(vectors).cosines(np.zeros(DIM, np.float32)) is None
    same = np.repeat(questions[:1], 2000, axis=0)
    found = Quantized.of(same).cosines(questions[0])
    assert found is not None
    assert among_best(found[0], COUNT, found[1]) is None


def test_without_numkong_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    vectors, questions = made(3000, 1.0)
    with_it = Quantized.of(vectors).cosines(questions[0])
    monkeypatch.setitem(sys.modules, "numkong", None)
    without = Quantized.of(vectors).cosines(questions[0])
    assert with_it is not None and without is not None
    assert np.allclose(with_it[0], without[0], atol=1e-6)


def test_a_column_says_nearly_what_it_says_exactly_while_it_grows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(quantized, "ROWS_MIN", 1000)
    vectors, questions = made(6000, 1.0)
    column = VectorColumn(tmp_path / "column", "of", DIM)
    assert column.rough(questions[0]) is None
    for start, end in ((0, 5000), (5000, 5600), (5600, 6000)):
        column.add(np.arange(start, end) * 2, vectors[start:end], 2 * end)
        rough = column.rough(questions[0])
        assert rough is not None
        numbers, cosines = column.cosines(questions[0])
        assert rough.numbers.tolist() == numbers.tolist()
        assert float(np.abs(rough.cosines - cosines).max()) <= rough.slack
        places = np.array([0, 4999, end - 1])
        assert np.allclose(rough.exactly(places), cosines[places], atol=1e-6)
        some = np.array([-1, 3, *(2 * places).tolist(), 99_999])
        found = column.cosines_among(questions[0], some)
        assert found[0].tolist() == (2 * places).tolist()
        assert np.allclose(found[1], cosines[places], atol=1e-6)
