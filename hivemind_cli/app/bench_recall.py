"""`hivemind bench recall`: recall's own ranking and silence over skills and queries from files.

The skills stand in an index of their own, which is gone afterwards; the vectors of their texts are kept between runs
(a file in the data folder's cache, safe to delete). Nothing else is stored, and nothing sent.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hivemind_cli.app.bench_ranking import (
    DEPTH,
    Figures,
    Interval,
    LineError,
    Query,
    compared,
    first_rank,
    id_of,
    ids_of,
    objects,
)
from hivemind_cli.app.bench_ranking import text_of as field_of
from hivemind_cli.app.bench_vectors import Progress, vectors_of
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.intervals import wilson
from hivemind_cli.core.match import Weights
from hivemind_cli.embedding.base import QUERY_TOKENS_MAX
from hivemind_cli.index.base import Document, Place, Scope
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.parts import digest, of_document
from hivemind_cli.index.ranking import Ranked, Ranker
from hivemind_cli.index.tantivy import TantivyIndex
from hivemind_cli.pipeline.recall.abstain import spoken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.embedding.base import Embedder

SCOPE = Scope("bench")


@dataclass(frozen=True, slots=True)
class Answered:
    """What recall makes of one query."""

    query: Query
    ranked: tuple[tuple[str, float], ...]
    """(id, probability that it applies), best first; all that was looked at, DEPTH at most."""
    said: bool
    """Would recall say any of it?"""
    by_words: tuple[tuple[str, float], ...]
    """By BM25 over the whole skill alone."""
    by_meaning: tuple[tuple[str, float], ...] | None
    """By cosine alone; None without a model."""

    def shown(self, *, abstain: bool) -> tuple[tuple[str, float], ...]:
        """`ranked`, or nothing where recall would be silent."""
        return self.ranked if self.said or not abstain else ()


@dataclass(frozen=True, slots=True)
class Silence:
    """How often recall speaks at its threshold, and how often rightly; intervals are of 95 %."""

    applies_min: float
    precision: tuple[float, Interval]
    """Right first answers, of all answers to queries with a right one or with none that applies, and of forbidden
    first answers."""
    answered: tuple[float, Interval]
    """Of the queries with a right answer."""
    must_not: tuple[float, Interval] | None
    """Of the queries with forbidden answers, those where one comes first and is said; None: there are none."""


@dataclass(frozen=True, slots=True)
class Skills:
    """What is ranked."""

    documents: list[Document]
    ids: Mapping[str, Any]
    """An id as text -> as the line gave it."""


def skills(file: IO[bytes]) -> Skills:
    """The skills in `file`. LineError: a bad line, or an id that comes twice."""
    found: dict[str, Document] = {}
    ids: dict[str, Any] = {}
    for number, value in objects(file):
        id = id_of(value, "id", number)
        if id in found:
            raise LineError(f"Line {number} has the id {id!r} again.", fix="Give each skill an id of its own.")
        ids[id] = value["id"]
        found[id] = Document(
            id=id,
            kind="skill",
            version=1,
            name=field_of(value, "name", number),
            workspace_id=SCOPE.workspace_id,
            project_id="",
            trigger=field_of(value, "description", number),
            text=field_of(value, "body", number),
        )
    if not found:
        raise ConfigError("There are no skills in the file.", fix='Give {"id", "name", "description", "body"} a line.')
    return Skills(list(found.values()), ids)


class Bench:
    """Recall over these skills."""

    def __init__(self, index: TantivyIndex, vectors: InMemoryVectors | None, embedder: "Embedder | None") -> None:
        self._ranker = Ranker(index, vectors)
        self._embedder = embedder
        self.config = RecallConfig()

    def answers(self, queries: Iterable[Query]) -> Iterator[Answered]:
        """One for each query, as it comes."""
        for query in queries:
            text = "\n".join(part for part in (query.title, query.text) if part)
            meaning = self._meaning(text)
            found = self._ranker.rank(text, SCOPE, Weights(), meaning=meaning, limit=10**6) if text.strip() else []
            yield Answered(
                query,
                _pairs(found, lambda one: one.score),
                self._said([one.score for one in found]),
                _pairs([one for one in found if one.bm25 > 0], lambda one: one.bm25),
                _pairs(found, lambda one: one.cosine or 0.0) if self._embedder is not None else None,
            )

    def _meaning(self, text: str) -> "NDArray[np.float32] | None":
        if self._embedder is None or not text.strip():
            return None
        vector: NDArray[np.float32] = self._embedder.embed([text], tokens_max=QUERY_TOKENS_MAX)[0]
        return vector

    def _said(self, scores: Sequence[float]) -> bool:
        config = self.config
        said = spoken(scores, applies_min=config.applies_min, margin_min=config.margin_min, limit=config.limit)
        return said > 0


@contextmanager
def opened(
    documents: Sequence[Document], embedder: "Embedder | None", cache: Path, progress: Progress
) -> Iterator[Bench]:
    """A bench of these skills; `cache` is a folder that is ours."""
    with tempfile.TemporaryDirectory(prefix="hivemind-bench-") as folder:
        index = TantivyIndex(Path(folder) / "index")
        try:
            index.update(documents, [], cursor=1)
            vectors = None if embedder is None else vectors_of(list(_parts(documents)), embedder, cache, progress)
            yield Bench(index, vectors, embedder)
        finally:
            index.close()


def rows(answered: Sequence[Answered]) -> dict[str, Figures]:
    """hit@k and MRR of recall's ranking and of its halves alone, silence left aside. ConfigError: no query has gold."""
    return compared("recall", answered)


def silence(answered: Sequence[Answered], applies_min: float) -> Silence:
    """What recall's threshold makes of the labelled queries."""
    labelled = [one for one in answered if one.query.gold]
    said = [one for one in labelled if one.said]
    right = sum(first_rank(one.ranked[:1], one.query.gold) == 1 for one in said)
    bad = [(one, _forbidden(one.query)) for one in answered]
    missable = [(one, ids) for one, ids in bad if ids]
    fired = sum(one.said and one.ranked[0][0] in ids for one, ids in missable)
    idle = sum(one.said and one.query.idle and one.ranked[0][0] not in ids for one, ids in bad)
    spoke = len(said) + fired + idle
    return Silence(
        applies_min,
        (right / spoke if spoke else 0.0, wilson(right, spoke)),
        (len(said) / len(labelled) if labelled else 0.0, wilson(len(said), len(labelled))),
        (fired / len(missable), wilson(fired, len(missable))) if missable else None,
    )


def _forbidden(query: Query) -> frozenset[str]:
    return ids_of(query.line, "must_not", 0)


def _pairs(found: Sequence[Ranked], score: Callable[[Ranked], float]) -> tuple[tuple[str, float], ...]:
    pairs = sorted(((one.document.id, score(one)) for one in found), key=lambda one: (-one[1], one[0]))
    return tuple(pairs[:DEPTH])


def _parts(documents: Sequence[Document]) -> Iterator[tuple[Place, str]]:
    for document in documents:
        for part, text in of_document(document):
            place = Place(
                id=document.id,
                part=part,
                digest=digest(part, text),
                workspace_id=SCOPE.workspace_id,
                kind="skill",
            )
            yield place, text
