"""A tantivy index in a folder of its own: opened, verified, swept, written in whole commits, rebuilt.

The cursor is a document of its own, so it commits with what it counts. Whatever is wrong with the folder, it is
wiped and begun anew at cursor 0: the caller fills it again from the store.
"""

import json
import logging
import shutil
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeVar

import tantivy

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE

logger = logging.getLogger(__name__)
T = TypeVar("T")

HEAP_BYTES = 15_000_000
"""tantivy's least. With one thread the process grows by about 35 MB, measured over 100 commits."""
_FOOTER_MAGIC = 1337
_CHUNK_BYTES = 1 << 20


class Folder:
    """A tantivy index in `path`, which is ours alone: it is wiped when it cannot be read.

    HivemindError only where the folder cannot be written at all (full disk, no permission, another owner).
    """

    def __init__(
        self,
        path: Path,
        schema: tantivy.Schema,
        *,
        format: int,
        analyzers: Mapping[str, tantivy.TextAnalyzer],
        heap_bytes: int = HEAP_BYTES,
    ) -> None:
        """`schema` begins with `schema_builder`; a folder written under another `format` is begun anew."""
        self.path, self.schema = path, schema
        self.cursor = 0
        """What the last commit said; 0 for a new or rebuilt folder."""
        self._stamp = f"{format} tantivy {version('tantivy')}"
        self._analyzers = analyzers
        self._heap_bytes = heap_bytes
        self._lock = threading.RLock()
        self._writer: tantivy.IndexWriter | None = None
        self._index: tantivy.Index | None = None
        self._open()

    # -- use

    def read(self, work: Callable[[tantivy.Searcher], T], otherwise: T) -> T:
        """What `work` finds as of the last commit; `otherwise` if the files are damaged, which are then rebuilt."""
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
            return otherwise

    def commit(self, change: Callable[[tantivy.IndexWriter], None], cursor: int) -> None:
        """What `change` writes, and `cursor`, in one commit.

        Should the folder turn out damaged, it is rebuilt empty, nothing is written, and `cursor` says 0.
        """
        with self._lock:
            if self._index is not None and not (self.path / "meta.json").is_file():
                self._rebuild("its files have gone")
                return
            try:
                self._commit(change, cursor)
            except BaseException as exc:
                self._release_writer()  # one that failed once refuses all further work
                if not _vendor_fault(exc):
                    raise
                self._recover(exc)

    def close(self) -> None:
        """Release files and threads. Idempotent."""
        with self._lock:
            self._release_writer()
            self._index = None

    def term(self, field: str, value: str, option: str = "basic") -> tantivy.Query:
        """A query for one term; `option` is how the field was indexed."""
        return tantivy.Query.term_query(self.schema, field, value, option)

    # -- writing

    def _commit(self, change: Callable[[tantivy.IndexWriter], None], cursor: int) -> None:
        if self._index is None:
            raise HivemindError("The index is closed.")
        if self._writer is None:
            # Kept, not opened for each update: only a living writer merges segments, and that costs 65 ms else.
            self._writer = self._index.writer(self._heap_bytes, 1)
        writer = self._writer
        change(writer)
        writer.delete_documents_by_term("role", "cursor")
        mark = tantivy.Document()
        mark.add_text("role", "cursor")
        mark.add_bytes("stored", str(cursor).encode())
        writer.add_document(mark)
        writer.commit()
        self._index.reload()
        self.cursor = cursor
        _make_private(self.path)

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
            logger.debug("releasing the writer of %s: %s", self.path, exc)

    def _recover(self, exc: BaseException) -> None:
        """After a failed commit: as it was, with HivemindError; or empty if the files are damaged."""
        try:
            _verify(self.path)
            _sweep(self.path)
            self._attach()
        except (OSError, ValueError, RuntimeError):
            self._rebuild(str(exc))
            return
        raise HivemindError(
            "The search index could not be written.",
            why=f"{self.path}: {exc}.",
            fix="Free disk space or give your user write access; what was missed is indexed at the next try.",
        ) from exc

    # -- opening

    def _open(self) -> None:
        if not self.path.exists():
            self._create()
            return
        try:
            if (self.path / "version").read_text(encoding="utf-8") != self._stamp:
                raise ValueError("it was written by another version")
            _verify(self.path)
            _sweep(self.path)
            self._attach()
        except BaseException as exc:
            if not isinstance(exc, OSError) and not _vendor_fault(exc):
                raise
            self._rebuild(str(exc))

    def _attach(self) -> None:
        index = tantivy.Index(self.schema, path=str(self.path))
        for name, analyzer in self._analyzers.items():
            index.register_tokenizer(name, analyzer)
        index.config_reader("manual")
        index.reload()
        searcher = index.searcher()
        marks = searcher.search(self.term("role", "cursor"), 1, count=False).hits
        self.cursor = int(searcher.doc(marks[0][1]).get_first("stored") or 0) if marks else 0
        self._index = index

    def _rebuild(self, reason: str) -> None:
        logger.warning("the index in %s is rebuilt: %s", self.path, reason)
        self._release_writer()
        self._index = None
        try:
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc
        self._create()

    def _create(self) -> None:
        try:
            self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._attach()
            (self.path / "version").write_text(self._stamp, encoding="utf-8")
            _make_private(self.path)
        except (OSError, ValueError) as exc:
            raise _unwritable(self.path, exc) from exc


def schema_builder() -> tantivy.SchemaBuilder:
    """A schema begun with what every folder has: `role` and `id` (raw terms), and `stored` (bytes)."""
    builder = tantivy.SchemaBuilder()
    for name in ("role", "id"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("stored", stored=True)
    return builder


def key(value: str) -> str:
    """As a term: never empty, and valid UTF-8 whatever a file name or variable held."""
    return "=" + value.encode("utf-8", "backslashreplace").decode()


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
    """In pieces: a corpus' files are larger than what a daemon may hold."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        try:
            file.seek(max(size - 8, 0))
            length, magic = struct.unpack("<II", file.read(8))
            file.seek(size - 8 - length)
            footer = json.loads(file.read(length))
            intact = magic == _FOOTER_MAGIC and footer["crc"] == _crc(file, size - 8 - length)
        except (struct.error, ValueError, KeyError, TypeError, OSError):
            intact = False
    if not intact:
        raise ValueError(f"{path.name} is damaged")


def _crc(file: IO[bytes], length: int) -> int:
    file.seek(0)
    crc = 0
    while length > 0:
        piece = file.read(min(length, _CHUNK_BYTES))
        if not piece:
            break
        crc = zlib.crc32(piece, crc)
        length -= len(piece)
    return crc


def _make_private(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            if path.stat().st_mode & 0o077:
                path.chmod(FILE_MODE)
        except FileNotFoundError:  # merged away meanwhile
            pass
