"""BM25 over skills and memos. Terms are made by core/terms.py; tantivy only splits them at spaces again."""

import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import tantivy

from hivemind_cli.index.base import Document, Matched, Scope
from hivemind_cli.index.fields import Asked, Fields, scale, to_json
from hivemind_cli.index.tantivy.folder import Folder, key, schema_builder
from hivemind_cli.index.tantivy.postings import Postings, number_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

FORMAT = 3
"""Raise it when fields or terms change: every older folder is then rebuilt."""
_TOKENIZER = "terms"


class TantivyIndex:
    """An Index in `folder`, which is ours alone: it is wiped when it cannot be read.

    HivemindError only where the folder cannot be written at all (full disk, no permission, another owner).
    """

    def __init__(self, folder: Path) -> None:
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._schema = _schema()
        self._postings: Postings | None = None
        """Of the last commit; made when it is asked for the first time."""
        self._documents: dict[int, Document] = {}
        """By `number_of` their ids: what a commit left as it was need not be read again."""
        self._commits = 0
        self._reading = threading.Lock()
        self._folder = Folder(folder, self._schema, format=FORMAT, analyzers={_TOKENIZER: analyzer})

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

        try:
            self._folder.commit(change, cursor)
        finally:
            self._let_go({number_of(id) for id in (*drop, *(document.id for document in put))})

    def match(self, query: str, scope: Scope, *, limit: int, ids: Collection[str] = ()) -> list[Matched]:
        asked = Asked.of(query)
        return self._read(lambda postings: _matched(postings, asked, scope, limit, ids), [])

    def all(self, scope: Scope | None = None) -> list[Document]:
        return self._read(lambda postings: postings.seen(scope), [])

    def close(self) -> None:
        self._let_go(set())
        self._folder.close()

    def _read(self, work: Callable[[Postings], T], otherwise: T) -> T:
        """What `work` finds as of the last commit; `otherwise` if the files are damaged, which are then rebuilt."""
        with self._reading:  # before the searcher is taken, which a commit may overtake
            commits, documents = self._commits, self._documents

        def read(searcher: tantivy.Searcher) -> T:
            return work(self._postings or self._opened(searcher, commits, documents))

        found = self._folder.read(read, None)
        return otherwise if found is None else found

    def _opened(self, searcher: tantivy.Searcher, commits: int, documents: dict[int, Document]) -> Postings:
        """Kept, unless there was a commit since the first `commits`, after which `documents` were known."""
        postings = Postings(self._schema, searcher, documents)
        with self._reading:
            if commits == self._commits:
                self._postings = postings
                self._documents = {number_of(one.id): one for one in postings.documents}
        return postings

    def _let_go(self, changed: set[int]) -> None:
        """There was a commit: what was known of the documents before is known of those that it left as they were."""
        with self._reading:
            self._commits += 1
            self._postings = None
            self._documents = {number: one for number, one in self._documents.items() if number not in changed}


def _matched(postings: Postings, asked: Asked, scope: Scope, limit: int, ids: Collection[str]) -> list[Matched]:
    fields = [postings.terms(*one) for one in (("words", asked.words), ("named", asked.words), ("text", asked.terms))]
    sums = [postings.summed(terms) for terms in fields]
    inside = postings.inside(scope)
    rows = _best(sums[0] + sums[1] + sums[2], inside, limit)
    rows += [row for row in postings.rows(set(ids)) if inside[row] and row not in rows]
    scales = [scale(sum(one.rarity for one in terms), postings.count) for terms in fields]
    figures = [(of[rows] / by).tolist() for of, by in zip(sums, scales, strict=True)]
    figures.append(postings.shares(postings.terms("trigger", asked.terms))[rows].tolist())
    return [Matched(postings.documents[row], *of) for row, *of in zip(rows, *figures, strict=True)]


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
    indexed.add_unsigned("number", number_of(document.id))
    indexed.add_bytes("stored", to_json(document).encode())
    return indexed


def _best(scores: "NDArray[np.float64]", inside: "NDArray[np.bool_]", limit: int) -> list[int]:
    """The `limit` rows with the highest scores of those inside; none that has nothing of what was asked."""
    rows = np.flatnonzero((scores > 0) & inside)
    if len(rows) > max(limit, 0):
        rows = rows[np.argsort(-scores[rows], kind="stable")[: max(limit, 0)]]
    return [int(row) for row in rows]
