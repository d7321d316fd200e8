"""mem0 without a language model (infer=False), its default store (Qdrant's local one) and ready-made vectors.

Its embedder is a stand-in that looks the vector up. Its keyword part wants a model from the network: off, so a
question is one of vectors alone (the quicker case). It has no batch: `add` stores message by message. No SQL, no
branches.
"""

import os
from pathlib import Path
from typing import Any

from tests.measure.memory_sides.data import TOP, Questions, Rows
from tests.measure.memory_sides.loop import Side, serve


class Looked:
    """The embedder: every text of the data has its vector already."""

    def __init__(self, rows: Rows, questions: Questions) -> None:
        self.rows, self.questions = rows, questions
        self.places = {text: place for place, text in enumerate(rows.texts)}
        self.asked = {text: place for place, text in enumerate(questions.texts)}

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """[dim]."""
        place = self.places.get(text)
        found = self.rows.vectors[place] if place is not None else self.questions.vectors[self.asked[text]]
        vector: list[float] = found.tolist()
        return vector


class Mem0(Side):
    """One person's memories; each carries its row's number and topic."""

    def __init__(self, rows: Rows, questions: Questions, home: Path) -> None:
        super().__init__(rows, questions, home)
        os.environ |= {"MEM0_TELEMETRY": "False", "MEM0_DIR": str(home)}
        from mem0 import Memory

        dim = rows.vectors.shape[1]
        key = {"api_key": "none"}  # a client is made and never asked
        self.memory: Any = Memory.from_config(
            {
                "vector_store": {
                    "provider": "qdrant",
                    "config": {"path": str(home / "qdrant"), "on_disk": True, "embedding_model_dims": dim},
                },
                "llm": {"provider": "openai", "config": key},
                "embedder": {"provider": "openai", "config": {**key, "embedding_dims": dim}},
                "history_db_path": str(home / "history.db"),
            }
        )
        self.memory.embedding_model = Looked(rows, questions)

    def ingest(self, numbers: range) -> None:
        """Many rows: `add` of one message each, so that each carries its own metadata."""
        for number in numbers:
            self.append(number)

    def append(self, number: int) -> None:
        """One memory."""
        metadata = {"number": number, "topic": int(self.rows.topics[number])}
        self.memory.add(self.rows.texts[number], user_id="one", metadata=metadata, infer=False)

    def vector(self, number: int) -> list[int]:
        """The nearest memories."""
        return self._found(number, {})

    def filtered(self, number: int) -> list[int]:
        """The nearest memories of one topic."""
        return self._found(number, {"topic": int(self.questions.topics[number])})

    def _found(self, number: int, narrowed: dict[str, Any]) -> list[int]:
        found = self.memory.search(
            self.questions.texts[number], filters={"user_id": "one", **narrowed}, top_k=TOP, threshold=0.0
        )
        return [one["metadata"]["number"] for one in found["results"]]

    def close(self) -> None:
        """Qdrant's local files are let go."""
        self.memory.vector_store.client.close()


if __name__ == "__main__":
    serve(Mem0)
