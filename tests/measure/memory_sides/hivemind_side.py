"""hivemind through its SDK: the daemon owns the database, this process asks it."""

from pathlib import Path
from typing import Any

import numpy as np

from hivemind_cli.memory import connect
from tests.measure.memory_sides.data import TOP, Questions, Rows
from tests.measure.memory_sides.loop import Side, serve

NEAR = f"SELECT id, text, cosine_similarity(embedding, $1) AS score FROM rows ORDER BY score DESC LIMIT {TOP}"
NARROWED = (
    "SELECT id, text, cosine_similarity(embedding, $1) AS score FROM rows "
    f"WHERE topic = $2 ORDER BY score DESC LIMIT {TOP}"
)
SAYING = f"SELECT id, text, bm25(text, $1) AS score FROM rows ORDER BY score DESC LIMIT {TOP}"
BOTH = f"SELECT id, text, hybrid(embedding, text, $1, $2, 0.5, 0.5) AS score FROM rows ORDER BY score DESC LIMIT {TOP}"


class Hivemind(Side):
    """One table of one workspace. Every answer carries its scores, as every row of SQL does."""

    def __init__(self, rows: Rows, questions: Questions, home: Path) -> None:
        super().__init__(rows, questions, home)
        self.database = connect("hivemind://bench", home=home)
        self.fork: Any = None

    def ingest(self, numbers: range) -> None:
        """Many rows, one transaction."""
        self._ingest(self.database, numbers)

    def append(self, number: int) -> None:
        """One row, one transaction."""
        self._ingest(self.database, range(number, number + 1))

    def vector(self, number: int) -> list[int]:
        """The nearest rows."""
        return self._ids(NEAR, [self.questions.vectors[number]])

    def filtered(self, number: int) -> list[int]:
        """The nearest rows of one topic."""
        return self._ids(NARROWED, [self.questions.vectors[number], int(self.questions.topics[number])])

    def words(self, number: int) -> list[int]:
        """The rows that say it."""
        return self._ids(SAYING, [self.questions.texts[number]])

    def hybrid(self, number: int) -> list[int]:
        """The best of both, half and half."""
        return self._ids(BOTH, [self.questions.vectors[number], self.questions.texts[number]])

    def branch(self, number: int) -> None:
        """A branch of all there is."""
        self.database.branch(f"b{number}")
        self.fork = self.database.on(f"b{number}")

    def branch_rows(self, numbers: range) -> None:
        """Rows on the last branch."""
        self._ingest(self.fork, numbers)

    def merge(self, number: int) -> None:
        """The branch's rows into main."""
        self.database.merge(f"b{number}")

    def close(self) -> None:
        """Every row is on disk already."""
        self.database.close()

    def _ingest(self, database: Any, numbers: range) -> None:
        part = slice(numbers.start, numbers.stop)
        database.ingest(
            "rows",
            {
                "id": list(numbers),
                "topic": self.rows.topics[part].tolist(),
                "text": self.rows.texts[part],
                "embedding": np.asarray(self.rows.vectors[part]),
            },
        )

    def _ids(self, sql: str, values: list[Any]) -> list[int]:
        return [row["id"] for row in self.database.query(sql, values)]


if __name__ == "__main__":
    serve(Hivemind)
