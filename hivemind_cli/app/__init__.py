"""Hivemind: the one façade. It wires the rooms; every door (commands, daemon, SDK) calls it.

`Hivemind.own` opens the store and the indexes in this process and gives their owner, an OwnedHivemind, which turns
the loop: for the daemon, and for tests.
Everything else asks the owner through `storage.daemon`. The stages are imported by the owner alone: a command
that reads needs none of them.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding import Setting as EmbeddingSetting
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm import Setting, choose

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind

__all__ = ["Hivemind", "OwnedHivemind", "embedding_setting", "llm_setting"]


class Hivemind:
    """Opens hivemind. The caller holds the daemon's lock before it owns anything."""

    @staticmethod
    def own(
        paths: Paths, config: Config, *, env: Mapping[str, str] | None = None, clock: Clock = system_clock
    ) -> "OwnedHivemind":
        """The owner, over the configured engine. StoreLocked, StoreDamaged, ConfigError."""
        from hivemind_cli.app.owned import OwnedHivemind
        from hivemind_cli.index.tantivy import TantivyIndex
        from hivemind_cli.llm.meter import Metered
        from hivemind_cli.pipeline import indexing
        from hivemind_cli.storage import open_store

        paths.make()
        store = open_store(config.storage.engine, paths.database, memory_mb=config.daemon.memory_mb)
        with ExitStack() as opened:  # what fails below must not leave them open: the next try would find them in use
            opened.callback(store.close)
            index = TantivyIndex(paths.index / "skills")
            opened.callback(index.close)
            indexing.begin(store, index)
            choice = choose(llm_setting(paths, config, os.environ if env is None else env))
            provider = Metered(choice.provider, store, config.llm, clock) if choice.provider else None
            owner = OwnedHivemind(
                paths=paths,
                config=config,
                store=store,
                index=index,
                provider=provider,
                hosts=HOSTS,
                clock=clock,
            )
            opened.pop_all()
            return owner


def llm_setting(paths: Paths, config: Config, env: Mapping[str, str]) -> Setting:
    """What providers are made of: settings, environment, and how hosts are called headless."""
    return Setting(config=config.llm, env=env, work=paths.work, commands={"claude": headless})


def embedding_setting(paths: Paths, config: Config, env: Mapping[str, str]) -> EmbeddingSetting:
    """What embedders are made of."""
    return EmbeddingSetting(config=config.embedding, models=paths.models, work=paths.work, home=paths.home, env=env)


def __getattr__(name: str) -> object:
    if name == "OwnedHivemind":
        from hivemind_cli.app.owned import OwnedHivemind

        return OwnedHivemind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
