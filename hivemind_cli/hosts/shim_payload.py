"""What our plugins send, decoded the same way for every host they run in. The names of fields: see hosts/shim.py."""

from collections.abc import Mapping
from typing import Any

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.calls import Tools

Payload = Mapping[str, Any]


def text(payload: Payload, field: str) -> str:
    """A field that must be text. KeyError, TypeError."""
    value = payload[field]
    if not isinstance(value, str):
        raise TypeError(f"{field} is {type(value).__name__}, not text")
    return value


def seen(payload: Payload, kind: EventKind, native_key: str, *, tool: str = "", **fields: Any) -> Seen:
    """The event, with its session, its subagent and its folder. Fields that are None are left out."""
    agent = values.string(payload, "agent_id")
    if agent:
        fields.setdefault("agent_id", agent)
    return Seen(
        kind=kind,
        session_id=text(payload, "session_id"),
        native_key=native_key,
        tool=tool,
        cwd=values.string(payload, "cwd"),
        payload={name: value for name, value in fields.items() if value is not None},
    )


def tool_input(payload: Payload) -> dict[str, Any]:
    """What the tool was given. KeyError, TypeError."""
    value = payload["tool_input"]
    if not isinstance(value, dict):
        raise TypeError(f"tool_input is {type(value).__name__}, not an object")
    return value


def tool_event(payload: Payload, tools: Tools, kind: EventKind, **fields: Any) -> Seen:
    """A call, or what came of it."""
    tool, call_id, cwd = text(payload, "tool_name"), text(payload, "tool_use_id"), values.string(payload, "cwd")
    act = tools.act(tool, tool_input(payload), cwd).as_json()
    return seen(payload, kind, f"{call_id}:{kind}", tool=tool, call_id=call_id, act=act, **fields)


def tool_result(payload: Payload, tools: Tools, output: str) -> Seen:
    """A call that ended well, and the lines it wrote."""
    tool, given = text(payload, "tool_name"), tool_input(payload)
    wrote = tools.wrote(tool, given, values.string(payload, "cwd"))
    return tool_event(payload, tools, EventKind.TOOL_RESULT, output=output, wrote=wrote)
