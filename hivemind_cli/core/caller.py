"""Whoever waits for what this thread does: a command can be stopped, and what costs money then goes on for nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[Callable[[], bool] | None] = ContextVar("caller_left", default=None)


@contextmanager
def waiting(left: Callable[[], bool]) -> Iterator[None]:
    """While this thread works for somebody; `left` says whether they have gone."""
    token = _left.set(left)
    try:
        yield
    finally:
        _left.reset(token)


def caller_left() -> bool:
    """Has whoever asked for this gone? False where nobody did."""
    left = _left.get()
    return left is not None and left()
