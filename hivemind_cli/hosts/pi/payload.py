"""What our extension of pi sends (hooks/plugins/pi), decoded under the keys that its session files give.

pi asks nobody whether a tool may run, so a call may be held.
"""

from collections.abc import Callable
from typing import Any

from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import keys, shim, values
from hivemind_cli.hosts.base import Answer, Seen
from hivemind_cli.hosts.pi.tools import TOOLS, ended_badly, output_text, persons_words
from hivemind_cli.hosts.shim_payload import Payload, seen, text, tool_event, tool_input, tool_result

EVENTS: dict[str, Moment | None] = {
    "session_start": Moment.SESSION_START,
    "before_agent_start": Moment.PROMPT,
    "tool_call": Moment.TOOL_CALL,
    "tool_execution_end": None,
    "message_end": None,
    "user_bash": None,
    "session_compact": None,
    "session_shutdown": None,
}
ENDS: tuple[str, ...] = ("message_end", "session_shutdown")
DENIES = frozenset({"tool_call"})
TEXT_CHARS_MAX = shim.TEXT_CHARS_MAX

_SOURCES = {"new": "startup"}
"""Of session_start -> of the event, where a session's file says another word for it."""


def encode_answer(event: str, answer: Answer) -> bytes:
    """The line our extension takes; b"" for silence."""
    return shim.answer_line(answer, event, events=EVENTS, denies=DENIES)


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    return decoder(payload) if decoder else []


def _start(payload: Payload) -> list[Seen]:
    reason = text(payload, "source")
    source = _SOURCES.get(reason, reason)
    return [seen(payload, EventKind.SESSION_START, f"session_start:{source}:#?", source=source)]


def _prompt(payload: Payload) -> list[Seen]:
    said = persons_words(text(payload, "prompt"))
    return [seen(payload, EventKind.PROMPT, f"{keys.prompt_key('', said)}#?", text=said)] if said else []


def _call(payload: Payload) -> list[Seen]:
    return [tool_event(payload, TOOLS, EventKind.TOOL_CALL, input=tool_input(payload))]


def _ended(payload: Payload) -> list[Seen]:
    content = payload["content"]
    if payload["is_error"] is True:
        kind, fields = ended_badly(content)
        return [tool_event(payload, TOOLS, kind, **fields)]
    return [tool_result(payload, TOOLS, output_text(content))]


def _message(payload: Payload) -> list[Seen]:
    """Words given while pi works, or waiting for its turn's end; or its own, where no call follows them."""
    said = text(payload, "text")
    if payload["role"] == "user":
        said = persons_words(said)
        kind = EventKind.STEER if payload.get("steer") is True else EventKind.PROMPT
        return [seen(payload, kind, f"{keys.prompt_key('', said)}#?", text=said)] if said else []
    aborted = True if payload.get("stop_reason") == "aborted" else None
    found: list[Seen] = []
    if said.strip():
        key = f"{keys.reply_key('', said)}:#?"
        found.append(seen(payload, EventKind.REPLY, key, text=said.strip(), aborted=aborted))
    if aborted:
        found.append(seen(payload, EventKind.INTERRUPT, f"interrupt:{payload['timestamp']}", for_tool=False))
    return found


def _by_hand(payload: Payload) -> list[Seen]:
    command = text(payload, "command")
    return [seen(payload, EventKind.STEER, f"steer:{keys.digest(command)}:#?", text="", ran=command)]


def _compact(payload: Payload) -> list[Seen]:
    return [seen(payload, EventKind.COMPACT, f"compact:{text(payload, 'entry_id')}", trigger="")]


def _end(payload: Payload) -> list[Seen]:
    reason = values.string(payload, "reason") or "quit"
    return [seen(payload, EventKind.SESSION_END, f"session_end:{reason}:#?", reason=reason)]


_DECODERS: dict[str, Callable[[Payload], list[Seen]]] = {
    "session_start": _start,
    "before_agent_start": _prompt,
    "tool_call": _call,
    "tool_execution_end": _ended,
    "message_end": _message,
    "user_bash": _by_hand,
    "session_compact": _compact,
    "session_shutdown": _end,
}
