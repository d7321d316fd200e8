"""Whose words are these? Copilot CLI puts its own around a person's, and hooks' behind a tool's output."""

import re

from hivemind_cli.core import fence

_GUIDANCE = re.compile(
    r'\n\nTool "[^"\n]*" (?:succeeded|failed)\. Additional guidance from \w+ hooks:\n.*\Z', re.DOTALL
)
_REMINDER = re.compile(r"<(system_reminder|current_datetime|reminder)>.*?</\1>", re.DOTALL)


def persons_words(text: str) -> str:
    """What a person typed, or "" if this text is the host's or ours."""
    return fence.unfenced(_REMINDER.sub("", text).strip()).strip()


def unguided(output: str) -> str:
    """A tool's output without what hooks added to it."""
    return _GUIDANCE.sub("", output)
