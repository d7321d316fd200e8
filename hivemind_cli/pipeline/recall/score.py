"""Scores: how well a document fits words, and whether a call is the very act that was corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hivemind_cli.core.acts import Act
from hivemind_cli.core.match import Weights, content, fit
from hivemind_cli.core.same import repeats
from hivemind_cli.index.base import Document, Hit, Index, Scope

CANDIDATES_MAX = 20
"""Documents that BM25 brings up for closer scoring."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A document and its scores."""

    document: Document
    bm25: float
    score: float
    """0..1."""


@dataclass(frozen=True, slots=True)
class _Terms:
    tasks: tuple[frozenset[str], ...]
    rule: frozenset[str]


def candidate_documents(index: Index, query: str, scope: Scope) -> list[Hit]:
    """What BM25 finds for `query`, best first."""
    return index.search(query, scope, limit=CANDIDATES_MAX)


def by_words(query: frozenset[str], hits: Sequence[Hit], weights: Weights) -> list[Scored]:
    """Hits by their fit to the query's terms, best first; BM25 breaks ties."""
    scored = []
    for hit in hits:
        known = _terms(hit.document)
        scored.append(Scored(hit.document, hit.bm25_text, fit(query, known.tasks, known.rule, weights)))
    return sorted(scored, key=lambda one: (-one.score, -one.bm25, one.document.id))


def by_act(act: Act, documents: Sequence[Document]) -> list[Scored]:
    """Documents whose corrected act this call repeats, the newest correction first; a read repeats nothing."""
    same = [one for one in documents if _repeated(act, one)]
    return [Scored(document, 0.0, 1.0) for document in sorted(same, key=lambda one: (-one.occurred_at_ms, one.id))]


def _repeated(act: Act, document: Document) -> bool:
    words, task = document.rule or document.text, " ".join(document.tasks) or document.trigger
    return any(repeats(act, Act.of(value), words, task) for value in document.acts)


@lru_cache(maxsize=4096)
def _terms_of(id: str, version: int, trigger: str, tasks: tuple[str, ...], rule: str) -> _Terms:
    return _Terms(tuple(content(task) for task in (*tasks, trigger) if task), content(rule))


def _terms(document: Document) -> _Terms:
    return _terms_of(document.id, document.version, document.trigger, document.tasks, document.rule or document.text)
