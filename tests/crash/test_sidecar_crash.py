"""A table's indexes after `kill -9` in the middle of whatever they write: whole, up to the cursor they tell."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hivemind_cli.index.columns import TextColumn, VectorColumn
from hivemind_cli.index.inverted import made, scores

DIM, BATCH = 8, 700
CHILD = """
import sys, numpy as np
from hivemind_cli.index import columns
from tests.crash.test_sidecar_crash import BATCH, DIM, text, vector
columns.WAITING_MAX = 1000
from pathlib import Path
texts = columns.TextColumn(Path(sys.argv[1]) / "words", "t")
vectors = columns.VectorColumn(Path(sys.argv[1]) / "vectors", "t", DIM)
while True:
    for column, made in ((texts, text), (vectors, vector)):
        numbers = np.arange(column.cursor + 1, column.cursor + 1 + BATCH)
        values = [made(number) for number in numbers.tolist()]
        column.add(numbers, values if made is text else np.stack(values), int(numbers[-1]))
        print(column.cursor, flush=True)
"""


def text(number: int) -> str:
    """Of a row."""
    return f"row {number} of {number % 7} csv {'oom ' * (number % 3)}"


def vector(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Of a row."""
    return np.array([np.sin(number * (at + 1)) for at in range(DIM)], np.float32)


@pytest.mark.thorough
def test_what_counts_is_whole_after_each_kill(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(12):
        root = Path(__file__).parents[2]
        with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, cwd=root) as child:
            assert child.stdout is not None
            for _ in range(6):  # three times of each: something was written
                assert child.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.4))
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        texts = TextColumn(tmp_path / "words", "t")
        whole = scores(
            [made(range(1, texts.cursor + 1), [text(number) for number in range(1, texts.cursor + 1)])], "oom 3"
        )
        found = texts.scores("oom 3")
        assert found.numbers.tolist() == whole.numbers.tolist()
        np.testing.assert_allclose(found.bm25, whole.bm25)
        vectors = VectorColumn(tmp_path / "vectors", "t", DIM)
        numbers, cosines = vectors.cosines(vector(5))
        assert numbers.tolist() == list(range(1, vectors.cursor + 1))
        last = vector(vectors.cursor)
        near = float(last @ vector(5) / np.linalg.norm(last) / np.linalg.norm(vector(5)))
        assert cosines[[4, -1]] == pytest.approx([1.0, near], abs=1e-5)
        assert texts.cursor
        assert vectors.cursor
