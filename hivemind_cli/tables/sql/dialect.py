"""The SQL people write: PostgreSQL's, with nearness operators; and how a tree is said to an engine.

`<#>` is nearness (cosine of vectors, BM25 of text, both of a record), `<=>` the cosine distance pgvector calls so.
Parameters have been made $1 .. $n before (params.py).
"""

import logging
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ErrorLevel
from sqlglot.parser import Parser
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import TokenType

from hivemind_cli.core.errors import SQLError

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that are refused here anyway

NEARNESS, DISTANCE = "hm_nearness", "hm_distance"
"""What `<#>` and `<=>` are in the tree, as function names."""
NULLS_SAID = "nulls_said"
"""Note on an ORDER BY part: where NULLs go was written down."""


def _operator(name: str) -> Any:
    def parse(self: Parser, this: exp.Expr | None) -> exp.Expr:
        right = self._parse_bitwise()
        if this is None or right is None:
            self.raise_error("An operator lacks a side")
        return self.expression(exp.Anonymous(this=name, expressions=[this, right]))

    return parse


TOKENS_MAX = 50_000
"""Of one statement: read in a second or so, while others wait for the interpreter."""
_STEPS_BACK_MAX = 20
"""A token. Reading tries one meaning, goes back and tries another, twice a token at most in what people write; nested
ARRAY[ARRAY[.. doubles it with each level (measured: 14 levels took .6 s, 30 would take a day)."""


class _Parser(PostgresParser):
    """PostgreSQL's, and the two operators."""

    _stepped_back = 0

    # PostgreSQL gives operators it does not know one rank: below + and -, above comparisons.
    RANGE_PARSERS: ClassVar = {
        **PostgresParser.RANGE_PARSERS,
        TokenType.LLRR_ARROW: _operator(NEARNESS),
        TokenType.NULLSAFE_EQ: _operator(DISTANCE),
    }
    EQUALITY: ClassVar = {
        kind: made for kind, made in PostgresParser.EQUALITY.items() if kind is not TokenType.NULLSAFE_EQ
    }
    FACTOR: ClassVar = {kind: made for kind, made in PostgresParser.FACTOR.items() if kind is not TokenType.LLRR_ARROW}

    # f(a -> 'b') takes something out of JSON: PostgreSQL has no lambdas.
    LAMBDAS: ClassVar = {kind: made for kind, made in PostgresParser.LAMBDAS.items() if kind is not TokenType.ARROW}

    def _retreat(self, index: int) -> None:
        self._stepped_back += abs(int(self._index) - int(index))
        if self._stepped_back > _STEPS_BACK_MAX * (len(self._tokens) + 50):
            raise SQLError("The statement is nested too deeply.")
        super()._retreat(index)

    def _parse_ordered(self, parse_method: Any = None) -> exp.Ordered | None:
        ordered = super()._parse_ordered(parse_method)
        if ordered is not None and self._prev and self._prev.text.upper() in ("FIRST", "LAST"):
            ordered.meta[NULLS_SAID] = True
        return ordered


class People(Postgres):
    """What a person or an agent writes."""

    class Tokenizer(Postgres.Tokenizer):
        """PostgreSQL's, and `<#>`. EXPLAIN is a word, so that what follows it is read too."""

        KEYWORDS: ClassVar = {
            **{word: kind for word, kind in Postgres.Tokenizer.KEYWORDS.items() if word != "EXPLAIN"},
            "<#>": TokenType.LLRR_ARROW,
        }

    TIME_MAPPING = {  # noqa: RUF012  # an instance variable to mypy, in the parent
        **Postgres.TIME_MAPPING,
        **{"Mon": "%b", "Month": "%B", "Dy": "%a", "Day": "%A"},
    }
    Parser = _Parser


ENGINES = ("duckdb", "postgres")
"""What `render` can say: `Tables.dialect`."""


def render(tree: exp.Expr, dialect: str) -> str:
    """`tree` as SQL of an engine (`Tables.dialect`): every name quoted, no comments. SQLError: it cannot say that."""
    try:
        return tree.sql(dialect, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE, max_unsupported=1)
    except Exception as exc:  # the generator raises whatever an odd tree makes it run into
        raise SQLError("The database has no way to say this statement.", why=str(exc)[:300]) from exc
