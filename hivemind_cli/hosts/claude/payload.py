"""What Claude Code sends to a hook, decoded. Payloads of 2.1.329 stand in tests/hosts/payloads/claude.

A payload of another host that runs Claude Code's hooks (Cursor, VS Code) is not ours to read and gives nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hivemind_cli.core.acts import EDIT, READ
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import keys, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude import tools, words

_FOREIGN = ("cursor_version", "hookEventName")
_NOT_A_PERSON = frozenset({"system", "loop_wakeup", "schedule_wakeup", "poll_event"})

Payload = Mapping[str, Any]


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    if decoder is None or any(field in payload for field in _FOREIGN):
        return []
    try:
        return decoder(payload)
    except AttributeError as exc:  # a list or null where an object belongs
        raise TypeError(f"{event}: {exc}") from exc


def _maybe(payload: Payload, field: str) -> str:
    value = payload.get(field)
    return value if isinstance(value, str) else ""


def _seen(payload: Payload, kind: EventKind, native_key: str, *, tool: str = "", **fields: Any) -> Seen:
    agent = _maybe(payload, "agent_id")
    if agent:
        fields.setdefault("agent_id", agent)
    return Seen(
        kind=kind,
        session_id=values.required(payload, "session_id"),
        native_key=native_key,
        tool=tool,
        cwd=_maybe(payload, "cwd"),
        payload=fields,
    )


def _session_start(payload: Payload) -> list[Seen]:
    source = values.required(payload, "source")
    model = {"model": payload["model"]} if _maybe(payload, "model") else {}
    return [_seen(payload, EventKind.SESSION_START, f"session_start:{source}:#?", source=source, **model)]


def _session_end(payload: Payload) -> list[Seen]:
    reason = values.required(payload, "reason")
    return [_seen(payload, EventKind.SESSION_END, f"session_end:{reason}:#?", reason=reason)]


def _prompt(payload: Payload) -> list[Seen]:
    said = words.persons_words(values.required(payload, "prompt"))
    if not said or payload.get("source") in _NOT_A_PERSON or _maybe(payload, "agent_id"):
        return []
    key = keys.prompt_key(_maybe(payload, "prompt_id"), said)
    return [_seen(payload, EventKind.PROMPT, f"{key}#?", text=said)]


def _call(payload: Payload, call: Payload) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Tool, call id, input, and the fields every tool event carries."""
    tool, call_id, tool_input = (
        values.required(call, "tool_name"),
        values.required(call, "tool_use_id"),
        call["tool_input"],
    )
    if not isinstance(tool_input, dict):
        raise TypeError(f"tool_input is {type(tool_input).__name__}, not an object")
    act = tools.act_of(tool, tool_input, _maybe(payload, "cwd")).as_json()
    return tool, call_id, tool_input, {"call_id": call_id, "act": act}


def _tool_call(payload: Payload) -> list[Seen]:
    tool, call_id, tool_input, fields = _call(payload, payload)
    asks = {"asks": True} if _asks(_maybe(payload, "permission_mode"), fields["act"]["kind"]) else {}
    key = f"{call_id}:{EventKind.TOOL_CALL}"
    return [_seen(payload, EventKind.TOOL_CALL, key, tool=tool, input=tool_input, **fields, **asks)]


def _asks(mode: str, act_kind: str) -> bool:
    """May the client ask the person about this call? In these modes it does, for all that is not allowed by a rule."""
    return act_kind != READ and (mode in ("default", "plan") or (mode == "acceptEdits" and act_kind != EDIT))


def _tool_result(payload: Payload) -> list[Seen]:
    tool, call_id, tool_input, fields = _call(payload, payload)
    response = payload["tool_response"]
    fields["output"] = tools.output_text(response)
    left = tools.wrote(tool, tool_input, response)
    if left:
        fields["wrote"] = left
    if tools.user_modified(response):
        fields["user_modified"] = True
    return [_seen(payload, EventKind.TOOL_RESULT, f"{call_id}:{EventKind.TOOL_RESULT}", tool=tool, **fields)]


def _tool_failure(payload: Payload) -> list[Seen]:
    tool, call_id, _, fields = _call(payload, payload)
    fields["error"] = values.required(payload, "error")
    if payload.get("is_interrupt") is True:
        fields["interrupted"] = True
    return [_seen(payload, EventKind.TOOL_FAILURE, f"{call_id}:{EventKind.TOOL_FAILURE}", tool=tool, **fields)]


def _permission_denied(payload: Payload) -> list[Seen]:
    tool, call_id, _, fields = _call(payload, payload)
    fields.update(by="rule", words="", reason=_maybe(payload, "reason"))
    return [_seen(payload, EventKind.TOOL_DENIED, f"{call_id}:{EventKind.TOOL_DENIED}", tool=tool, **fields)]


def _tool_batch(payload: Payload) -> list[Seen]:
    """Refused calls, which no other hook tells of. The rest of the batch came through the other hooks."""
    found: list[Seen] = []
    for call in payload["tool_calls"]:
        told = tools.output_text(call.get("tool_response"))
        if told.startswith(tools.USE_ERROR):
            found += _refused_input(payload, call, told)
        elif refusal := tools.denial(told):
            tool, call_id, _, fields = _call(payload, call)
            key = f"{call_id}:{EventKind.TOOL_DENIED}"
            found.append(_seen(payload, EventKind.TOOL_DENIED, key, tool=tool, **fields, **refusal))
    return found


def _refused_input(payload: Payload, call: Payload, told: str) -> list[Seen]:
    tool, call_id, tool_input, fields = _call(payload, call)
    asked = _seen(
        payload, EventKind.TOOL_CALL, f"{call_id}:{EventKind.TOOL_CALL}", tool=tool, input=tool_input, **fields
    )
    key = f"{call_id}:{EventKind.TOOL_FAILURE}"
    return [asked, _seen(payload, EventKind.TOOL_FAILURE, key, tool=tool, error=told, not_run=True, **fields)]


def _reply(payload: Payload) -> list[Seen]:
    said = _maybe(payload, "last_assistant_message").strip()
    if not said:
        return []
    key = keys.reply_key(_maybe(payload, "prompt_id"), said)
    return [_seen(payload, EventKind.REPLY, key, text=said)]


def _subagent_start(payload: Payload) -> list[Seen]:
    agent, agent_type = values.required(payload, "agent_id"), _maybe(payload, "agent_type")
    key = f"{agent}:{EventKind.SUBAGENT_START}"
    return [_seen(payload, EventKind.SUBAGENT_START, key, agent_type=agent_type)] if agent_type else []


def _subagent_stop(payload: Payload) -> list[Seen]:
    agent, agent_type = values.required(payload, "agent_id"), _maybe(payload, "agent_type")
    if not agent_type:
        return []  # the host's own forks, such as the one that writes a compaction's summary
    said = _maybe(payload, "last_assistant_message").strip()
    key = f"{agent}:{EventKind.SUBAGENT_STOP}:{keys.digest(said)}"
    return [_seen(payload, EventKind.SUBAGENT_STOP, key, agent_type=agent_type, text=said)]


def _compact(payload: Payload) -> list[Seen]:
    key = f"compact:{_maybe(payload, 'prompt_id')}:#?"
    return [_seen(payload, EventKind.COMPACT, key, trigger=values.required(payload, "trigger"))]


_DECODERS: dict[str, Callable[[Payload], list[Seen]]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _tool_call,
    "PostToolUse": _tool_result,
    "PostToolUseFailure": _tool_failure,
    "PostToolBatch": _tool_batch,
    "PermissionDenied": _permission_denied,
    "Stop": _reply,
    "SubagentStart": _subagent_start,
    "SubagentStop": _subagent_stop,
    "PreCompact": _compact,
    "SessionEnd": _session_end,
}
