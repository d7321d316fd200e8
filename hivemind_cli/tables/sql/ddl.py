"""CREATE TABLE, DROP TABLE, ALTER TABLE ADD COLUMN of a workspace's own tables. On main: schemas have no branches."""

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.expressions import DType

from hivemind_cli.core.errors import BranchError, Forbidden, SQLError, UnknownTable
from hivemind_cli.storage.tables import Kind, Transaction, Type
from hivemind_cli.tables.catalog import LOOP_VIEWS, ColumnInfo, TableInfo, plain
from hivemind_cli.tables.layout import MAIN_NUMBER
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql.dialect import render
from hivemind_cli.tables.sql.rewrite import own_workspace
from hivemind_cli.tables.sql.statement import Statement
from hivemind_cli.tables.writing import DIM_MAX, NOW, SERIAL

_TEXT = Type(Kind.TEXT)
_KINDS = {
    DType.TEXT: Kind.TEXT,
    DType.VARCHAR: Kind.TEXT,
    DType.CHAR: Kind.TEXT,
    DType.UUID: Kind.TEXT,
    DType.JSON: Kind.JSON,
    DType.JSONB: Kind.JSON,
    DType.SMALLINT: Kind.INT,
    DType.INT: Kind.INT,
    DType.BIGINT: Kind.BIGINT,
    DType.SERIAL: Kind.BIGINT,
    DType.SMALLSERIAL: Kind.BIGINT,
    DType.BIGSERIAL: Kind.BIGINT,
    DType.FLOAT: Kind.REAL,
    DType.DOUBLE: Kind.DOUBLE,
    DType.DECIMAL: Kind.DOUBLE,
    DType.BOOLEAN: Kind.BOOLEAN,
    DType.TIMESTAMP: Kind.TIMESTAMP,
    DType.TIMESTAMPTZ: Kind.TIMESTAMP,
    DType.DATE: Kind.TIMESTAMP,
}
_SERIALS = (DType.SERIAL, DType.SMALLSERIAL, DType.BIGSERIAL)


@dataclass(slots=True)
class _Column:
    info: ColumnInfo
    key: bool = False


def create(statement: Statement, scene: Scene, tx: Transaction) -> None:
    """A new table; nothing where IF NOT EXISTS finds one."""
    _on_main(statement, scene)
    tree = statement.tree
    if not isinstance(tree, exp.Create) or tree.kind != "TABLE" or not isinstance(tree.this, exp.Schema):
        raise SQLError("CREATE TABLE name (columns) is all that can be created.")
    _only(tree, "this", "kind", "exists", "properties")
    _using(tree.args.get("properties"))
    (name,) = statement.writes
    if tree.args.get("exists") and scene.catalog.find(scene.workspace, name) is not None:
        return
    columns, key = _columns(tree.this)
    scene.catalog.create(tx, scene.workspace, name, [one.info for one in columns], key)


def drop(statement: Statement, scene: Scene, tx: Transaction) -> None:
    """A table with its rows on every branch; nothing where IF EXISTS finds none."""
    _on_main(statement, scene)
    tree = statement.tree
    if not isinstance(tree, exp.Drop) or tree.args.get("kind") != "TABLE":
        raise SQLError("DROP TABLE is all that can be dropped.")
    _only(tree, "tables", "kind", "exists", "cascade", "restrict")
    (name,) = statement.writes
    if tree.args.get("exists") and name not in LOOP_VIEWS and scene.catalog.find(scene.workspace, name) is None:
        return
    scene.catalog.drop(tx, own_table(name, scene))


def alter(statement: Statement, scene: Scene, tx: Transaction) -> None:
    """Columns added, NULL in every row."""
    _on_main(statement, scene)
    tree = statement.tree
    actions = tree.args.get("actions") or []
    if not actions or not all(isinstance(one, exp.ColumnDef) for one in actions) or tree.args.get("kind") != "TABLE":
        raise SQLError("ALTER TABLE name ADD COLUMN is all that can be altered.")
    _only(tree, "this", "kind", "exists", "actions")
    (name,) = statement.writes
    if tree.args.get("exists") and name not in LOOP_VIEWS and scene.catalog.find(scene.workspace, name) is None:
        return
    table = own_table(name, scene)
    columns = list(table.columns)
    for action in actions:
        made = _column(action)
        if made.key or made.info.not_null or made.info.default:
            raise SQLError(
                "A column is added without a constraint or a default.",
                why="It is NULL in the rows there are.",
                fix="Add it, then UPDATE the rows.",
            )
        if plain(made.info.name) not in [one.name for one in columns]:
            columns.append(made.info)
        elif not action.args.get("exists"):
            raise SQLError(f"{name} has a column {made.info.name} already.", fix="Say ADD COLUMN IF NOT EXISTS.")
    scene.catalog.change(tx, table, columns)


def own_table(name: str, scene: Scene) -> TableInfo:
    """A table the person may write. Forbidden: it is hivemind's. UnknownTable."""
    if name in LOOP_VIEWS:
        raise Forbidden(f"{name} is a view of hivemind's own.", why="Its rows are what sessions were.")
    table = scene.table(name)
    if table.own:
        raise Forbidden(
            f"{name} is hivemind's own table.",
            why="Its rows mean something to it.",
            fix=f"Read it with SQL; write it with the calls of {name}.",
        )
    return table


def type_of(kind: exp.DataType) -> Type:
    """What a declared type is kept as. SQLError."""
    if kind.this is DType.VECTOR:
        dim = int(kind.expressions[0].name) if kind.expressions and kind.expressions[0].name.isdigit() else 0
        if dim > DIM_MAX or (kind.expressions and not dim):
            raise SQLError(f"A vector has 1 to {DIM_MAX:,} numbers.")
        return Type(Kind.VECTOR, dim)
    if kind.this is DType.ARRAY:
        inner = kind.expressions[0].this if kind.expressions else None
        if inner in (DType.FLOAT, DType.DOUBLE, DType.DECIMAL):
            return Type(Kind.VECTOR)
    if kind.this in _KINDS:
        return Type(_KINDS[kind.this])
    raise SQLError(
        f"No column can be {kind.sql('postgres')}.",
        why="Columns are text, jsonb, vector(n), float4[] (a vector), int, bigint, real, double precision, boolean or"
        " timestamp.",
        fix="Lists of other things are jsonb.",
    )


def _on_main(statement: Statement, scene: Scene) -> None:
    own_workspace(statement, scene)
    if scene.number != MAIN_NUMBER:
        raise BranchError(
            f"{statement.kind} cannot run on branch {scene.branch!r}.",
            why="Tables and columns are the same on all branches.",
            fix="Run it on main.",
        )


def _only(tree: exp.Expr, *allowed: str) -> None:
    for name, value in tree.args.items():
        if value and name not in allowed:
            raise SQLError(f"{name.strip('_')} cannot stand in {tree.key.upper()} here.")


def _using(properties: exp.Expr | None) -> None:
    """USING deeplake, or whatever engine it names, says nothing here."""
    for one in properties.expressions if properties is not None else ():
        if not isinstance(one, exp.FileFormatProperty):
            raise SQLError(f"{type(one).__name__} cannot stand in CREATE here.")


def _columns(schema: exp.Schema) -> tuple[list[_Column], list[str]]:
    columns: list[_Column] = []
    key: list[str] = []
    for one in schema.expressions:
        if isinstance(one, exp.ColumnDef):
            columns.append(_column(one))
        elif isinstance(one, exp.PrimaryKey) and not key:
            key = [plain(name.name) for name in one.expressions]
        else:
            raise SQLError(f"{one.sql('postgres')[:100]} cannot stand in CREATE TABLE here.")
    said = [one.info.name for one in columns if one.key]
    if (said and key) or len(said) > 1:
        raise SQLError("A table has one primary key.", fix="Say PRIMARY KEY (a, b) for several columns.")
    key = key or said
    for name in key:
        found = next((one.info for one in columns if one.info.name == name), None)
        if found is None:
            raise UnknownTable(f"The primary key names {name[:100]!r}, which is no column.")
        if found.type.kind in (Kind.VECTOR, Kind.JSON):
            raise SQLError(f"{name} cannot be a primary key.", why=f"It is {found.type}.")
    return columns, key


def _column(said: exp.ColumnDef) -> _Column:
    kind = said.args.get("kind")
    if not isinstance(kind, exp.DataType):
        raise SQLError(f"The column {said.name[:100]!r} needs a type.")
    column = _Column(ColumnInfo(plain(said.name), type_of(kind), default=SERIAL if kind.this in _SERIALS else ""))
    info = column.info
    not_null, default = False, info.default
    for one in said.args.get("constraints") or ():
        match one.kind:
            case exp.PrimaryKeyColumnConstraint():
                column.key = True
            case exp.NotNullColumnConstraint():
                not_null = not one.kind.args.get("allow_null")
            case exp.DefaultColumnConstraint():
                default = _default(one.kind.this)
            case exp.GeneratedAsIdentityColumnConstraint() if info.type.kind in (Kind.INT, Kind.BIGINT):
                default = SERIAL
            case _:
                raise SQLError(f"{one.sql('postgres')[:100]} cannot stand after a column here.")
    column.info = ColumnInfo(info.name, info.type, not_null=not_null, default=default)
    return column


def _default(said: exp.Expr) -> str:
    """A literal, or now()."""
    while isinstance(said, exp.Cast | exp.Paren):
        said = said.this
    if isinstance(said, exp.CurrentTimestamp | exp.CurrentDate | exp.Localtimestamp):
        return NOW
    if isinstance(said, exp.Null):
        return ""
    number = said.this if isinstance(said, exp.Neg) else said
    if isinstance(number, exp.Literal | exp.Boolean):
        return render(said, "postgres")
    raise SQLError("A default is written out, or now().")
