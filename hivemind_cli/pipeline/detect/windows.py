"""The newest events of the sessions that detection reads just now: each batch need not read them anew."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from hivemind_cli.core.records import Event
from hivemind_cli.storage.base import Row, Store

CHARS_MAX = 6_000_000
"""Of payloads kept in memory, of all sessions; the least recently used go first."""
SESSIONS_MAX = 8
"""Small events weigh more in memory than their characters."""

Session = tuple[str, str]
"""host, session_id."""


class Windows:
    """Valid as long as batches follow each other without a gap. Not thread-safe: the stage's own."""

    def __init__(self, events_max: int) -> None:
        """`events_max` of a session before those of a batch."""
        self._events_max = events_max
        self._kept: OrderedDict[Session, tuple[list[Event], list[int]]] = OrderedDict()
        """Session -> its newest events, and the characters of each."""
        self._chars = 0
        self._read_to = 0

    def follow(self, batch: Sequence[Row[Event]]) -> None:
        """`batch` comes next: if it is not the one after the last, nothing kept can be trusted."""
        if batch[0].seq != self._read_to + 1:
            self.forget()
        self._read_to = batch[-1].seq

    def of(self, host: str, session_id: str, rows: Sequence[Row[Event]], store: Store) -> list[Event]:
        """The session's events up to and with `rows`, all of its batch; at least `events_max` before them if it has."""
        kept = self._kept.pop((host, session_id), None)
        if kept is None:
            limit = self._events_max + len(rows)
            found = store.find(
                Event, host=host, session_id=session_id, until=rows[-1].seq, newest_first=True, limit=limit
            )
            events = [row.record for row in reversed(found)]
            sizes = [_chars(event.payload) for event in events]
        else:
            self._chars -= sum(kept[1])
            events = [*kept[0], *(row.record for row in rows)]
            sizes = [*kept[1], *(_chars(row.record.payload) for row in rows)]
        self._keep((host, session_id), events[-self._events_max :], sizes[-self._events_max :])
        return events

    def forget(self) -> None:
        """Read all anew."""
        self._kept.clear()
        self._chars = 0

    def _keep(self, session: Session, events: list[Event], sizes: list[int]) -> None:
        self._kept[session] = events, sizes
        self._chars += sum(sizes)
        while self._chars > CHARS_MAX or len(self._kept) > SESSIONS_MAX:
            _, (_, freed) = self._kept.popitem(last=False)
            self._chars -= sum(freed)


def _chars(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return 64 + sum(map(_chars, value.values()))
    return 64 + sum(map(_chars, value)) if isinstance(value, (list, tuple)) else 8
