"""BM25 over skills and memos. Terms are made by core/terms.py; tantivy only splits them at spaces again."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import tantivy

from hivemind_cli.index.base import Document, Matched, Scope
from hivemind_cli.index.fields import Asked, Fields, from_json, rarity, scale, to_json
from hivemind_cli.index.tantivy.folder import Folder, key, schema_builder

FORMAT = 3
"""Raise it when fields or terms change: every older folder is then rebuilt."""
HAVING_MAX = 20_000
"""Terms whose frequency is remembered."""
_TOKENIZER = "terms"
Addresses = list[tantivy.DocAddress]


class TantivyIndex:
    """An Index in `folder`, which is ours alone: it is wiped when it cannot be read.

    HivemindError only where the folder cannot be written at all (full disk, no permission, another owner).
    """

    def __init__(self, folder: Path) -> None:
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        schema = _schema()
        self._known: dict[int, Document] = {}
        """By `_number` of the id, as of the last commit: none is read twice. Only ever replaced, or added to."""
        self._having: dict[tuple[str, str], int] = {}
        """(field, term) -> how many documents have it, as of the last commit, likewise."""
        self._folder = Folder(folder, schema, format=FORMAT, analyzers={_TOKENIZER: analyzer})

    def __repr__(self) -> str:
        return f"TantivyIndex({str(self._folder.path)!r}, cursor={self.cursor()})"

    def cursor(self) -> int:
        return self._folder.cursor

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        """Drops first, then puts: what is in both is there.

        Should the folder turn out damaged, it is rebuilt empty, nothing is put, and `cursor()` says 0.
        """

        def change(writer: tantivy.IndexWriter) -> None:
            for document_id in drop:
                writer.delete_documents_by_term("id", key(document_id))
            for document in put:
                writer.delete_documents_by_term("id", key(document.id))
                writer.add_document(_indexed(document))

        self._folder.commit(change, cursor)
        gone = {_number(id) for id in (*drop, *(document.id for document in put))}
        known = self._known.copy()  # at once: whoever searches meanwhile adds to it
        for number in gone:
            known.pop(number, None)
        self._known, self._having = known if self._folder.cursor == cursor else {}, {}

    def match(self, query: str, scope: Scope, *, limit: int, ids: Collection[str] = ()) -> list[Matched]:
        asked, kept = Asked.of(query), (self._known, self._having)
        return self._folder.read(lambda searcher: self._match(searcher, asked, scope, limit, ids, *kept), [])

    def all(self, scope: Scope | None = None) -> list[Document]:
        query = self._visible(scope) if scope else self._folder.term("role", "document")

        def read(searcher: tantivy.Searcher) -> list[Document]:
            found = searcher.search(query, max(searcher.num_docs, 1), count=False).hits
            return [_document(searcher, address) for _, address in found]

        return self._folder.read(read, [])

    def close(self) -> None:
        self._folder.close()

    def _match(
        self,
        searcher: tantivy.Searcher,
        asked: Asked,
        scope: Scope,
        limit: int,
        ids: Collection[str],
        known: dict[int, Document],
        having: dict[tuple[str, str], int],
    ) -> list[Matched]:
        fields = (("words", asked.words), ("named", asked.words), ("text", asked.terms))
        queries = [self._any_of(field, wanted) for field, wanted in fields]
        should = [(tantivy.Occur.Should, query) for query in queries]
        places: Addresses = []
        if limit > 0:
            places += self._within(searcher, tantivy.Query.boolean_query(should), self._visible(scope), limit)
        if ids:
            places += self._within(searcher, self._these(ids), self._visible(scope), len(ids))
        documents = {_place(place): one for place, one in zip(places, _known(searcher, places, known), strict=True)}
        these = self._these({document.id for document in documents.values()})
        frequencies = {term: _frequency(searcher, "trigger", term, having) for term in asked.terms}
        scores = []
        for query, (field, wanted) in zip(queries, fields, strict=True):
            rarities = (rarity(_frequency(searcher, field, term, having), searcher.num_docs) for term in wanted)
            by = scale(sum(rarities), searcher.num_docs)
            scores.append({place: score / by for place, score in _scored(searcher, query, these, len(documents))})
        covered = dict(_scored(searcher, self._covered(frequencies, searcher.num_docs), these, len(documents)))
        words, named, terms = scores
        return [
            Matched(one, *(of.get(place, 0.0) for of in (words, named, terms, covered)))
            for place, one in documents.items()
        ]

    def _within(self, searcher: tantivy.Searcher, query: tantivy.Query, inside: tantivy.Query, limit: int) -> Addresses:
        must = tantivy.Occur.Must
        both = tantivy.Query.boolean_query([(must, query), (must, inside)])
        return [address for _, address in searcher.search(both, limit, count=False).hits]

    def _these(self, ids: Iterable[str]) -> tantivy.Query:
        return tantivy.Query.const_score_query(self._one_of("id", ids), 0.0)

    def _one_of(self, field: str, values: Iterable[str]) -> tantivy.Query:
        """Of a raw field. A term_set_query walks through all of its terms: 0.3 ms at 1,000 documents, and this .06."""
        terms = [self._folder.term(field, key(value)) for value in values]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])

    def _covered(self, frequencies: dict[str, int], documents: int) -> tantivy.Query:
        """Scores a document by the share of the terms that its trigger has, each by its rarity."""
        rarities = {term: rarity(having, documents) for term, having in frequencies.items()}
        whole = sum(rarities.values()) or 1.0
        parts = [
            tantivy.Query.const_score_query(self._folder.term("trigger", term), rarities[term] / whole)
            for term, having in frequencies.items()
            if having
        ]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])

    def _any_of(self, field: str, wanted: Sequence[str]) -> tantivy.Query:
        should = [(tantivy.Occur.Should, self._folder.term(field, term, "freq")) for term in wanted]
        return tantivy.Query.boolean_query(should)

    def _visible(self, scope: Scope) -> tantivy.Query:
        inside = [
            self._folder.term("workspace_id", key(scope.workspace_id)),
            self._one_of("project_id", {"", scope.project_id}),
        ]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in inside])
        return tantivy.Query.const_score_query(query, 0.0)


def _schema() -> tantivy.Schema:
    builder = schema_builder()
    for name in ("text", "trigger", "words", "named"):
        builder.add_text_field(name, tokenizer_name=_TOKENIZER, index_option="freq")
    for name in ("workspace_id", "project_id"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("number", fast=True)
    return builder.build()


def _indexed(document: Document) -> tantivy.Document:
    fields = Fields.of(document)
    indexed = tantivy.Document()
    indexed.add_text("role", "document")
    indexed.add_text("id", key(document.id))
    indexed.add_text("workspace_id", key(document.workspace_id))
    indexed.add_text("project_id", key(document.project_id))
    indexed.add_text("text", " ".join(fields.text))
    indexed.add_text("trigger", " ".join(fields.trigger))
    indexed.add_text("words", " ".join(fields.words))
    indexed.add_text("named", " ".join(fields.named))
    indexed.add_unsigned("number", _number(document.id))
    indexed.add_bytes("stored", to_json(document).encode())
    return indexed


def _document(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Document:
    return from_json(bytes(searcher.doc(address).get_first("stored") or b""))


def _place(address: tantivy.DocAddress) -> tuple[int, int]:
    return address.segment_ord, address.doc


def _scored(
    searcher: tantivy.Searcher, query: tantivy.Query, these: tantivy.Query, count: int
) -> list[tuple[tuple[int, int], float]]:
    """(place, score) of those of `these` that `query` finds."""
    must = tantivy.Occur.Must
    both = tantivy.Query.boolean_query([(must, query), (must, these)])
    found = searcher.search(both, max(count, 1), count=False).hits
    return [(_place(address), score) for score, address in found]


def _frequency(searcher: tantivy.Searcher, field: str, term: str, having: dict[tuple[str, str], int]) -> int:
    """How many documents have it, asked once."""
    known = having.get((field, term))
    if known is None:
        if len(having) >= HAVING_MAX:
            having.clear()
        known = having[field, term] = searcher.doc_freq(field, term)
    return known


def _known(searcher: tantivy.Searcher, places: Addresses, known: dict[int, Document]) -> list[Document]:
    """The documents at `places`, read once each."""
    found = []
    for place, number in zip(places, searcher.fast_field_values("number", places), strict=True):
        document = known.get(number) if isinstance(number, int) else None
        if document is None:
            document = _document(searcher, place)
            known[_number(document.id)] = document
        found.append(document)
    return found


def _number(id: str) -> int:
    """Tells documents apart without reading them."""
    return int.from_bytes(hashlib.blake2b(key(id).encode(), digest_size=8).digest(), "big")
