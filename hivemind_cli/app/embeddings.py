"""The sentence-embedding model as people handle it: what there is, exporting it, removing the export."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding import Setting, advice, choose, exported_folder, source_model
from hivemind_cli.embedding.export import export as export_model
from hivemind_cli.embedding.export import missing, remove
from hivemind_cli.embedding.exported import Manifest, check_files, read_manifest
from hivemind_cli.embedding.found import ModelFolder, find_model


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What `hivemind embeddings status` shows."""

    runtime: str
    """onnx, sentence_transformers, hashing or none."""
    name: str
    """Of its vectors; "" without a runtime."""
    dim: int
    folder: str
    reason: str
    """Why this one, or why none."""
    exported: str
    """Of the export: "whole" (files as exported, by their sha256), "none", or what is wrong with it."""
    exported_bytes: int
    agreement_min: float
    """Least cosine between export and model at the export; 0 without one."""
    source: str
    """The model's own folder, from which it can be exported; "" if it is not on this machine."""
    cannot_export: str
    """What is missing for an export; "" if nothing."""
    advice: str
    """What to do next; "" if nothing."""
    index: Mapping[str, object] = field(default_factory=dict)
    """What the owner says of its vectors (its verb `index.state`); nothing if it was not asked."""


def status(setting: Setting, index: Mapping[str, object] | None = None) -> Embeddings:
    """What there is; no runtime is loaded, nothing is started. ConfigError."""
    choice = choose(setting, in_worker=True)
    folder, source = exported_folder(setting), source_model(setting)
    exported, manifest = "none", None
    if folder.is_dir():
        try:
            manifest = read_manifest(folder)
            check_files(folder, manifest)
            exported = "whole"
        except ModelError as exc:
            exported = str(exc)
    following = "" if choice.embedder else advice(setting)
    if choice.runtime == "sentence_transformers" and setting.config.runtime == "auto":
        following = "Recall and search go by words until it is exported: hivemind embeddings install"
    return Embeddings(
        runtime=choice.runtime,
        name=choice.embedder.name if choice.embedder else "",
        dim=choice.embedder.dim if choice.embedder else 0,
        folder=str(choice.folder or ""),
        reason=choice.reason,
        exported=exported,
        exported_bytes=_size(folder),
        agreement_min=manifest.agreement_min if manifest else 0.0,
        source=str(source.path) if source else "",
        cannot_export=missing(),
        advice=following,
        index=index or {},
    )


def offered(setting: Setting) -> str:
    """The model that could be exported here and now, and is not; "" if there is none, or it is not wanted."""
    if setting.config.runtime not in ("auto", "onnx") or exported_folder(setting).is_dir() or missing():
        return ""
    found = source_model(setting)
    return found.name if found else ""


def check(setting: Setting) -> bool:
    """Is the configured model still to be exported? False: it is. ModelError: it cannot be, and what to do first."""
    if setting.config.runtime == "none":
        raise ModelError("Embeddings are switched off.", why="`embedding.runtime` is none.", fix=advice(setting))
    if choose(setting, in_worker=True).runtime == "onnx":
        return False
    if absent := missing():
        what, _, command = absent.partition(": ")
        raise ModelError("Sentence embeddings need packages that are not here.", why=f"{what}.", fix=f"Run: {command}")
    _found(setting)
    return True


def export(
    setting: Setting, folder: Path | None = None, *, progress: Callable[[str], object] | None = None
) -> tuple[Manifest, Path]:
    """Export the configured model, or the one in `folder`; what was made, and where. ModelError."""
    source, target = _found(setting) if folder is None else _given(setting, folder)
    return export_model(source, target, env=setting.env, work=setting.work, progress=progress), target


def uninstall(setting: Setting) -> tuple[Path, int]:
    """Remove the configured model's export; where it stood, and the bytes freed. ModelError: there is none."""
    folder = exported_folder(setting)
    if not folder.is_relative_to(setting.models):
        raise ModelError(f"{folder} was not made by hivemind's export.", fix="Delete the folder yourself.")
    if not folder.is_dir():
        raise ModelError(f"{setting.config.model} is not exported: there is nothing to remove.")
    return folder, remove(folder)


def remove_vectors(folder: Path) -> int:
    """Delete all vectors (`Paths.vectors`) while no daemon runs; the bytes freed. ModelError: that cannot be done."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return 0
    except OSError as exc:
        raise ModelError(f"{folder} cannot be deleted.", why=f"{exc}.", fix="Check its permissions.") from exc
    return size


def _found(setting: Setting) -> tuple[ModelFolder, Path]:
    """The configured model, and where its export goes."""
    found = source_model(setting)
    if found is None:
        raise ModelError(
            f"The model {setting.config.model} is not on this machine.",
            why="It is neither in the Hugging Face cache nor in an installed package, and hivemind downloads nothing.",
            fix=advice(setting),
        )
    return found, setting.models / found.name


def _given(setting: Setting, folder: Path) -> tuple[ModelFolder, Path]:
    """The model in a person's folder, and where its export goes."""
    path = folder.expanduser().absolute()
    found = find_model(str(path), setting.env, setting.home)
    if found is None:
        raise ModelError(
            f"{path} is no sentence-transformers model.",
            why="Such a folder has modules.json, config_sentence_transformers.json and model.safetensors.",
            fix="Without a folder, `hivemind embeddings export` takes the model it finds.",
        )
    return found, setting.models / found.name


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file()) if folder.is_dir() else 0
