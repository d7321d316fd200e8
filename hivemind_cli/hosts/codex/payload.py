"""What Codex sends to a hook, decoded, under the keys that its rollouts give the same things (reader.py).

Payloads of 0.169.0 stand in tests/hosts/payloads/codex. What a command came to has no exit code here: the rollout,
which has it, tells that. So do refusals, of which no hook tells.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hivemind_cli.core.acts import READ
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import keys, patch, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.codex import tools, words

Payload = Mapping[str, Any]

_BEGINNINGS = {"clear": "startup"}
"""Rollouts tell a session that began by `/clear` as any other."""
_UNASKED = frozenset({"bypassPermissions", "dontAsk"})
"""Modes in which no person is ever asked; the first is any session whose approval policy is `never`."""
_SPACE = "collaboration"
"""Stands before the names of the tools that start and steer subagents; rollouts name it apart."""


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    return decoder(payload) if decoder else []


def _seen(payload: Payload, kind: EventKind, native_key: str, *, tool: str = "", **fields: Any) -> Seen:
    agent = values.string(payload, "agent_id")
    if agent:
        fields.setdefault("agent_id", agent)
    return Seen(
        kind=kind,
        session_id=values.required(payload, "session_id"),
        native_key=native_key,
        tool=tool,
        cwd=values.string(payload, "cwd"),
        payload=fields,
    )


def _session_start(payload: Payload) -> list[Seen]:
    source = values.required(payload, "source")
    model = {"model": payload["model"]} if values.string(payload, "model") else {}
    key = f"session_start:{_BEGINNINGS.get(source, source)}:#?"
    return [_seen(payload, EventKind.SESSION_START, key, source=source, **model)]


def _session_end(payload: Payload) -> list[Seen]:
    reason = values.required(payload, "reason")
    return [_seen(payload, EventKind.SESSION_END, f"session_end:{reason}:#?", reason=reason)]


def _prompt(payload: Payload) -> list[Seen]:
    """One typed while the agent works comes with the running turn's id; its rollout tells it as a steer, once."""
    said = words.persons_words(values.required(payload, "prompt"))
    if not said or values.string(payload, "agent_id"):
        return []
    key = keys.prompt_key(values.string(payload, "turn_id"), said)
    return [_seen(payload, EventKind.PROMPT, f"{key}#?", text=said)]


def _call(payload: Payload) -> tools.Call:
    tool_input = payload["tool_input"]
    if not isinstance(tool_input, dict):
        raise TypeError(f"tool_input is {type(tool_input).__name__}, not an object")
    name = values.required(payload, "tool_name").removeprefix(_SPACE)
    return tools.read_call(name, tool_input, values.string(payload, "cwd"))


def _tool_call(payload: Payload) -> list[Seen]:
    call, call_id = _call(payload), values.required(payload, "tool_use_id")
    asked = call.act.kind != READ and payload.get("permission_mode") not in _UNASKED
    fields = {"call_id": call_id, "act": call.act.as_json(), "input": dict(call.input)}
    asks = {"asks": True} if asked else {}
    return [_seen(payload, EventKind.TOOL_CALL, f"{call_id}:{EventKind.TOOL_CALL}", tool=call.tool, **fields, **asks)]


def _tool_result(payload: Payload) -> list[Seen]:
    """A patch that was made (one that failed fires no hook); of other calls only where no rollout is kept."""
    call, call_id = _call(payload), values.required(payload, "tool_use_id")
    if call.tool != tools.PATCH and values.string(payload, "transcript_path"):
        return []
    fields = {
        "call_id": call_id,
        "act": call.act.as_json(),
        "output": tools.read_outcome(payload["tool_response"]).text,
    }
    wrote = patch.wrote(call.patch, values.string(payload, "cwd")) if call.patch else None
    left = {"wrote": dict(wrote)} if wrote else {}
    key = f"{call_id}:{EventKind.TOOL_RESULT}"
    return [_seen(payload, EventKind.TOOL_RESULT, key, tool=call.tool, **fields, **left)]


def _reply(payload: Payload) -> list[Seen]:
    said = values.string(payload, "last_assistant_message").strip()
    if not said:
        return []
    key = keys.reply_key(values.string(payload, "turn_id"), said)
    return [_seen(payload, EventKind.REPLY, key, text=said)]


def _interrupt(payload: Payload) -> list[Seen]:
    return [_seen(payload, EventKind.INTERRUPT, f"interrupt:{values.required(payload, 'turn_id')}", for_tool=False)]


def _compact(payload: Payload) -> list[Seen]:
    key = f"compact:{values.string(payload, 'turn_id')}:#?"
    return [_seen(payload, EventKind.COMPACT, key, trigger=values.required(payload, "trigger"))]


def _subagent_start(payload: Payload) -> list[Seen]:
    key = f"{values.required(payload, 'agent_id')}:{EventKind.SUBAGENT_START}"
    return [_seen(payload, EventKind.SUBAGENT_START, key, agent_type=values.string(payload, "agent_type"))]


def _subagent_stop(payload: Payload) -> list[Seen]:
    said = values.string(payload, "last_assistant_message").strip()
    key = f"{values.required(payload, 'agent_id')}:{EventKind.SUBAGENT_STOP}:{keys.digest(said)}"
    return [_seen(payload, EventKind.SUBAGENT_STOP, key, agent_type=values.string(payload, "agent_type"), text=said)]


_DECODERS: dict[str, Callable[[Payload], list[Seen]]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _tool_call,
    "PostToolUse": _tool_result,
    "PostCompact": _compact,
    "SubagentStart": _subagent_start,
    "SubagentStop": _subagent_stop,
    "Stop": _reply,
    "Interrupt": _interrupt,
    "SessionEnd": _session_end,
}
