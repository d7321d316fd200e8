"""The documents of one commit, and what each term scores in them: tantivy is asked once a term.

A BM25 score of several terms is the sum of theirs, and the same words come up at every recall.
"""

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tantivy

from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.fields import from_json, rarity
from hivemind_cli.index.tantivy.folder import key

if TYPE_CHECKING:
    from numpy.typing import NDArray

TERMS_MAX = 12_000
"""Terms of a field that are remembered, 300 bytes each ..."""
ROWS_MAX = 500_000
"""... and the documents that have them, over all fields, 8 bytes each."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one field."""

    rows: "NDArray[np.int32]"
    """Documents that have it."""
    scores: "NDArray[np.float32]"
    """What it adds to the BM25 score of each."""
    rarity: float
    """See index/fields.py."""


class Postings:
    """Any thread may ask. Rows number the documents, in tantivy's order."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher, known: Mapping[int, Document]) -> None:
        """`known` documents, by `number_of` their ids, need not be read again."""
        everything = tantivy.Query.term_query(schema, "role", "document", "basic")
        places = [place for _, place in searcher.search(everything, max(searcher.num_docs, 1), count=False).hits]
        places.sort(key=_place)
        numbers = searcher.fast_field_values("number", places)
        self.documents = [
            (known.get(number) if isinstance(number, int) else None) or _document(searcher, place)
            for place, number in zip(places, numbers, strict=True)
        ]
        self.count = searcher.num_docs
        """As tantivy counts them: what else it keeps is among them."""
        self._schema, self._searcher = schema, searcher
        self._row_of_place = {_place(place): row for row, place in enumerate(places)}
        self._row_of_id = {document.id: row for row, document in enumerate(self.documents)}
        self._visible: dict[Scope, NDArray[np.bool_]] = {}
        self._terms: dict[str, dict[str, Term]] = {}
        self._rows_kept = 0
        self._keeping = threading.Lock()

    def terms(self, field: str, wanted: Iterable[str]) -> list[Term]:
        """Each of `wanted`, in order."""
        kept = self._terms.get(field, {})
        return [kept.get(term) or self._asked(field, term) for term in wanted]

    def summed(self, terms: Sequence[Term]) -> "NDArray[np.float64]":
        """The score of every row for all of `terms` together."""
        return self._sum(terms, [one.scores for one in terms])

    def shares(self, terms: Sequence[Term]) -> "NDArray[np.float64]":
        """Of every row, the share of `terms` that it has, each by its rarity."""
        whole = sum(one.rarity for one in terms) or 1.0
        return self._sum(terms, [np.full(len(one.rows), one.rarity / whole, np.float32) for one in terms])

    def inside(self, scope: Scope) -> "NDArray[np.bool_]":
        """Of every row: may `scope` see it?"""
        found = self._visible.get(scope)
        if found is None:
            seen = [_sees(scope, document) for document in self.documents]
            found = self._visible[scope] = np.array(seen, np.bool_)
        return found

    def seen(self, scope: Scope | None) -> list[Document]:
        """Every document, or those that `scope` may see."""
        return [one for one in self.documents if scope is None or _sees(scope, one)]

    def rows(self, ids: Collection[str]) -> list[int]:
        """Those of these documents that there are."""
        return [row for row in map(self._row_of_id.get, ids) if row is not None]

    def _sum(self, terms: Sequence[Term], scores: "Sequence[NDArray[np.float32]]") -> "NDArray[np.float64]":
        if not terms:
            return np.zeros(len(self.documents))
        rows = np.concatenate([one.rows for one in terms])
        sums = np.bincount(rows, np.concatenate(scores), minlength=len(self.documents))
        return sums.astype(np.float64, copy=False)

    def _asked(self, field: str, term: str) -> Term:
        searcher = self._searcher
        having = searcher.doc_freq(field, term)
        option = "basic" if field == "trigger" else "freq"
        query = tantivy.Query.term_query(self._schema, field, term, option)
        hits = searcher.search(query, having, count=False).hits if having else ()
        rows = np.fromiter((self._row_of_place[_place(place)] for _, place in hits), np.int32, len(hits))
        scores = np.fromiter((score for score, _ in hits), np.float32, len(hits))
        found = Term(rows, scores, rarity(having, self.count))
        with self._keeping:
            self._keep(field, term, found)
        return found

    def _keep(self, field: str, term: str, found: Term) -> None:
        kept = self._terms.setdefault(field, {})
        self._rows_kept += len(found.rows)
        if len(kept) >= TERMS_MAX or self._rows_kept > ROWS_MAX:
            self._terms, self._rows_kept = {field: {}}, len(found.rows)
        self._terms[field][term] = found


def number_of(id: str) -> int:
    """Tells documents apart without reading them."""
    return int.from_bytes(hashlib.blake2b(key(id).encode(), digest_size=8).digest(), "big")


def _document(searcher: tantivy.Searcher, place: tantivy.DocAddress) -> Document:
    return from_json(bytes(searcher.doc(place).get_first("stored") or b""))


def _sees(scope: Scope, document: Document) -> bool:
    return document.workspace_id == scope.workspace_id and document.project_id in ("", scope.project_id)


def _place(address: tantivy.DocAddress) -> tuple[int, int]:
    return address.segment_ord, address.doc
