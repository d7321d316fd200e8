"""Looks for secrets, and for any piece of one, in everything that hivemind keeps."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import re2

from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import RECORD_TYPES
from hivemind_cli.index.tantivy import TantivyIndex
from hivemind_cli.storage import open_store
from hivemind_cli.storage.duckdb.store import TABLES_FILE

PIECE = 8
PIECE_OF_FEW_SIGNS = 14
"""Eight digits, or eight hexadecimal ones, stand by chance in times and digests; so do eight letters of plain words."""


class Hunt:
    """Knows every piece of the secrets, whatever its case."""

    def __init__(self, secrets: Iterable[str]) -> None:
        pieces = sorted({piece for secret in secrets for piece in _pieces(secret)})
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = 256 << 20
        self._pattern = re2.compile("|".join(map(re.escape, pieces)).encode(), options)
        self.pieces = len(pieces)

    def found(self, data: bytes) -> set[str]:
        """The pieces in `data`, each with what stands around it."""
        low = data.lower()
        hits: dict[bytes, str] = {}
        for match in self._pattern.finditer(low):
            start, end = match.span()
            hits.setdefault(match.group(0), low[max(0, start - 60) : end + 60].decode("utf-8", "replace"))
        return set(hits.values())

    def in_text(self, text: str) -> set[str]:
        """The pieces in `text`, also where it was escaped."""
        return self.found(text.encode("utf-8", "surrogatepass"))


def _pieces(secret: str) -> Iterator[str]:
    lines = [line for line in re.split(r"[\n\r]", secret) if not line.lstrip("+").startswith("-----")]
    for line in (one.lower().lstrip("+") for one in lines):
        size = PIECE_OF_FEW_SIGNS if " " in line else PIECE
        for at in range(max(len(line) - size, 0) + 1):
            piece = line[at : at + size]
            if re.fullmatch(r"[0-9a-fx-]*", piece):
                piece = line[at : at + PIECE_OF_FEW_SIGNS]
                if len(piece) < PIECE_OF_FEW_SIGNS:
                    continue
            if len(piece) >= PIECE:
                yield piece


def files_under(*roots: Path) -> list[Path]:
    """Every regular file."""
    return sorted(path for root in roots for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def kept(paths: Paths) -> Iterator[tuple[str, str]]:
    """(where, text) of all that is kept, read back: engines compress, so raw bytes do not tell."""
    store = open_store("duckdb", paths.database, memory_mb=64)
    try:
        for kind in RECORD_TYPES:
            for row in store.find(kind):
                yield f"store: {kind.__name__}", repr(row.record)
    finally:
        store.close()
    for file in (paths.database, paths.database.with_name(TABLES_FILE)):
        if file.exists():
            with duckdb.connect(str(file), read_only=True) as database:
                for (table,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    for values in database.execute(f'SELECT * FROM "{table}"').fetchall():
                        yield f"{file.name}: {table}", repr(values)
    index = TantivyIndex(paths.index / "skills")
    try:
        for document in index.all():
            yield "index", repr(document)
    finally:
        index.close()
    if paths.snapshot.exists():
        with sqlite3.connect(paths.snapshot) as snapshot:
            names = [name for (name,) in snapshot.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                for values in snapshot.execute(f'SELECT * FROM "{name}"'):
                    yield f"snapshot: {name}", repr(values)


def leaks(hunt: Hunt, paths: Paths, *trees: Path) -> list[str]:
    """Where a piece of a secret stands: files by name, records by kind. [] is what we want."""
    told = []
    for file in files_under(paths.root, *trees):
        told += [f"{file}: {hit!r}" for hit in sorted(hunt.found(file.read_bytes()))]
    for where, text in kept(paths):
        told += [f"{where}: {hit!r}" for hit in sorted(hunt.in_text(text))]
    return told
