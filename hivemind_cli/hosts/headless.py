"""Hosts whose own program can be asked one question: on the person's login, with tools, hooks and history off."""

from hivemind_cli.core.headless import HeadlessProgram
from hivemind_cli.hosts.claude import headless as claude
from hivemind_cli.hosts.codex import headless as codex
from hivemind_cli.hosts.copilot import headless as copilot
from hivemind_cli.hosts.cursor import headless as cursor
from hivemind_cli.hosts.gemini import headless as gemini
from hivemind_cli.hosts.hermes import headless as hermes
from hivemind_cli.hosts.openclaw import headless as openclaw
from hivemind_cli.hosts.opencode import headless as opencode
from hivemind_cli.hosts.pi import headless as pi

HEADLESS: dict[str, HeadlessProgram] = {
    "claude": HeadlessProgram("claude", claude.headless, tells_price=True),
    "codex": HeadlessProgram("codex", codex.headless),
    "cursor": HeadlessProgram("cursor-agent", cursor.headless),
    "gemini": HeadlessProgram("gemini", gemini.headless),
    "hermes": HeadlessProgram("hermes", hermes.headless, tells_price=True),
    "pi": HeadlessProgram("pi", pi.headless),
    "opencode": HeadlessProgram("opencode", opencode.headless, tells_price=True),
    "copilot": HeadlessProgram("copilot", copilot.headless),
    "openclaw": HeadlessProgram("openclaw", openclaw.headless),
}
"""Host id -> its program, and how it is called."""
