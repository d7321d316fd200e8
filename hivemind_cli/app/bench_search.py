"""`hivemind bench search`: the search's own ranking over documents and queries from files.

The documents stand in a corpus of their own, which is gone afterwards; the vectors of their texts are kept between
runs (a file in the data folder's cache, safe to delete). Nothing else is stored, and nothing sent.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hivemind_cli.app.bench_ranking import (
    DEPTH,
    Figures,
    LineError,
    Query,
    compared,
    id_of,
    objects,
    text_of,
    whole_of,
)
from hivemind_cli.app.bench_vectors import Progress, vectors_of
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.index.base import Place, Text, Vectors, Where
from hivemind_cli.index.parts import digest, of_text
from hivemind_cli.index.searching import FOUND_MIN, Result, Searcher, meaning_of
from hivemind_cli.index.tantivy.texts import TantivyCorpus

if TYPE_CHECKING:
    from hivemind_cli.embedding.base import Embedder

WORKSPACE, KIND = "bench", "document"
_BATCH = 2000
Ranked = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Documents:
    """What is searched."""

    texts: list[Text]
    ids: Mapping[str, Any]
    """An id as text -> as the line gave it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the search makes of one query."""

    query: Query
    ranked: Ranked
    """(id, score), best first, DEPTH at most."""
    by_words: Ranked
    """By BM25 alone."""
    by_meaning: Ranked | None
    """By cosine alone; None without a model."""

    def shown(self, *, abstain: bool) -> Ranked:
        """`ranked`, or nothing where even the best fits too little to be what was looked for."""
        return () if abstain and (not self.ranked or self.ranked[0][1] < FOUND_MIN) else self.ranked


def documents(file: IO[bytes]) -> Documents:
    """The documents in `file`. LineError: a bad line, or an id that comes twice."""
    texts: list[Text] = []
    ids: dict[str, Any] = {}
    for number, value in objects(file):
        id = id_of(value, "id", number)
        if id in ids:
            raise LineError(f"Line {number} has the id {id!r} again.", fix="Give each document an id of its own.")
        ids[id] = value["id"]
        texts.append(
            Text(
                id=id,
                kind=KIND,
                workspace_id=WORKSPACE,
                title=text_of(value, "title", number),
                text=text_of(value, "text", number),
                number=whole_of(value, "num", number) or 0,
            )
        )
    if not texts:
        raise ConfigError("There are no documents in the file.", fix='Give {"id", "text"} a line.')
    return Documents(texts, ids)


class Bench:
    """The search over these documents."""

    def __init__(self, corpus: TantivyCorpus, vectors: Vectors | None, embedder: "Embedder | None") -> None:
        self._searcher = Searcher(corpus, vectors)
        self._embedder = embedder

    def answers(self, queries: Iterable[Query]) -> Iterator[Answered]:
        """One for each query, as it comes."""
        for query in queries:
            yield self._answer(query)

    def _answer(self, query: Query) -> Answered:
        asked = spoken(query)
        where = Where(workspace_id=WORKSPACE, before=query.before)
        embedder, vectors, corpus = self._embedder, self._searcher.vectors, self._searcher.corpus
        meaning = meaning_of(asked, embedder.embed) if embedder is not None and asked else None
        found = self._searcher.search(asked, where, meaning=meaning, limit=DEPTH)
        by_words = corpus.search(asked, where, limit=DEPTH)
        near = vectors.near(meaning, where, limit=DEPTH) if vectors is not None and meaning is not None else []
        return Answered(
            query,
            tuple(_pair(one) for one in found),
            tuple((one.text.id, one.bm25) for one in by_words),
            tuple(near) if vectors is not None else None,
        )


def spoken(query: Query) -> str:
    """The title, and below it the text, unless that begins with it anyway."""
    title, text = query.title.strip(), query.text.strip()
    if not title or text.startswith(title):
        return text or title
    return f"{title}\n{text}" if text else title


@contextmanager
def opened(texts: Sequence[Text], embedder: "Embedder | None", cache: Path, progress: Progress) -> Iterator[Bench]:
    """A bench of these texts; `cache` is a folder that is ours."""
    with tempfile.TemporaryDirectory(prefix="hivemind-bench-") as folder:
        corpus = TantivyCorpus(Path(folder) / "texts")
        try:
            for start in range(0, len(texts), _BATCH):
                corpus.update(texts[start : start + _BATCH], [], cursor=start + 1)
            vectors = None if embedder is None else vectors_of(list(_parts(texts)), embedder, cache, progress)
            yield Bench(corpus, vectors, embedder)
        finally:
            corpus.close()


def rows(answered: Sequence[Answered]) -> dict[str, Figures]:
    """hit@k and MRR of the search and of its halves alone, silence left aside. ConfigError: no query has gold."""
    return compared("search", answered)


def _parts(texts: Sequence[Text]) -> Iterator[tuple[Place, str]]:
    for one in texts:
        for part, text in of_text(one):
            place = Place(
                id=one.id,
                part=part,
                digest=digest(part, text),
                workspace_id=WORKSPACE,
                kind=KIND,
                number=one.number,
            )
            yield place, text


def _pair(one: Result) -> tuple[str, float]:
    return one.text.id, one.score
