"""An exported model's folder: model.onnx, tokenizer.json, and a manifest that says what they are and their sha256."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import sha256_of

MODEL, TOKENIZER, MANIFEST = "model.onnx", "tokenizer.json", "manifest.json"
FORMAT = 1
_AGAIN = "Run `hivemind embeddings export` to make it anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an exported folder holds."""

    name: str
    """Of the vectors: all-MiniLM-L6-v2/onnx-int8."""
    model: str
    """Of the model it was made from."""
    dim: int
    tokens_max: int
    """Of one text, special tokens included."""
    pooling: str
    """mean, cls, ...; it is part of the graph, which gives one vector a text."""
    inputs: tuple[str, ...]
    """Of the graph: input_ids, attention_mask and whatever else the tokenizer gives."""
    source_sha256: str
    """Of the weights it was made from."""
    agreement_min: float
    agreement_mean: float
    """Cosine between its vectors and the source's, over the sentences of the export."""
    files: dict[str, str] = field(default_factory=dict)
    """File name -> sha256."""
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """OSError."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest. ModelError: there is none, or it has no form."""
    try:
        said = json.loads((folder / MANIFEST).read_text("utf-8"))
        manifest = Manifest(**{**said, "inputs": tuple(said["inputs"])})
        whole = manifest.dim > 0 and manifest.tokens_max > 0 and {MODEL, TOKENIZER} <= set(manifest.files)
    except OSError as exc:
        raise ModelError(f"{folder} holds no exported model.", why=f"{exc}.", fix=_AGAIN) from exc
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ModelError(f"{folder / MANIFEST} is damaged.", why=f"{exc}.", fix=_AGAIN) from exc
    if manifest.format != FORMAT or not whole:
        raise ModelError(f"{folder / MANIFEST} is not of a form this version reads.", fix=_AGAIN)
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """ModelError: a file is missing, cannot be read, or is not the one that was exported."""
    for name, sha256 in manifest.files.items():
        try:
            found = sha256_of(folder / name)
        except OSError as exc:
            raise ModelError(f"{folder / name} cannot be read.", why=f"{exc}.", fix=_AGAIN) from exc
        if found != sha256:
            raise ModelError(
                f"{folder / name} is not the file that was exported.",
                why=f"Its sha256 begins with {found[:12]}, the manifest says {sha256[:12]}.",
                fix=_AGAIN,
            )
