"""Sessions that fell silent without an end: what came of what was recalled in them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivemind_cli.core.records import Event, Recall
from hivemind_cli.pipeline.feedback import judge_session
from hivemind_cli.storage.base import Store

LOOK_BACK = timedelta(days=2)
"""After the last recall that spoke in it a session is looked at no more."""
RECALLS_READ_MAX = 300
"""Of those stored since the last look, the newest."""
READ_AT_ONCE = 20
"""Between two such reads, 6 ms each, a question is let in."""


@dataclass(slots=True)
class _Spoken:
    """A session in which something was said."""

    until: datetime
    """When it is forgotten."""
    due: datetime
    """Not before this can it have been silent for long enough."""
    judged: str = ""
    """Its last event when it was judged."""


class Silent:
    """Judges each such session once, and again after it went on."""

    def __init__(self, store: Store, *, idle: timedelta, pause: Callable[[], object] = lambda: None) -> None:
        """`idle`: so long after its last event a session is taken for ended. `pause` returns once no hook asks."""
        self._store, self._idle, self._pause = store, idle, pause
        self._read = 0
        """seq of the newest recall that was read."""
        self._spoken: dict[tuple[str, str], _Spoken] = {}
        """By host and session."""

    def judge(self, now: datetime) -> None:
        """Store the outcomes of the recalls of sessions that are silent by `now`."""
        self._look(now)
        for (host, session_id), one in list(self._spoken.items()):
            if now > one.until:
                del self._spoken[host, session_id]
            elif now >= one.due:
                self._judge(host, session_id, one, now)

    def _look(self, now: datetime) -> None:
        """In which sessions something was said since the last look."""
        since, until = now - LOOK_BACK, None
        newest, left = self._read, RECALLS_READ_MAX
        while left > 0:
            self._pause()
            count = min(READ_AT_ONCE, left)
            rows = self._store.find(Recall, after=self._read, until=until, since=since, newest_first=True, limit=count)
            for row in rows:
                newest = max(newest, row.seq)
                if row.record.text:
                    self._note(row.record)
            if len(rows) < count:
                break
            until, left = rows[-1].seq - 1, left - count
        self._read = newest

    def _note(self, recall: Recall) -> None:
        at, session = recall.occurred_at, (recall.host, recall.session_id)
        known = self._spoken.setdefault(session, _Spoken(at + LOOK_BACK, at + self._idle))
        known.until = max(known.until, at + LOOK_BACK)

    def _judge(self, host: str, session_id: str, one: _Spoken, now: datetime) -> None:
        last = self._store.find(Event, host=host, session_id=session_id, newest_first=True, limit=1)
        one.due = (last[0].record.occurred_at if last else now) + self._idle
        if not last or now < one.due:
            return
        one.due = now + self._idle  # looked at again, should it go on
        if one.judged != last[0].record.id:
            self._store.append(judge_session(self._store, host, session_id, now))
            one.judged = last[0].record.id
