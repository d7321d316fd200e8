"""Arguments of calls about tables: what a method does not take is the caller's error, told by its name."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from hivemind_cli.app.memory_args import fits, of_method, taken
from hivemind_cli.core.errors import WrongValue


class Room:
    def walk(
        self, steps: int, to: str = "door", *, speed: float | None = None, notes: Sequence[str] | str = ()
    ) -> None:
        """Where to."""


def test_arguments_are_taken_by_name_and_unknown_ones_are_left() -> None:
    assert of_method(Room().walk, {"steps": 3, "speed": 2, "url": "x"}) == {"steps": 3, "speed": 2}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, "room.walk needs `steps`"),
        ({"steps": "3"}, "room.walk: `steps` is int, not str"),
        ({"steps": True}, "`steps` is int, not bool"),
        ({"steps": 1, "to": None}, "`to` is str, not None"),
        ({"steps": 1, "speed": "fast"}, "`speed` is float | None, not str"),
        ({"steps": 1, "notes": [1]}, "`notes` is .*not list"),
    ],
)
def test_a_wrong_one_is_named(args: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongValue, match=said):
        of_method(Room().walk, args)


@pytest.mark.parametrize(
    ("value", "kind", "does"),
    [
        (1, float, True),
        (1.5, int, False),
        (None, str | None, True),
        (["a"], Sequence[str], True),
        ("a", Sequence[str], False),
        ({}, Mapping[str, Any], True),
        ([], Mapping[str, Any] | None, False),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime | None, True),
        ("2026", datetime | None, False),
        (object(), Any, True),
        ("x", "NDArray[Any] | None", True),
        (np.ones(2), Sequence[float] | None, True),
        (np.ones(2), Sequence[str], False),
    ],
)
def test_what_fits(value: Any, kind: Any, does: bool) -> None:
    assert fits(value, kind) is does


def test_one_argument_has_a_default() -> None:
    assert taken({}, "n", int, 7) == taken({"n": None}, "n", int, 7) == 7
    with pytest.raises(WrongValue, match="`n` is int, not list"):
        taken({"n": []}, "n", int)
