"""Any sentence-transformers model, through that library. The only file that knows it and torch.

Seconds to start and half a gigabyte: it is loaded in a worker process (worker.py) or in the export, never in the
daemon. Models are read from a folder; the network is never asked, and no code a model brings is run.
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import EXTRA, TOKENS_MAX, readable, unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = "sentence-transformers"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""Set before the library is loaded."""
_BATCH = 8
_OPSET = 17


def missing() -> str:
    """ "" if the runtime is installed; else what is missing, in words for the person."""
    absent = [name for name in ("sentence_transformers", "torch") if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed: {EXTRA}" if absent else ""


class SentenceTransformers:
    """One model, loaded from its folder. Not for several threads at once."""

    def __init__(self, folder: Path, *, name: str, threads: int = 1, device: str | None = None) -> None:
        """`device`: None takes a GPU if there is one. ModelError: the library or the folder is missing or damaged."""
        absent = missing()
        if absent:
            raise ModelError("The sentence_transformers runtime cannot be used.", why=f"{absent}.")
        os.environ.update(OFFLINE)
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            ).eval()
        except Exception as exc:  # the library raises many kinds for folders it cannot use
            raise ModelError(
                f"The model in {folder} cannot be loaded.",
                why=f"{str(exc)[:300]}.",
                fix="`hivemind config set embedding.model FOLDER` takes another model's folder.",
            ) from exc
        self.name = f"{name}/{SUFFIX}"
        self.tokens_max = int(self._model.max_seq_length or TOKENS_MAX)
        """The model's own limit."""
        self.dim = int(self._model.encode([""], show_progress_bar=False).shape[1])

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder. Beyond the model's own limit `tokens_max` changes nothing."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dim), np.float32)
        most = max(min(tokens_max, self.tokens_max), 4)
        self._model.max_seq_length = most
        vectors: NDArray[np.float32] = self._model.encode(
            [readable(text, most) for text in texts],
            batch_size=_BATCH,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return unit(np.asarray(vectors, np.float32))

    def pooling(self) -> str:
        """How token vectors become one: mean, cls, ..."""
        for module in self._model:
            mode = getattr(module, "pooling_mode", None) or getattr(module, "get_pooling_mode_str", None)
            if mode is not None:
                return str(mode() if callable(mode) else mode)
        return "unknown"

    def write_tokenizer(self, path: Path) -> None:
        """Its fast tokenizer as one file. ModelError: it has none."""
        backend = getattr(self._model.tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError("This model cannot be exported.", why="It has no fast tokenizer (tokenizer.json).")
        backend.save(str(path))

    def write_graph(self, path: Path) -> tuple[str, ...]:
        """The whole model, pooling included, as an ONNX graph of float weights; its inputs' names."""
        import torch

        model = self._model

        class Whole(torch.nn.Module):  # type: ignore[misc]  # untyped to us: an extra
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, *given: Any) -> Any:
                features: Any = dict(zip(inputs, given, strict=True))
                for module in self.model:
                    features = module(features)
                return features["sentence_embedding"]

        features = model.preprocess(["two texts of", "different length are traced"])
        inputs = tuple(name for name, value in features.items() if isinstance(value, torch.Tensor))
        shapes = {name: {0: "texts", 1: "tokens"} for name in inputs}
        with torch.inference_mode():
            torch.onnx.export(
                Whole().eval(),
                tuple(features[name] for name in inputs),
                str(path),
                input_names=list(inputs),
                output_names=["vectors"],
                dynamic_axes={**shapes, "vectors": {0: "texts"}},
                opset_version=_OPSET,
                dynamo=False,  # the newer exporter wants three more packages, for the same graph
            )
        return inputs
