"""deeplake, a local dataset as its documentation shows it: BM25 and embedding indexes kept at every commit.

Its query language takes no parameters and no weighted sum of both scores: vectors are written into the query, and a
hybrid question is the two queries, their ranks joined in Python. A commit is in files; it does not sync them to disk.
"""

from pathlib import Path
from typing import Any

import deeplake
import numpy as np
from deeplake import types

from tests.measure.memory_sides.data import TOP, Questions, Rows
from tests.measure.memory_sides.loop import Side, serve


class DeepLake(Side):
    """One dataset: id, topic, text, embedding."""

    def __init__(self, rows: Rows, questions: Questions, home: Path) -> None:
        super().__init__(rows, questions, home)
        self.dataset = deeplake.create(f"file://{home}/rows")
        self.dataset.indexing_mode = deeplake.IndexingMode.Always
        self.dataset.add_column("id", types.Int64())
        self.dataset.add_column("topic", types.Int64())
        self.dataset.add_column("text", types.Text(types.BM25))
        self.dataset.add_column("embedding", types.Embedding(rows.vectors.shape[1], dtype="float32"))
        self.dataset.commit()
        self.fork: Any = None

    def ingest(self, numbers: range) -> None:
        """Many rows, one commit."""
        self._append(self.dataset, numbers)

    def append(self, number: int) -> None:
        """One row, one commit."""
        self._append(self.dataset, range(number, number + 1))

    def vector(self, number: int) -> list[int]:
        """The nearest rows."""
        return self._ids(self._nearest(number))

    def filtered(self, number: int) -> list[int]:
        """The nearest rows of one topic."""
        return self._ids(self._nearest(number, f"WHERE topic = {self.questions.topics[number]}"))

    def words(self, number: int) -> list[int]:
        """The rows that say it."""
        return self._ids(self._saying(number))

    def hybrid(self, number: int) -> list[int]:
        """The best of both, by the reciprocals of their ranks."""
        scores: dict[int, float] = {}
        for found in (self._nearest(number, top=4 * TOP), self._saying(number, top=4 * TOP)):
            for place, (row, _) in enumerate(found):
                scores[row] = scores.get(row, 0) + 1 / (60 + place)
        return sorted(scores, key=lambda row: -scores[row])[:TOP]

    def branch(self, number: int) -> None:
        """A branch of all there is."""
        self.fork = self.dataset.branch(f"b{number}").open()

    def branch_rows(self, numbers: range) -> None:
        """Rows on the last branch."""
        self._append(self.fork, numbers)

    def merge(self, number: int) -> None:
        """The branch's rows into main."""
        self.dataset.merge(f"b{number}")

    def _append(self, dataset: Any, numbers: range) -> None:
        part = slice(numbers.start, numbers.stop)
        dataset.append(
            {
                "id": list(numbers),
                "topic": self.rows.topics[part].tolist(),
                "text": self.rows.texts[part],
                "embedding": np.asarray(self.rows.vectors[part]),
            }
        )
        dataset.commit()

    def _nearest(self, number: int, where: str = "", top: int = TOP) -> list[tuple[int, str]]:
        vector = ",".join(map(repr, self.questions.vectors[number].tolist()))
        return self._asked(f"{where} ORDER BY COSINE_SIMILARITY(embedding, ARRAY[{vector}]) DESC LIMIT {top}")

    def _saying(self, number: int, top: int = TOP) -> list[tuple[int, str]]:
        return self._asked(f"ORDER BY BM25_SIMILARITY(text, '{self.questions.texts[number]}') DESC LIMIT {top}")

    def _asked(self, rest: str) -> list[tuple[int, str]]:
        view = self.dataset.query(f"SELECT id, text {rest}")
        return list(zip(view["id"][:].tolist(), view["text"][:], strict=True))

    def _ids(self, rows: list[tuple[int, str]]) -> list[int]:
        return [row for row, _ in rows]


if __name__ == "__main__":
    serve(DeepLake)
