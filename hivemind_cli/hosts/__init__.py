"""Agent hosts: one file each, all in this dict, so that the type checker compares them with the protocol."""

import difflib

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import (
    aider,
    claude,
    codex,
    copilot,
    cursor,
    gemini,
    hermes,
    kilo,
    openclaw,
    opencode,
    pi,
    specstory,
    vscode,
    windsurf,
)
from hivemind_cli.hosts.base import Host, Keeper, Reader

HOSTS: dict[str, Host] = {
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "copilot": copilot,
    "cursor": cursor,
    "opencode": opencode,
    "kilo": kilo,
    "pi": pi,
    "hermes": hermes,
    "openclaw": openclaw,
    "vscode": vscode,
    "windsurf": windsurf,
}
"""Agents we plug into."""
READERS: dict[str, Reader] = {
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "copilot": copilot,
    "pi": pi,
    "cursor": cursor,
    "opencode": opencode.reader,
    "kilo": kilo,
    "hermes": hermes,
    "specstory": specstory,
    "aider": aider,
}
"""Agents, and keepers of histories, whose past sessions can be imported. Agents first: a history that another
program kept of the same session adds nothing to it."""
KEEPERS: dict[str, Keeper] = {"specstory": specstory, "aider": aider}
"""Those of READERS that keep histories of others' sessions."""


def known_host(name: str) -> Host:
    """The host called `name`. HostError, with the nearest right name, if there is none."""
    if name in HOSTS:
        return HOSTS[name]
    near = difflib.get_close_matches(name.lower(), HOSTS, n=1, cutoff=0.7)
    raise HostError(
        f"No host is called {name!r}.",
        why=f"This version wires {', '.join(sorted(HOSTS))}.",
        fix=f"Did you mean {near[0]!r}?" if near else "Leave --only out to wire every agent that is found.",
    )
