"""What the hook must know, in the one form it can read cheaply: lines `key=value` in <root>/bin/hook.settings.

Written by install and by the daemon; read by hooks/hivemind_hook.py at every start.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.core.records import Moment

BYTES_MAX = 65536
"""The hook reads so much and no more."""
_ARGUMENT = "\x1f"
_TRUE = {True: "1", False: "0"}
_SAY = "say:"
TEXT = "\x1f"
"""In a Saying's line, where the text stands as a JSON string."""


@dataclass(frozen=True, slots=True)
class Saying:
    """How a host takes text at an event, for a hook that must answer without the daemon."""

    host: str
    event: str
    line: str
    """What is printed, without its line end: JSON with TEXT in the place of one string."""
    chars_max: int
    bytes_max: int
    """In UTF-8. A text over either is not said."""


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The defaults are what a hook without a settings file does: capture, and nothing else."""

    capture: bool = True
    only_cli: bool = False
    recall: bool = False
    deadline_ms: int = 150
    deadline_start_ms: int = 400
    """At session start."""
    daemon: tuple[str, ...] = ()
    """The absolute argv that starts the daemon; empty: the hook starts none."""
    env: tuple[str, ...] = ()
    """Variables a daemon started by a hook keeps, beyond the usual ones."""
    wait: tuple[tuple[str, str, Moment], ...] = field(default=())
    """(host, event, moment): the host waits for our text."""
    wake: tuple[tuple[str, str], ...] = field(default=())
    """(host, event): nobody waits, but the daemon should run."""
    say: tuple[Saying, ...] = field(default=())
    """Where the hook may answer by itself; it is silent at any other event while no daemon runs."""

    def render(self) -> bytes:
        """The file's bytes. ConfigError: a value cannot be written in it."""
        rows = {
            "capture": _TRUE[self.capture],
            "only_cli": _TRUE[self.only_cli],
            "recall": _TRUE[self.recall],
            "deadline_ms": str(self.deadline_ms),
            "deadline_start_ms": str(self.deadline_start_ms),
            "daemon": _joined(_ARGUMENT, self.daemon),
            "env": _joined(",", self.env),
            "wait": _joined(",", [_joined(":", item) for item in self.wait]),
            "wake": _joined(",", [_joined(":", item) for item in self.wake]),
            **{_say_key(one): f"{one.chars_max} {one.bytes_max} {one.line}" for one in self.say},
        }
        text = "".join(f"{key}={value}\n" for key, value in rows.items())
        rendered = text.encode("utf-8", "surrogateescape")
        if text.count("\n") != len(rows) or len(rendered) >= BYTES_MAX:
            raise ConfigError("The hook's settings cannot be written.", why="A value holds a line end or is too long.")
        return rendered

    @classmethod
    def parse(cls, raw: bytes) -> "HookSettings":
        """What the hook would read in `raw`; damaged lines count as missing."""
        lines = (line.partition("=") for line in raw.decode("utf-8", "surrogateescape").split("\n"))
        found = {key: value for key, equals, value in lines if equals}
        return cls(
            capture=found.get("capture") != "0",
            only_cli=found.get("only_cli") == "1",
            recall=found.get("recall") == "1",
            deadline_ms=_number(found.get("deadline_ms"), cls().deadline_ms),
            deadline_start_ms=_number(found.get("deadline_start_ms"), cls().deadline_start_ms),
            daemon=_split(found.get("daemon", ""), _ARGUMENT),
            env=_split(found.get("env", ""), ","),
            wait=tuple(item for item in map(_wait, _split(found.get("wait", ""), ",")) if item),
            wake=tuple(
                (host, event)
                for host, colon, event in (item.partition(":") for item in _split(found.get("wake", ""), ","))
                if colon
            ),
            say=tuple(one for one in (_saying(key, value) for key, value in found.items()) if one),
        )


def write(path: Path, settings: HookSettings) -> bool:
    """Put `settings` in the file `path`, atomically; False if it says so already. OSError: it could not be written."""
    rendered = settings.render()
    with suppress(OSError):
        if path.read_bytes() == rendered:
            return False
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(fd, "wb") as file:
            file.write(rendered)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return True


def _joined(mark: str, values: tuple[str, ...] | list[str]) -> str:
    for value in values:
        if mark in value:
            raise ConfigError("The hook's settings cannot be written.", why=f"{value!r} holds {mark!r}.")
    return mark.join(values)


def _split(value: str, mark: str) -> tuple[str, ...]:
    return tuple(value.split(mark)) if value else ()


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() else default


def _wait(item: str) -> tuple[str, str, Moment] | None:
    host, _, rest = item.partition(":")
    event, _, moment = rest.partition(":")
    return (host, event, Moment(moment)) if moment in set(Moment) else None


def _say_key(one: Saying) -> str:
    if one.line.count(TEXT) != 1 or "=" in one.host + one.event:
        raise ConfigError("The hook's settings cannot be written.", why=f"{one!r} is no answer with one text.")
    return _SAY + _joined(":", (one.host, one.event))


def _saying(key: str, value: str) -> Saying | None:
    host, _, event = key.removeprefix(_SAY).partition(":")
    chars_max, _, rest = value.partition(" ")
    bytes_max, _, line = rest.partition(" ")
    sizes = [size for size in (chars_max, bytes_max) if size.isascii() and size.isdigit()]
    if not key.startswith(_SAY) or not event or line.count(TEXT) != 1 or len(sizes) != 2:
        return None
    return Saying(host, event, line, int(chars_max), int(bytes_max))
