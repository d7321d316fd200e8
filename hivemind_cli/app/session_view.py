"""One session for a reader: a head with totals, then pages of short entries in the order of storing."""

from collections.abc import Iterator
from typing import Any

from hivemind_cli.app import reading
from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.records import Correction, Event, EventKind, Recall
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect.errors import TELLS
from hivemind_cli.storage.base import Store

PAGE_EVENTS = 400
LINES_MAX = {EventKind.PROMPT: 20, EventKind.STEER: 20, EventKind.REPLY: 14}
"""Lines of words that are given; of everything else OTHER_LINES_MAX."""
OTHER_LINES_MAX = 3
LINE_CHARS_MAX, OTHER_LINE_CHARS_MAX = 4000, 300
CALL_CHARS_MAX = 400
_SAID = ("injected", "held", "named")
"""Decisions after which an agent read of a skill."""
WHOLE_LINES_MAX = 20_000
"""Of one text, where all of it was asked for."""
_TELLING = ("text", "words", "error", "output", "source", "reason", "trigger")
"""Payload fields that say what happened; the first that is there."""


def head(store: Store, host: str, session_id: str) -> dict[str, Any]:
    """The session in a few numbers."""
    place: dict[str, Any] = {"host": host, "session_id": session_id}
    first = store.find(Event, **place, limit=1)[0].record
    last = store.find(Event, **place, newest_first=True, limit=1)[0].record
    return {
        **place,
        "project": reading.project_names(store).get(last.project_id, ""),
        "author": last.author,
        "started_at": min(first.occurred_at, last.occurred_at).isoformat(),
        "last_at": max(first.occurred_at, last.occurred_at).isoformat(),
        "events": store.count(Event, **place),
        "prompts": store.count(Event, **place, kind=EventKind.PROMPT),
        "calls": store.count(Event, **place, kind=EventKind.TOOL_CALL),
        "failed": store.count(Event, **place, kind=EventKind.TOOL_FAILURE),
        "denied": store.count(Event, **place, kind=EventKind.TOOL_DENIED),
        "corrections": len(judged.called(store, **place)),
        "recalls": reading.given(store, host, session_id),
    }


def page(
    store: Store, host: str, session_id: str, *, after: int = 0, turn: int | None = None, full: bool = False
) -> dict[str, Any]:
    """{entries, next}: the entries after seq `after`, and the seq to go on from; None at the end."""
    equals: dict[str, Any] = {"host": host, "session_id": session_id} | ({} if turn is None else {"turn": turn})
    rows = store.find(Event, after=after, limit=PAGE_EVENTS, **equals)
    ids = [row.record.id for row in rows]
    marks = _marks(store, ids) if ids else {}
    entries: list[dict[str, Any]] = []
    for row in rows:
        entries.append(_entry(row.record, full))
        entries += marks.get(row.record.id, ())
    return {"entries": entries, "next": rows[-1].seq if len(rows) == PAGE_EVENTS else None}


def records(store: Store, host: str, session_id: str, *, turn: int | None = None) -> Iterator[tuple[str, list[Any]]]:
    """(name, records) of everything that is stored of the session: events, corrections, recalls."""
    place: dict[str, Any] = {"host": host, "session_id": session_id}
    only: dict[str, Any] = {} if turn is None else {"turn": turn}
    events = [row.record for row in store.find(Event, **place, **only)]
    corrections = judged.effective(store, [row.record for row in store.find(Correction, **place)])
    recalls = [row.record for row in store.find(Recall, **place)]
    if turn is not None:
        ids = {event.id for event in events}
        corrections = [one for one in corrections if one.reaction_event_id in ids]
        recalls = [one for one in recalls if one.event_id in ids]
    yield from (("events", events), ("corrections", corrections), ("recalls", recalls))


def _marks(store: Store, event_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Event id -> what was noticed and what hivemind said there."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in store.find(Recall, event_id=event_ids):
        if row.record.text:
            found.setdefault(row.record.event_id, []).append(_recall(row.record))
    noticed = [row.record for row in store.find(Correction, reaction_event_id=event_ids)]
    for one in judged.effective(store, noticed):
        if judged.is_called(one):
            found.setdefault(one.reaction_event_id, []).append(_correction(one))
    return found


def _correction(one: Correction) -> dict[str, Any]:
    return {
        "kind": "correction",
        "id": one.id,
        "at": one.occurred_at.isoformat(),
        "what": one.kind.value,
        "sure": round(one.confidence, 2),
        "did": (Act.of(one.act).short if one.act else "") or one.before[:CALL_CHARS_MAX],
        "text": one.after[:CALL_CHARS_MAX] if not one.quote else "",
        "cause": one.cause,
    }


def _recall(one: Recall) -> dict[str, Any]:
    return {
        "kind": "recall",
        "id": one.id,
        "at": one.occurred_at.isoformat(),
        "moment": one.moment.value,
        "held": one.held,
        "names": [each.name for each in one.candidates if each.decision in _SAID],
        "scores": [round(each.score, 2) for each in one.candidates if each.decision in _SAID],
        "text": one.text,
    }


def _entry(event: Event, full: bool) -> dict[str, Any]:
    payload = event.payload
    value = payload.get("act")
    act = Act.of(value) if isinstance(value, dict) and value else None
    said = next((str(payload[name]) for name in _TELLING if payload.get(name)), "")
    lines = said.strip("\n").splitlines()
    shown = lines[:WHOLE_LINES_MAX] if full else _chosen(event.kind, lines)
    entry: dict[str, Any] = {
        "kind": event.kind.value,
        "id": event.id,
        "at": event.occurred_at.isoformat(),
        "turn": event.turn,
        "text": "\n".join(shown),
        "more_lines": len(lines) - len(shown),
    }
    if payload.get("agent_id"):
        entry["agent"] = str(payload["agent_id"])
    if event.tool or act:
        entry |= {"tool": event.tool, "call_id": str(payload.get("call_id", "")), "did": _did(act, full)}
    for name in ("interrupted", "not_run", "by", "agent_type", "user_modified"):
        if payload.get(name):
            entry[name] = payload[name]
    return entry


def _chosen(kind: EventKind, lines: list[str]) -> list[str]:
    """The first lines; of a failure those that tell what went wrong."""
    if kind is EventKind.TOOL_FAILURE:
        lines = [line for line in lines if TELLS.search(line)] or lines
    chars_max = LINE_CHARS_MAX if kind in LINES_MAX else OTHER_LINE_CHARS_MAX
    chosen = lines[: LINES_MAX.get(kind, OTHER_LINES_MAX)]
    return [line if len(line) <= chars_max else f"{line[:chars_max]}…" for line in chosen]


def _did(act: Act | None, full: bool) -> str:
    if act is None:
        return ""
    said = act.command if act.kind == SHELL else act.path or act.text
    return said if full else " ".join(said.split())[:CALL_CHARS_MAX]
