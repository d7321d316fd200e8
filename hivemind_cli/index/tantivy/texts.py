"""BM25 over everything that can be searched. Words are made by index/tokens.py; tantivy splits them at spaces again.

head   the title, or else the first line: what says most
body   all of it, with the places of its words, so that what a query wrote as one word is found side by side
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tantivy

from hivemind_cli.index.base import Found, Text, Where
from hivemind_cli.index.tantivy.folder import Folder, key, schema_builder
from hivemind_cli.index.tokens import spaced
from hivemind_cli.index.wanted import (
    BODY_OF_COMPOUND,
    HEAD_OF_BODY,
    Asked,
    Wanted,
    head_of,
    path_ends,
    said,
    whole_path,
)

FORMAT = 2
"""Raise it when fields or words change: every older folder is then rebuilt."""
_TOKENIZER = "words"
_WORD_BYTES_MAX = 128
"""As long as a SHA-512; a longer word is nothing that anybody looks for."""
_BETWEEN_PAUSES = 16
"""Texts: some 5 ms of work."""
CLOSER = 100
"""Texts, the best by their words, that are looked at for what the query wrote as one word."""
_SAME = ("workspace_id", "project_id", "kind", "host", "session_id")
"""Fields of a Text that are one raw term each."""
_NUMBERS = ("at_ms", "number")
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


class TantivyCorpus:
    """A Corpus in `folder`, which is ours alone: it is wiped when it cannot be read.

    HivemindError only where the folder cannot be written at all (full disk, no permission, another owner).
    """

    def __init__(self, folder: Path) -> None:
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
        analyzer = analyzer.filter(tantivy.Filter.remove_long(_WORD_BYTES_MAX + 1))
        self._schema = _schema()
        self._folder = Folder(folder, self._schema, format=FORMAT, analyzers={_TOKENIZER: analyzer.build()})

    def __repr__(self) -> str:
        return f"TantivyCorpus({str(self._folder.path)!r}, cursor={self.cursor()})"

    def cursor(self) -> int:
        return self._folder.cursor

    def update(
        self,
        put: Sequence[Text],
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        """Drops first, then puts: what is in both is there.

        Should the folder turn out damaged, it is rebuilt empty, nothing is put, and `cursor()` says 0.
        """

        def change(writer: tantivy.IndexWriter) -> None:
            for host, session_id in gone:
                writer.delete_documents_by_term("whose", _whose(host, session_id))
            for text_id in drop:
                writer.delete_documents_by_term("id", key(text_id))
            last = {text.id: text for text in put}
            for number, text in enumerate(last.values()):
                if number % _BETWEEN_PAUSES == 0:
                    pause()
                writer.delete_documents_by_term("id", key(text.id))
                writer.add_document(_indexed(text))

        self._folder.commit(change, cursor)

    def clear(self) -> None:
        def change(writer: tantivy.IndexWriter) -> None:
            writer.delete_documents_by_term("role", "text")

        self._folder.commit(change, 0)

    def search(self, query: str, where: Where, *, limit: int, ids: Collection[str] | None = None) -> list[Found]:
        """Ordered by score, then by id."""
        wanted = said(query)
        if not wanted or limit <= 0 or (ids is not None and not ids):
            return []

        def read(searcher: tantivy.Searcher) -> list[Found]:
            asked = wanted.asked(
                searcher.num_docs,
                lambda word: searcher.doc_freq("body", word),
                lambda word: searcher.doc_freq("head", word),
            )
            query = self._inside(self._bm25(wanted, asked), where, ids)
            hits = searcher.search(query, max(limit, CLOSER), count=False).hits
            texts = {_place(address): _text(searcher, address) for _, address in hits}
            more = self._side_by_side(searcher, wanted, asked, [text.id for text in texts.values()])
            scores = {_place(address): score + more.get(_place(address), 0.0) for score, address in hits}
            found = [Found(texts[place], score, asked.share(score)) for place, score in scores.items()]
            return sorted(found, key=lambda one: (-one.bm25, one.text.id))[:limit]

        return self._folder.read(read, [])

    def get(self, ids: Collection[str], where: Where) -> dict[str, Text]:
        if not ids:
            return {}

        def read(searcher: tantivy.Searcher) -> dict[str, Text]:
            hits = searcher.search(self._inside(None, where, ids), len(ids), count=False).hits
            return {text.id: text for text in (_text(searcher, address) for _, address in hits)}

        return self._folder.read(read, {})

    def latest(self, where: Where, *, limit: int) -> list[Text]:
        if limit <= 0:
            return []

        def read(searcher: tantivy.Searcher) -> list[Text]:
            query = self._inside(None, where, None)
            hits = searcher.search(query, limit, count=False, order_by_field="at_ms").hits
            return sorted((_text(searcher, address) for _, address in hits), key=lambda one: (-one.at_ms, one.id))

        return self._folder.read(read, [])

    def count(self) -> int:
        # The cursor is a document, too.
        return self._folder.read(lambda searcher: max(searcher.num_docs - 1, 0), 0)

    def close(self) -> None:
        self._folder.close()

    # -- queries

    def _bm25(self, wanted: Wanted, asked: Asked) -> tantivy.Query:
        """Of the words in head and body, and of what was written as one word."""
        should = []
        for term, weight in asked.terms.items():
            should.append(_weighed(self._folder.term("body", term, "position"), weight))
            should.append(_weighed(self._folder.term("head", term, "freq"), weight * HEAD_OF_BODY))
        should += self._phrases(parts for parts in wanted.compounds if not _covered(parts, asked))
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in should])

    def _side_by_side(
        self, searcher: tantivy.Searcher, wanted: Wanted, asked: Asked, ids: Sequence[str]
    ) -> dict[tuple[int, int], float]:
        """What those of `ids` gain by what was written as one word; looked up in these alone, since it costs most."""
        phrases = self._phrases(parts for parts in wanted.compounds if _covered(parts, asked))
        if not phrases or not ids:
            return {}
        among = tantivy.Query.const_score_query(self._any("id", ids), 0.0)
        query = [(tantivy.Occur.Must, among), *((tantivy.Occur.Should, one) for one in phrases)]
        hits = searcher.search(tantivy.Query.boolean_query(query), len(ids), count=False).hits
        return {_place(address): score for score, address in hits}

    def _phrases(self, compounds: Iterable[tuple[str, ...]]) -> list[tantivy.Query]:
        phrases = (tantivy.Query.phrase_query(self._schema, "body", list(parts)) for parts in compounds)
        return [_weighed(one, BODY_OF_COMPOUND) for one in phrases]

    def _inside(self, query: tantivy.Query | None, where: Where, ids: Collection[str] | None) -> tantivy.Query:
        """`query`, of what is inside `where`, and of `ids`; without `query` all of it."""
        must = [tantivy.Query.const_score_query(one, 0.0) for one in self._filters(where, ids)]
        if query is not None:
            must.append(query)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in must])

    def _filters(self, where: Where, ids: Collection[str] | None) -> Iterator[tantivy.Query]:
        yield self._folder.term("workspace_id", key(where.workspace_id))
        if ids is None:
            yield self._folder.term("role", "text")
        else:
            yield self._any("id", ids)
        for field, values in (
            ("project_id", where.project_ids),
            ("kind", where.kinds),
            ("host", where.hosts),
            ("session_id", where.session_ids),
        ):
            if values:
                yield self._any(field, values)
        if where.path:
            yield self._folder.term("path", key(whole_path(where.path)))
        if where.since_ms is not None or where.until_ms is not None:
            yield self._between("at_ms", where.since_ms, where.until_ms)
        if where.before is not None:
            yield self._between("number", None, where.before)

    def _any(self, field: str, values: Collection[str]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, field, [key(value) for value in values])

    def _between(self, field: str, low: int | None, high: int | None) -> tantivy.Query:
        """`low` is included, `high` is not. An end without a bound must be called included."""
        return tantivy.Query.range_query(
            self._schema, field, tantivy.FieldType.Integer, low, high, include_lower=True, include_upper=high is None
        )


def _covered(parts: tuple[str, ...], asked: Asked) -> bool:
    """Do texts with these parts come up by their words anyway?"""
    return any(part in asked.terms for part in parts)


def _weighed(query: tantivy.Query, weight: float) -> tantivy.Query:
    return query if weight == 1.0 else tantivy.Query.boost_query(query, weight)


def _schema() -> tantivy.Schema:
    builder = schema_builder()
    builder.add_text_field("head", tokenizer_name=_TOKENIZER, index_option="freq")
    builder.add_text_field("body", tokenizer_name=_TOKENIZER, index_option="position")
    for name in (*_SAME, "whose", "path"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in _NUMBERS:
        builder.add_integer_field(name, fast=True)
    return builder.build()


def _indexed(text: Text) -> tantivy.Document:
    indexed = tantivy.Document()
    indexed.add_text("role", "text")
    indexed.add_text("id", key(text.id))
    for name in _SAME:
        indexed.add_text(name, key(getattr(text, name)))
    indexed.add_text("whose", _whose(text.host, text.session_id))
    for end in {end for path in text.paths for end in path_ends(path)}:
        indexed.add_text("path", key(end))
    for name in _NUMBERS:
        indexed.add_integer(name, min(max(getattr(text, name), _INT_MIN), _INT_MAX))
    head, _, body = spaced("\n".join((head_of(text), text.title, text.text, *text.paths))).partition("\n")
    indexed.add_text("head", head)
    indexed.add_text("body", body)
    indexed.add_bytes("stored", _to_bytes(text))
    return indexed


def _place(address: tantivy.DocAddress) -> tuple[int, int]:
    return address.segment_ord, address.doc


def _whose(host: str, session_id: str) -> str:
    return key(f"{host}:{session_id}")


def _text(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Text:
    return _from_bytes(bytes(searcher.doc(address).get_first("stored") or b""))


def _to_bytes(text: Text) -> bytes:
    return json.dumps(asdict(text), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _from_bytes(data: bytes) -> Text:
    fields: dict[str, Any] = json.loads(data.decode("utf-8", "surrogatepass"))
    fields["paths"] = tuple(fields["paths"])
    return Text(**fields)
