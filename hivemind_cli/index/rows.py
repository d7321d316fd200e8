"""Vectors and what they are of, in files that only grow; a small manifest says how much of them counts.

    vectors.N   f16 [rows, dim]
    places.N    a record a row: where its id stands, crc of its vector, codes of its workspace, project, kind, ...
    strings.N   the ids and digests, end to end
    names.N     what the codes mean, a JSON string a line
    dead.N      numbers of rows that were replaced or dropped
    manifest.json

What is appended counts once the manifest, written aside, is renamed into place: after `kill -9` a folder is as it was
after one of its commits. A vector's crc is looked at when it is found, that of the other files when they are opened.
Readers take a `State`, which no later write changes.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import threading
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.index.base import Place, Where

logger = logging.getLogger(__name__)

FORMAT = 1
KINDS = ("vectors", "places", "strings", "names", "dead")
CODED = ("workspace_id", "project_id", "kind", "host", "session_id", "part")
NUMBERS = ("at_ms", "number")
RECORD = np.dtype(
    [("key", "<u8"), ("at", "<u8"), ("id_len", "<u4"), ("digest_len", "<u4"), ("crc", "<u4")]
    + [(name, "<u4") for name in CODED]
    + [(name, "<i8") for name in NUMBERS]
)
_COLUMNS = ("key", *CODED, *NUMBERS)
_TAIL = 4096
"""Rows since the keys were last sorted, at most."""
RowNumbers = NDArray[np.int64]


class Damaged(Exception):
    """What stands in the files is not what was written."""


class Names:
    """Strings and their codes, 0, 1, 2 ... in the order in which they were first seen. Only grows."""

    def __init__(self, spelled: Iterable[str] = ()) -> None:
        self.spelled = list(spelled)
        self._codes = {name: code for code, name in enumerate(self.spelled)}

    def code(self, name: str) -> int:
        """Of a name, new or known."""
        if name not in self._codes:
            self._codes[name] = len(self.spelled)
            self.spelled.append(name)
        return self._codes[name]

    def known(self, names: Iterable[str]) -> list[int]:
        """Codes of those that have one."""
        return [self._codes[name] for name in names if name in self._codes]


@dataclass(frozen=True)
class State:
    """The rows as of one commit."""

    folder: Path
    dim: int
    generation: int = 1
    cursor: int = 0
    count: int = 0
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Longer than `count`, perhaps: what is beyond is not there yet."""
    live: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    dead: int = 0
    names: Names = field(default_factory=Names)
    """May know more than was committed: no row has such a code."""
    names_count: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def path(self, kind: str) -> Path:
        """Of one of KINDS."""
        return self.folder / f"{kind}.{self.generation}"

    def column(self, name: str) -> NDArray[Any]:
        """One value a row."""
        return self.columns[name][: self.count]

    def vectors(self, start: int = 0, end: int | None = None) -> NDArray[np.float16]:
        """Rows from `start` to `end`, mapped: what is looked at is read, and nothing is kept."""
        end = self.count if end is None else min(end, self.count)
        if end <= start:
            return np.zeros((0, self.dim), np.float16)
        try:
            return np.memmap(
                self.path("vectors"), np.float16, "r", offset=start * self.dim * 2, shape=(end - start, self.dim)
            )
        except ValueError as exc:  # the file is shorter
            raise Damaged("vectors") from exc

    def passes(self, where: Where, among: RowNumbers | None = None) -> NDArray[np.bool_]:
        """Of each row (of each of `among`, where given): does it live, and does `where` let it pass?"""
        wanted: dict[str, Sequence[str]] = {
            "workspace_id": (where.workspace_id,),
            "project_id": where.project_ids,
            "kind": where.kinds,
            "host": where.hosts,
            "session_id": where.session_ids,
        }
        at: slice | RowNumbers = slice(0, self.count) if among is None else among
        passes = self.live[at].copy()
        for name, values in wanted.items():
            if values:
                codes, column = self.names.known(values), self.columns[name][at]
                passes &= (column == codes[0]) if len(codes) == 1 else np.isin(column, codes)
        if where.since_ms is not None:
            passes &= self.columns["at_ms"][at] >= where.since_ms
        if where.until_ms is not None:
            passes &= self.columns["at_ms"][at] < where.until_ms
        if where.before is not None:
            passes &= self.columns["number"][at] < where.before
        return passes

    def of_session(self, host: str, session_id: str) -> RowNumbers:
        """Numbers of the living rows of a session, ascending."""
        hosts, sessions = self.names.known([host]), self.names.known([session_id])
        of_it = np.isin(self.column("host"), hosts) & np.isin(self.column("session_id"), sessions)
        return np.flatnonzero(of_it & self.live)

    def strings(self, rows: RowNumbers) -> Iterator[tuple[str, str, str]]:
        """(id, digest, part) of each row. Damaged."""
        records = _read(self.path("places"), RECORD, rows)
        sizes = records["id_len"].astype(np.int64) + records["digest_len"]
        with self.path("strings").open("rb") as strings:
            for record, size in zip(records, sizes.tolist(), strict=True):
                said = os.pread(strings.fileno(), size, int(record["at"]))
                key = said[: int(record["id_len"])]
                if len(said) != size or _hashed(key) != int(record["key"]):
                    raise Damaged("strings")
                yield _text(key), _text(said[len(key) :]), self.names.spelled[int(record["part"])]

    def checked(self, rows: RowNumbers) -> NDArray[np.float32]:
        """These rows' vectors; Damaged if one is not what was written."""
        found = _read(self.path("vectors"), np.dtype((np.void, self.dim * 2)), rows)
        sums = _read(self.path("places"), RECORD, rows)["crc"].tolist()
        if any(zlib.crc32(vector) != crc for vector, crc in zip(found, sums, strict=True)):
            raise Damaged("vectors")
        return found.view("<f2").reshape(len(rows), self.dim).astype(np.float32)


class Rows:
    """The folder's files. One writer at a time, which it sees to; any number of readers, each with its State."""

    def __init__(self, folder: Path, model: str, dim: int) -> None:
        """HivemindError only where the folder cannot be written at all."""
        self.folder, self.model, self.dim = folder, model, dim
        self.lock = threading.RLock()
        self._sorted: tuple[int, int, RowNumbers] = (0, 0, np.zeros(0, np.int64))
        """Generation, how many rows, and their numbers in the order of their keys."""
        self.state = State(folder, dim)
        try:
            self.state = self._opened()
            self._sweep()
        except (OSError, ValueError, KeyError, TypeError, Damaged) as exc:
            if (folder / "manifest.json").exists():
                logger.warning("the vectors in %s are begun anew: %s", folder, exc)
            self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: the next generation, empty, cursor 0."""
        with self.lock:
            state = State(self.folder, self.dim, generation=self._next_generation())
            try:
                if not self.folder.is_dir() or self.folder.is_symlink():
                    self.folder.unlink(missing_ok=True)
                    self.folder.mkdir(mode=FOLDER_MODE, parents=True)
                self._begin_files(state)
                state = replace(state, sizes=dict.fromkeys(KINDS, 0), sums=dict.fromkeys(KINDS, 0))
                state = replace(state, columns={name: np.zeros(0, RECORD[name]) for name in _COLUMNS})
                self._put_manifest(state)
            except OSError as exc:
                raise _unwritable(self.folder, exc) from exc
            self.state = state
            self._sweep()

    def append(self, places: Sequence[Place], vectors: NDArray[np.float32], dead: RowNumbers, *, cursor: int) -> None:
        """Add rows, mark `dead` ones, move the cursor: one commit. HivemindError, and nothing happened."""
        with self.lock:
            before = self.state
            if not (self.folder / "manifest.json").is_file():  # removed under us
                self.begin_anew()
                return
            halves = np.ascontiguousarray(vectors, np.float32).astype("<f2").reshape(len(places), self.dim)
            records, strings = _recorded(places, halves, before)
            added = {
                "vectors": halves.tobytes(),
                "places": records.tobytes(),
                "strings": strings,
                "names": _lines(before.names.spelled[before.names_count :]),
                "dead": dead.astype("<u4").tobytes(),
            }
            count = before.count + len(places)
            live = np.ones(count, np.bool_)
            live[: before.count] = before.live
            live[dead] = False
            after = replace(
                before,
                cursor=cursor,
                count=count,
                live=live,
                dead=before.dead + len(dead),
                names_count=len(before.names.spelled),
                sizes={kind: before.sizes[kind] + len(data) for kind, data in added.items()},
                sums={kind: zlib.crc32(data, before.sums[kind]) for kind, data in added.items()},
            )
            try:
                for kind, data in added.items():
                    _write_at(before.path(kind), before.sizes[kind], data)
                self._put_manifest(after)
            except OSError as exc:
                raise _unwritable(self.folder, exc) from exc
            self.state = replace(after, columns=_extended(before, records))

    def of_ids(self, ids: Collection[str], state: State) -> RowNumbers:
        """Numbers of the living rows of these ids, ascending."""
        if not ids or not state.count:
            return np.zeros(0, np.int64)
        wanted = np.array(sorted({_hashed(_bytes(one)) for one in ids}), np.uint64)
        known, order = self._by_key(state)
        keys = state.column("key")
        begin = np.searchsorted(keys[:known], wanted, "left", sorter=order)
        end = np.searchsorted(keys[:known], wanted, "right", sorter=order)
        found = [order[first:last] for first, last in zip(begin, end, strict=True) if last > first]
        found.append(known + np.flatnonzero(np.isin(keys[known:], wanted)))
        rows = np.sort(np.concatenate(found))
        return rows[state.live[rows]]

    def compact(self) -> None:
        """Write the living rows anew, as the next generation. HivemindError, Damaged: and nothing happened."""
        with self.lock:
            before = self.state
            rows = np.flatnonzero(before.live)
            after = State(self.folder, self.dim, generation=self._next_generation())
            after = replace(
                after,
                sizes=dict.fromkeys(KINDS, 0),
                sums=dict.fromkeys(KINDS, 0),
                columns={name: np.zeros(0, RECORD[name]) for name in _COLUMNS},
            )
            try:
                self._begin_files(after)
                after = self._copied(before, after, rows)
                self._put_manifest(after)
            except OSError as exc:
                raise _unwritable(self.folder, exc) from exc
            self.state = after
            self._sweep()

    def _copied(self, before: State, after: State, rows: RowNumbers) -> State:
        """`before`'s rows in the files of `after`, which no manifest names yet."""
        for start in range(0, len(rows), _TAIL):
            some = rows[start : start + _TAIL]
            said = zip(some, before.strings(some), strict=True)
            places = [_place(before, row, *strings) for row, strings in said]
            halves = before.checked(some).astype("<f2")
            records, strings = _recorded(places, halves, after)
            names = _lines(after.names.spelled[after.names_count :])
            added = {"vectors": halves.tobytes(), "places": records.tobytes(), "strings": strings, "names": names}
            for kind, data in added.items():
                _write_at(after.path(kind), after.sizes[kind], data)
            sizes = {kind: after.sizes[kind] + len(added.get(kind, b"")) for kind in KINDS}
            sums = {kind: zlib.crc32(added.get(kind, b""), after.sums[kind]) for kind in KINDS}
            columns = _extended(after, records)
            known = len(after.names.spelled)
            count = after.count + len(some)
            after = replace(after, count=count, columns=columns, names_count=known, sizes=sizes, sums=sums)
        return replace(after, live=np.ones(after.count, np.bool_), cursor=before.cursor)

    # -- the folder

    def _opened(self) -> State:
        said = json.loads((self.folder / "manifest.json").read_bytes())
        if said["crc"] != _crc_of(said):
            raise Damaged("manifest.json")
        if (said["format"], said["model"], said["dim"]) != (FORMAT, self.model, self.dim):
            raise Damaged(f"they are of {said['model']}")
        state = State(
            self.folder,
            self.dim,
            generation=int(said["generation"]),
            cursor=int(said["cursor"]),
            count=int(said["count"]),
            sizes={kind: int(said["sizes"][kind]) for kind in KINDS},
            sums={kind: int(said["sums"][kind]) for kind in KINDS},
        )
        if state.path("vectors").stat().st_size < state.sizes["vectors"]:
            raise Damaged("vectors")
        read = {kind: self._read(state, kind) for kind in KINDS if kind != "vectors"}  # those are checked when found
        records = np.frombuffer(read["places"], RECORD)
        dead = np.frombuffer(read["dead"], "<u4")
        live = np.ones(state.count, np.bool_)
        live[dead] = False
        names = Names(json.loads(line) for line in read["names"].splitlines())
        if len(records) != state.count or state.sizes["vectors"] != state.count * self.dim * 2:
            raise Damaged("places")
        columns: dict[str, NDArray[Any]] = {name: records[name].copy() for name in _COLUMNS}
        known = len(names.spelled)
        dead_count = int(state.count - live.sum())
        return replace(state, columns=columns, live=live, dead=dead_count, names=names, names_count=known)

    def _read(self, state: State, kind: str) -> bytes:
        with state.path(kind).open("rb") as file:
            data = file.read(state.sizes[kind])
        if len(data) != state.sizes[kind] or zlib.crc32(data) != state.sums[kind]:
            raise Damaged(kind)
        return data

    def _begin_files(self, state: State) -> None:
        for kind in KINDS:
            os.close(os.open(state.path(kind), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE))

    def _put_manifest(self, state: State) -> None:
        said = {
            "format": FORMAT,
            "model": self.model,
            "dim": self.dim,
            "generation": state.generation,
            "cursor": state.cursor,
            "count": state.count,
            "sizes": state.sizes,
            "sums": state.sums,
        }
        aside = self.folder / "manifest.new"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump({**said, "crc": _crc_of(said)}, file)
        aside.rename(self.folder / "manifest.json")

    def _next_generation(self) -> int:
        found = [self.state.generation]
        with contextlib.suppress(OSError):
            endings = [path.name.rpartition(".")[2] for path in self.folder.iterdir()]
            found += [int(ending) for ending in endings if ending.isdecimal()]
        return max(found) + 1

    def _sweep(self) -> None:
        """What is of another generation, or was never finished, goes."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != "manifest.json" and not path.name.endswith(f".{self.state.generation}"):
                    path.unlink(missing_ok=True)

    def _by_key(self, state: State) -> tuple[int, RowNumbers]:
        """How many rows are sorted, and their numbers in the order of their keys."""
        generation, known, order = self._sorted
        if generation != state.generation or known > state.count or state.count - known > max(_TAIL, known // 8):
            known, order = state.count, np.argsort(state.column("key"), kind="stable")
            self._sorted = (state.generation, known, order)
        return known, order


def _read(path: Path, dtype: "np.dtype[Any]", rows: RowNumbers) -> NDArray[Any]:
    """These rows of a file of records, in their order; at once where they stand side by side. Damaged: too short."""
    size, count = dtype.itemsize, len(rows)
    if not count:
        return np.zeros(0, dtype)
    first = int(rows[0])
    with path.open("rb") as file:
        if bool((np.diff(rows) == 1).all()):
            data = os.pread(file.fileno(), size * count, size * first)
        else:
            data = b"".join(os.pread(file.fileno(), size, size * row) for row in rows.tolist())
    if len(data) != size * count:
        raise Damaged(path.name)
    return np.frombuffer(data, dtype)


def _place(state: State, row: int, id: str, digest: str, part: str) -> Place:
    """The place of a row again."""
    names = {name: state.names.spelled[int(state.columns[name][row])] for name in CODED if name != "part"}
    at_ms, number = (int(state.columns[name][row]) for name in NUMBERS)
    return Place(id=id, part=part, digest=digest, **names, at_ms=at_ms, number=number)


def _lines(names: Sequence[str]) -> bytes:
    return "".join(f"{json.dumps(name)}\n" for name in names).encode()


def _recorded(places: Sequence[Place], halves: NDArray[np.float16], state: State) -> tuple[NDArray[np.void], bytes]:
    """Records of `places` to come after those of `state`, and what goes to the end of the strings.

    Names that are new get a code.
    """
    records = np.zeros(len(places), RECORD)
    strings = bytearray()
    for at, (place, half) in enumerate(zip(places, halves, strict=True)):
        key, digest = _bytes(place.id), _bytes(place.digest)
        values = [state.names.code(getattr(place, name)) for name in CODED]
        numbers = [getattr(place, name) for name in NUMBERS]
        head = (_hashed(key), state.sizes["strings"] + len(strings), len(key), len(digest), zlib.crc32(half.tobytes()))
        records[at] = (*head, *values, *numbers)
        strings += key + digest
    return records, bytes(strings)


def _extended(state: State, records: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """The columns with `records` after them; in place where there is room that no state has seen."""
    count = state.count + len(records)
    columns = {}
    for name, column in state.columns.items():
        if len(column) < count:
            longer = np.zeros(count + count // 4 + 256, column.dtype)
            longer[: state.count] = column[: state.count]
            column = longer
        column[state.count : count] = records[name]
        columns[name] = column
    return columns


def _write_at(path: Path, at: int, data: bytes) -> None:
    if not data:
        return
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(fd, rest, at)
            rest, at = rest[written:], at + written
    finally:
        os.close(fd)


def _crc_of(said: dict[str, object]) -> int:
    return zlib.crc32(json.dumps({name: value for name, value in said.items() if name != "crc"}).encode())


def _hashed(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _unwritable(folder: Path, exc: OSError) -> HivemindError:
    return HivemindError(
        "The vectors could not be written.",
        why=f"{folder}: {exc}.",
        fix="Free disk space or give your user write access; what was missed is made at the next try.",
    )
