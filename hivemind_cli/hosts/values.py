"""Values of a host's JSON, taken as they should be, and what every host makes of them the same way."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core import redact

TEXT_CHARS_MAX = 4_000
"""Of what was written, in an Act. The whole input stands in the event's `input`."""
_SESSIONS = ("session_id", "sessionId", "sessionID", "conversation_id", "trajectory_id")
_UNTIDY = re.compile(r"//|/\./|/\.?$")
"""What PurePath leaves out of a path."""
_SECONDS_MAX = 1e11
"""A greater number counts milliseconds."""


def text(value: object) -> str:
    """`value` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def string(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds text, or ""."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def required(fields: Mapping[str, Any], name: str) -> str:
    """The text of a field that must be there. KeyError: it is not. TypeError: it is no text."""
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {type(value).__name__}, not text")
    return value


def session_id(payload: Mapping[str, Any]) -> str:
    """The session a hook's payload is of, as any host names it. KeyError: it has no such field. ValueError: no text."""
    found = string(payload, *_SESSIONS)
    if found:
        return found
    if not any(name in payload for name in _SESSIONS):
        raise KeyError(_SESSIONS[0])
    raise ValueError("the payload's session_id is no text")


def time(value: object) -> datetime | None:
    """An aware UTC time, of ISO text (UTC where it names no zone), seconds or milliseconds since 1970; else None."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > _SECONDS_MAX else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def short(said: str) -> str:
    """At most TEXT_CHARS_MAX; redacted before it is cut, for half a secret is not recognised as one."""
    return said if len(said) <= TEXT_CHARS_MAX else redact.cut(said, TEXT_CHARS_MAX)


def short_json(value: object) -> str:
    """`value` as JSON, short."""
    return short(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def relative(path: str, cwd: str) -> str:
    """`path` as seen from `cwd`, where it lies inside."""
    if not path.startswith("/") or not cwd.startswith("/"):
        return path.removeprefix("./")
    below = path[len(cwd) + 1 :]
    if path.startswith(f"{cwd}/") and below and not _UNTIDY.search(path):
        return below
    here, given = PurePosixPath(cwd), PurePosixPath(path)
    return str(given.relative_to(here)) if given.is_relative_to(here) else path


def absolute(path: str, cwd: str) -> str:
    """`path` with `cwd` before it, unless it is absolute or begins at home."""
    return path if path.startswith(("/", "~")) or not cwd else str(PurePosixPath(cwd) / path)
