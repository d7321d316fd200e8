"""Whose words are these? Gemini CLI puts its own, and hooks', around and in the place of a person's.

Source: session files and hook payloads of 0.61.0, and its published code.
"""

import re

from hivemind_cli.core import fence
from hivemind_cli.hosts import values

HOST_TEXT = (
    "<session_context>",
    "This is the Gemini CLI.",
    "Here is the user's editor context",
    "Here is a summary of changes in the user's editor context",
    "<state_snapshot>",
    "System: Please continue.",
    "[Operation Cancelled]",
)
NO_REPLY = "[no response text]"
"""What hooks are told where the agent said nothing."""
_SLASH = re.compile(r"/[A-Za-z][\w:.-]*(?:\s|\Z)")
_HOOK = re.compile(r"<hook_context>.*?</hook_context>", re.DOTALL)
_FILES = "\n--- Content from referenced files ---"
_RAN = re.compile(r"\AI ran the following shell command:\n```\w*\n(.*?)\n```", re.DOTALL)


def persons_words(text: str) -> str:
    """What a person typed, or "" if this text is the host's or ours. Hooks put our words before and behind theirs.

    Within `<hook_context>` the host writes our fence with `&lt;` and `&gt;`. Files a prompt names stand behind it.
    """
    said = fence.unfenced(unhooked(text).partition(_FILES)[0].strip())
    return "" if said.startswith(HOST_TEXT) or _SLASH.match(said) else said


def unhooked(text: str) -> str:
    """`text` without what hooks added to it."""
    return _HOOK.sub("", text).strip()


def ran(text: str) -> str:
    """The command that the person ran within the session (`!`), or ""."""
    found = _RAN.match(text)
    return found.group(1) if found else ""


def texts(content: object) -> list[str]:
    """The texts of a message's parts: a text, a part, or a list of both."""
    parts = content if isinstance(content, list) else [content]
    said = [part if isinstance(part, str) else values.mapping(part).get("text") for part in parts]
    thought = [isinstance(part, dict) and part.get("thought") is True for part in parts]
    return [text.strip() for text, skip in zip(said, thought, strict=True) if isinstance(text, str) and not skip]
