"""What Cursor sends to a hook, decoded, under the keys that its chat store gives the same things (reader.py).

Its shell, MCP and file events are left out: `preToolUse` and `postToolUse` tell of every tool.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from hivemind_cli.core import fence
from hivemind_cli.core.acts import READ
from hivemind_cli.hosts import calls, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.cursor.reader import TOOLS
from hivemind_cli.hosts.telling import Teller, uncounted

Payload = Mapping[str, Any]

_BY_RULE = re.compile(r"\b(?:hook|policy|allow ?list|deny ?list|block ?list|sandbox|admin)", re.IGNORECASE)
"""What denied the call, where its message says so."""


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError, ValueError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    if decoder is None:
        return []
    tell = Teller(values.session_id(payload), cwd=_cwd(payload), turns=False)
    return [uncounted(seen) for seen in decoder(payload, tell)]


def _cwd(payload: Payload) -> str:
    """The call's own folder, else the one that was opened."""
    named = values.string(payload, "cwd")
    roots = payload.get("workspace_roots")
    return named or (values.text(roots[0]) if isinstance(roots, list) and roots else "")


def _session_start(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.start(model=values.string(payload, "model") or None)]


def _session_end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.end(values.required(payload, "reason"))


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = persons_words(values.required(payload, "prompt"))
    return tell.prompt(said) if said else []


def _called(payload: Payload, tell: Teller) -> tuple[str, Seen]:
    tool, call_id = values.required(payload, "tool_name"), values.required(payload, "tool_use_id")
    tool_input = payload["tool_input"]
    if not isinstance(tool_input, dict):
        raise TypeError(f"tool_input is {type(tool_input).__name__}, not an object")
    return call_id, tell.call(call_id, tool, TOOLS.act(tool, tool_input, tell.cwd), tool_input)


def _tool_call(payload: Payload, tell: Teller) -> list[Seen]:
    """Whether a person is asked about it depends on a mode that no hook tells."""
    call_id, seen = _called(payload, tell)
    if tell.called(call_id)[1].kind != READ:
        seen = replace(seen, payload={**seen.payload, "asks": True})
    return [seen]


def _tool_result(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, _ = _called(payload, tell)
    tool, _, tool_input = tell.called(call_id)
    told = calls.parsed(payload["tool_output"])
    output = values.string(told, "output", "stdout", "content", "text", "message") if told else ""
    output = output or calls.blocks_text(payload["tool_output"])
    code = told.get("exitCode", told.get("exit_code"))
    if isinstance(code, int) and code != 0:
        return [tell.failure(call_id, f"Exit code: {code}\n{output}")]
    return [tell.result(call_id, output, wrote=TOOLS.wrote(tool, tool_input, tell.cwd))]


def _tool_failure(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, _ = _called(payload, tell)
    error = values.string(payload, "error_message")
    if payload.get("failure_type") == "permission_denied":
        if fence.OPEN in error:
            return [tell.denied(call_id, "hivemind")]
        by = "rule" if _BY_RULE.search(error) else "person"
        return [tell.denied(call_id, by, reason=values.short(error))]
    interrupted = True if payload.get("is_interrupt") is True else None
    return [tell.failure(call_id, error or values.string(payload, "failure_type"), interrupted=interrupted)]


def _reply(payload: Payload, tell: Teller) -> list[Seen]:
    tell.reply(values.required(payload, "text"))
    return tell.flush()


def _stop(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.interrupt() if values.required(payload, "status") == "aborted" else []


def _compact(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.compact(values.string(payload, "trigger") or "auto")]


def _subagent(payload: Payload, tell: Teller) -> Teller:
    transcript = PurePosixPath(values.string(payload, "agent_transcript_path")).stem
    agent = transcript or values.string(payload, "subagent_id", "tool_call_id")
    session = values.string(payload, "parent_conversation_id") or tell.session_id
    return Teller(session, cwd=tell.cwd, agent_id=agent, turns=False)


def _subagent_start(payload: Payload, tell: Teller) -> list[Seen]:
    agent = _subagent(payload, tell)
    started = agent.prompt(values.string(payload, "task")) if agent.agent_id else []
    kind = values.string(payload, "subagent_type")
    return [replace(seen, payload={**seen.payload, "agent_type": kind}) for seen in started]


def _subagent_stop(payload: Payload, tell: Teller) -> list[Seen]:
    agent = _subagent(payload, tell)
    agent.reply(values.string(payload, "summary"))
    kind = values.string(payload, "subagent_type")
    told = agent.close() if agent.agent_id else []
    return [replace(seen, payload={**seen.payload, "agent_type": kind}) for seen in told]


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "sessionStart": _session_start,
    "beforeSubmitPrompt": _prompt,
    "preToolUse": _tool_call,
    "postToolUse": _tool_result,
    "postToolUseFailure": _tool_failure,
    "afterAgentResponse": _reply,
    "subagentStart": _subagent_start,
    "subagentStop": _subagent_stop,
    "preCompact": _compact,
    "stop": _stop,
    "sessionEnd": _session_end,
}
