"""What Hermes sends to a shell hook, decoded, under the keys that its database gives the same things (reader.py).

All but five fields stand in `extra`. A subagent's hooks name the subagent's own session.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hivemind_cli.core import fence
from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, keys, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.hermes.reader import TOOLS, ended, typed
from hivemind_cli.hosts.telling import Teller, uncounted

Payload = Mapping[str, Any]

_NOT_A_PERSON = frozenset({"subagent", "cron"})
"""Platforms on which nobody typed the message."""
_CHILD = ("child_session_id", "child_id", "subagent_id")
_GOAL = ("child_goal", "goal", "task")
_SUMMARY = ("child_summary", "summary", "result")


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError, ValueError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    if decoder is None:
        return []
    extra = payload["extra"]
    if not isinstance(extra, dict):
        raise TypeError(f"extra is {type(extra).__name__}, not an object")
    tell = Teller(values.required(payload, "session_id"), cwd=values.string(payload, "cwd"), turns=False)
    return [uncounted(seen) for seen in decoder({**extra, **payload}, tell)]


def _session_start(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.start(model=values.string(payload, "model") or None)] if _is_persons(payload) else []


def _is_persons(payload: Payload) -> bool:
    return payload.get("platform") not in _NOT_A_PERSON


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = typed(values.required(payload, "user_message")) if _is_persons(payload) else ""
    return tell.prompt(said) if said else []


def _called(payload: Payload, tell: Teller) -> tuple[str, Seen]:
    tool, call_id = values.required(payload, "tool_name"), values.required(payload, "tool_call_id")
    tool_input = values.mapping(payload["tool_input"])  # absent where the arguments are no object
    return call_id, tell.call(call_id, tool, TOOLS.act(tool, tool_input, tell.cwd), tool_input)


def _tool_call(payload: Payload, tell: Teller) -> list[Seen]:
    """It asks a person about commands that look dangerous to it; which these are, no hook tells."""
    call_id, seen = _called(payload, tell)
    if tell.called(call_id)[1].kind == SHELL:
        seen = replace(seen, payload={**seen.payload, "asks": True})
    return [seen]


def _tool_end(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, _ = _called(payload, tell)
    content = calls.blocks_text(payload["result"])
    error = values.string(payload, "error_message")
    if fence.OPEN in content or fence.OPEN in error:
        return [tell.denied(call_id, "hivemind")]
    seen, _ = ended(tell, call_id, content)
    if payload.get("status") == "blocked" and seen.kind is not EventKind.TOOL_DENIED:
        return [tell.denied(call_id, "rule", reason=values.short(error or content))]
    if payload.get("status") == "error" and seen.kind is EventKind.TOOL_RESULT:
        return [tell.failure(call_id, f"{error}\n{content}".strip())]
    return [seen]


def _approval(payload: Payload, tell: Teller) -> list[Seen]:
    """The person's answer to a question about a command; its call is named only by some versions."""
    if values.required(payload, "choice") != "deny":
        return []
    command, call_id = values.string(payload, "command"), values.string(payload, "tool_call_id")
    seen = tell.denied(call_id, "person", reason=values.string(payload, "description"))
    act = Act(SHELL, "terminal", command=command).as_json()
    key = seen.native_key if call_id else f"approval:{keys.digest(command)}:#?"
    return [replace(seen, native_key=key, tool="terminal", payload={**seen.payload, "act": act})]


def _reply(payload: Payload, tell: Teller) -> list[Seen]:
    if _is_persons(payload):
        tell.reply(values.required(payload, "assistant_response"))
    return tell.flush()


def _turn_end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.interrupt() if payload.get("interrupted") is True else []


def _session_end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.end(values.string(payload, "reason") or "other") if _is_persons(payload) else []


def _child(payload: Payload, tell: Teller) -> Teller:
    session = values.string(payload, "parent_session_id") or tell.session_id
    return Teller(session, cwd=tell.cwd, agent_id=values.string(payload, *_CHILD), turns=False)


def _subagent_start(payload: Payload, tell: Teller) -> list[Seen]:
    child = _child(payload, tell)
    return child.prompt(values.string(payload, *_GOAL)) if child.agent_id else []


def _subagent_stop(payload: Payload, tell: Teller) -> list[Seen]:
    child = _child(payload, tell)
    child.reply(values.string(payload, *_SUMMARY))
    return child.close() if child.agent_id else []


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "on_session_start": _session_start,
    "pre_llm_call": _prompt,
    "pre_tool_call": _tool_call,
    "post_tool_call": _tool_end,
    "post_approval_response": _approval,
    "post_llm_call": _reply,
    "subagent_start": _subagent_start,
    "subagent_stop": _subagent_stop,
    "on_session_end": _turn_end,
    "on_session_finalize": _session_end,
}
