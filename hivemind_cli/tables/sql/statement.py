"""One statement, read: what kind it is, what it names, its parameters as $1 .. $n and their values."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from hivemind_cli.core.errors import SQLError, TablesError, WrongValue
from hivemind_cli.tables.catalog import plain
from hivemind_cli.tables.sql import params as parameters
from hivemind_cli.tables.sql import safety
from hivemind_cli.tables.sql.dialect import TOKENS_MAX, People
from hivemind_cli.tables.sql.names import cte_of, distinct_ctes

CHARS_MAX = 1_000_000
"""Of one statement; values are to be bound."""
_KEPT_CHARS_MAX = 20_000
"""Longer statements are read again each time."""


class Kind(StrEnum):
    """What a statement does."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CREATE = "CREATE"
    DROP = "DROP"
    ALTER = "ALTER"
    EXPLAIN = "EXPLAIN"
    """Of a SELECT."""

    @property
    def reads(self) -> bool:
        """It changes nothing."""
        return self in (Kind.SELECT, Kind.EXPLAIN)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person or an agent wrote, understood."""

    kind: Kind
    tree: exp.Expr
    """Shared between calls: copy it before changing it. Of EXPLAIN: the SELECT."""
    values: tuple[Any, ...]
    """Of $1 .. $n."""
    reads: frozenset[str]
    """Tables and views it names to read, as `plain` makes them."""
    writes: frozenset[str]
    workspaces: frozenset[str]
    """Those it names, as "workspace"."table"."""


def parse(sql: str, params: parameters.Params = None) -> Statement:
    """Exactly one statement, safe to run. SQLError, Forbidden, WrongValue."""
    if not isinstance(sql, str):
        raise SQLError("A statement is text.", why=f"This is a {type(sql).__name__}.")
    if len(sql) > CHARS_MAX or "\0" in sql:
        raise SQLError(
            "The statement has a NUL character." if "\0" in sql else f"The statement has over {CHARS_MAX} characters.",
            fix="Bind values as parameters, or use ingest for many rows.",
        )
    read = _kept if len(sql) <= _KEPT_CHARS_MAX else _read
    said, names = read(sql, parameters.given(params))
    return replace(said, values=parameters.values(params, names))


def _read(sql: str, given: parameters.Given) -> tuple[Statement, tuple[str, ...]]:
    """Without its values; and the names of its parameters, if they have any."""
    tree, names, explained = _parsed(sql, given)
    try:
        kind = _kind(tree, explained=explained)
        safety.check(tree)
        distinct_ctes(tree)
    except RecursionError as exc:
        raise SQLError("The statement is nested too deeply.") from exc
    target = None if kind.reads else _target(tree)
    writes = frozenset([plain(target.name)] if target is not None else [])
    reads = frozenset(plain(one.name) for one in tree.find_all(exp.Table) if one is not target and _named(one))
    workspaces = frozenset(one.args["db"].name for one in tree.find_all(exp.Table, exp.Column) if one.args.get("db"))
    return Statement(kind, tree, (), reads, writes, workspaces), names


def _parsed(sql: str, given: parameters.Given) -> tuple[exp.Expr, tuple[str, ...], bool]:
    """The one tree, the names of its parameters, and whether EXPLAIN stood before it."""
    try:
        tokens, explained = _tokens(sql)
        tokens, names = parameters.numbered(tokens, given)
        trees = [tree for tree in People().parser().parse(tokens, sql) if tree is not None]
    except TablesError:
        raise
    except RecursionError as exc:
        raise SQLError("The statement is nested too deeply.") from exc
    except Exception as exc:
        # sqlglot raises ParseError and TokenError, but also whatever odd text makes it run into
        raise SQLError("The statement cannot be read.", why=_said(exc)) from exc
    if len(trees) != 1:
        raise SQLError(f"Exactly one statement, please; this has {len(trees)}.")
    return trees[0], names, explained


_kept = lru_cache(maxsize=512)(_read)


_FIRST = {
    "SELECT", "WITH", "(", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "EXPLAIN",
}  # fmt: skip
_STRINGS = {TokenType.BYTE_STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING}


def _tokens(sql: str) -> tuple[list[Token], bool]:
    """Every way to write a text made the plain one; and whether the first word was EXPLAIN, which is taken off."""
    tokens = People().tokenize(_APART.sub(_apart, sql) if _TIGHT.search(sql) else sql)
    if len(tokens) > TOKENS_MAX:
        raise SQLError("The statement is too long.", fix="Bind values, or use ingest for many rows.")
    first = tokens[0].text.upper() if tokens else ""
    if first not in _FIRST:
        raise SQLError(
            f"A statement cannot begin with {first[:50]!r}." if first else "There is no statement.",
            why="SELECT, INSERT, UPDATE, DELETE, CREATE TABLE, DROP TABLE, ALTER TABLE and EXPLAIN can be said here.",
        )
    for at, one in enumerate(tokens):
        if one.token_type in _STRINGS:
            if "\0" in one.text:
                raise WrongValue("Text with a NUL character.", why="A database keeps none.")
            tokens[at] = Token(TokenType.STRING, one.text, one.line, one.col, one.start, one.end)
    return (tokens[1:], True) if first == "EXPLAIN" else (tokens, False)


_TIGHT = re.compile(r"\$[0-9]+[^\s$]+\$")
"""`$1,$2`: the tokenizer takes `1,` for the tag of a text in dollars."""
_APART = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
    | \$([^\W\d]\w*)?\$.*?\$\1\$ | (?P<parameter>\$[0-9]+)""",
    re.X | re.S,
)


def _apart(found: re.Match[str]) -> str:
    """A parameter with a blank after it; texts, names and comments as they are."""
    return f"{found[0]} " if found["parameter"] else found[0]


def _kind(tree: exp.Expr, *, explained: bool) -> Kind:
    """SQLError: not a kind that is run here."""
    for kind, said in _KINDS.items():
        if isinstance(tree, said):
            if not explained:
                return kind
            if kind is Kind.SELECT:
                return Kind.EXPLAIN
    raise SQLError(
        "EXPLAIN takes a SELECT." if explained else f"{tree.key.upper()} cannot be said here.",
        why="SELECT, INSERT, UPDATE, DELETE, CREATE TABLE, DROP TABLE, ALTER TABLE and EXPLAIN SELECT can.",
    )


_KINDS: dict[Kind, Any] = {
    Kind.SELECT: exp.Query,
    Kind.INSERT: exp.Insert,
    Kind.UPDATE: exp.Update,
    Kind.DELETE: exp.Delete,
    Kind.CREATE: exp.Create,
    Kind.DROP: exp.Drop,
    Kind.ALTER: exp.Alter,
}


def _target(tree: exp.Expr) -> exp.Table:
    """The table a write is about."""
    said = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if isinstance(tree, exp.Drop):
        tables = tree.args.get("tables") or []
        said = tables[0] if len(tables) == 1 else None
    if not isinstance(said, exp.Table) or not isinstance(said.this, exp.Identifier):
        raise SQLError(f"{tree.key.upper()} of one table is all that can be said here.")
    return said


def _named(table: exp.Table) -> bool:
    """It means a table or a view: no function, no query of a WITH."""
    return isinstance(table.this, exp.Identifier) and (bool(table.db) or cte_of(table) is None)


def _said(exc: Exception) -> str:
    """Without the terminal's underlining."""
    return str(exc).replace("\x1b[4m", "").replace("\x1b[0m", "")[:300]
