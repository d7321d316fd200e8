"""A table of figures with their goals: what was measured, what it should be, and whether it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. Neither `value` nor `goal` need be there: what could not be measured says why in `note`."""

    part: str
    """The heading it stands under."""
    what: str
    value: float | None = None
    unit: str = ""
    goal: float | None = None
    at_least: bool = False
    """Must the value reach the goal, rather than stay below it?"""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is nothing to compare."""
        if self.value is None or self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def shown(self) -> str:
        """The value with its unit, "-" if there is none."""
        return "-" if self.value is None else _with_unit(self.value, self.unit)

    @property
    def shown_goal(self) -> str:
        """The goal with its direction, "" if there is none."""
        if self.goal is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {_with_unit(self.goal, self.unit)}"

    def as_json(self) -> dict[str, object]:
        """For programs."""
        names = ("part", "what", "value", "unit", "goal", "at_least", "met", "note")
        return {name: getattr(self, name) for name in names}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0..1) of them do not exceed; 0.0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(math.ceil(len(values) * share), 1) - 1]


def ratio(value: float, base: float) -> float | None:
    """None where the base is nothing."""
    return value / base if base else None


def _with_unit(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 20 else 2
    joined = "" if unit in ("×", "") else " "
    return f"{value:,.{digits}f}{joined}{unit}"
