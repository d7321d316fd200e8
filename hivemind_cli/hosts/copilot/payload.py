"""What Copilot CLI sends to a hook, decoded. Payloads of 1.0.102 stand in tests/hosts/payloads/copilot.

They name no call, so keys are made as the reader of the session's file makes them. An agent within has a session id of
its own, and names its parent's. Not listened to: userPromptTransformed, which repeats the prompt; permissionRequest,
which fires for calls nobody is asked about, too; preCompact and errorOccurred, which the session's file tells of.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.copilot import tools, words
from hivemind_cli.hosts.copilot.reader import agent_teller
from hivemind_cli.hosts.telling import Teller, uncounted

Payload = Mapping[str, Any]
_CALL = "this"
"""The one call that a payload is of; it has no id, and none of this is kept."""


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    if decoder is None:
        return []
    try:
        return [uncounted(seen) for seen in decoder(payload, _teller(payload))]
    except AttributeError as exc:  # a list or null where an object belongs
        raise TypeError(f"{event}: {exc}") from exc


def _teller(payload: Payload) -> Teller:
    """Of the session, or of an agent within it."""
    session_id, cwd, agent = values.required(payload, "sessionId"), values.string(payload, "cwd"), _agent(payload)
    if not agent:
        return Teller(session_id, cwd=cwd, by_input=True)
    within = session_id if session_id != agent else values.string(payload, "parentAgentId") or session_id
    return agent_teller(within, agent, cwd)


def _agent(payload: Payload) -> str:
    return values.string(payload, "agentId")


def _session_start(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.start(source=values.required(payload, "source"))]


def _session_end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.end(values.required(payload, "reason"))


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = words.persons_words(values.required(payload, "prompt"))
    return tell.prompt(said) if said and not _agent(payload) else []


def _called(payload: Payload, tell: Teller) -> tuple[str, Seen]:
    tool, given = values.required(payload, "toolName"), tools.given_to(payload["toolArgs"])
    return _CALL, tell.call(_CALL, tool, tools.act_of(tool, given, tell.cwd), given)


def _tool_call(payload: Payload, tell: Teller) -> list[Seen]:
    """Whether a person is asked about it depends on what was allowed, which no hook tells."""
    _, seen = _called(payload, tell)
    return [replace(seen, payload={**seen.payload, "asks": True})] if _act(seen).kind != acts.READ else [seen]


def _tool_result(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, call = _called(payload, tell)
    result = payload["toolResult"]
    if not isinstance(result, dict):
        raise TypeError(f"toolResult is {type(result).__name__}, not an object")
    text, kind = words.unguided(values.string(result, "textResultForLlm")), values.string(result, "resultType")
    if kind not in ("", "success"):
        return [tools.failed(tell, call_id, text, None, code=kind, refusal={})]
    if tools.exited(text, _act(call)):
        return [tell.failure(call_id, text)]
    return [tell.result(call_id, text, wrote=tools.wrote(call.tool, call.payload["input"], tell.cwd))]


def _act(seen: Seen) -> acts.Act:
    return acts.Act.of(seen.payload["act"])


def _tool_failure(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, _ = _called(payload, tell)
    return [tools.failed(tell, call_id, values.required(payload, "error"), None, code="", refusal={})]


def _subagent_start(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.prompt(values.required(payload, "agentName")) if _agent(payload) else []


def _subagent_stop(payload: Payload, tell: Teller) -> list[Seen]:
    if not _agent(payload):
        return []
    tell.reply(values.string(payload, "response"))
    return tell.close()


def _turn_ended(payload: Payload, tell: Teller) -> list[Seen]:
    """The words of the reply stand in the session's file, which is then read on."""
    return []


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "sessionStart": _session_start,
    "userPromptSubmitted": _prompt,
    "preToolUse": _tool_call,
    "postToolUse": _tool_result,
    "postToolUseFailure": _tool_failure,
    "subagentStart": _subagent_start,
    "subagentStop": _subagent_stop,
    "agentStop": _turn_ended,
    "sessionEnd": _session_end,
}
