"""Copilot CLI: hooks in a file of our own, payloads on stdin, our answer on stdout, a folder for each session."""

from hivemind_cli.hosts.copilot.reader import find_sessions, read_transcript, sessions_in

NAME = "copilot"
CONFIG_ENV = "COPILOT_HOME"

__all__ = ["CONFIG_ENV", "NAME", "find_sessions", "read_transcript", "sessions_in"]
