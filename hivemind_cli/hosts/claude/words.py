"""Whose words are these? Claude Code puts much text where a person's prompt would stand.

Source: captured payloads and transcripts of 2.1.329, and session files of 2.1.38 to 2.1.52.
"""

import re

from hivemind_cli.core.fence import unfenced

WRAPPERS = (
    "<local-command",
    "<command-name>",
    "<command-message>",
    "<bash-",
    "Caveat:",
    "<system-reminder>",
    "<task-notification>",
    "This session is being continued",
    "<user-prompt-submit-hook",
    "Base directory for this skill",
    "<teammate-message",
    "<tool_",
    "<ide_",
    "Stop hook feedback:",
    '{"task_id":',
)
"""How text of the host's own begins when it stands in a user message."""

_INTERRUPT = re.compile(r"\[Request interrupted by user[^\]]*\]")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_SLASH = re.compile(r"/[A-Za-z][\w:.-]*(?:\s|\Z)")
_BASH_INPUT = re.compile(r"\s*<bash-input>(.*?)</bash-input>", re.DOTALL)
_BASH_OUTPUT = re.compile(r"<bash-std(?:out|err)>(.*?)</bash-std(?:out|err)>", re.DOTALL)
_WHILE_WORKING = "The user sent a new message while you were working:"


def persons_words(text: str) -> str:
    """What a person typed, or "" if this text is the host's, ours, or a slash command."""
    said = text.strip()
    if said.startswith(_WHILE_WORKING):
        said = said.removeprefix(_WHILE_WORKING).strip()
    if said.startswith(WRAPPERS) or _INTERRUPT.match(said) or _SLASH.match(said):
        return ""
    return unfenced(_REMINDER.sub("", said)).strip()


def interrupted(text: str) -> bool:
    """Is this the line the host writes when a person pressed Esc?"""
    return _INTERRUPT.match(text.strip()) is not None


def bash_input(text: str) -> str:
    """The command a person ran in bash mode (`! command`), or ""."""
    match = _BASH_INPUT.match(text)
    return match.group(1).strip() if match else ""


def bash_output(text: str) -> str | None:
    """What such a command printed; None if the text is no such output."""
    if not text.lstrip().startswith("<bash-std"):
        return None
    return "\n".join(filter(None, (part.strip("\n") for part in _BASH_OUTPUT.findall(text))))
