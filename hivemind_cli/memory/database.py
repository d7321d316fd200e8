"""A workspace's tables, branches, runs and experiences, as one program uses them. It asks the daemon for everything."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

from hivemind_cli.core.errors import ConfigError, HivemindError, WrongValue
from hivemind_cli.memory.link import WAIT_S, Link
from hivemind_cli.memory.places import Place, paths_of, place_of
from hivemind_cli.memory.rows import Cursor, Rows, Stream
from hivemind_cli.memory.types import type_of
from hivemind_cli.storage.tables import Result, Type
from hivemind_cli.tables import wire
from hivemind_cli.tables.layout import MAIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.memory.debugging import Debugging
    from hivemind_cli.memory.experiences import Experiences
    from hivemind_cli.memory.runs import Run
    from hivemind_cli.tables.branches import BranchInfo, Change, Conflict, Merged
    from hivemind_cli.tables.catalog import TableInfo
    from hivemind_cli.tables.runs import RunInfo

Params = Sequence[Any] | Mapping[str, Any] | None
"""Values of $1 ... or %s by position, of :name or %(name)s by name. Bound, never written into the SQL."""
Policy = Literal["fail", "ours", "theirs", "newest"]
BATCH_ROWS = 10_000
TEXTS_AT_ONCE = 1000
"""Embedded by one request."""


class Database:
    """One workspace, on one branch. Threads may share it, and any number of processes may have it open.

    Every method raises TablesError's family for what the statement, the values or the branch are not (nothing is
    changed then), and DaemonError where hivemind's daemon, which is started if absent, cannot be asked.
    """

    def __init__(self, link: Link, place: Place, branch: str = MAIN, *, view: bool = False) -> None:
        """`connect` makes one; `on` makes a `view` of it, which has its connections."""
        self._link = link
        self._view = view
        self._place = place
        self.branch_name = branch
        """The branch that everything here is read from and written to."""

    @property
    def workspace(self) -> str:
        """Its name."""
        return self._place.workspace

    # -- statements

    def query(self, sql: str, params: Params = None) -> Rows:
        """All rows of a SELECT, a dict each; it sees every write that was acknowledged before.

        sql     one statement; beside PostgreSQL's, `cosine_similarity(vectors, $1)` (-1..1), `bm25(text, $1)` (0 and
                up) and `hybrid(vectors, text, $1, $2, 0.5, 0.5)` score rows; without a direction they order best first.
                The loop's views (sessions, corrections, skills, recalls, outcomes, costs) can be joined
        params  as `Params`; a vector is a list of floats, an array, or "{0.1,0.2}"; for a column that hivemind embeds,
                a text will do
        returns rows; vectors as float32 [dim], times as aware datetimes in UTC. Forbidden: the statement writes

        Source: the hybrid query as of Deeplake's guide to agent memory.
        """
        return _whole(self._results(self._ask("query", _said(sql, params))))

    def stream(self, sql: str, params: Params = None, *, batch_rows: int = BATCH_ROWS) -> Stream:
        """The rows of a SELECT, however many, in bounded memory: `with db.stream(sql) as rows: for row in rows`.

        batch_rows   fetched at a time, 1 and up
        """
        if batch_rows < 1:
            raise WrongValue(f"A batch of {batch_rows} rows holds nothing.", fix="Say 1 or more.")
        said = _said(sql, params)
        return Stream(lambda: self._streamed({**said, "batch_rows": batch_rows}))

    def execute(self, sql: str, params: Params = None) -> Cursor:
        """Run one statement, which may write this workspace's own tables; durable when this returns.

        CREATE TABLE, ALTER TABLE ... ADD COLUMN and DROP TABLE on `main`; INSERT, UPDATE, DELETE and SELECT on any
        branch. Forbidden: it writes what hivemind itself keeps. DuplicateKey, WrongValue, SQLError, UnknownTable.
        """
        return Cursor(_whole(self._results(self._ask("execute", _said(sql, params), reads=False))))

    def explain(self, sql: str, params: Params = None) -> str:
        """How a SELECT is answered: which index scores which column, and the database's own plan."""
        return str(self._ask("explain", _said(sql, params)))

    # -- rows

    def ingest(
        self,
        table: str,
        rows: Any,
        *,
        types: Mapping[str, Type | str] | None = None,
        key: Sequence[str] = (),
        embed: Mapping[str, str] | None = None,
    ) -> int:
        """Add rows to a table, all or none, durable when this returns; how many. The first time makes the table.

        rows    a dict of columns (lists, numpy or Arrow arrays; float [rows, dim] for vectors), dicts, an Arrow table,
                or a DataFrame. A row may lack a column: it has None there, which fixes no type
        types   of new columns: types.Text() or "text", types.Embedding(384) or "vector(384)" ... ; of those not named,
                the values decide: lists of one length, with a fraction in them, are vectors; of whole numbers, JSON
        key     primary key of a new table
        embed   vector column -> text column: hivemind embeds the text with the configured model
        raises  WrongValue: no such type, another dimension, NaN, NUL, no place in a table, columns of unequal length
                (before anything is sent); DuplicateKey; UnknownTable: a column the table does not have
        """
        from hivemind_cli.memory.tabular import columns_of

        return self._ingest(table, columns_of(rows), types=types, key=key, embed=embed)

    def append(self, table: str, row: Mapping[str, Any], *, embed: Mapping[str, str] | None = None) -> None:
        """Add one row, column -> value, as `ingest` does; durable when this returns."""
        if not isinstance(row, Mapping) or not row:
            raise WrongValue(f"A row is a dict of column -> value, not {type(row).__name__}.")
        self._ingest(table, {name: (value,) for name, value in row.items()}, embed=embed)

    def tables(self) -> "list[TableInfo]":
        """The workspace's tables and their columns, by name; hivemind's own ones too (`own`)."""
        from hivemind_cli.tables.catalog import TableInfo

        return [wire.shape_from_json(TableInfo, one) for one in self._ask("tables")]

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Sentence embeddings by the configured model, else hashed words: float32 [n, dim], rows of unit length."""
        import numpy as np

        if isinstance(texts, str):
            raise WrongValue("`embed` takes a list of texts.", fix="Write [text], also for one.")
        parts = [self._embedded(texts[first : first + TEXTS_AT_ONCE]) for first in range(0, len(texts), TEXTS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    # -- branches

    def branch(self, name: str, source: str | None = None) -> "Database":
        """Make a branch: one row, whatever it sees; this database on that branch.

        name     letters, digits, `_ - . /`, 200 at most, no `..`; "run-42/approach-a"
        source   what it starts from, as it is now; None: the branch this one is on
        raises   BranchError: there is one of that name, or no such source
        """
        self._ask("branch.create", {"name": name, "source": source or self.branch_name}, reads=False)
        return self.on(name)

    def branches(self) -> "list[BranchInfo]":
        """`main` first, then as they were made; without deleted ones."""
        from hivemind_cli.tables.branches import BranchInfo

        return [wire.shape_from_json(BranchInfo, one) for one in self._ask("branch.list")]

    def delete_branch(self, name: str) -> None:
        """Forget its name; branches that left it or took it in keep what they have. BranchError: none, or `main`."""
        self._ask("branch.delete", {"name": name}, reads=False)

    def on(self, branch: str) -> "Database":
        """The same workspace as that branch sees it, by the same connections. BranchError comes with its first use."""
        return Database(self._link, self._place, branch, view=True)

    def now(self) -> int:
        """The number of this moment: a `rollback` to it brings back what is there now."""
        return int(self._ask("now", reads=False))

    def diff(self, left: str, right: str) -> "list[Change]":
        """Rows in which two branches differ."""
        from hivemind_cli.tables.branches import Change

        return [wire.shape_from_json(Change, one) for one in self._ask("diff", {"left": left, "right": right})]

    def conflicts(self, source: str, into: str = MAIN) -> "list[Conflict]":
        """Rows that both changed since they parted: what `merge` with the policy `fail` would fail for."""
        from hivemind_cli.tables.branches import Conflict

        return [wire.shape_from_json(Conflict, one) for one in self._ask("conflicts", {"source": source, "into": into})]

    def merge(self, source: str, into: str = MAIN, policy: Policy = "fail") -> "Merged":
        """Bring into one branch what another changed since they parted, in one transaction.

        policy   for rows that both changed: `fail` (MergeConflict, nothing changed), `ours` (what `into` has stays),
                 `theirs` (what `source` has), `newest` (what was written last)
        raises   BranchError: no such branch
        """
        from hivemind_cli.tables.branches import Merged

        said = self._ask("merge", {"source": source, "into": into, "policy": policy}, reads=False)
        return wire.shape_from_json(Merged, said)

    def rollback(self, branch: str, to_seq: int) -> int:
        """Make a branch see what it saw at number `to_seq`, by new versions: nothing is lost. How many rows changed.

        to_seq   `seq` of a step, a merge (`before_seq`: without it) or a branch (`fork_seq`), or what `now` gave
        raises   BranchError: no such branch, or the number is still to come
        """
        return int(self._ask("rollback", {"branch": branch, "to_seq": to_seq}, reads=False))

    # -- agents

    def run(self, run_id: str) -> "Run":
        """The durable state of an agent's loop: `run.step(...)`, `run.last()`, `run.resume()`."""
        from hivemind_cli.memory.runs import Run

        return Run(self, run_id)

    def runs(self) -> "list[RunInfo]":
        """The runs this branch sees."""
        from hivemind_cli.tables.runs import RunInfo

        return [wire.shape_from_json(RunInfo, one) for one in self._ask("run.list")]

    @property
    def experiences(self) -> "Experiences":
        """What was tried for which task, and how it went."""
        from hivemind_cli.memory.experiences import Experiences

        return Experiences(self)

    @property
    def debugging(self) -> "Debugging":
        """Errors and what resolved them."""
        from hivemind_cli.memory.debugging import Debugging

        return Debugging(self)

    # -- the end

    def close(self) -> None:
        """End its connections. What `on` or `branch` gave only views them: closing it closes nothing. Idempotent."""
        if not self._view:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        kind = "postgresql" if self._place.url else "hivemind"
        return f"{type(self).__name__}({kind}, workspace={self.workspace!r}, branch={self.branch_name!r})"

    def _ask(self, method: str, args: Mapping[str, Any] | None = None, *, reads: bool = True) -> Any:
        """What the daemon says to one request about this workspace and branch."""
        where = {"url": self._place.url, "workspace": self._place.workspace, "branch": self.branch_name}
        return self._link.ask(method, where | dict(args or {}), reads=reads)

    def _embedded(self, texts: Sequence[str]) -> Any:
        said = self._ask("embed", {"texts": [str(text) for text in texts]})
        return wire.columns_from_json(said)["embedding"]

    def _ingest(
        self,
        table: str,
        columns: Mapping[str, Sequence[Any]],
        *,
        types: Mapping[str, Type | str] | None = None,
        key: Sequence[str] = (),
        embed: Mapping[str, str] | None = None,
    ) -> int:
        if isinstance(key, str):
            raise WrongValue("`key` is a list of columns.", fix=f"Write [{key!r}].")
        args: dict[str, Any] = {"table": table}
        if types:
            args["types"] = {name: wire.type_to_json(type_of(said)) for name, said in types.items()}
        if key:
            args["key"] = list(key)
        if embed:
            args["embed"] = dict(embed)
        args["columns"] = wire.columns_to_json(columns, self._link.paths.handed)
        return int(self._ask("ingest", args, reads=False))

    def _results(self, answer: Mapping[str, Any]) -> Iterator[Result]:
        """The first page, and those that wait for us."""
        yield wire.result_from_json(answer["page"])
        if answer.get("stream"):
            yield from self._pages(answer["stream"])

    def _streamed(self, args: Mapping[str, Any]) -> Iterator[Result]:
        yield from self._pages(self._ask("stream.open", args)["stream"])

    def _pages(self, stream: Any) -> Iterator[Result]:
        done = False
        try:
            while not done:
                answer = self._ask("stream.next", {"stream": stream}, reads=False)
                done = bool(answer["done"])
                if answer.get("page") is not None:
                    yield wire.result_from_json(answer["page"])
        finally:
            if not done:
                with suppress(HivemindError):  # it ended with its daemon, or this database is closed
                    self._ask("stream.close", {"stream": stream})


def connect(
    url: str = "hivemind://", *, branch: str = MAIN, home: str | os.PathLike[str] | None = None, wait_s: float = WAIT_S
) -> Database:
    """A workspace's tables, runs and experiences. Use it in a `with` block, or `close` it.

    url      "hivemind://payments-service": this machine's own database, which needs no server;
             "hivemind://": the workspace of the current folder;
             "postgresql://user@host/database?workspace=payments-service": PostgreSQL with pgvector
    branch   everything is read from and written to; others by `on`
    home     hivemind's folder; None: HIVEMIND_HOME, else ~/.hivemind
    wait_s   for one answer, at most
    raises   ConfigError: the URL names no database. Nothing is opened before the first call
    """
    paths = paths_of(home)
    place = place_of(url, paths)
    if place.table:
        raise ConfigError(
            f"The URL names a table, {place.table!r}.",
            why="`connect` takes a workspace.",
            fix=f"Connect to hivemind://{place.workspace}, or `open` the table.",
        )
    return Database(Link(paths, wait_s=wait_s), place, branch)


class Client(Database):
    """The tables of the current folder's workspace (HIVEMIND_WORKSPACE_ID, .hivemind.toml, else `default`)."""

    def __init__(self, workspace: str = "", *, home: str | os.PathLike[str] | None = None) -> None:
        """`workspace`: of that one instead. ConfigError: no workspace can be called that."""
        paths = paths_of(home)
        super().__init__(Link(paths), place_of(f"hivemind://{workspace}", paths))


def _said(sql: str, params: Params) -> dict[str, Any]:
    if not isinstance(sql, str):
        raise WrongValue(f"A statement is text, not {type(sql).__name__}.")
    return {"sql": sql, "params": wire.values_to_json(params)}


def _whole(results: Iterator[Result]) -> Rows:
    rows: Rows | None = None
    for result in results:
        if rows is None:
            rows = Rows(result)
        else:
            rows.extend(result.dicts())
    assert rows is not None, "a result has a first page"
    return rows
