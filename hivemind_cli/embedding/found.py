"""Find sentence-transformers models that are on this machine already: nothing is imported, nothing downloaded."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MARKS = ("modules.json", "config_sentence_transformers.json", "model.safetensors")
"""Files that make a folder a sentence-transformers model."""
_ORGANISATION = "sentence-transformers"
"""Whose repository a bare name means."""
_ENDS = 65_536


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model in the library's own format."""

    name: str
    """Safe as a file's name."""
    path: Path
    origin: str
    """Where it was found, in words for the person."""


def is_model(folder: Path) -> bool:
    """Does the folder hold a sentence-transformers model with safe weights?"""
    return all((folder / name).is_file() for name in MARKS)


def safe_name(model: str) -> str:
    """The model's name as a folder's: without its organisation, plain characters."""
    last = model.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "model"


def find_model(model: str, env: Mapping[str, str], home: Path) -> ModelFolder | None:
    """`model` (a folder's path, or a name with or without its organisation) on this machine; None if it is not here.

    Names are looked for in the Hugging Face cache, then among installed Python packages that carry a model.
    """
    folder = Path(model).expanduser()
    if is_model(folder):
        return ModelFolder(f"{safe_name(folder.resolve().name)}-{_fingerprint(folder)}", folder.resolve(), "its folder")
    if names_folder(model):
        return None
    name = safe_name(model)
    for path in _in_cache(model, env, home):
        return ModelFolder(name, path, "the Hugging Face cache")
    for path, package in _in_packages(name):
        return ModelFolder(name, path, f"the installed package {package}")
    return None


def fetch_command(model: str) -> str:
    """How a person puts a model by name on this machine; hivemind itself downloads nothing."""
    repository = model if "/" in model else f"{_ORGANISATION}/{model}"
    return f"hf download {repository} --include '*.json' --include '*.txt' --include '*.safetensors'"


def names_folder(model: str) -> bool:
    """Is it a path rather than a name?"""
    return model.startswith(("/", "~", ".")) or model.count("/") > 1


def model_dim(folder: Path) -> int:
    """Length of the model's vectors, as its files say; 0 if they do not."""
    try:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        for module in reversed(modules):
            said = _json(folder / str(module["path"]) / "config.json")
            for key in ("out_features", "word_embedding_dimension", "embedding_dimension", "hidden_size"):
                dim = said.get(key)
                if isinstance(dim, int):
                    return dim
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return 0


def _json(path: Path) -> dict[str, object]:
    said = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return said if isinstance(said, dict) else {}


def _fingerprint(folder: Path) -> str:
    """Tells models of equal folder names apart: hashed over the ends of the weights, whose middle takes a second."""
    weights = folder / "model.safetensors"
    size = weights.stat().st_size
    with weights.open("rb") as file:
        hashed = hashlib.sha256(b"%d" % size + file.read(_ENDS))
        file.seek(max(size - _ENDS, 0))
        hashed.update(file.read(_ENDS))
    return hashed.hexdigest()[:8]


def _in_cache(model: str, env: Mapping[str, str], home: Path) -> Iterator[Path]:
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    hub = Path(env.get("HF_HUB_CACHE") or Path(env.get("HF_HOME") or cache / "huggingface") / "hub")
    for repository in (model,) if "/" in model else (f"{_ORGANISATION}/{model}", model):
        folder = hub / f"models--{repository.replace('/', '--')}"
        try:
            main = [folder / "snapshots" / (folder / "refs" / "main").read_text("utf-8").strip()]
        except (OSError, UnicodeDecodeError):
            main = []
        try:
            others = sorted((folder / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        except OSError:
            others = []
        yield from (path for path in (*main, *others) if is_model(path))


def _in_packages(name: str) -> Iterator[tuple[Path, str]]:
    """Installed distributions whose name holds the model's, and the folder in them that is a model."""
    from importlib import metadata  # dear, and rarely needed

    wanted = _plain(name)
    for distribution in metadata.distributions():
        package = distribution.metadata["Name"] or ""
        if wanted not in _plain(package):  # reading every package's list of files would take seconds
            continue
        for file in distribution.files or ():
            if file.name == MARKS[0]:
                folder = Path(os.path.normpath(str(distribution.locate_file(file)))).parent
                if is_model(folder):
                    yield folder, package


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
