"""Gemini CLI: hooks in `settings.json`, payloads on stdin, our answer on stdout, a file for each session."""

from hivemind_cli.hosts.gemini.payload import decode
from hivemind_cli.hosts.gemini.reader import find_sessions, read_tail, read_transcript, sessions_in, transcript_of

NAME = "gemini"
CONFIG_ENV = "GEMINI_CLI_HOME"

__all__ = [
    "CONFIG_ENV",
    "NAME",
    "decode",
    "find_sessions",
    "read_tail",
    "read_transcript",
    "sessions_in",
    "transcript_of",
]
