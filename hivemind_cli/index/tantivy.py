"""BM25 by tantivy, in a folder of its own. The one file that knows tantivy.

Terms are made by core/terms.py; tantivy only splits them at spaces again. The cursor is a document of its own,
so it commits with what it counts. Whatever is wrong with the folder, it is wiped and begun anew at cursor 0:
the caller fills it again from the store.
"""

import json
import logging
import shutil
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import tantivy

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.index.base import Document, Hit, Scope
from hivemind_cli.index.fields import Fields, from_json, query_terms, to_json

logger = logging.getLogger(__name__)
T = TypeVar("T")

FORMAT = 1
"""Raise it when fields or terms change: every older folder is then rebuilt."""
HEAP_BYTES = 15_000_000
"""tantivy's least. With one thread the process grows by about 35 MB, measured over 100 commits."""
_TOKENIZER = "terms"
_FOOTER_MAGIC = 1337


class TantivyIndex:
    """An Index in `folder`, which is ours alone: it is wiped when it cannot be read.

    HivemindError only where the folder cannot be written at all (full disk, no permission, another owner).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = _schema()
        self._lock = threading.RLock()
        self._writer: tantivy.IndexWriter | None = None
        self._cursor = 0
        self._index: tantivy.Index | None = None
        self._open()

    def __repr__(self) -> str:
        return f"TantivyIndex({str(self._folder)!r}, cursor={self._cursor})"

    def cursor(self) -> int:
        return self._cursor

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        """Drops first, then puts: what is in both is there.

        Should the folder turn out damaged, it is rebuilt empty, nothing is put, and `cursor()` says 0.
        """
        with self._lock:
            if not self._sound_on_disk():
                self._rebuild("its files have gone")
                return
            try:
                self._commit(put, drop, cursor)
            except BaseException as exc:
                self._release_writer()  # one that failed once refuses all further work
                if not _vendor_fault(exc):
                    raise
                self._recover(exc)

    def search(self, query: str, scope: Scope, *, limit: int) -> list[Hit]:
        """Ordered by the sum of both scores, then by id."""
        wanted = query_terms(query)
        if not wanted or limit <= 0:
            return []
        return self._read(lambda searcher: self._search(searcher, wanted, scope, limit))

    def all(self, scope: Scope | None = None) -> list[Document]:
        query = self._visible(scope) if scope else self._term("role", "document")

        def read(searcher: tantivy.Searcher) -> list[Document]:
            found = searcher.search(query, max(searcher.num_docs, 1), count=False).hits
            return [_document(searcher, address) for _, address in found]

        return self._read(read)

    def close(self) -> None:
        with self._lock:
            self._release_writer()
            self._index = None

    # -- reading

    def _search(self, searcher: tantivy.Searcher, wanted: list[str], scope: Scope, limit: int) -> list[Hit]:
        must = tantivy.Occur.Must
        either = self._any_of(("text", "trigger"), wanted)
        query = tantivy.Query.boolean_query([(must, either), (must, self._visible(scope))])
        totals = {
            _place(address): (total, address) for total, address in searcher.search(query, limit, count=False).hits
        }
        if not totals:
            return []
        documents = {place: _document(searcher, address) for place, (_, address) in totals.items()}
        ids = [_key(document.id) for document in documents.values()]
        these = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "id", ids), 0.0)
        query = tantivy.Query.boolean_query([(must, self._any_of(("trigger",), wanted)), (must, these)])
        triggers = {_place(address): score for score, address in searcher.search(query, len(ids), count=False).hits}
        hits = [
            Hit(documents[place], max(total - triggers.get(place, 0.0), 0.0), triggers.get(place, 0.0))
            for place, (total, _) in totals.items()
        ]
        return sorted(hits, key=lambda hit: (-(hit.bm25_text + hit.bm25_trigger), hit.document.id))

    def _read(self, work: Callable[[tantivy.Searcher], list[T]]) -> list[T]:
        """What `work` finds as of the last commit; [] if the files turn out damaged, which are then rebuilt."""
        index = self._index
        if index is None:
            raise HivemindError("The index is closed.")
        try:
            return work(index.searcher())
        except BaseException as exc:
            if not _vendor_fault(exc):
                raise
            with self._lock:
                self._rebuild(str(exc))
            return []

    def _any_of(self, fields: Sequence[str], wanted: Sequence[str]) -> tantivy.Query:
        should = tantivy.Occur.Should
        return tantivy.Query.boolean_query(
            [(should, self._term(field, term, "freq")) for term in wanted for field in fields]
        )

    def _visible(self, scope: Scope) -> tantivy.Query:
        projects = list({_key(""), _key(scope.project_id)})
        inside = [
            self._term("workspace_id", _key(scope.workspace_id)),
            tantivy.Query.term_set_query(self._schema, "project_id", projects),
        ]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in inside])
        return tantivy.Query.const_score_query(query, 0.0)

    def _term(self, field: str, value: str, option: str = "basic") -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, option)

    # -- writing

    def _commit(self, put: Sequence[Document], drop: Sequence[str], cursor: int) -> None:
        if self._index is None:
            raise HivemindError("The index is closed.")
        if self._writer is None:
            # Kept, not opened for each update: only a living writer merges segments, and that costs 65 ms else.
            self._writer = self._index.writer(HEAP_BYTES, 1)
        writer = self._writer
        for document_id in drop:
            writer.delete_documents_by_term("id", _key(document_id))
        for document in put:
            writer.delete_documents_by_term("id", _key(document.id))
            writer.add_document(_indexed(document))
        writer.delete_documents_by_term("role", "cursor")
        mark = tantivy.Document()
        mark.add_text("role", "cursor")
        mark.add_bytes("stored", str(cursor).encode())
        writer.add_document(mark)
        writer.commit()
        self._index.reload()
        self._cursor = cursor
        _make_private(self._folder)

    def _release_writer(self) -> None:
        """End its threads and its lock now: a traceback that still holds the object must not keep them."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.wait_merging_threads()
        except BaseException as exc:
            if not _vendor_fault(exc):
                raise
            logger.debug("releasing the writer of %s: %s", self._folder, exc)

    def _sound_on_disk(self) -> bool:
        return (self._folder / "meta.json").is_file()

    def _recover(self, exc: BaseException) -> None:
        """After a failed commit: as it was, with HivemindError; or empty if the files are damaged."""
        try:
            _verify(self._folder)
            _sweep(self._folder)
            self._attach()
        except (OSError, ValueError, RuntimeError):
            self._rebuild(str(exc))
            return
        raise HivemindError(
            "The search index could not be written.",
            why=f"{self._folder}: {exc}.",
            fix="Free disk space or give your user write access; what was missed is indexed at the next try.",
        ) from exc

    # -- the folder

    def _open(self) -> None:
        if not self._folder.exists():
            self._create()
            return
        try:
            if (self._folder / "version").read_text(encoding="utf-8") != _stamp():
                raise ValueError("it was written by another version")
            _verify(self._folder)
            _sweep(self._folder)
            self._attach()
        except BaseException as exc:
            if not isinstance(exc, OSError) and not _vendor_fault(exc):
                raise
            self._rebuild(str(exc))

    def _attach(self) -> None:
        index = tantivy.Index(self._schema, path=str(self._folder))
        index.register_tokenizer(_TOKENIZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        index.config_reader("manual")
        index.reload()
        searcher = index.searcher()
        marks = searcher.search(self._term("role", "cursor"), 1, count=False).hits
        self._cursor = int(searcher.doc(marks[0][1]).get_first("stored") or 0) if marks else 0
        self._index = index

    def _rebuild(self, reason: str) -> None:
        logger.warning("the index in %s is rebuilt: %s", self._folder, reason)
        self._release_writer()
        self._index = None
        try:
            if self._folder.is_dir() and not self._folder.is_symlink():
                shutil.rmtree(self._folder)
            else:
                self._folder.unlink(missing_ok=True)
        except OSError as exc:
            raise _unwritable(self._folder, exc) from exc
        self._create()

    def _create(self) -> None:
        try:
            self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._attach()
            (self._folder / "version").write_text(_stamp(), encoding="utf-8")
            _make_private(self._folder)
        except (OSError, ValueError) as exc:
            raise _unwritable(self._folder, exc) from exc


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in ("text", "trigger"):
        builder.add_text_field(name, tokenizer_name=_TOKENIZER, index_option="freq")
    for name in ("role", "id", "workspace_id", "project_id"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("stored", stored=True)
    return builder.build()


def _indexed(document: Document) -> tantivy.Document:
    fields = Fields.of(document)
    indexed = tantivy.Document()
    indexed.add_text("role", "document")
    indexed.add_text("id", _key(document.id))
    indexed.add_text("workspace_id", _key(document.workspace_id))
    indexed.add_text("project_id", _key(document.project_id))
    indexed.add_text("text", " ".join(fields.text))
    indexed.add_text("trigger", " ".join(fields.trigger))
    indexed.add_bytes("stored", to_json(document).encode())
    return indexed


def _document(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Document:
    return from_json(bytes(searcher.doc(address).get_first("stored") or b""))


def _place(address: tantivy.DocAddress) -> tuple[int, int]:
    return address.segment_ord, address.doc


def _key(value: str) -> str:
    """As a term: never empty, and valid UTF-8 whatever a file name or variable held."""
    return "=" + value.encode("utf-8", "backslashreplace").decode()


def _stamp() -> str:
    return f"{FORMAT} tantivy {version('tantivy')}"


def _vendor_fault(exc: BaseException) -> bool:
    """tantivy raises ValueError for nearly all, and a panic of its Rust code is no Exception at all."""
    return isinstance(exc, ValueError | RuntimeError) or type(exc).__name__ == "PanicException"


def _unwritable(folder: Path, exc: Exception) -> HivemindError:
    return HivemindError(
        "The search index cannot be opened.",
        why=f"{folder}: {exc}.",
        fix="Free disk space, give your user write access, or end the other process that has it open.",
    )


def _verify(folder: Path) -> None:
    """ValueError if a committed segment file is not what tantivy wrote: it maps them without looking.

    Every file ends in a JSON footer with the CRC-32 of what stands before, its length, and a magic number.
    Files a killed writer left are in no commit and are not looked at.
    """
    for stem, deletes in _committed(folder).items():
        for path in folder.glob(f"{stem}.*"):
            if path.suffix != ".del" or path.name == deletes:
                _verify_file(path)


def _sweep(folder: Path) -> None:
    """Remove the lists of deleted documents that are in no commit: whoever wrote one was killed before the commit.

    A new writer counts on from the last commit, comes to the same name, and refuses to write over it.
    """
    committed = set(_committed(folder).values())
    for path in folder.glob("*.del"):
        if path.name not in committed:
            path.unlink(missing_ok=True)


def _committed(folder: Path) -> dict[str, str]:
    """Stem of each committed segment's files -> the name of its list of deleted documents, "" for none."""
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
    found = {}
    for segment in meta["segments"]:
        stem = segment["segment_id"].replace("-", "")
        found[stem] = f"{stem}.{segment['deletes']['opstamp']}.del" if segment.get("deletes") else ""
    return found


def _verify_file(path: Path) -> None:
    data = path.read_bytes()
    try:
        length, magic = struct.unpack("<II", data[-8:])
        footer = json.loads(data[-8 - length : -8])
        intact = magic == _FOOTER_MAGIC and footer["crc"] == zlib.crc32(data[: -8 - length])
    except (struct.error, ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise ValueError(f"{path.name} is damaged")


def _make_private(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            if path.stat().st_mode & 0o077:
                path.chmod(FILE_MODE)
        except FileNotFoundError:  # merged away meanwhile
            pass
