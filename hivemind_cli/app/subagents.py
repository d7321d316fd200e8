"""Which task a subagent begins with: its start names none, the call that asked for it does."""

from collections.abc import Sequence
from typing import Any

from hivemind_cli.core.records import JSON, Event, EventKind
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.values import string
from hivemind_cli.storage.base import Store

LOOK_BACK = 40
"""Newest calls, refusals and starts of a session that are looked through."""
_REFUSED = (EventKind.TOOL_DENIED, EventKind.TOOL_FAILURE)
_KINDS = (EventKind.TOOL_CALL, EventKind.SUBAGENT_START, *_REFUSED)
_TASK_TOOLS = frozenset({"Task", "Agent", "task", "spawn_agent"})
_TYPES = ("subagent_type", "agent_type")


def task_of_call(tool: str, payload: JSON) -> str:
    """What a tool call asks of a subagent; "" for every other call."""
    given = payload.get("input")
    if not isinstance(given, dict) or not (tool in _TASK_TOOLS or any(name in given for name in _TYPES)):
        return ""
    return string(given, "prompt", "message")


def task_of_start(store: Store, host: str, start: Seen) -> str:
    """The task of the subagent that starts; "" if no call gave one.

    Of several that were asked for at once, each start takes the oldest that no other took, of its own type first.
    """
    rows = store.find(Event, host=host, session_id=start.session_id, kind=_KINDS, newest_first=True, limit=LOOK_BACK)
    events = [row.record for row in reversed(rows) if row.record.native_key != start.native_key]
    turn = max((one.turn for one in events if task_of_call(one.tool, one.payload)), default=0)
    events = [one for one in events if one.turn == turn]  # a task that never began is nobody's in a later turn
    refused = {one.payload.get("call_id") for one in events if one.kind in _REFUSED}
    waiting: list[tuple[str, str]] = []
    newest = ""
    for event in events:
        if event.kind is EventKind.SUBAGENT_START:
            _take(waiting, event.payload)
        elif event.kind is EventKind.TOOL_CALL and event.payload.get("call_id") not in refused:
            task = task_of_call(event.tool, event.payload)
            if task:
                newest = task
                waiting.append((string(event.payload["input"], *_TYPES), task))
    return _take(waiting, start.payload) or newest


def _take(waiting: list[tuple[str, str]], start: JSON | dict[str, Any]) -> str:
    """The task of this start, taken out; "" if none is left."""
    place = _place([kind for kind, _ in waiting], str(start.get("agent_type", "")))
    return waiting.pop(place)[1] if place is not None else ""


def _place(kinds: Sequence[str], wanted: str) -> int | None:
    """Of the type that starts, else of no type that was named, else the oldest."""
    return next((kinds.index(kind) for kind in (wanted, "", *kinds[:1]) if kind in kinds), None)
