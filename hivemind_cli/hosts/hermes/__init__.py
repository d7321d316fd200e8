"""Hermes Agent: shell hooks in `config.yaml`, payloads on stdin, our answer on stdout, sessions in an SQLite database.

Source: the published code of 0.19.0; not run by us.
"""

from hivemind_cli.hosts.hermes.reader import find_sessions, read_transcript, sessions_in

NAME = "hermes"
CONFIG_ENV = "HERMES_HOME"

__all__ = ["CONFIG_ENV", "NAME", "find_sessions", "read_transcript", "sessions_in"]
