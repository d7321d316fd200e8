"""Made-up rows and questions for bench_memory.py, the same every time; and what the right answers are.

A row: a number, a text of 30 invented words (12 of its topic's 60, 18 of the whole 20,000 by Zipf's law), its topic,
and a unit vector [384] near its topic's. A question is asked about one topic: three of its words and a common one, and
a vector near the topic's that no row has. Needs numpy alone: every side's own interpreter reads this file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIM, TOPICS, TOPIC_WORDS, WORDS, TEXT_WORDS, OWN_WORDS = 384, 200, 60, 20_000, 30, 12
TOP = 10
"""Rows every question asks for."""
SEED = 20_261_121
SPREAD = 1.2
"""Length of a row's own part of its vector, beside 1 of its topic's."""
K1, B = 1.2, 0.75
"""Of BM25, as Lucene and tantivy have them."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Row i has number i."""

    texts: list[str]
    topics: NDArray[np.int64]
    vectors: Floats


@dataclass(frozen=True)
class Questions:
    """One a line: words, a vector, the topic."""

    texts: list[str]
    topics: NDArray[np.int64]
    vectors: Floats


def make(folder: Path, rows: int, questions: int) -> None:
    """Write `rows` rows and as many questions under `folder`; nothing if they stand there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "done").exists():
        return
    rng = np.random.default_rng(SEED)
    words = np.array(_words(rng))
    own = rng.choice(np.arange(500, WORDS), (TOPICS, TOPIC_WORDS))
    centres = _unit(rng.standard_normal((TOPICS, DIM)))
    topics = rng.integers(0, TOPICS, rows)
    share = 1 / np.arange(1, WORDS + 1)
    tokens = rng.choice(WORDS, (rows, TEXT_WORDS), p=share / share.sum())
    picked = rng.integers(0, TOPIC_WORDS, (rows, OWN_WORDS))
    tokens[:, :OWN_WORDS] = own[topics[:, None], picked]
    tokens = rng.permuted(tokens, axis=1)
    asked_topics = rng.integers(0, TOPICS, questions)
    asked = np.concatenate([own[asked_topics, :3], rng.integers(0, 200, (questions, 1))], axis=1)
    np.save(folder / "tokens.npy", tokens.astype(np.int32))
    np.save(folder / "asked.npy", asked.astype(np.int32))
    np.save(folder / "topics.npy", topics)
    np.save(folder / "asked_topics.npy", asked_topics)
    np.save(folder / "vectors.npy", _near(rng, centres[topics]))
    np.save(folder / "asked_vectors.npy", _near(rng, centres[asked_topics]))
    (folder / "texts.json").write_text(json.dumps([" ".join(words[row]) for row in tokens]))
    (folder / "asked_texts.json").write_text(json.dumps([" ".join(words[row]) for row in asked]))
    (folder / "done").touch()


def read_rows(folder: Path) -> Rows:
    """The rows `make` wrote; vectors stay on disk until they are looked at."""
    return Rows(
        json.loads((folder / "texts.json").read_text()),
        np.load(folder / "topics.npy"),
        np.load(folder / "vectors.npy", mmap_mode="r"),
    )


def read_questions(folder: Path) -> Questions:
    """The questions `make` wrote."""
    return Questions(
        json.loads((folder / "asked_texts.json").read_text()),
        np.load(folder / "asked_topics.npy"),
        np.load(folder / "asked_vectors.npy"),
    )


class Truth:
    """Every row's exact score for a question, among the first `rows`."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.vectors = np.load(folder / "vectors.npy")[:rows]
        self.topics = np.load(folder / "topics.npy")[:rows]
        self.tokens = np.load(folder / "tokens.npy")[:rows]
        self.asked = np.load(folder / "asked.npy")
        self.questions = read_questions(folder)

    def scores(self, kind: str, number: int) -> NDArray[np.float64]:
        """[rows]: cosine for "vector" and "filtered" (-inf off the topic), BM25 for "words"."""
        if kind == "words":
            return self._bm25(self.asked[number])
        scores = (self.vectors @ self.questions.vectors[number]).astype(np.float64)
        return np.where(self.topics == self.questions.topics[number], scores, -np.inf) if kind == "filtered" else scores

    def _bm25(self, words: NDArray[np.int32]) -> NDArray[np.float64]:
        # every text has as many words as the average: the length factor of BM25 is 1
        scores = np.zeros(len(self.tokens))
        for word in sorted(set(words.tolist())):
            counts = (self.tokens == word).sum(axis=1)
            holding = int((counts > 0).sum())
            rarity = np.log(1 + (len(counts) - holding + 0.5) / (holding + 0.5))
            scores += rarity * counts * (K1 + 1) / (counts + K1)
        return scores

    def recall(self, kind: str, number: int, found: list[int]) -> float:
        """Share of the best TOP, or as many as there are, that `found` has; one as good as the last of them counts."""
        scores = self.scores(kind, number)
        best = np.sort(scores[np.isfinite(scores)])[-TOP:]
        least = best[0] - 1e-5 * max(1.0, abs(best[0]))
        return len({row for row in found if row < len(scores) and scores[row] >= least}) / len(best)


def _words(rng: np.random.Generator) -> list[str]:
    """WORDS different words one can say."""
    consonants, vowels = np.array(list("bcdfgklmnprstvz")), np.array(list("aeiou"))
    found: dict[str, None] = {}
    while len(found) < WORDS:
        length = 2 * int(rng.integers(2, 5))
        letters = np.where(np.arange(length) % 2 == 0, rng.choice(consonants, length), rng.choice(vowels, length))
        found["".join(letters.tolist())] = None
    return list(found)


def _near(rng: np.random.Generator, centres: NDArray[Any]) -> Floats:
    found = centres.astype(np.float32)
    for start in range(0, len(found), 10_000):
        part = found[start : start + 10_000]
        part += SPREAD * _unit(rng.standard_normal(part.shape, dtype=np.float32))
    return _unit(found).astype(np.float32)


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
