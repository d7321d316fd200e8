"""An error is advice, and its exit code part of the contract."""

import inspect

from hivemind_cli.core import errors
from hivemind_cli.core.errors import ConfigError, HivemindError


def _all() -> list[type[HivemindError]]:
    return [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, HivemindError)]


def test_an_error_says_what_why_and_what_next() -> None:
    error = ConfigError("What.", why="Why.", fix="Fix.")
    assert str(error) == "What. Why. Fix."
    assert str(HivemindError("What.")) == "What."
    assert (error.what, error.why, error.fix) == ("What.", "Why.", "Fix.")


def test_the_picture_shows_every_error_and_its_exit_code() -> None:
    picture = (errors.__doc__ or "").splitlines()
    for kind in _all():
        line = next(line for line in picture if kind.__name__ in line.split())
        parent = kind.__mro__[1]
        own = parent is Exception or kind.exit_code != getattr(parent, "exit_code", None)
        assert (f"exit {kind.exit_code} " in f"{line} ") == own, kind
