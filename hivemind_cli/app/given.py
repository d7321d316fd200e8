"""What each agent was given, a file each, shared with the hook that answers without a daemon; and one lock each."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivemind_cli.core.paths import FILE_MODE, Paths

logger = logging.getLogger(__name__)

UNREAD_S = 3.0
"""After a hold: a call that comes later is no part of the same batch, whatever the host told us meanwhile."""
KEPT_DAYS = 14
"""How long the list of what a session was given is kept."""
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_LOCKS = 64


@dataclass(frozen=True, slots=True)
class _Holds:
    """Calls of one batch that were held."""

    ids: frozenset[str] = frozenset()
    """What they were held for."""
    calls: frozenset[str] = frozenset()
    """They themselves, in full."""
    at: datetime | None = None
    """The first of their deliveries."""
    noted: float = 0.0


NO_HOLDS = _Holds()


def context_of(session_id: str, agent_id: str) -> str:
    """Whose list it is: a subagent begins with a context of its own, and knows nothing of what its session was told."""
    return f"{session_id}-{agent_id}" if agent_id else session_id


def sweep(paths: Paths, now: datetime) -> None:
    """Forget what was given to sessions that are long over."""
    oldest = (now - timedelta(days=KEPT_DAYS)).timestamp()
    for path in paths.injected.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


class Given:
    """Lines `id@version` and `hold:id`, by host and context. Any thread; to decide and remember in one, take `lock`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._held: dict[tuple[str, str], _Holds] = {}

    def lock(self, host: str, context: str) -> threading.Lock:
        """Held while it is decided what this agent is told, and written down: two calls at once get it once."""
        return self._locks[hash((host, context)) % _LOCKS]

    def read(self, host: str, context: str) -> Counter[str]:
        """Every line, and how often; none where nothing was given, or the file cannot be read."""
        try:
            lines = self._paths.session_file(host, context).read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return Counter()
        return Counter(line for line in lines if line)

    def add(self, host: str, context: str, lines: Sequence[str], at: datetime, *, call: str = "") -> bool:
        """Remember what is given at the delivery of `at`, at `call`; False if it could not be written."""
        if not lines:
            return True
        try:
            fd = os.open(self._paths.session_file(host, context), _APPEND, FILE_MODE)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
        except OSError as problem:
            logger.warning("recall stays silent: what it gives cannot be remembered: %s", problem)
            return False
        self._note_holds(host, context, lines, at, call)
        return True

    def take_back(self, host: str, context: str, lines: Sequence[str]) -> None:
        """The agent never saw it: it may be given again."""
        if not lines:
            return
        path = self._paths.session_file(host, context)
        with suppress(OSError):
            kept = path.read_text("utf-8").splitlines()
            for line in set(lines).intersection(kept):  # the last of each: what was given before, it has seen
                del kept[len(kept) - 1 - kept[::-1].index(line)]
            aside = path.with_name(f"{path.name}.tmp")
            aside.write_text("".join(f"{line}\n" for line in kept), "utf-8")
            aside.replace(path)
        self._held.pop((host, context), None)

    def held_lately(self, host: str, context: str) -> "_Holds":
        """For what, and when, a call was held within UNREAD_S."""
        held = self._held.get((host, context), NO_HOLDS)
        return held if time.monotonic() - held.noted <= UNREAD_S else NO_HOLDS

    def has_read(self, host: str, context: str) -> None:
        """The agent went on since the last hold: whatever it does next, it does knowing why."""
        self._held.pop((host, context), None)

    def _note_holds(self, host: str, context: str, lines: Sequence[str], at: datetime, call: str) -> None:
        ids = {line.removeprefix("hold:") for line in lines if line.startswith("hold:")}
        if not ids:
            return
        now = time.monotonic()
        recent = {key: one for key, one in self._held.items() if now - one.noted <= UNREAD_S}
        before = recent.get((host, context))
        first = before or _Holds(at=at, noted=now)
        holds = _Holds(first.ids | ids, first.calls | {call}, first.at, first.noted)
        self._held = {**recent, (host, context): holds}
