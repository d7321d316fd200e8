"""Time as an argument: whoever needs "now" is handed a Clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns an aware UTC datetime."""


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def from_ns(time_ns: int) -> datetime:
    """The moment `time_ns` nanoseconds after the epoch, in UTC; out of range clamps to 1970 or 9999."""
    seconds = min(max(time_ns / 1e9, 0.0), 253_402_300_799.0)
    return datetime.fromtimestamp(seconds, UTC)
