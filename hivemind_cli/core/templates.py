"""The prompts that models are sent: files for people to read, each with its version in its first line."""

import re
from functools import cache

from hivemind_cli.core.assets import asset

_VERSION = re.compile(r"\A<!-- version: (\d+) -->\n+")


@cache
def template(name: str) -> tuple[str, int]:
    """The text of skills_templates/`name`.md as it is sent, and its version; 0 if it names none."""
    text = asset("skills_templates", f"{name}.md").read_text(encoding="utf-8")
    found = _VERSION.match(text)
    return (text[found.end() :], int(found[1])) if found else (text, 0)
