"""When to codify: a session with uncodified corrections has ended, gone silent, or run for many turns.

What an import found is never due by itself: it may be years of corrections, and each skill costs a model's time and
is written into a working tree. A person says when (`hivemind skillify run`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hivemind_cli.core.config import Config
from hivemind_cli.core.records import Correction, Event, EventKind, Judgement
from hivemind_cli.pipeline.codify.evidence import of_history
from hivemind_cli.pipeline.codify.reconsider import RECONSIDER
from hivemind_cli.storage.base import Store

BATCH = 200
"""Corrections looked at: those of codify's next batch."""
JUDGED_QUIET = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Due:
    """`now`: codify. `waiting`: something will be due; `in_seconds` at the latest."""

    now: bool = False
    waiting: bool = False
    in_seconds: float | None = None
    passing: bool = False
    """All that codify reads next is of imported history: it only has to pass over it."""


def codify_due(store: Store, config: Config, now: datetime) -> Due:
    """Look at the sessions of the corrections that codify has not read, and at what was judged of those it has."""
    fresh, again = _fresh_due(store, config, now), _judged_due(store, now)
    waits = [one.in_seconds for one in (fresh, again) if one.in_seconds is not None]
    return Due(
        now=fresh.now or again.now,
        waiting=fresh.waiting or again.waiting,
        in_seconds=min(waits, default=None),
        passing=fresh.passing,
    )


def _judged_due(store: Store, now: datetime) -> Due:
    """Once a person has stopped labelling for a moment: each label may be the last word on a skill."""
    newest = store.find(Judgement, newest_first=True, limit=1)
    if not newest or newest[0].seq <= store.cursor(RECONSIDER):
        return Due()
    left = (JUDGED_QUIET - (now - newest[0].record.occurred_at)).total_seconds()
    if left <= 0:
        return Due(now=True)
    return Due(waiting=True, in_seconds=min(left, JUDGED_QUIET.total_seconds()))


def _fresh_due(store: Store, config: Config, now: datetime) -> Due:
    rows = store.find(Correction, after=store.cursor("codify"), limit=BATCH)
    past = of_history([row.record for row in rows], store)
    sessions: dict[tuple[str, str], Correction] = {}
    for row in rows:
        if row.record.id not in past:
            sessions.setdefault((row.record.host, row.record.session_id), row.record)
    if not sessions:
        return Due(passing=bool(rows))
    idle = timedelta(minutes=config.codify.idle_minutes)
    waits = []
    for (host, session_id), correction in sessions.items():
        last = store.find(Event, host=host, session_id=session_id, newest_first=True, limit=1)
        if not last or last[0].record.kind is EventKind.SESSION_END:
            return Due(now=True)
        newest = last[0].record
        if now - newest.occurred_at >= idle:
            return Due(now=True)
        first = store.find(Event, id=correction.reaction_event_id, limit=1)
        if first and newest.turn - first[0].record.turn >= config.codify.every_n_turns:
            return Due(now=True)
        waits.append((newest.occurred_at + idle - now).total_seconds())
    return Due(waiting=True, in_seconds=max(min(waits), 1.0))
