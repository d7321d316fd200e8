"""What Gemini CLI sends to a hook, decoded. Payloads of 0.61.0 stand in tests/hosts/payloads/gemini.

They name no call and no turn, so keys are made as the reader of the session's file makes them. Not listened to:
PreCompress, which fires before every request to the model, and the events around a request, which repeat all of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.gemini import tools, words
from hivemind_cli.hosts.keys import reply_key
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
        tell = Teller(values.required(payload, "session_id"), cwd=values.string(payload, "cwd"), by_input=True)
        return [uncounted(seen) for seen in decoder(payload, tell)]
    except AttributeError as exc:  # a list or null where an object belongs
        raise TypeError(f"{event}: {exc}") from exc


def _session_start(payload: Payload, tell: Teller) -> list[Seen]:
    return [tell.start(source=values.required(payload, "source"))]


def _session_end(payload: Payload, tell: Teller) -> list[Seen]:
    return tell.end(values.required(payload, "reason"))


def _prompt(payload: Payload, tell: Teller) -> list[Seen]:
    said = words.persons_words(values.required(payload, "prompt"))
    return tell.prompt(said) if said else []


def _called(payload: Payload, tell: Teller) -> tuple[str, Seen]:
    tool, given = values.required(payload, "tool_name"), payload["tool_input"]
    if not isinstance(given, dict):
        raise TypeError(f"tool_input is {type(given).__name__}, not an object")
    return _CALL, tell.call(_CALL, tool, tools.act_of(tool, given, tell.cwd), given)


def _tool_call(payload: Payload, tell: Teller) -> list[Seen]:
    """Whether a person is asked about it depends on a mode that no hook tells."""
    _, seen = _called(payload, tell)
    return [replace(seen, payload={**seen.payload, "asks": True})]


def _tool_end(payload: Payload, tell: Teller) -> list[Seen]:
    call_id, call = _called(payload, tell)
    response, given = payload["tool_response"], call.payload["input"]
    if not isinstance(response, dict):
        raise TypeError(f"tool_response is {type(response).__name__}, not an object")
    display = response.get("returnDisplay")
    output = "\n".join(words.texts(response.get("llmContent")))
    text = tools.output_text(output) or values.text(display)
    failed = response.get("error")
    error = (values.text(values.mapping(failed).get("message")) or text or "it failed") if failed else ""
    return [tools.ended(tell, call_id, tools.End(call.tool, given, text, error, display))]


def _reply(payload: Payload, tell: Teller) -> list[Seen]:
    said = values.required(payload, "prompt_response").strip()
    if not said or said == words.NO_REPLY:
        return []
    tell.reply(said, key=tell.nth(f"{reply_key('', said)}:"))
    return tell.flush()


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "SessionStart": _session_start,
    "BeforeAgent": _prompt,
    "BeforeTool": _tool_call,
    "AfterTool": _tool_end,
    "AfterAgent": _reply,
    "SessionEnd": _session_end,
}
