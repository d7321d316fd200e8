"""One workspace of one database: what every door calls. Safe to share between threads."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from hivemind_cli.core.errors import Forbidden, SQLError, WrongValue
from hivemind_cli.storage.tables import Kind as ValueKind
from hivemind_cli.storage.tables import Result, Tables, Type
from hivemind_cli.tables import embedded, writing
from hivemind_cli.tables.branches import Branches
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo, plain
from hivemind_cli.tables.inference import columns_of, embeddable
from hivemind_cli.tables.layout import MAIN, ROW, quoted, visible
from hivemind_cli.tables.scene import Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.llm.base import Provider
    from hivemind_cli.tables.debugging import Debugging
    from hivemind_cli.tables.experiences import Experiences
    from hivemind_cli.tables.runs import Runs
    from hivemind_cli.tables.sidecar import Sidecars
    from hivemind_cli.tables.sql import Statement

Params = Sequence[Any] | Mapping[str, Any] | None


class Embedding(Protocol):
    """Turns texts into vectors for a workspace's own columns."""

    @property
    def model(self) -> str:
        """Whose vectors these are; those of two models cannot be compared."""

    @property
    def dim(self) -> int:
        """Of a vector."""

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """[len(texts), dim], unit length. ModelError."""


class Workspace:
    """Its tables, branches, runs and experiences."""

    def __init__(
        self,
        name: str,
        engine: Tables,
        sidecars: "Sidecars",
        embedding: Embedding,
        provider: "Provider | None" = None,
    ) -> None:
        """`provider`: who is asked how a task went; None: nobody."""
        self.name = name
        self.provider = provider
        self.engine = engine
        self.catalog = Catalog(engine)
        self.sidecars = sidecars
        self.embedding = embedding
        self.branches = Branches(engine, self.catalog, name)

    def __repr__(self) -> str:
        return f"Workspace({self.name!r}, {self.engine!r})"

    @cached_property
    def runs(self) -> "Runs":
        """Durable steps of agent loops."""
        from hivemind_cli.tables.runs import Runs

        return Runs(self)

    @cached_property
    def experiences(self) -> "Experiences":
        """What was tried, and how it went."""
        from hivemind_cli.tables.experiences import Experiences

        return Experiences(self)

    @cached_property
    def debugging(self) -> "Debugging":
        """Errors, and what helped."""
        from hivemind_cli.tables.debugging import Debugging

        return Debugging(self)

    def scene(self, branch: str = MAIN) -> Scene:
        """What a statement stands in. BranchError: there is no such branch."""
        if branch == MAIN:
            return Scene(self.engine, self.name, self.catalog)
        number, lineage = self.branches.position(branch)
        return Scene(self.engine, self.name, self.catalog, branch, number, lineage)

    def query(self, sql: str, params: Params = None, *, branch: str = MAIN) -> Result:
        """All rows of one SELECT. Forbidden: it would write. SQLError, UnknownTable, WrongValue, BranchError."""
        from hivemind_cli.tables import scoring

        return scoring.answer(self._reading(sql, params), self.scene(branch), self.sidecars, self.embedding)

    def stream(
        self, sql: str, params: Params = None, *, branch: str = MAIN, batch_rows: int = 10_000
    ) -> AbstractContextManager[Iterator[Result]]:
        """The same rows, a batch at a time, in bounded memory."""
        from hivemind_cli.tables import scoring

        statement = self._reading(sql, params)
        return scoring.stream(statement, self.scene(branch), self.sidecars, self.embedding, batch_rows=batch_rows)

    def explain(self, sql: str, params: Params = None, *, branch: str = MAIN) -> str:
        """How a SELECT would be answered: by which sidecar, and what the engine itself does."""
        from hivemind_cli.tables import scoring

        return scoring.explain(self._reading(sql, params), self.scene(branch), self.sidecars, self.embedding)

    def execute(self, sql: str, params: Params = None, *, branch: str = MAIN) -> Result:
        """One statement that may write this workspace's own tables.

        A write gives one row, how many it changed; or what its RETURNING says.
        """
        from hivemind_cli.tables import sql as statements

        statement = statements.parse(sql, params)
        if statement.kind.reads:
            return self._read(statement, branch)
        scene = self.scene(branch)
        dropped = (
            scene.catalog.find(self.name, next(iter(statement.writes)))
            if statement.kind is statements.Kind.DROP
            else None
        )
        written = self.engine.write(lambda tx: _written(statement, scene, tx))
        if dropped is not None:
            self.sidecars.forget(dropped)
        if statement.kind in (statements.Kind.INSERT, statements.Kind.UPDATE):
            embedded.fill(scene.table(next(iter(statement.writes))), scene, self.embedding)
        if isinstance(written, Result):
            return written
        return Result(("count",), (Type(ValueKind.BIGINT),), [(written,)])

    def ingest(
        self,
        table: str,
        columns: writing.Columns,
        *,
        branch: str = MAIN,
        types: Mapping[str, Type] | None = None,
        key: Sequence[str] = (),
        embed: Mapping[str, str] | None = None,
    ) -> int:
        """Add rows, all or none; how many. The table is made on the first call.

        types   of columns: where values do not say enough; also adds columns to a table that is there
        key     the primary key's columns, of a new table
        embed   vector column -> text column it is made of, by the workspace's model, now and at every later ingest
        """
        return self._ingest(table, columns, branch, types or {}, key, embed or {}, own=False)

    def insert_own(
        self, table: str, columns: writing.Columns, *, branch: str = MAIN, instead: tuple[str, Sequence[str]] = ("", ())
    ) -> int:
        """Add rows to a table of hivemind's own, which `own_table` made.

        instead     (text column, values): rows of the branch with one of these are replaced, in the same transaction
        """
        return self._ingest(table, columns, branch, {}, (), {}, own=True, instead=instead)

    def own_table(self, name: str, columns: Sequence[ColumnInfo], key: Sequence[str] = ()) -> TableInfo:
        """A table of hivemind's own, made on first use: SQL reads it, and only hivemind's own calls write it."""
        found = self.own(name)
        if found is not None:
            return found

        def make(tx: Any) -> TableInfo:
            there = self.catalog.inside(tx, self.name, name)
            return there or self.catalog.create(tx, self.name, name, self._embedded(columns), key, own=True)

        return self.engine.write(make)

    def own(self, name: str) -> TableInfo | None:
        """A table of hivemind's own, its vectors by the model that is set; None: it was never used. ModelError."""
        from hivemind_cli.tables.reembedding import brought_up

        found = self.catalog.find(self.name, name)
        return None if found is None else brought_up(self, self._owned(found, own=True))

    def tables(self) -> list[TableInfo]:
        """By name."""
        return self.catalog.tables(self.name)

    def add_column(self, table: str, column: ColumnInfo) -> TableInfo:
        """NULL in all rows. SQLError: there is one of that name."""
        found = self._owned(self.catalog.get(self.name, table), own=False)
        if plain(column.name) in found.names:
            raise SQLError(f"{found.name} has a column {plain(column.name)} already.")
        added = self._embedded([*found.columns, replace(column, name=plain(column.name))])
        return self.engine.write(lambda tx: self.catalog.change(tx, found, added))

    def create_table(self, table: str, columns: Sequence[ColumnInfo], key: Sequence[str] = ()) -> TableInfo:
        """A new, empty table. SQLError: there is one of that name."""
        made = self._embedded([replace(column, name=plain(column.name)) for column in columns])
        return self.engine.write(lambda tx: self.catalog.create(tx, self.name, table, made, key))

    def _reading(self, sql: str, params: Params) -> "Statement":
        from hivemind_cli.tables import sql as statements

        statement = statements.parse(sql, params)
        if not statement.kind.reads:
            raise Forbidden(
                "This statement writes, and only reading is allowed here.",
                why=f"It is {statement.kind}.",
                fix="Use `execute`, or a token that may write.",
            )
        return statement

    def _read(self, statement: "Statement", branch: str) -> Result:
        from hivemind_cli.tables import scoring

        return scoring.answer(statement, self.scene(branch), self.sidecars, self.embedding)

    def _ingest(
        self,
        name: str,
        columns: writing.Columns,
        branch: str,
        types: Mapping[str, Type],
        key: Sequence[str],
        embed: Mapping[str, str],
        *,
        own: bool,
        instead: tuple[str, Sequence[str]] = ("", ()),
    ) -> int:
        if not columns:
            raise WrongValue(f"Nothing to ingest into {name}.", why="There are no columns.")
        scene = self.scene(branch)
        found = self.catalog.find(self.name, name)
        made = self._embedded(columns_of(columns, types, embed)) if found is None else ()
        if found is not None:
            found = self._grown(self._owned(found, own=own), types, embed)
        filled = self._filled(found.columns if found else made, columns)

        def write(tx: Any) -> int:
            table = found or self.catalog.inside(tx, self.name, name)
            if table is None:
                table = self.catalog.create(tx, self.name, name, made, [plain(one) for one in key], own=own)
            _removed(tx, scene, table, *instead)
            return writing.insert(tx, self.engine, table, scene.number, scene.lineage, filled)

        return self.engine.write(write)

    def _grown(self, table: TableInfo, types: Mapping[str, Type], embed: Mapping[str, str]) -> TableInfo:
        """With the columns that `types` and `embed` name and the table lacks."""
        named = {plain(one): type for one, type in types.items()}
        named |= {plain(one): Type(ValueKind.VECTOR) for one in embed if plain(one) not in named}
        made = {plain(one): plain(text) for one, text in embed.items()}
        new = [ColumnInfo(one, type, embeds=made.get(one, "")) for one, type in named.items() if one not in table.names]
        if not new:
            return table
        grown = self._embedded(embeddable([*table.columns, *new]))
        return self.engine.write(lambda tx: self.catalog.change(tx, table, grown))

    def _embedded(self, columns: Sequence[ColumnInfo]) -> tuple[ColumnInfo, ...]:
        """Columns that are to be made of texts know whose vectors they hold."""
        return tuple(
            replace(column, type=Type(ValueKind.VECTOR, self.embedding.dim), model=self.embedding.model)
            if column.embeds and not column.model
            else column
            for column in columns
        )

    def _filled(self, known: Sequence[ColumnInfo], columns: writing.Columns) -> dict[str, Any]:
        """With the vectors that hivemind makes; NULL where the text is."""
        filled: dict[str, Any] = dict(columns)
        given = {plain(name): values for name, values in columns.items()}
        for column in known:
            texts = given.get(plain(column.embeds))
            if not column.embeds or plain(column.name) in given or texts is None:
                continue
            if column.model != self.embedding.model:
                raise WrongValue(
                    f"{column.name} holds vectors of {column.model}, and the model is {self.embedding.model} by now.",
                    fix="Give the vectors yourself, set `embedding.model` back, or ingest into another table.",
                )
            there = [text for text in texts if isinstance(text, str)]
            vectors = iter(self.embedding(there)) if there else iter(())
            filled[column.name] = [next(vectors) if isinstance(text, str) else None for text in texts]
        return filled

    def _owned(self, table: TableInfo, *, own: bool) -> TableInfo:
        if table.own and not own:
            fix = f"Read it with SQL; write it with the calls of {table.name}, or choose another name."
            raise Forbidden(f"{table.name} is hivemind's own table.", why="Its rows mean something to it.", fix=fix)
        if own and not table.own:
            raise SQLError(
                f"This workspace has a table {table.name} of its own.",
                why="hivemind needs that name here.",
                fix="Use another workspace, or copy it to another name and drop it.",
            )
        return table


def _removed(tx: Any, scene: Scene, table: TableInfo, column: str, wanted: Sequence[str]) -> None:
    """Delete the rows of the branch whose `column` has one of these values."""
    if wanted:
        rows = visible(scene.engine.qualified(table.physical), [column], scene.lineage)
        these = ", ".join(f"${n}" for n in range(1, len(wanted) + 1))
        gone = f"SELECT {ROW} FROM ({rows}) AS hm_g WHERE {quoted(column)} IN ({these})"
        writing.supersede(tx, scene.engine, table, scene.number, scene.lineage, gone, list(wanted), None)


def _written(statement: "Statement", scene: Scene, tx: Any) -> int | Result:
    from hivemind_cli.tables.sql import Kind, ddl, writes

    run = {Kind.CREATE: ddl.create, Kind.DROP: ddl.drop, Kind.ALTER: ddl.alter}.get(statement.kind)
    if run is None:
        return writes.write(statement, scene, tx)
    run(statement, scene, tx)
    return 0
