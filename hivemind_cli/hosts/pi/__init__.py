"""pi."""

from hivemind_cli.hosts.pi.headless import headless
from hivemind_cli.hosts.pi.reader import find_sessions, read_transcript, sessions_in
from hivemind_cli.hosts.pi.tools import TOOLS

NAME = "pi"
CONFIG_ENV = "PI_CODING_AGENT_DIR"

__all__ = ["CONFIG_ENV", "NAME", "TOOLS", "find_sessions", "headless", "read_transcript", "sessions_in"]
