"""Parameters: three ways to write them, one way to bind them. Values as the engines take them.

`$1`, `:name`, `%s` and `%(name)s` become $1 .. $n; what stands in a string, a comment or a quoted name is left alone.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlglot.tokenizer_core import Token, TokenType

from hivemind_cli.core.errors import SQLError, WrongValue

Params = Sequence[Any] | Mapping[str, Any] | None

VALUES_MAX = 32_767
"""Of one statement; PostgreSQL's own limit is twice that."""
_INT64 = 2**63
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it, and not the backslash of a text about it."""


Given = int | frozenset[str]
"""What a statement is given: how many values, or their names."""


def given(params: Params) -> Given:
    """How many, or which names. WrongValue: not what parameters come as."""
    if isinstance(params, str | bytes) or not (params is None or isinstance(params, Mapping | Sequence)):
        raise WrongValue("Parameters come as a list, or by name.", why=f"This is a {type(params).__name__}.")
    if len(params or ()) > VALUES_MAX:
        raise WrongValue(f"More than {VALUES_MAX} parameters.", fix="Use ingest for many rows.")
    return frozenset(map(str, params)) if isinstance(params, Mapping) else len(params or ())


def numbered(tokens: Sequence[Token], given: Given) -> tuple[list[Token], tuple[str, ...]]:
    """The tokens with $1 .. $n alone; and the name of each, where values come by name. SQLError, WrongValue."""
    if isinstance(given, int):
        return _by_place(tokens, given), ()
    said, names = _by_name(tokens, given)
    return said, tuple(names)


def values(params: Params, names: Sequence[str]) -> tuple[Any, ...]:
    """The value of $1 .. $n, `checked`."""
    if isinstance(params, Mapping):
        named = {str(name): value for name, value in params.items()}
        return tuple(checked(named[name]) for name in names)
    return tuple(checked(value) for value in params or ())


def _by_name(tokens: Sequence[Token], named: frozenset[str]) -> tuple[list[Token], list[str]]:
    """Every `:name` and `%(name)s` as the number of its name."""
    names: list[str] = []
    said: list[Token] = []
    at = 0
    while at < len(tokens):
        name, length = _name_at(tokens, at)
        if length == 0 or (name not in named and _ends_operand(tokens, at)):
            _no_parameter(tokens[at])
            said.append(tokens[at])
            at += 1
            continue
        if name not in named:
            raise WrongValue(f"There is no value for {name}.", why=f"Given: {', '.join(sorted(named)) or 'none'}.")
        if name not in names:
            names.append(name)
        said += _said(tokens[at], names.index(name) + 1)
        at += length
    return said, names


def _by_place(tokens: Sequence[Token], expected: int) -> list[Token]:
    """`$n` as it is, each `%s` as the next number."""
    said: list[Token] = []
    counted = highest = at = 0
    while at < len(tokens):
        number = _number_at(tokens, at)
        if number:
            highest = max(highest, number)
            said += _said(tokens[at], number)
            at += 2
        elif _plain_at(tokens, at):
            counted += 1
            said += _said(tokens[at], counted)
            at += 2
        else:
            if _name_at(tokens, at)[1] and not _ends_operand(tokens, at):
                raise SQLError(
                    f"The statement names a parameter {_name_at(tokens, at)[0]!r}.", fix="Give the values by name."
                )
            _no_parameter(tokens[at])
            said.append(tokens[at])
            at += 1
    if counted and highest:
        raise SQLError("A statement says its parameters $1 or %s, not both.")
    if (counted or highest) != expected:
        raise WrongValue(f"The statement has {counted or highest} parameters, but {expected} values were given.")
    return said


def _no_parameter(token: Token) -> None:
    """SQLError: it is the sign of a parameter, and none that is counted here."""
    if token.token_type is TokenType.PARAMETER:
        raise SQLError(f"{token.text} cannot stand here.", why="Parameters are all $1, $2 .., all %s, or all :name.")


def _number_at(tokens: Sequence[Token], at: int) -> int:
    """Of `$1`; 0: there is none here."""
    if tokens[at].token_type is not TokenType.PARAMETER or at + 1 == len(tokens):
        return 0
    text = tokens[at + 1].text
    if tokens[at + 1].token_type is not TokenType.NUMBER or not text.isascii() or not text.isdigit() or len(text) > 5:
        return 0
    if int(text) == 0:
        raise SQLError("Parameters are counted from $1.")
    return int(text)


def _plain_at(tokens: Sequence[Token], at: int) -> bool:
    """`%s`, in one piece and not after an operand (where it is the rest of a division by a column s)."""
    one = tokens[at]
    if one.token_type is not TokenType.MOD or at + 1 == len(tokens):
        return False
    following = tokens[at + 1]
    return following.text == "s" and following.start == one.end + 1 and not _ends_operand(tokens, at)


def _name_at(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """The name of `:name` or `%(name)s` and how many tokens it has; ("", 0): there is none here."""
    one, rest = tokens[at], tokens[at + 1 : at + 5]
    if one.token_type is TokenType.COLON and rest and rest[0].start == one.end + 1 and rest[0].text.isidentifier():
        return rest[0].text, 2
    if one.token_type is TokenType.MOD and len(rest) == 4:
        opened, name, closed, kind = rest
        if (opened.token_type, closed.token_type, kind.text) == (TokenType.L_PAREN, TokenType.R_PAREN, "s"):
            return (name.text, 5) if kind.start == closed.end + 1 and opened.start == one.end + 1 else ("", 0)
    return "", 0


_OPERANDS = {TokenType.VAR, TokenType.NUMBER, TokenType.STRING, TokenType.IDENTIFIER, TokenType.R_PAREN}
_OPERANDS |= {TokenType.R_BRACKET}


def _ends_operand(tokens: Sequence[Token], at: int) -> bool:
    """What stands before is a value: `:n` is a slice's bound (`a[1:n]`), `%(b)s` or `%s` the rest of a division."""
    return at > 0 and tokens[at - 1].token_type in _OPERANDS


def _said(like: Token, number: int) -> Iterator[Token]:
    for kind, text in ((TokenType.PARAMETER, "$"), (TokenType.NUMBER, str(number))):
        yield Token(kind, text, like.line, like.col, like.start, like.end)


def checked(value: Any) -> Any:
    """A value both engines can be given: numbers, text, times, lists of them; what JSON can say as its text.

    A list of numbers stays one (a vector or an array). WrongValue: NUL in text, an int of more than 64 bits, bytes,
    and whatever has no place in a database.
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | float | Decimal | datetime | date | time | timedelta):
        return value
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise WrongValue("A number of more than 64 bits.", fix="Give it as text.")
        return value
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # numpy, which this need not import
        return _array(value)
    if isinstance(value, list | tuple) and _alike(value):
        return [checked(one) for one in value]
    if isinstance(value, dict | list | tuple):
        return json_text(value)
    raise WrongValue(f"A {type(value).__name__} cannot be a parameter.", fix="Give text, a number, a time or JSON.")


def _array(value: Any) -> Any:
    if value.dtype.kind in "biuf" and value.ndim == 1:
        return value
    return checked(value.tolist())


def _alike(values: Sequence[Any]) -> bool:
    """An array: all numbers, or all text."""
    return all(isinstance(one, int | float) or hasattr(one, "dtype") for one in values) or all(
        isinstance(one, str) for one in values
    )


def _text(value: str) -> str:
    if "\0" in value:
        raise WrongValue("Text with a NUL character.", why="A database keeps none.", fix="Take it out.")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise WrongValue("Text that is no Unicode: half of a surrogate pair.", fix="Take it out.") from exc
    return value


def json_text(value: Any) -> str:
    """JSON of it. WrongValue: it is none, or holds NaN or a NUL character."""
    try:
        said = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise WrongValue("A value that JSON cannot say.", why=str(exc)[:200]) from exc
    if _NUL.search(said):
        raise WrongValue("Text with a NUL character.", why="A database keeps none.", fix="Take it out.")
    return _text(said)


def vector(value: Any) -> Any:
    """A value that meets a vector: `{1,2}` and `[1,2]` in text become a list of floats; other text stays as it is.

    WrongValue: it is neither numbers nor text, or not all of them are numbers. Numpy arrays stay as they are.
    """
    if isinstance(value, str):
        inner = value.strip()
        if (inner[:1], inner[-1:]) not in (("{", "}"), ("[", "]")):
            return value
        try:
            return [float(one) for one in inner[1:-1].split(",")]
        except ValueError:
            return value
    if hasattr(value, "dtype") or value is None:
        return value
    if not isinstance(value, list | tuple) or not value:
        raise WrongValue(f"A {type(value).__name__} is no vector.", fix="Give a list of numbers, or text.")
    try:
        return [float(one) for one in value]
    except (TypeError, ValueError) as exc:
        raise WrongValue("A vector holds numbers alone.", why=str(exc)[:200]) from exc


def utc(value: Any, *, aware: bool) -> Any:
    """A time as an engine compares it: aware, or without a zone; both in UTC. Other values as they are."""
    if not isinstance(value, datetime):
        return value
    said = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return said if aware else said.replace(tzinfo=None)
