"""Sentence embeddings: one port, one file per runtime; and the choice of one, which downloads nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hivemind_cli.core.config import EmbeddingConfig
from hivemind_cli.core.errors import ConfigError, ModelError
from hivemind_cli.embedding.base import EXTRA, Embedder, embed_stream
from hivemind_cli.embedding.exported import check_files, read_manifest
from hivemind_cli.embedding.found import ModelFolder, fetch_command, find_model, model_dim, names_folder, safe_name

__all__ = [
    "RUNTIMES",
    "Choice",
    "Embedder",
    "Setting",
    "advice",
    "choose",
    "describe",
    "embed_stream",
    "exported_folder",
    "source_model",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What there is to make an embedder of."""

    config: EmbeddingConfig
    models: Path
    """core.paths.Paths.models: exported models."""
    work: Path
    """core.paths.Paths.work: where children run."""
    home: Path
    """The person's home, for the Hugging Face cache."""
    env: Mapping[str, str] = field(repr=False)
    """The process's environment, given by the door that may read it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedder, or none; and why, in words for the person."""

    embedder: Embedder | None
    reason: str
    runtime: str = "none"
    """Which of RUNTIMES it is."""
    folder: Path | None = None
    """Where its model stands."""


def choose(setting: Setting, *, in_worker: bool = False) -> Choice:
    """The embedder that `setting` asks for and finds. ConfigError: it names a runtime we do not know.

    `auto` takes the exported model, else the model by sentence-transformers in a worker process (started when first
    used). An exported model is loaded here (0.2 s); with `in_worker`, for work in bulk, it runs in a process of its
    own too. What is missing or damaged is no error but the reason.
    """
    wanted = setting.config.runtime
    if wanted not in ("auto", "none", *RUNTIMES):
        raise ConfigError(
            f"No embedding runtime is called {wanted!r}.",
            why=f"hivemind knows auto, none, {', '.join(RUNTIMES)}.",
            fix="Set `embedding.runtime` to one of these.",
        )
    if wanted == "none":
        return Choice(None, "`embedding.runtime` is none")
    if wanted != "auto":
        return RUNTIMES[wanted](setting, in_worker)
    missing: list[str] = []
    for name in ("onnx", "sentence_transformers"):
        choice = RUNTIMES[name](setting, in_worker)
        if choice.embedder is not None:
            damaged = bool(missing) and exported_folder(setting).is_dir()
            return replace(choice, reason=f"{choice.reason}; its export: {missing[0]}") if damaged else choice
        missing.append(choice.reason)
    return Choice(None, "; ".join(dict.fromkeys(missing)))


def describe(setting: Setting) -> str:
    """One line for `status`: which model compares by meaning, and how to get one, or a quicker one. Loads nothing."""
    choice = choose(setting, in_worker=True)
    if choice.embedder is None:
        return f"no model: {choice.reason}. {advice(setting)}"
    line = f"{choice.embedder.name} ({choice.reason})"
    return f"{line}. Quicker once exported: hivemind embeddings export" if _slow(setting, choice) else line


def advice(setting: Setting) -> str:
    """What to do where there is no embedder."""
    from hivemind_cli.embedding.export import missing

    if setting.config.runtime == "none":
        return "To turn it on: hivemind config set embedding.runtime auto"
    if missing():
        return f"To have one: {EXTRA}"
    if source_model(setting) is not None:
        return "To have it: hivemind embeddings export"
    if names_folder(setting.config.model):
        return "To have one from a sentence-transformers folder: hivemind embeddings export FOLDER"
    return f"To have it: {fetch_command(setting.config.model)}, or from a folder: hivemind embeddings export FOLDER"


def _slow(setting: Setting, choice: Choice) -> bool:
    return setting.config.runtime == "auto" and choice.runtime == "sentence_transformers"


def exported_folder(setting: Setting) -> Path:
    """Where the model's export stands, or would."""
    model = setting.config.model
    if names_folder(model) and (Path(model).expanduser() / "manifest.json").is_file():
        return Path(model).expanduser().absolute()
    found = source_model(setting) if names_folder(model) else None
    return setting.models / (found.name if found else safe_name(model))


def source_model(setting: Setting) -> ModelFolder | None:
    """The model in the library's own format, if it is on this machine."""
    return find_model(setting.config.model, setting.env, setting.home)


def _onnx(setting: Setting, in_worker: bool) -> Choice:
    folder = exported_folder(setting)
    if not folder.is_dir():
        return Choice(None, f"{setting.config.model} is not exported")
    from hivemind_cli.embedding.onnx import Onnx, missing

    absent = missing()
    if absent:
        return Choice(None, absent)
    try:
        if not in_worker:
            return Choice(Onnx(folder, threads=setting.config.threads), "exported", "onnx", folder)
        manifest = read_manifest(folder)
        check_files(folder, manifest)
    except ModelError as exc:
        return Choice(None, str(exc))
    worker = _worker(setting, "onnx", folder, manifest.model, manifest.name, manifest.dim)
    return Choice(worker, "exported", "onnx", folder)


def _sentence_transformers(setting: Setting, in_worker: bool) -> Choice:
    found = source_model(setting)
    if found is None:
        return Choice(None, f"{setting.config.model} is not on this machine")
    from hivemind_cli.embedding.sentence_transformers import SUFFIX, missing

    absent = missing()
    if absent:
        return Choice(None, absent)
    dim = model_dim(found.path)
    if not dim:
        return Choice(None, f"{found.path} does not say how long its vectors are")
    worker = _worker(setting, "sentence_transformers", found.path, found.name, f"{found.name}/{SUFFIX}", dim)
    return Choice(worker, f"from {found.origin}", "sentence_transformers", found.path)


def _worker(setting: Setting, runtime: str, folder: Path, model: str, name: str, dim: int) -> Embedder:
    from hivemind_cli.embedding.worker import InWorker  # late: that module is also a program (python -m)

    config = setting.config
    return InWorker(
        runtime,
        folder=folder,
        model=model,
        name=name,
        dim=dim,
        env=setting.env,
        work=setting.work,
        threads=config.threads,
    )


def _hashing(setting: Setting, in_worker: bool) -> Choice:
    from hivemind_cli.embedding.hashing import Hashing

    return Choice(Hashing(), "asked for by name: it knows words, not meaning", "hashing")


RUNTIMES: dict[str, Callable[[Setting, bool], Choice]] = {
    "onnx": _onnx,
    "sentence_transformers": _sentence_transformers,
    "hashing": _hashing,
}
"""Name -> how to make it, or why not."""
