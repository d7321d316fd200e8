"""OpenCode."""

from hivemind_cli.hosts.opencode.headless import headless
from hivemind_cli.hosts.opencode.reader import CONFIG_ENV, NAME, find_sessions, read_transcript, sessions_in

__all__ = ["CONFIG_ENV", "NAME", "find_sessions", "headless", "read_transcript", "sessions_in"]
