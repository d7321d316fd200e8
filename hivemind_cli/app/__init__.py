"""Hivemind: the one façade. It wires the rooms; every door (commands, daemon, SDK) calls it.

`Hivemind.own` opens the store and the indexes in this process and gives their owner, an OwnedHivemind, which turns
the loop: for the daemon, and for tests.
Everything else asks the owner through `storage.daemon`. The stages are imported by the owner alone: a command
that reads needs none of them.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from hivemind_cli.core.child import NICE
from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.settings import load
from hivemind_cli.embedding import Setting as EmbeddingSetting
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.headless import HEADLESS
from hivemind_cli.llm import Setting, choose

if TYPE_CHECKING:
    from hivemind_cli.app.meaning import WhenLoaded
    from hivemind_cli.app.owned import OwnedHivemind
    from hivemind_cli.app.sidecars import Sidecars
    from hivemind_cli.index.base import Index

SERVED_IDLE_S = 3600.0
"""The model that answers queries stays as long as the daemon is in use: its first answer would come too late."""
HOT_VECTORS = 20_000
"""Of skills and memos, kept in memory, at most (30 MB): every hook asks them. 1,000 skills have 4,000."""
BULK_IDLE_S = 20.0
"""The process that embeds in bulk leaves soon after it is done."""

__all__ = ["Hivemind", "OwnedHivemind", "embedding_setting", "llm_setting"]


class Hivemind:
    """Opens hivemind. The caller holds the daemon's lock before it owns anything."""

    @staticmethod
    def own(
        paths: Paths, config: Config, *, env: Mapping[str, str] | None = None, clock: Clock = system_clock
    ) -> "OwnedHivemind":
        """The owner, over the configured engine. StoreLocked, StoreDamaged, ConfigError."""
        from hivemind_cli.app.owned import OwnedHivemind
        from hivemind_cli.index.fresh import FreshFirst
        from hivemind_cli.index.tantivy import TantivyIndex
        from hivemind_cli.llm.kept import Answers
        from hivemind_cli.llm.meter import Metered
        from hivemind_cli.pipeline import indexing
        from hivemind_cli.storage import open_store

        paths.make()
        store = open_store(config.storage.engine, paths.database, memory_mb=config.daemon.memory_mb)
        with ExitStack() as opened:  # what fails below must not leave them open: the next try would find them in use
            opened.callback(store.close)
            index = FreshFirst(TantivyIndex(paths.index / "skills"))
            opened.callback(index.close)
            indexing.begin(store, index)
            environment = os.environ if env is None else env
            choice = choose(llm_setting(paths, config, environment))
            provider, answers = None, Answers(paths.answers)
            if choice.provider:
                provider = Metered(
                    choice.provider,
                    store,
                    config.llm,
                    clock,
                    model=choice.model,
                    price=choice.price,
                    answers=answers,
                    read_config=_llm_reader(paths, config, environment),
                )
            owner = OwnedHivemind(
                paths=paths,
                config=config,
                store=store,
                sidecars=_sidecars(paths, config, environment, index, opened),
                provider=provider,
                answers=answers,
                hosts=HOSTS,
                clock=clock,
            )
            opened.pop_all()
            return owner


def _sidecars(paths: Paths, config: Config, env: Mapping[str, str], index: "Index", opened: ExitStack) -> "Sidecars":
    """All that is derived; without an embedder no vectors: those that stand on disk stay as they are."""
    from hivemind_cli.app.sidecars import Sidecars
    from hivemind_cli.embedding.pipe import child_env
    from hivemind_cli.index.tantivy.texts import TantivyCorpus

    corpus = TantivyCorpus(paths.index / "texts")
    opened.callback(corpus.close)
    embedder, without = _when_loaded(paths, config, env)
    if embedder is None:
        return Sidecars(index, corpus=corpus, without=without)
    from hivemind_cli.index.usearch import UsearchVectors

    name, dim, inherited = embedder.name, embedder.dim, child_env(env)
    vectors, text_vectors = (
        UsearchVectors(paths.vectors / what, model=name, dim=dim, env=inherited, work=paths.work, hot_max=most)
        for what, most in (("skills", HOT_VECTORS), ("texts", None))
    )
    return Sidecars(index, corpus=corpus, vectors=vectors, text_vectors=text_vectors, embedder=embedder)


def _when_loaded(paths: Paths, config: Config, env: Mapping[str, str]) -> tuple["WhenLoaded | None", str]:
    """The exported model in workers, or why not: torch is too dear for a daemon's whole life."""
    from hivemind_cli.app.meaning import AtHand, WhenLoaded
    from hivemind_cli.embedding import choose as choose_embedder
    from hivemind_cli.embedding import exported_folder
    from hivemind_cli.embedding.worker import InWorker

    setting = embedding_setting(paths, config, env)
    runtime = config.embedding.runtime
    if runtime in ("auto", "onnx") and not exported_folder(setting).is_dir():
        return None, f"{config.embedding.model} is not exported: hivemind embeddings install"
    if runtime == "sentence_transformers":
        return None, "`embedding.runtime` is sentence_transformers, which is too slow while somebody waits"
    choice = choose_embedder(setting, in_worker=True)
    if choice.runtime == "hashing" and choice.embedder is not None:
        return WhenLoaded(AtHand(choice.embedder)), ""
    if choice.runtime != "onnx" or not isinstance(choice.embedder, InWorker):
        return None, choice.reason
    served = choice.embedder.twin(nice=0, idle_s=max(config.daemon.idle_minutes * 120, SERVED_IDLE_S))
    return WhenLoaded(served, choice.embedder.twin(nice=NICE, idle_s=BULK_IDLE_S)), ""


def _llm_reader(paths: Paths, config: Config, env: Mapping[str, str]) -> Callable[[], LLMConfig] | None:
    """Reads [llm] anew: a person may edit it while a daemon runs. None if `config` does not come from there."""

    def read() -> LLMConfig:
        try:
            return load(paths, env).config.llm
        except ConfigError:  # whether it may still be asked is not to be seen
            return replace(config.llm, allow=False)

    return read if read() == config.llm else None


def llm_setting(paths: Paths, config: Config, env: Mapping[str, str]) -> Setting:
    """What providers are made of: settings, environment, and how hosts are called headless."""
    return Setting(config=config.llm, env=env, work=paths.work, commands=HEADLESS)


def embedding_setting(paths: Paths, config: Config, env: Mapping[str, str]) -> EmbeddingSetting:
    """What embedders are made of."""
    return EmbeddingSetting(config=config.embedding, models=paths.models, work=paths.work, home=paths.home, env=env)


def __getattr__(name: str) -> object:
    if name == "OwnedHivemind":
        from hivemind_cli.app.owned import OwnedHivemind

        return OwnedHivemind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
