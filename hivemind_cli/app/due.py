"""When to codify: a session with uncodified corrections has ended, gone silent, or run for many turns."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hivemind_cli.core.config import Config
from hivemind_cli.core.records import Correction, Event, EventKind
from hivemind_cli.storage.base import Store


@dataclass(frozen=True, slots=True)
class Due:
    """`now`: codify. `waiting`: something will be due; `in_seconds` at the latest."""

    now: bool = False
    waiting: bool = False
    in_seconds: float | None = None


def codify_due(store: Store, config: Config, now: datetime) -> Due:
    """Look at the sessions of the corrections that codify has not read."""
    rows = store.find(Correction, after=store.cursor("codify"), limit=200)
    sessions: dict[tuple[str, str], Correction] = {}
    for row in rows:
        sessions.setdefault((row.record.host, row.record.session_id), row.record)
    if not sessions:
        return Due()
    idle = timedelta(minutes=config.codify.idle_minutes)
    waits = []
    for (host, session_id), correction in sessions.items():
        last = store.find(Event, host=host, session_id=session_id, newest_first=True, limit=1)
        if not last or last[0].record.kind is EventKind.SESSION_END or last[0].record.source == "import":
            return Due(now=True)
        newest = last[0].record
        if now - newest.occurred_at >= idle:
            return Due(now=True)
        first = store.find(Event, id=correction.reaction_event_id, limit=1)
        if first and newest.turn - first[0].record.turn >= config.codify.every_n_turns:
            return Due(now=True)
        waits.append((newest.occurred_at + idle - now).total_seconds())
    return Due(waiting=True, in_seconds=max(min(waits), 1.0))
