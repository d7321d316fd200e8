"""Whose words are these? Codex gives its agent much text in the person's name.

Source: rollout files of 0.169.0; the names of the blocks that older and other versions write.
"""

import re
from collections.abc import Mapping
from typing import Any

from hivemind_cli.core.fence import unfenced
from hivemind_cli.hosts import values

_SCAFFOLDING = (
    "# AGENTS.md instructions",
    "<INSTRUCTIONS>",
    "<skill>",
    "<environments>",
    "<environment_context",
    "<permissions instructions>",
    "<turn_aborted>",
    "<hook_prompt",
    "<image",
    "</image>",
    "Another language model started to solve this problem",
)
_BLOCK = re.compile(r"<([a-z]+(?:_[a-z]+)+)[\s>].*</\1>\s*\Z", re.DOTALL)
"""A block of the host's own: one tag of several words around all of the text."""
_SHELL = re.compile(r"\s*<user_shell_command>\s*<command>\n?(.*?)\n?</command>", re.DOTALL)
_EDITOR = "# Context from my IDE setup:"
_REQUEST = re.compile(r"^## My request for Codex:[ \t]*\n?", re.MULTILINE)


def persons_texts(payload: Mapping[str, Any]) -> list[str]:
    """The texts of a user message that are not marked as somebody else's."""
    content = payload.get("content")
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    told = values.mapping(payload.get("internal_chat_message_metadata_passthrough")).get("content_item_kinds")
    kinds = told if isinstance(told, list) and len(told) == len(blocks) else [""] * len(blocks)
    texts = []
    for block, kind in zip(blocks, kinds, strict=True):
        text = block if isinstance(block, str) else values.text(values.mapping(block).get("text"))
        if text and (not isinstance(kind, str) or not kind or kind.startswith(("user.", "unknown", "generic.user"))):
            texts.append(text)
    return texts


def persons_words(text: str) -> str:
    """What a person typed, or "" if this text is the host's or ours."""
    said = text.strip()
    if said.startswith(_EDITOR):
        parts = _REQUEST.split(said, maxsplit=1)
        said = parts[1].strip() if len(parts) == 2 else ""
    said = unfenced(said)
    return "" if said.startswith(_SCAFFOLDING) or _BLOCK.match(said) else said


def shell_command(text: str) -> str:
    """The command a person ran with `!`, or ""."""
    match = _SHELL.match(text)
    return match.group(1).strip() if match else ""
