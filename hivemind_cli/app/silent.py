"""Sessions that fell silent without an end: what came of what was recalled in them."""

from datetime import datetime, timedelta

from hivemind_cli.core.records import Event, Recall
from hivemind_cli.pipeline.feedback import judge_session
from hivemind_cli.storage.base import Store

LOOK_BACK = timedelta(days=2)
RECALLS_JUDGED_MAX = 300
"""Of the newest recalls, those whose sessions are looked at for an unjudged end."""


class Silent:
    """Judges each such session once, and again after it went on."""

    def __init__(self, store: Store, *, idle: timedelta) -> None:
        """`idle`: so long after its last event a session is taken for ended."""
        self._store = store
        self._idle = idle
        self._judged: dict[tuple[str, str], str] = {}
        """Silent session -> its last event when it was judged."""

    def judge(self, now: datetime) -> None:
        """Store the outcomes of the recalls of sessions that are silent by `now`."""
        rows = self._store.find(Recall, since=now - LOOK_BACK, newest_first=True, limit=RECALLS_JUDGED_MAX)
        for host, session_id in {(row.record.host, row.record.session_id) for row in rows if row.record.text}:
            last = self._store.find(Event, host=host, session_id=session_id, newest_first=True, limit=1)
            if not last or now - last[0].record.occurred_at < self._idle:
                continue
            if self._judged.get((host, session_id)) != last[0].record.id:
                self._judged[host, session_id] = last[0].record.id
                self._store.append(judge_session(self._store, host, session_id, now))
