"""What every command needs: where files live, the settings, the daemon, and the store through it.

Every room is imported when it is first used: `--help` opens none.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hivemind_cli.core.config import Config
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.core.settings import Loaded
    from hivemind_cli.daemon.client import Client
    from hivemind_cli.hosts.base import Host
    from hivemind_cli.storage.base import Store

LOOK_S = 3.0
"""So long a command that only shows things waits for what people did to files meanwhile."""


@dataclass(frozen=True)
class Door:
    """One command's view of hivemind; everything is made when first used."""

    paths: "Paths"
    env: Mapping[str, str] = field(default_factory=lambda: os.environ, compare=False, repr=False)

    @classmethod
    def open(cls) -> "Door":
        """As the environment says."""
        from hivemind_cli.core.paths import Paths

        return cls(Paths.from_env(os.environ))

    @classmethod
    def apart(cls, paths: "Paths") -> "Door":
        """Of a home made for a moment: the person's HIVEMIND_* say nothing there, not even to its daemon."""
        return cls(paths, {name: value for name, value in os.environ.items() if not name.startswith("HIVEMIND_")})

    @cached_property
    def loaded(self) -> "Loaded":
        """Settings and where each came from. ConfigError: one is wrong."""
        from hivemind_cli.core.settings import load

        return load(self.paths, self.env)

    @property
    def config(self) -> "Config":
        """The settings."""
        return self.loaded.config

    @cached_property
    def client(self) -> "Client":
        """The daemon, started when first asked."""
        from hivemind_cli.daemon.client import Client

        return Client.of(self.paths, self.env, self.config.llm)

    @cached_property
    def store(self) -> "Store":
        """The records, through the daemon."""
        from hivemind_cli.storage.daemon import DaemonStore

        return DaemonStore(self.client.call)

    @property
    def hosts(self) -> "dict[str, Host]":
        """The hosts that are known."""
        from hivemind_cli.hosts import HOSTS

        return HOSTS

    def ask(self, verb: str, timeout_s: float = 60.0, **args: Any) -> Any:
        """One request to the daemon."""
        return self.client.call(verb, args, timeout_s=timeout_s)

    def up_to_date(self) -> "Door":
        """This door, once the store knows what people did to skill files; a busy daemon is not waited for."""
        from hivemind_cli.core.errors import DaemonError

        with suppress(DaemonError):
            self.ask("observe", timeout_s=LOOK_S)
        return self

    @property
    def cwd(self) -> Path:
        """The person's folder."""
        return Path.cwd()
