"""Arguments of a call about tables, held against what it takes: a wrong one is the caller's error, not ours."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.tables import wire

Args = Mapping[str, Any]
_NUMBERS = {int: (int,), float: (int, float)}


def of_method(method: Callable[..., Any], args: Args) -> dict[str, Any]:
    """Those of `args` that a method takes, by name. WrongValue: one is missing, or of another type than it says."""
    given: dict[str, Any] = {}
    name = method.__qualname__.lower()
    for key, one in _parameters(getattr(method, "__func__", method)).items():
        if key in args:
            given[key] = wire.value_from_json(args[key])
            if not fits(given[key], one.annotation):
                raise _wrong(f"{name}: `{key}`", one.annotation, given[key])
        elif one.default is one.empty:
            raise WrongValue(f"{name} needs `{key}`.")
    return given


def taken(args: Args, key: str, kind: Any, default: Any = None) -> Any:
    """One argument; `default` where it is not given, or None. WrongValue: it is of another type."""
    value = args.get(key)
    if value is None:
        return default
    if not fits(value, kind):
        raise _wrong(f"`{key}`", kind, value)
    return value


def fits(value: Any, kind: Any) -> bool:
    """Is a value of the type that an annotation names? True for annotations that say nothing simple."""
    if isinstance(kind, UnionType):
        return any(fits(value, one) for one in get_args(kind))
    origin = get_origin(kind) or kind
    if origin in _NUMBERS:
        return isinstance(value, _NUMBERS[origin]) and not isinstance(value, bool)
    if origin in (str, bool, NoneType, datetime):
        return isinstance(value, origin)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin is Sequence:
        inner = (get_args(kind) or (Any,))[0]
        if hasattr(value, "dtype"):
            return inner is not str
        return isinstance(value, list | tuple) and all(fits(one, inner) for one in value)
    return True


@cache
def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Of a method, without itself."""
    return {key: one for key, one in inspect.signature(function).parameters.items() if key != "self"}


def _wrong(what: str, kind: Any, value: Any) -> WrongValue:
    return WrongValue(f"{what} is {_said(kind)}, not {_said(type(value))}.")


def _said(kind: Any) -> str:
    """As people write it: `dict`, `str | None`, `list[str]`."""
    if isinstance(kind, UnionType):
        return " | ".join(map(_said, get_args(kind)))
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is Mapping:
        return "dict"
    if origin is Sequence:
        return f"list[{_said(inner[0])}]" if inner and inner[0] is not Any else "list"
    if origin is NoneType:
        return "None"
    return origin.__name__ if isinstance(origin, type) else str(kind)
