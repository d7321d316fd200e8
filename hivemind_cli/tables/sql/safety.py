"""What a statement may be made of. Whatever is not named here is refused, so nothing new gets in by itself.

The tree's node classes and function names are lists of what may stand in a statement; types too. An engine's functions
reach files, settings, other databases, sequences, SQL in a text, locks and sleep by hundreds of names: a list of those
would never be whole. Tables are no matter of this module: rewrite.py lets only known ones through.
"""

import re
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.expressions import DType

from hivemind_cli.core.errors import Forbidden, SQLError
from hivemind_cli.tables.layout import HIDDEN_PREFIX
from hivemind_cli.tables.sql.dialect import DISTANCE, NEARNESS

SELECTS_MAX, TABLES_MAX = 200, 100
"""Of one statement: what resolves names and plans joins takes the square of them."""

OWN_ALIAS = "hm_"
"""What the SQL around a person's statement calls its relations by."""
COSINE, BM25, HYBRID = "hm_cosine", "hm_bm25", "hm_hybrid"
SCORES = {
    "cosine_similarity": COSINE,
    "bm25": BM25,
    "hybrid": HYBRID,
    **{name: name for name in (COSINE, BM25, HYBRID, NEARNESS, DISTANCE)},
}
"""Functions of nearness: what people write -> what stands in the tree."""
RECORD = "deeplake_hybrid_record"
"""Type and constructor of what hybrid search compares, as one of the seeds writes it."""

_PARTS = """
    Select From Where Group Having Order Ordered Limit Offset Fetch Join With CTE TableAlias Alias Aliases Column
    Identifier Star Table Subquery Union Intersect Except Values Tuple Paren Lateral Unnest Distinct Window WindowSpec
    Filter WithinGroup Case If Literal Null Boolean Parameter Cast DataType DataTypeParam Interval Var And Or Not Neg
    EQ NEQ GT GTE LT LTE Is Between In Like ILike RegexpLike RegexpILike Exists Any All Escape Add Sub Mul Div
    Mod Pow DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift Bracket Slice Array
    JSONExtract JSONExtractScalar JSONBExtract JSONBExtractScalar JSONPath JSONPathRoot JSONPathKey JSONPathSubscript
    JSONBContainsTopKey ArrayContainsAll ArrayContainedBy ArrayOverlaps GroupingSets Cube Rollup NullSafeEQ
    NullSafeNEQ Kwarg Anonymous Explode ExplodingGenerateSeries GenerateSeries
    Insert Update Delete Schema Returning OnConflict Create Drop Alter ColumnDef ColumnConstraint
    PrimaryKeyColumnConstraint GeneratedAsIdentityColumnConstraint PrimaryKey NotNullColumnConstraint
    DefaultColumnConstraint UniqueColumnConstraint
    IndexParameters Properties FileFormatProperty
"""
_FUNCTIONS = """
    Count Sum Avg Min Max Stddev StddevPop StddevSamp Variance VariancePop LogicalAnd LogicalOr ArrayAgg GroupConcat
    JSONArrayAgg JSONBObjectAgg JSONObjectAgg Corr CovarPop CovarSamp RegrSlope RegrIntercept RegrR2 RegrCount
    PercentileCont PercentileDisc Mode BitwiseAndAgg BitwiseOrAgg BitwiseXorAgg AnyValue Grouping
    RowNumber Rank PercentRank DenseRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    Coalesce Nullif Greatest Least
    Upper Lower Length Substring Left Right Trim Replace StrPosition SplitPart Concat ConcatWs Repeat Reverse Pad
    Initcap Ascii Chr MD5 Translate StartsWith RegexpReplace RegexpCount StringToArray Overlay
    Abs Ceil Floor Round Trunc Sqrt Cbrt Exp Ln Log Sign Rand Pi Degrees Radians Sin Cos Tan Asin Acos Atan
    Atan2 Factorial IntDiv
    CurrentTimestamp CurrentDate Localtimestamp TimestampTrunc Extract UnixToTime TimeToStr StrToDate
    TimestampFromParts MakeInterval DateBin AtTimeZone
    ArraySize ArrayPosition ArrayToString ArrayAppend ArrayPrepend ArrayConcat ArrayRemove Uuid
"""
NAMED = {
    "all": "", "age": "", "array_to_string": "", "bool_and": "", "cardinality": "", "every": "bool_and", "gcd": "",
    "json_array_length": "", "json_build_array": "json_array", "json_build_object": "json_object", "json_typeof": "",
    "jsonb_agg": "json_group_array", "jsonb_array_length": "json_array_length", "jsonb_build_array": "json_array",
    "jsonb_build_object": "json_object", "jsonb_typeof": "", "lcm": "", "make_date": "", "octet_length": "strlen",
    "regexp_split_to_array": "", "to_json": "", "to_jsonb": "to_json",
}  # fmt: skip
"""Functions sqlglot has no class for -> what DuckDB calls them, if not the same."""
_ALLOWED = frozenset((_PARTS + _FUNCTIONS).split())

TABLE_FUNCTIONS = (exp.ExplodingGenerateSeries, exp.GenerateSeries, exp.Unnest, exp.Explode)
"""What may stand in FROM besides tables."""
_KIND = DType
TYPES = {
    _KIND.TEXT, _KIND.VARCHAR, _KIND.CHAR, _KIND.SMALLINT, _KIND.INT, _KIND.BIGINT, _KIND.FLOAT, _KIND.DOUBLE,
    _KIND.DECIMAL, _KIND.BOOLEAN, _KIND.TIMESTAMP, _KIND.TIMESTAMPTZ, _KIND.DATE, _KIND.TIME, _KIND.INTERVAL,
    _KIND.JSON, _KIND.JSONB, _KIND.UUID, _KIND.ARRAY, _KIND.VECTOR, _KIND.BIGSERIAL, _KIND.SERIAL, _KIND.SMALLSERIAL,
}  # fmt: skip
"""Of casts and columns."""


WORDS = {
    "microsecond", "microseconds", "us", "millisecond", "milliseconds", "ms", "second", "seconds", "sec", "secs", "s",
    "minute", "minutes", "min", "mins", "m", "hour", "hours", "hr", "hrs", "h", "day", "days", "d", "week", "weeks",
    "w", "month", "months", "mon", "mons", "quarter", "quarters", "year", "years", "yr", "yrs", "y", "decade",
    "decades", "century", "centuries", "millennium", "millennia", "epoch", "dow", "isodow", "doy", "isoyear",
    "julian", "default", "all",
}  # fmt: skip
"""What may stand unquoted in an engine's SQL as a person wrote it: units of time, DEFAULT, LIMIT ALL."""
_SAID = re.compile(r"[A-Za-z0-9_ ]*")
"""Keywords that sqlglot keeps as text: LEFT, UNBOUNDED, DO NOTHING."""
_NUMBER = re.compile(r"[0-9_]*\.?[0-9_]*([eE][+-]?[0-9]+)?")


def check(tree: exp.Expr) -> None:
    """SQLError or Forbidden: something in it has no place in a statement here."""
    selects = tables = 0
    for node in tree.walk():
        if node is not tree and isinstance(node, _WRITES):
            raise SQLError(f"{node.key.upper()} cannot stand within another statement.")
        selects += isinstance(node, exp.Select)
        tables += isinstance(node, exp.Table)
        name = type(node).__name__
        if name not in _ALLOWED:
            raise refused(node)
        _text(node)
        special = _CHECKS.get(name)
        if special is not None:
            special(node)
    if selects > SELECTS_MAX or tables > TABLES_MAX:
        raise SQLError(f"A statement has {SELECTS_MAX} SELECTs and {TABLES_MAX} tables at most.")


_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter)


def _text(node: exp.Expr) -> None:
    """SQLError: it holds text that an engine's SQL would have as it stands, neither quoted nor escaped."""
    if isinstance(node, exp.Identifier | exp.JSONPathKey) or (isinstance(node, exp.Literal) and node.is_string):
        return
    said = [one for one in node.args.values() if isinstance(one, str)]
    allowed = _NUMBER if isinstance(node, exp.Literal) else _SAID
    if any(not allowed.fullmatch(one) for one in said):
        raise SQLError(f"{said[0][:50]!r} cannot stand here.")
    if isinstance(node, exp.Var) and node.name.lower() not in WORDS and not isinstance(node.parent, _NAMING):
        raise SQLError(f"{node.name[:50]!r} is no unit of time.", fix="Say second, minute, hour, day, month or year.")


_NAMING = (exp.OnConflict, exp.FileFormatProperty)
"""Whose words are read here, and never said to an engine."""


def refused(node: exp.Expr) -> SQLError:
    """Of a part or a function that is not on the lists."""
    said = node.sql_name().lower() if isinstance(node, exp.Func) else type(node).__name__
    return SQLError(f"{said} cannot stand in a statement here.", why="Only what reads and computes is let through.")


def hidden(name: str) -> bool:
    """One of hivemind's own columns."""
    return name.lower().startswith(HIDDEN_PREFIX)


def _identifier(node: exp.Expr) -> None:
    if hidden(node.name):
        raise Forbidden(f"{node.name} is hivemind's own.", why=f"Names that begin with {HIDDEN_PREFIX} are kept.")


def _anonymous(node: exp.Expr) -> None:
    name = node.name.lower()
    if not node.expressions:
        raise SQLError(f"{name[:100]} takes arguments, or is no function here.")
    if name not in NAMED and name not in SCORES and name != RECORD:
        near = get_close_matches(name, [*NAMED, *SCORES], 1)
        raise SQLError(
            f"There is no function {name[:100]!r} here.",
            why="Only functions that compute are let through: none for files, settings, sequences or the server.",
            fix=f"Did you mean {near[0]}?" if near and not near[0].startswith("hm_") else "",
        )


def _type(node: exp.Expr) -> None:
    own = node.args.get("kind")
    name = own.name if isinstance(own, exp.Identifier) else str(own)
    if node.this in TYPES or (node.this is DType.USERDEFINED and name.lower() == RECORD):
        return
    raise SQLError(f"There is no type {node.sql('postgres')[:100]} here.", fix="Use text, json, vector or a number.")


def _table(node: exp.Expr) -> None:
    said = node.this
    if not isinstance(said, (exp.Identifier, *TABLE_FUNCTIONS)):
        raise SQLError(
            f"{said.sql('postgres')[:100]} cannot stand in FROM.", why="Tables can, generate_series and unnest."
        )
    if node.args.get("catalog"):
        raise Forbidden("Another database cannot be named.", why=f"{node.sql('postgres')[:100]}")
    unknown = [
        name
        for name, value in node.args.items()
        if value and name not in ("this", "alias", "db", "joins", "laterals", "ordinality")
    ]
    if unknown:
        raise SQLError(f"{unknown[0]} cannot stand after a table here.")


def _select(node: exp.Expr) -> None:
    for name, value in node.args.items():
        if value and name not in _SELECT_ARGS:
            raise SQLError(f"{name.strip('_')} cannot stand in a SELECT here.")


_SELECT_ARGS = (
    "with_", "expressions", "from_", "joins", "laterals", "where", "group", "having", "windows", "order", "limit",
    "offset", "distinct", "operation_modifiers", "kind",
)  # fmt: skip


def _column(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Identifier | exp.Star):
        raise SQLError(f"{node.sql('postgres')[:100]} is no column.")


def _extract(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Var):
        raise SQLError("The field to extract is written out.", fix="Say year, month, day, hour, epoch ...")


def _alias(node: exp.Expr) -> None:
    if node.name.lower().startswith(OWN_ALIAS):
        raise Forbidden(f"{node.name} is hivemind's own.", why=f"No table is called {OWN_ALIAS}.. within a statement.")


def _lengthened(node: exp.Expr) -> None:
    if node.find_ancestor(exp.Repeat, exp.Pad, exp.Replace) is not None:
        raise SQLError("A text that was repeated or padded is not repeated, padded or replaced once more.")


def _path_key(node: exp.Expr) -> None:
    if not isinstance(node.this, str) or not node.this:
        raise SQLError("A key of JSON is a text that is not empty.")


def _ordered(node: exp.Expr) -> None:
    if isinstance(node.this, exp.Parameter):
        raise SQLError("ORDER BY takes a column or an expression.", why="A parameter is a value, the same in all rows.")


def _join(node: exp.Expr) -> None:
    if node.args.get("method"):
        raise SQLError(f"A {node.args['method']} join cannot stand here.", fix="Say ON or USING.")


_CHECKS = {
    "Identifier": _identifier,
    "Anonymous": _anonymous,
    "DataType": _type,
    "Table": _table,
    "Select": _select,
    "Join": _join,
    "Extract": _extract,
    "TableAlias": _alias,
    "Repeat": _lengthened,
    "Pad": _lengthened,
    "JSONPathKey": _path_key,
    "Column": _column,
    "Ordered": _ordered,
}
