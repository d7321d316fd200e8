"""Our answer in Hermes' words: one line of JSON on the hook's stdout.

Text reaches the model only at `pre_llm_call`, in the user message of that call; what other events return as text is
dropped. A call is blocked at `pre_tool_call`.
"""

import json

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
"""Text over 10,000 characters goes to a file."""

EVENTS: dict[str, Moment | None] = {
    "on_session_start": None,
    "pre_llm_call": Moment.PROMPT,
    "pre_tool_call": Moment.TOOL_CALL,
    "post_tool_call": None,
    "post_llm_call": None,
    "post_approval_response": None,
    "subagent_start": None,
    "subagent_stop": None,
    "on_session_end": None,
    "on_session_finalize": None,
}
ENDS: tuple[str, ...] = ("on_session_end", "on_session_finalize")
"""The first is the end of each turn, the second the session's."""
DENIES = frozenset({"pre_tool_call"})


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence. It has no line for the person."""
    if EVENTS.get(event) is None or not answer.text or len(answer.text) > TEXT_CHARS_MAX:
        return b""
    if answer.hold and event in DENIES:
        line = {"action": "block", "message": answer.text}
    elif event == "pre_llm_call" and not answer.hold:
        line = {"context": answer.text}
    else:
        return b""
    return json.dumps(line).encode("ascii") + b"\n"
