"""The reference index: plain BM25 over a dict. What it finds is what `Index` means."""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hivemind_cli.index.base import Document, Hit, Scope
from hivemind_cli.index.fields import Fields, query_terms

_K1, _B = 1.2, 0.75
"""As in Lucene and tantivy."""


@dataclass(frozen=True, slots=True)
class _Entry:
    document: Document
    text: Counter[str]
    trigger: Counter[str]


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
                fields = Fields.of(document)
                entries[document.id] = _Entry(document, Counter(fields.text), Counter(fields.trigger))
            self._entries, self._cursor = entries, cursor

    def search(self, query: str, scope: Scope, *, limit: int) -> list[Hit]:
        """Ordered by the sum of both scores, then by id."""
        entries = list(self._entries.values())
        wanted = query_terms(query)
        texts = _bm25(wanted, [entry.text for entry in entries])
        triggers = _bm25(wanted, [entry.trigger for entry in entries])
        hits = [
            Hit(entry.document, text, trigger)
            for entry, text, trigger in zip(entries, texts, triggers, strict=True)
            if text > 0 and _visible(entry.document, scope)
        ]
        hits.sort(key=lambda hit: (-(hit.bm25_text + hit.bm25_trigger), hit.document.id))
        return hits[: max(limit, 0)]

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
        idf = math.log(1 + (len(bags) - len(having) + 0.5) / (len(having) + 0.5))
        for i in having:
            count = bags[i][term]
            scores[i] += idf * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * lengths[i] / mean))
    return scores
