"""The ranking of skills and memos for a query: what recall asks at a prompt, and what `bench recall` measures.

words     BM25 over everything and over name and trigger, of whole words and of terms; the fit of a task's terms
meaning   cosine of the query to the trigger, to the tasks, and to the nearest piece of the body

Candidates are the best by words and the nearest by meaning; every one has every figure. weighing.py makes of them
the probability that a document applies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hivemind_cli.core.match import About, Weights, content
from hivemind_cli.index.base import Document, Index, Matched, Scope, Vectors, Where
from hivemind_cli.index.fields import query_terms
from hivemind_cli.index.matching import about
from hivemind_cli.index.parts import BODY, TASK, TRIGGER
from hivemind_cli.index.weighing import HYBRID, LEXICAL, UNLIKE, Figures, fitted, probabilities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BY_WORDS, BY_MEANING = 50, 30
"""Candidates of each kind; together they held 97 % of the right answers among 3,070 skills."""
ABOUT_MAX = 4096
"""Documents whose weighed terms are remembered."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document and how likely it applies."""

    document: Document
    score: float
    """Probability that it applies, 0..1: comparable between queries."""
    bm25: float = 0.0
    """Of whole words over everything, scaled (index/base.py: Matched)."""
    cosine: float | None = None
    """Of its nearest part; None without a model."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Everything else the score was made of, by name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document with its figures, before they are weighed."""

    document: Document
    figures: Figures
    cosine: float | None = None


class Ranker:
    """Ranks an index's documents. Without vectors, or without the query's, by words alone."""

    def __init__(self, index: Index, vectors: Vectors | None = None) -> None:
        self.index, self.vectors = index, vectors
        self._about: dict[str, tuple[Document, Weights, About]] = {}
        """By id: what a document is about, as these weights have it."""

    def rank(
        self, query: str, scope: Scope, weights: Weights, *, meaning: "NDArray[np.float32] | None" = None, limit: int
    ) -> list[Ranked]:
        """Best first; documents outside `scope` never appear. `meaning` is the query's vector."""
        found = self.candidates(query, scope, weights, meaning=meaning)
        tier = LEXICAL if meaning is None or self.vectors is None else HYBRID
        told = [one for one in found if _is_told(one.document)]
        written = [one for one in found if not _is_told(one.document)]
        terms = len(query_terms(query))
        scores = probabilities([one.figures for one in told], terms, fitted(tier, "told"))
        scores += probabilities([one.figures for one in written], terms, fitted(tier, "written"))
        ranked = [
            Ranked(one.document, score, one.figures["words"], one.cosine, one.figures)
            for one, score in zip((*told, *written), scores, strict=True)
        ]
        return sorted(ranked, key=lambda one: (-one.score, -one.bm25, one.document.id))[: max(limit, 0)]

    def candidates(
        self, query: str, scope: Scope, weights: Weights, *, meaning: "NDArray[np.float32] | None" = None
    ) -> list[Candidate]:
        """What is looked at, in no order, each with all its figures."""
        where = Where(workspace_id=scope.workspace_id, project_ids=tuple({"", scope.project_id}))
        near: Sequence[str] = ()
        if self.vectors is not None and meaning is not None:
            near = [id for id, _ in self.vectors.near(meaning, where, limit=BY_MEANING)]
        matched = self.index.match(query, scope, limit=BY_WORDS, ids=near)
        if self.vectors is None or meaning is None:
            cosines: Mapping[str, Mapping[str, float]] | None = None
        else:
            cosines = self.vectors.parts(meaning, [one.document.id for one in matched])
        asked = content(query)
        whole = weights.sum(asked)
        return [_candidate(one, self._fit(one.document, asked, whole, weights), cosines) for one in matched]

    def _fit(self, document: Document, asked: frozenset[str], whole: float, weights: Weights) -> float | None:
        """Of the query's terms, which weigh `whole` together; None for what was not made of a correction."""
        if not _is_told(document):
            return None
        known = self._about.get(document.id)
        if known is None or known[0] is not document or known[1] is not weights:
            if len(self._about) >= ABOUT_MAX:
                self._about = {}
            known = self._about[document.id] = (document, weights, about(document, weights))
        return known[2].fit(asked, whole)


def _candidate(matched: Matched, fit: float | None, cosines: Mapping[str, Mapping[str, float]] | None) -> Candidate:
    document = matched.document
    figures: Figures = {
        "words": matched.words,
        "named": matched.named,
        "terms": matched.terms,
        "covered": matched.covered,
    }
    if fit is not None:
        figures["fit"] = fit
    if cosines is None:
        return Candidate(document, figures)
    parts = cosines.get(document.id, {})
    figures |= _near(parts)
    best = max(parts.values(), default=None)
    return Candidate(document, figures, best)


def _is_told(document: Document) -> bool:
    """Was it made of a correction, with the prompt or the words of it?"""
    return bool(document.tasks or document.rule)


def _near(parts: Mapping[str, float]) -> Figures:
    """The figures of meaning. A part that is not there has the cosine of what stands for it."""
    any_part = max(parts.values(), default=UNLIKE)
    trigger = parts.get(TRIGGER, any_part)
    return {
        "near_trigger": trigger,
        "near_body": parts.get(BODY, any_part),
        "near_task": max(parts.get(TASK, trigger), trigger),
        "near_rule": parts.get(BODY, UNLIKE),
    }
