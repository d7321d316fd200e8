"""The agents' own tables, behind one call: `memory.<method>` with plain JSON in and out, for every door.

Each database that is asked for (this machine's own, or PostgreSQL by its URL) is opened once; each workspace in it has
one Workspace.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from hivemind_cli.app.memory_args import of_method, taken
from hivemind_cli.core.errors import HivemindError, StoreError, WrongValue
from hivemind_cli.core.ids import new_id
from hivemind_cli.llm.base import Provider
from hivemind_cli.storage.tables import Result, Tables
from hivemind_cli.tables import handed, wire
from hivemind_cli.tables.catalog import ColumnInfo
from hivemind_cli.tables.layout import MAIN
from hivemind_cli.tables.sidecar import Sidecars
from hivemind_cli.tables.workspace import Embedding, Workspace

logger = logging.getLogger(__name__)

Args = dict[str, Any]
EMBEDDED = "hivemind:"
"""The database of this machine, as `args["url"]` says it."""
STREAMS_MAX = 64
STREAM_IDLE_S = 300.0
"""A stream nobody asked for its next rows for so long is closed."""
_WORKSPACE_CHARS_MAX = 200


class Memory:
    """All databases and workspaces of one daemon. Safe to share between threads."""

    def __init__(
        self,
        embedded: Callable[[], Tables],
        *,
        index: Path,
        handed_over: Path,
        embedding: Embedding,
        provider: Provider | None = None,
    ) -> None:
        """`embedded` opens this machine's own database; `index`: the sidecars' folder; `handed_over`: big batches."""
        self._provider = provider
        self._embedded = embedded
        self._index, self._handed_over = index, handed_over
        self._embedding = embedding
        self._lock = threading.RLock()
        self._openings: dict[str, _Opening] = {}
        self._closed = False
        self._engines: dict[str, tuple[Tables, Sidecars]] = {}
        self._workspaces: dict[tuple[str, str], Workspace] = {}
        self._streams: dict[str, _Stream] = {}
        handed.sweep(handed_over)

    def workspace(self, name: str, url: str = EMBEDDED) -> Workspace:
        """WrongValue: no name for one. ConfigError, StoreError: the database cannot be opened."""
        with self._lock:
            found = self._workspaces.get((url, name))
            opening = self._openings.setdefault(url, _Opening())
        if found is not None:
            return found
        with opening.line():  # a database that does not answer makes nobody wait who asks another one
            found = self._workspaces.get((url, name))
            if found is None:
                engine, sidecars = self._opened(url)
                found = Workspace(_checked_workspace(name), engine, sidecars, self._embedding, self._provider)
                with self._lock:
                    self._workspaces[url, name] = found
            return found

    def call(self, method: str, args: Args) -> Any:
        """What a door asked. HivemindError: refused."""
        answer = _METHODS.get(method)
        if answer is None:
            raise WrongValue(f"There is no call {method!r}.", fix="Is the daemon of the same version as you?")
        try:
            return answer(self, args)
        except KeyError as exc:
            raise WrongValue(f"The call {method!r} makes no sense.", why=f"{exc} is missing.") from exc

    def rest(self) -> None:
        """Close streams that were left."""
        now = time.monotonic()
        with self._lock:
            left = [id for id, one in self._streams.items() if now - one.asked_at > STREAM_IDLE_S and not one.busy]
        for id in left:
            self._close_stream(id)

    def close(self) -> None:
        """Release all databases but the embedded one, which is the store's. Idempotent."""
        with self._lock:
            self._closed = True
            for id in list(self._streams):
                self._close_stream(id)
            for url, (engine, sidecars) in self._engines.items():
                sidecars.close()
                if url != EMBEDDED:
                    engine.close()
            self._engines.clear()
            self._workspaces.clear()

    def of(self, args: Args) -> Workspace:
        """The workspace that a call is about."""
        return self.workspace(str(args["workspace"]), str(args.get("url") or EMBEDDED))

    def columns(self, sent: Any) -> dict[str, Any]:
        """Rows as they were sent."""
        return wire.columns_from_json(sent, self._handed_over)

    def paged(self, result: Result) -> dict[str, Any]:
        """The first page of a result; a stream gives the others."""
        pages = wire.pages(result)
        first = next(pages)
        rest = list(pages)
        id = self._keep(_Stream(iter(rest), None)) if rest else None
        return {"page": wire.result_to_json(first), "stream": id}

    def open_stream(self, args: Args) -> dict[str, Any]:
        """Rows as they come."""
        opened = self.of(args).stream(
            str(args["sql"]),
            wire.values_from_json(args.get("params")),
            branch=_branch(args),
            batch_rows=max(1, min(taken(args, "batch_rows", int, wire.PAGE_ROWS), 100_000)),
        )
        return {"stream": self._keep(_Stream(opened.__enter__(), opened))}

    def next_page(self, args: Args) -> dict[str, Any]:
        """The next page of a stream; `done`: it was the last, and the stream is closed."""
        with self._lock:
            stream = self._streams.get(str(args["stream"]))
        if stream is None:
            raise WrongValue("This stream has ended.", why="It was read to its end, closed, or left for too long.")
        page = stream.next()
        if page is None:
            self._close_stream(str(args["stream"]))
            return {"page": None, "done": True}
        return {"page": wire.result_to_json(page), "done": False}

    def close_stream(self, args: Args) -> dict[str, Any]:
        """Nobody wants the rest."""
        self._close_stream(str(args["stream"]))
        return {}

    def _keep(self, stream: "_Stream") -> str:
        with self._lock:
            if len(self._streams) >= STREAMS_MAX:
                self.rest()
            if len(self._streams) >= STREAMS_MAX:
                stream.close()
                raise WrongValue(
                    f"{STREAMS_MAX} streams are open already.", fix="Read them to their end, or close some."
                )
            id = new_id()
            self._streams[id] = stream
            return id

    def _close_stream(self, id: str) -> None:
        with self._lock:
            stream = self._streams.pop(id, None)
        if stream is not None:
            stream.close()

    def _opened(self, url: str) -> tuple[Tables, Sidecars]:
        if url not in self._engines:
            if url == EMBEDDED:
                engine = self._embedded()
            else:
                from hivemind_cli.storage import open_tables

                engine = open_tables(url)
            with self._lock:
                if self._closed:
                    if url != EMBEDDED:
                        engine.close()
                    raise StoreError("The daemon is ending.")
                self._engines[url] = (engine, Sidecars(engine, self._index))
        return self._engines[url]


class _Opening:
    """Who opens one database: one at a time; those who wait meanwhile are told what the first one was told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: HivemindError | None = None
        self._failed_at = 0.0

    @contextmanager
    def line(self) -> Iterator[None]:
        """One at a time."""
        came_at = time.monotonic()
        with self._lock:
            if self._failed is not None and self._failed_at >= came_at:
                raise self._failed
            try:
                yield
            except StoreError as exc:
                self._failed, self._failed_at = exc, time.monotonic()
                raise


class _Stream:
    """Pages that are asked for one by one, by one thread at a time."""

    def __init__(self, pages: Iterator[Result], opened: AbstractContextManager[Any] | None) -> None:
        self._pages = pages
        self._opened = opened
        self._lock = threading.Lock()
        self.asked_at = time.monotonic()

    @property
    def busy(self) -> bool:
        """Is a page being made?"""
        return self._lock.locked()

    def next(self) -> Result | None:
        """None: there are no more."""
        with self._lock:
            self.asked_at = time.monotonic()
            try:
                return next(self._pages, None)
            finally:
                self.asked_at = time.monotonic()

    def close(self) -> None:
        with self._lock:
            self._pages = iter(())
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.__exit__(None, None, None)


def _checked_workspace(name: str) -> str:
    if not name or len(name) > _WORKSPACE_CHARS_MAX or not all(one.isprintable() for one in name):
        raise WrongValue(
            f"{name[:60]!r} names no workspace.", why=f"A name has 1 to {_WORKSPACE_CHARS_MAX} printable characters."
        )
    return name


def _branch(args: Args) -> str:
    return str(args.get("branch") or MAIN)


def _statement(args: Args) -> tuple[str, Any]:
    return str(args["sql"]), wire.values_from_json(args.get("params"))


def _query(memory: Memory, args: Args) -> Any:
    return memory.paged(memory.of(args).query(*_statement(args), branch=_branch(args)))


def _execute(memory: Memory, args: Args) -> Any:
    return memory.paged(memory.of(args).execute(*_statement(args), branch=_branch(args)))


def _explain(memory: Memory, args: Args) -> Any:
    return memory.of(args).explain(*_statement(args), branch=_branch(args))


def _ingest(memory: Memory, args: Args) -> Any:
    return memory.of(args).ingest(
        str(args["table"]),
        memory.columns(args["columns"]),
        branch=_branch(args),
        types={name: wire.type_from_json(sent) for name, sent in taken(args, "types", Mapping, {}).items()},
        key=taken(args, "key", Sequence[str], ()),
        embed={str(vector): str(text) for vector, text in taken(args, "embed", Mapping, {}).items()},
    )


def _tables(memory: Memory, args: Args) -> Any:
    return wire.shape_to_json(memory.of(args).tables())


def _embed(memory: Memory, args: Args) -> Any:
    texts = taken(args, "texts", Sequence[str], ())
    vectors = memory.of(args).embedding(texts) if texts else ()
    return wire.columns_to_json({"embedding": vectors})


def _create_table(memory: Memory, args: Args) -> Any:
    columns = [wire.shape_from_json(ColumnInfo, sent) for sent in taken(args, "columns", Sequence[Any], ())]
    key = taken(args, "key", Sequence[str], ())
    return wire.shape_to_json(memory.of(args).create_table(str(args["table"]), columns, key))


def _add_column(memory: Memory, args: Args) -> Any:
    column = wire.shape_from_json(ColumnInfo, args["column"])
    return wire.shape_to_json(memory.of(args).add_column(str(args["table"]), column))


def _on(room: str, name: str, *, branched: bool) -> "Callable[[Memory, Args], Any]":
    """The method `name` of a workspace's `room`, with the call's arguments by their names."""

    def answer(memory: Memory, args: Args) -> Any:
        method = getattr(getattr(memory.of(args), room), name)
        return wire.shape_to_json(method(**of_method(method, args | {"branch": _branch(args)} if branched else args)))

    return answer


_METHODS: Mapping[str, Callable[[Memory, Args], Any]] = {
    "query": _query,
    "execute": _execute,
    "explain": _explain,
    "ingest": _ingest,
    "embed": _embed,
    "tables": _tables,
    "table.create": _create_table,
    "table.add_column": _add_column,
    "stream.open": Memory.open_stream,
    "stream.next": Memory.next_page,
    "stream.close": Memory.close_stream,
    **{f"branch.{name}": _on("branches", name, branched=False) for name in ("create", "list", "get", "delete")},
    **{name: _on("branches", name, branched=False) for name in ("diff", "conflicts", "merge", "rollback", "now")},
    **{f"run.{name}": _on("runs", name, branched=True) for name in ("step", "last", "at", "history", "resume", "list")},
    **{
        f"experiences.{name}": _on("experiences", name, branched=True)
        for name in (
            *("append", "replay", "failures", "strategies", "search", "newest", "get"),
            *("evaluate_and_store", "render", "count"),
        )
    },
    **{f"debugging.{name}": _on("debugging", name, branched=True) for name in ("append", "search", "count")},
}
