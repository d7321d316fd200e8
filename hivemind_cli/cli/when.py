"""Times as a person writes them."""

import re
from datetime import UTC, datetime, timedelta

from hivemind_cli.core.errors import ConfigError

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGO = re.compile(r"(\d{1,9})\s*(?:(m)in(?:ute)?s?|(h)(?:ours?)?|(d)(?:ays?)?|(w)(?:eeks?)?)(?:\s+ago)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday", re.ASCII)


def since(text: str, now: datetime) -> datetime:
    """`7d`, `2 days ago`, `yesterday`, or a date: the beginning of a day here. ConfigError: it is none of them."""
    words = " ".join(text.lower().split())
    try:
        if ago := _AGO.fullmatch(words):
            unit = next(filter(None, ago.groups()[1:]))
            return now - int(ago[1]) * _UNITS[unit]
        if words in ("today", "yesterday"):
            day = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
            return (day - timedelta(days=words == "yesterday")).astimezone(UTC)
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ConfigError(
            f"{text!r} is no time.", fix="Say 12h, 7d, 2 weeks, yesterday, or a date such as 2026-11-01."
        ) from exc


def until(text: str, now: datetime) -> datetime:
    """As `since`; a day is meant to its end."""
    moment = since(text, now)
    return moment + timedelta(days=1) if _DAY.fullmatch(" ".join(text.lower().split())) else moment
