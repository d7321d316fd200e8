"""The reference index: plain BM25 over a dict. What it finds is what `Index` means."""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hivemind_cli.index.base import Document, Matched, Scope
from hivemind_cli.index.fields import Asked, Fields, rarity, scale

_K1, _B = 1.2, 0.75
"""As in Lucene and tantivy."""


@dataclass(frozen=True, slots=True)
class _Entry:
    document: Document
    text: Counter[str]
    trigger: Counter[str]
    words: Counter[str]
    named: Counter[str]

    @classmethod
    def of(cls, document: Document) -> "_Entry":
        fields = Fields.of(document)
        return cls(document, *map(Counter, (fields.text, fields.trigger, fields.words, fields.named)))


class InMemoryIndex:
    """An Index that forgets everything with its process."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._cursor = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"InMemoryIndex(documents={len(self._entries)}, cursor={self._cursor})"

    def cursor(self) -> int:
        return self._cursor

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        """Drops first, then puts: what is in both is there."""
        with self._lock:
            entries = dict(self._entries)
            for document_id in drop:
                entries.pop(document_id, None)
            for document in put:
                entries[document.id] = _Entry.of(document)
            self._entries, self._cursor = entries, cursor

    def match(self, query: str, scope: Scope, *, limit: int, ids: Collection[str] = ()) -> list[Matched]:
        entries = list(self._entries.values())
        asked = Asked.of(query)
        by_field = [
            (asked.words, [entry.words for entry in entries]),
            (asked.words, [entry.named for entry in entries]),
            (asked.terms, [entry.text for entry in entries]),
        ]
        scores = [_bm25(wanted, bags) for wanted, bags in by_field]
        scales = [scale(_rarities(wanted, bags), len(entries)) for wanted, bags in by_field]
        covered = _covered(asked.terms, [entry.trigger for entry in entries])
        sums = [sum(of) for of in zip(*scores, strict=True)]
        inside = [n for n, entry in enumerate(entries) if _visible(entry.document, scope)]
        best = sorted((n for n in inside if sums[n] > 0), key=lambda n: (-sums[n], entries[n].document.id))
        chosen = {*best[: max(limit, 0)], *(n for n in inside if entries[n].document.id in ids)}
        words, named, terms = ([score / by for score in of] for of, by in zip(scores, scales, strict=True))
        return [Matched(entries[n].document, words[n], named[n], terms[n], covered[n]) for n in sorted(chosen)]

    def all(self, scope: Scope | None = None) -> list[Document]:
        documents = [entry.document for entry in self._entries.values()]
        return [document for document in documents if scope is None or _visible(document, scope)]

    def close(self) -> None:
        """Nothing is held."""


def _visible(document: Document, scope: Scope) -> bool:
    return document.workspace_id == scope.workspace_id and document.project_id in ("", scope.project_id)


def _bm25(wanted: Sequence[str], bags: Sequence[Counter[str]]) -> list[float]:
    """One score a bag, in order."""
    lengths = [bag.total() for bag in bags]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    scores = [0.0] * len(bags)
    for term in wanted:
        having = [i for i, bag in enumerate(bags) if term in bag]
        idf = rarity(len(having), len(bags))
        for i in having:
            count = bags[i][term]
            scores[i] += idf * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * lengths[i] / mean))
    return scores


def _rarities(wanted: Sequence[str], bags: Sequence[Counter[str]]) -> float:
    return sum(rarity(sum(term in bag for bag in bags), len(bags)) for term in wanted)


def _covered(wanted: Sequence[str], bags: Sequence[Counter[str]]) -> list[float]:
    weights = {term: rarity(sum(term in bag for bag in bags), len(bags)) for term in wanted}
    whole = sum(weights.values()) or 1.0
    return [sum(weight for term, weight in weights.items() if term in bag) / whole for bag in bags]
