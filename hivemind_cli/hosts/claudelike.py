"""Hosts that took over Claude Code's hooks: its events and fields, with tools and a few fields of their own.

They name no turn. Whether a person is asked about a call depends on modes that their hooks do not tell.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hivemind_cli.core.acts import READ
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.calls import Tools, blocks_text
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.telling import Teller, uncounted

Payload = Mapping[str, Any]


class Decoder:
    """Decodes what one such host sends; `tools`: which of its tools is which kind of act."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._decoders: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
            "SessionStart": _start,
            "UserPromptSubmit": _prompt,
            "PreToolUse": self._tool_call,
            "PostToolUse": self._tool_result,
            "SubagentStart": _subagent,
            "SubagentStop": _subagent,
            "PreCompact": _compact,
            "Stop": _reply,
            "SessionEnd": _end,
        }

    def decode(self, event: str, payload: dict[str, Any]) -> list[Seen]:
        """What the payload shows; [] for what we do not use. KeyError, TypeError, ValueError: a fault worth seeing.

        Fields are taken in camel case and in snake case.
        """
        decoder = self._decoders.get(event)
        if decoder is None:
            return []
        tell = Teller(values.session_id(payload), cwd=values.string(payload, "cwd"), turns=False)
        return [uncounted(seen) for seen in decoder(payload, tell)]

    def _called(self, payload: Payload, tell: Teller) -> tuple[str, Seen]:
        tool = values.required(payload, _name(payload, "tool_name", "toolName"))
        given = payload[_name(payload, "tool_input", "toolInput")]
        if not isinstance(given, dict):
            raise TypeError(f"tool_input is {type(given).__name__}, not an object")
        tool_input = _named_alike(given)
        call_id = values.string(payload, "tool_use_id", "toolUseId") or tell.call_id(tool, tool_input)
        return call_id, tell.call(call_id, tool, self._tools.act(tool, tool_input, tell.cwd), tool_input)

    def _tool_call(self, payload: Payload, tell: Teller) -> list[Seen]:
        call_id, seen = self._called(payload, tell)
        if tell.called(call_id)[1].kind != READ:
            seen = replace(seen, payload={**seen.payload, "asks": True})
        return [seen]

    def _tool_result(self, payload: Payload, tell: Teller) -> list[Seen]:
        call_id, _ = self._called(payload, tell)
        tool, _, tool_input = tell.called(call_id)
        output = blocks_text(payload[_name(payload, "tool_response", "toolResponse")])
        return [tell.result(call_id, output, wrote=self._tools.wrote(tool, tool_input, tell.cwd))]


def _name(payload: Payload, snake: str, camel: str) -> str:
    return camel if camel in payload and snake not in payload else snake


def _named_alike(given: dict[str, Any]) -> dict[str, Any]:
    """Edits and files in lists stand under the names that calls.Tools knows."""
    edits, files = given.get("replacements"), given.get("files")
    if isinstance(edits, list) and edits:
        first = values.mapping(edits[0])
        return {**given, "edits": edits, "filePath": values.string(given, "filePath") or first.get("filePath")}
    if isinstance(files, list) and len(files) == 1 and isinstance(files[0], str):
        return {**given, "filePath": files[0]}
    return given


def _start(payload: Payload, tell: Teller) -> list[Seen]:
    """`new` is how some call a fresh start."""
    source = values.string(payload, "source")
    return [tell.start(source="startup" if source in ("", "new") else source)]


def _end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.end(values.string(payload, "reason") or "other")


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = persons_words(values.required(payload, "prompt"))
    return tell.prompt(said) if said else []


def _reply(payload: Payload, tell: Teller) -> list[Seen]:
    tell.reply(values.string(payload, "last_assistant_message", "lastAssistantMessage"))
    return tell.flush()


def _compact(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.compact(values.string(payload, "trigger") or "auto")]


def _subagent(payload: Payload, tell: Teller) -> list[Seen]:
    agent = values.required(payload, _name(payload, "agent_id", "agentId"))
    stopped = values.string(payload, "hookEventName", "hook_event_name") == "SubagentStop"
    kind = EventKind.SUBAGENT_STOP if stopped else EventKind.SUBAGENT_START
    fields = {"agent_id": agent, "agent_type": values.string(payload, "agent_type", "agentType")}
    return [Seen(kind=kind, session_id=tell.session_id, native_key=f"{agent}:{kind}", cwd=tell.cwd, payload=fields)]
