"""JSON that a stranger sent: nothing in it that no table, file or terminal could hold."""

import json
import math
from typing import Any

from hivemind_cli.serve.http.problems import Refused

DEPTH_MAX = 100
"""Levels of lists and objects."""


def parse(body: bytes) -> Any:
    """The value. Refused (400): no JSON in UTF-8, nested too deep, NaN or infinite, or halves of characters."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as exc:
        raise Refused(400, "The body is not UTF-8.", why=f"Byte {exc.start} is wrong.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise Refused(400, "The body is no JSON.", why=f"{str(exc)[:200]}.") from None
    _check(value)
    return value


def _check(value: Any) -> None:
    """Level by level, without recursion."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        if not level:
            return
        inner: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is str:
                _whole(one)
            elif kind is float:
                if not math.isfinite(one):
                    raise _not_finite("A number")
            elif kind is list:
                inner += one
            elif kind is dict:
                inner += one.keys()
                inner += one.values()
        level = inner
    raise _too_deep()


def _whole(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused(
            400, "A text in the body holds half a character.", why="A surrogate (\\ud800 to \\udfff) stands alone."
        ) from None


def _no_number(name: str) -> Any:
    raise _not_finite(name)


def _not_finite(what: str) -> Refused:
    return Refused(400, f"{what} in the body is no number JSON knows.", fix="Send null where there is no number.")


def _too_deep() -> Refused:
    return Refused(400, f"The body is nested more than {DEPTH_MAX} levels deep.")
