"""What our plugin of OpenClaw sends (hooks/plugins/openclaw), decoded.

OpenClaw talks with people over chat channels, too, where anybody may write: only what comes from its own surfaces, or
from whom it knows as its owner, is a person's correction.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hivemind_cli.core import fence
from hivemind_cli.core.acts import SHELL
from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import calls, shim, values
from hivemind_cli.hosts.base import Answer, Seen
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.keys import prompt_key, reply_key
from hivemind_cli.hosts.shim_payload import seen, text, tool_event, tool_input, tool_result

EVENTS: dict[str, Moment | None] = {
    "session_start": Moment.SESSION_START,
    "before_prompt_build": Moment.PROMPT,
    "before_tool_call": Moment.TOOL_CALL,
    "after_tool_call": None,
    "agent_end": None,
    "before_compaction": None,
    "session_end": None,
}
ENDS: tuple[str, ...] = ("agent_end", "session_end")
DENIES = frozenset({"before_tool_call"})
TEXT_CHARS_MAX = 9_000
"""No limit is documented; recall says far less."""
TOOLS = calls.Tools(
    shells=frozenset({"exec", "bash", "process"}),
    edits=frozenset({"write", "edit", "apply_patch"}),
    reads=frozenset({"read", "grep", "find", "ls"}),
)
_OWN_SURFACES = frozenset({"", "webchat", "tui", "cli", "control-ui", "local", "internal"})
_BY_PERSON = frozenset({"", "user"})
"""What sets a run off, where somebody wrote; heartbeats, schedules and memory runs are not among them."""
_KEY = re.compile(r"agent:[^:]+:(?:main|webchat|tui|cli|explicit)\b", re.IGNORECASE)
"""The key of a session with the person: that of a channel names the channel."""
_STOPPED = re.compile(r"abort|interrupt|cancel|stopped by", re.IGNORECASE)

Payload = Mapping[str, Any]


def encode_answer(event: str, answer: Answer) -> bytes:
    """The line our plugin takes; b"" for silence, and for text at a call, which nothing would show to the model."""
    if answer.moment is Moment.TOOL_CALL and not answer.hold:
        return b""
    return shim.answer_line(answer, event, events=EVENTS, denies=DENIES, chars_max=TEXT_CHARS_MAX)


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    return decoder(payload) if decoder else []


def _is_persons(payload: Payload) -> bool:
    if values.string(payload, "trigger") not in _BY_PERSON:
        return False
    if payload.get("owner") is True:
        return True
    key = values.string(payload, "session_key")
    return values.string(payload, "channel").lower() in _OWN_SURFACES and (not key or _KEY.match(key) is not None)


def _start(payload: Payload) -> list[Seen]:
    source = text(payload, "source")
    return [seen(payload, EventKind.SESSION_START, f"session_start:{source}:#?", source=source)]


def _prompt(payload: Payload) -> list[Seen]:
    said = persons_words(text(payload, "prompt")) if _is_persons(payload) else ""
    return [seen(payload, EventKind.PROMPT, f"{prompt_key('', said)}#?", text=said)] if said else []


def _call(payload: Payload) -> list[Seen]:
    """It may ask a person about a command; whether it does is in a policy that no hook tells."""
    asks = True if TOOLS.kind(text(payload, "tool_name")) == SHELL else None
    return [tool_event(payload, TOOLS, EventKind.TOOL_CALL, input=tool_input(payload), asks=asks)]


def _ended(payload: Payload) -> list[Seen]:
    error, content = values.string(payload, "error"), payload["content"]
    output = calls.blocks_text(values.mapping(content).get("content", content))
    if fence.OPEN in error or (error and fence.OPEN in output):
        return [tool_event(payload, TOOLS, EventKind.TOOL_DENIED, by="hivemind", words="")]
    if error:
        return [tool_event(payload, TOOLS, EventKind.TOOL_FAILURE, error=error)]
    return [tool_result(payload, TOOLS, output)]


def _turn_end(payload: Payload) -> list[Seen]:
    said, error = values.string(payload, "text").strip(), values.string(payload, "error")
    stopped = bool(_STOPPED.search(error)) and _is_persons(payload)
    found = []
    if said:
        aborted = True if stopped else None
        found.append(seen(payload, EventKind.REPLY, f"{reply_key('', said)}:#?", text=said, aborted=aborted))
    if stopped:
        found.append(seen(payload, EventKind.INTERRUPT, "interrupt:#?", for_tool=False))
    return found


def _compact(payload: Payload) -> list[Seen]:
    return [seen(payload, EventKind.COMPACT, "compact::#?", trigger="auto")]


def _end(payload: Payload) -> list[Seen]:
    reason = text(payload, "reason")
    return [seen(payload, EventKind.SESSION_END, f"session_end:{reason}:#?", reason=reason)]


_DECODERS: dict[str, Callable[[Payload], list[Seen]]] = {
    "session_start": _start,
    "before_prompt_build": _prompt,
    "before_tool_call": _call,
    "after_tool_call": _ended,
    "agent_end": _turn_end,
    "before_compaction": _compact,
    "session_end": _end,
}
