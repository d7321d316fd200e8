"""Hosts that run a hook only once a person agreed to it."""

from pathlib import Path
from typing import Protocol

from hivemind_cli.hosts import codex, hermes


class Asking(Protocol):
    """A host that asks first."""

    def trusted(self, home: Path, command: str, *, config_dir: Path | None = None) -> bool | None:
        """Did the person agree to all our hooks as they stand? None: that cannot be known."""


CONSENT: dict[str, Asking] = {"codex": codex, "hermes": hermes}
"""By host id."""
