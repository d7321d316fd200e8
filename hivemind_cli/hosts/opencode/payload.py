"""What our plugin of OpenCode sends (hooks/plugins/opencode), decoded under the keys that its database gives."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import keys, shim, values
from hivemind_cli.hosts.base import Answer, Seen
from hivemind_cli.hosts.opencode.tools import TOOLS, ended_badly, failed, output_text, typed
from hivemind_cli.hosts.shim_payload import Payload, seen, text, tool_event, tool_input, tool_result

EVENTS: dict[str, Moment | None] = {
    "session.created": Moment.SESSION_START,
    "chat.message": Moment.PROMPT,
    "subagent.message": Moment.SUBAGENT,
    "tool.execute.before": Moment.TOOL_CALL,
    "tool.execute.after": None,
    "tool.error": None,
    "tool.by_hand": None,
    "message.updated": None,
    "session.compacted": None,
    "session.ended": None,
}
ENDS: tuple[str, ...] = ("message.updated", "session.ended")
DENIES = frozenset({"tool.execute.before"})
TEXT_CHARS_MAX = shim.TEXT_CHARS_MAX

_ELSEWHERE = re.compile(r"""(?:^|[\s=:<>"'(])(?:~|\.\.(?:/|\s|$)|/(?!dev/null\b))""")
"""A word of a command that names a place outside the project, or may."""


def encode_answer(event: str, answer: Answer) -> bytes:
    """The line our plugin takes; b"" for silence."""
    return shim.answer_line(answer, event, events=EVENTS, denies=DENIES)


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing."""
    decoder = _DECODERS.get(event)
    return decoder(payload) if decoder else []


def _start(payload: Payload) -> list[Seen]:
    source = text(payload, "source")
    return [seen(payload, EventKind.SESSION_START, f"session_start:{source}:#?", source=source)]


def _said(payload: Payload) -> str:
    texts = payload.get("texts")
    parts = texts if isinstance(texts, list) else [text(payload, "prompt")]
    return "\n".join(filter(None, (typed(one) for one in parts if isinstance(one, str))))


def _prompt(payload: Payload) -> list[Seen]:
    said = _said(payload)
    key = f"{keys.prompt_key(text(payload, 'message_id'), said)}#?"
    return [seen(payload, EventKind.PROMPT, key, text=said)] if said else []


def _task(payload: Payload) -> list[Seen]:
    key = f"{text(payload, 'agent_id')}:{EventKind.SUBAGENT_START}"
    fields = {"agent_type": values.string(payload, "agent_type"), "text": _said(payload)}
    return [seen(payload, EventKind.SUBAGENT_START, key, **fields)]


def _call(payload: Payload) -> list[Seen]:
    given = tool_input(payload)
    act = TOOLS.act(text(payload, "tool_name"), given, values.string(payload, "cwd"))
    asks = True if act.kind != acts.READ and _asks(payload, act, given) else None
    return [tool_event(payload, TOOLS, EventKind.TOOL_CALL, input=given, asks=asks)]


def _asks(payload: Payload, act: acts.Act, given: Mapping[str, Any]) -> bool:
    """May the host ask the person? It does where a rule says so, and by itself for places outside the project."""
    if payload.get("asks") is not False or act.path.startswith(("/", "~", "..")):
        return True
    folder = values.string(given, "workdir")
    command = act.command.replace(f"{values.string(payload, 'cwd')}/", "")
    return bool(folder) or _ELSEWHERE.search(command) is not None


def _after(payload: Payload) -> list[Seen]:
    output = output_text(payload.get("output"))
    if error := failed(output, payload.get("exit")):
        return [tool_event(payload, TOOLS, EventKind.TOOL_FAILURE, error=error)]
    return [tool_result(payload, TOOLS, output)]


def _error(payload: Payload) -> list[Seen]:
    """A call that threw, or was denied: no hook comes after it. Of one refused for its input none came before it."""
    kind, fields = ended_badly(text(payload, "error"), interrupted=payload.get("interrupted") is True)
    return [tool_event(payload, TOOLS, kind, **fields)]


def _by_hand(payload: Payload) -> list[Seen]:
    key = f"{text(payload, 'tool_use_id')}:steer"
    command = TOOLS.act(text(payload, "tool_name"), tool_input(payload), "").command
    return [seen(payload, EventKind.STEER, key, text="", ran=command)] if command else []


def _message(payload: Payload) -> list[Seen]:
    said, message, agent = text(payload, "text").strip(), text(payload, "message_id"), payload.get("agent_id")
    aborted = True if payload.get("aborted") is True else None
    found: list[Seen] = []
    if said and agent:
        key = f"{agent}:{EventKind.SUBAGENT_STOP}:{keys.digest(said)}"
        found.append(seen(payload, EventKind.SUBAGENT_STOP, key, text=said))
    elif said:
        key = keys.reply_key(text(payload, "parent_id"), said)
        found.append(seen(payload, EventKind.REPLY, key, text=said, aborted=aborted))
    if aborted:
        for_tool = payload.get("for_tool") is True
        found.append(seen(payload, EventKind.INTERRUPT, f"interrupt:{message}", for_tool=for_tool))
    return found


def _compact(payload: Payload) -> list[Seen]:
    trigger = "auto" if payload.get("auto") is True else "manual"
    return [seen(payload, EventKind.COMPACT, f"compact:{text(payload, 'message_id')}:#0", trigger=trigger)]


def _end(payload: Payload) -> list[Seen]:
    reason = text(payload, "reason")
    return [seen(payload, EventKind.SESSION_END, f"session_end:{reason}:#?", reason=reason)]


_DECODERS: dict[str, Callable[[Payload], list[Seen]]] = {
    "session.created": _start,
    "chat.message": _prompt,
    "subagent.message": _task,
    "tool.execute.before": _call,
    "tool.execute.after": _after,
    "tool.error": _error,
    "tool.by_hand": _by_hand,
    "message.updated": _message,
    "session.compacted": _compact,
    "session.ended": _end,
}
