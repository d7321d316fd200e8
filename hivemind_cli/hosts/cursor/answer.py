"""Our answer in Cursor's words: one line of JSON on the hook's stdout, flat, in snake case.

Documented at `sessionStart` and `postToolUse`; at `beforeSubmitPrompt` it was seen to reach the model of 3.9.16.
"""

import json

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts.base import Answer

TEXT_CHARS_MAX = 9_000
"""No limit is documented; recall says far less."""

EVENTS: dict[str, Moment | None] = {
    "sessionStart": Moment.SESSION_START,
    "beforeSubmitPrompt": Moment.PROMPT,
    "preToolUse": None,
    "postToolUse": Moment.TOOL_CALL,
    "postToolUseFailure": None,
    "afterAgentResponse": None,
    "subagentStart": None,
    "subagentStop": None,
    "preCompact": None,
    "stop": None,
    "sessionEnd": None,
}
"""Only names that its documentation lists: with one that a version does not know, it drops the whole file.

The events of single tools (`beforeShellExecution`, ...) tell nothing that `preToolUse` and `postToolUse` do not.
"""
ENDS: tuple[str, ...] = ("stop", "sessionEnd")
DENIES: frozenset[str] = frozenset()


def encode_answer(event: str, answer: Answer) -> bytes:
    """One line ending in a newline, or b"" for silence. It has no line for the person."""
    if EVENTS.get(event) is None or answer.hold or not answer.text or len(answer.text) > TEXT_CHARS_MAX:
        return b""
    line = {"continue": True} if event == "beforeSubmitPrompt" else {}
    return json.dumps({**line, "additional_context": answer.text}).encode("ascii") + b"\n"
