"""Times as a person writes them."""

from datetime import UTC, datetime, timedelta

from hivemind_cli.core.errors import ConfigError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def since(text: str, now: datetime) -> datetime:
    """`7d` back from now, or the beginning of a day here. ConfigError: it is neither."""
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and number.isascii() and number.isdigit():
            return now - int(number) * _UNITS[unit]
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ConfigError(
            f"{text!r} is no time.", why=str(exc), fix="Say 12h, 7d, 4w or a date such as 2026-11-01."
        ) from exc
