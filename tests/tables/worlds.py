"""A workspace's tables without a workspace: what the tests of branches write and read with."""

from collections.abc import Mapping, Sequence
from typing import Any

from hivemind_cli.storage.tables import Kind, Tables, Transaction, Type
from hivemind_cli.tables import writing
from hivemind_cli.tables.branches import Branches
from hivemind_cli.tables.catalog import Catalog, ColumnInfo, TableInfo
from hivemind_cli.tables.layout import MAIN, ROW, quoted, visible

TEXT, INT = Type(Kind.TEXT), Type(Kind.INT)


class World:
    """Tables of two columns, `name` and `value`, in one workspace of one database."""

    def __init__(self, engine: Tables, workspace: str = "ws") -> None:
        self.engine = engine
        self.name = workspace
        self.catalog = Catalog(engine)
        self.branches = Branches(engine, self.catalog, workspace)

    def table(
        self, name: str = "notes", *, key: Sequence[str] = ("name",), types: Mapping[str, Type] | None = None
    ) -> TableInfo:
        """Made."""
        columns = [ColumnInfo(one, type) for one, type in (types or {"name": TEXT, "value": INT}).items()]
        return self.engine.write(lambda tx: self.catalog.create(tx, self.name, name, columns, key))

    def put(self, table: TableInfo, branch: str = MAIN, **rows: int) -> None:
        """New rows: name=value."""
        self.insert(table, {"name": list(rows), "value": list(rows.values())}, branch)

    def insert(self, table: TableInfo, columns: Mapping[str, Sequence[Any]], branch: str = MAIN) -> None:
        """New rows."""
        number, lineage = self.branches.position(branch)
        self.engine.write(lambda tx: writing.insert(tx, self.engine, table, number, lineage, columns))

    def change(self, table: TableInfo, branch: str = MAIN, **rows: int | None) -> int:
        """name=value; None: the row is deleted."""
        return sum(
            self.supersede(table, f"name = '{name}'", None if value is None else {"value": str(value)}, branch)
            for name, value in rows.items()
        )

    def supersede(self, table: TableInfo, where: str, changed: Mapping[str, str] | None, branch: str = MAIN) -> int:
        """UPDATE or DELETE ... WHERE."""
        number, lineage = self.branches.position(branch)
        seen = visible(self.engine.qualified(table.physical), table.names, lineage)
        rows = f"SELECT {ROW} FROM ({seen}) AS hm_w WHERE {where}"
        return self.engine.write(
            lambda tx: writing.supersede(tx, self.engine, table, number, lineage, rows, [], changed)
        )

    def rows(self, table: TableInfo, branch: str = MAIN) -> list[tuple[Any, ...]]:
        """What the branch sees, sorted."""
        seen = visible(self.engine.qualified(table.physical), table.names, self.branches.lineage(branch))
        names = ", ".join(map(quoted, table.names))
        return sorted(self.engine.read(f"SELECT {names} FROM ({seen}) AS hm_v").rows)

    def said(self, table: TableInfo, branch: str = MAIN) -> dict[str, int]:
        """name -> value, as the branch sees them."""
        return dict(self.rows(table, branch))


class OwnWorld(World):
    """With what Runs needs of a workspace."""

    def own_table(self, name: str, columns: Sequence[ColumnInfo], key: Sequence[str]) -> TableInfo:
        def make(tx: Transaction) -> TableInfo:
            there = self.catalog.inside(tx, self.name, name)
            return there or self.catalog.create(tx, self.name, name, columns, key, own=True)

        return self.engine.write(make)
