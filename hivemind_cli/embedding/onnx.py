"""Exported models through onnxruntime: what answers while somebody waits. The only file that knows onnxruntime.

One text a run, always. With int8 the scale of a whole batch is chosen at once, so in a batch a text's vector would
depend on its neighbours (cosine .99, not 1). Alone it needs no padding, and costs 10 % of the throughput at 64 tokens.
"""

import os
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import EXTRA, SILENT, TOKENS_MAX, readable, unit
from hivemind_cli.embedding.exported import MODEL, TOKENIZER, check_files, read_manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = "onnx-int8"
_QUIET = 3
"""onnxruntime logs errors only."""
_ENCODED = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Input of the graph -> attribute of a tokenizer's encoding."""


def missing() -> str:
    """ "" if the runtime is installed; else what is missing, in words for the person."""
    absent = [name for name in ("onnxruntime", "tokenizers") if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed: {EXTRA}" if absent else ""


class Onnx:
    """One exported model, loaded (0.2 s, 100 MB for the default). Threads may share it."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """ModelError: the runtime is missing, or the folder is missing, damaged or not what was exported."""
        absent = missing()
        if absent:
            raise ModelError("The onnx runtime cannot be used.", why=f"{absent}.")
        manifest = read_manifest(folder)
        unknown = set(manifest.inputs) - set(_ENCODED)
        if unknown:
            raise ModelError(f"The model in {folder} wants inputs hivemind does not know.", why=", ".join(unknown))
        check_files(folder, manifest)
        self.name, self.dim = manifest.name, manifest.dim
        self._inputs = manifest.inputs
        self._tokens_max = manifest.tokens_max
        self._session, self._tokenizer = _load(folder, threads)
        self._special: int = self._tokenizer.num_special_tokens_to_add(False)
        self._truncating = threading.Lock()

    def __repr__(self) -> str:
        return f"Onnx({self.name!r})"

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder. Beyond the model's own limit `tokens_max` changes nothing."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), np.float32)
        most = max(min(tokens_max, self._tokens_max), self._special + 1)
        for at, text in enumerate(texts):
            vectors[at] = self._one(readable(text, most), most)
        return unit(vectors)

    def _one(self, text: str, tokens_max: int) -> "NDArray[np.float32]":
        import numpy as np

        with self._truncating:  # the limit is the tokenizer's state
            self._tokenizer.enable_truncation(tokens_max)
            encoded = self._tokenizer.encode(text)
        if not encoded.ids:  # nothing but space, to a tokenizer without special tokens
            return np.zeros(self.dim, np.float32)
        inputs = {name: np.array([getattr(encoded, _ENCODED[name])], np.int64) for name in self._inputs}
        try:
            vector: NDArray[np.float32] = self._session.run(None, inputs)[0][0]
        except Exception as exc:  # the runtime's exceptions have no common class
            raise ModelError(f"{self.name} failed on a text of {len(text)} characters.", why=str(exc)[:300]) from exc
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise ModelError(f"{self.name} gave no vector of {self.dim} numbers.", why=f"Its shape is {vector.shape}.")
        return vector


def _load(folder: Path, threads: int) -> tuple[Any, Any]:
    """(session, tokenizer)."""
    os.environ.update(SILENT)
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.enable_mem_pattern = False  # each length of text would keep a plan of its own
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as exc:  # both raise many kinds for files they cannot use
        raise ModelError(
            f"The model in {folder} cannot be loaded.",
            why=f"{str(exc)[:300]}.",
            fix="Run `hivemind embeddings export` to make it anew.",
        ) from exc
    tokenizer.no_padding()
    return session, tokenizer


def quantize(graph: Path, target: Path, *, narrow: bool) -> None:
    """Write the graph's weights as per-channel int8. `narrow`: 7 bits, for processors whose 8-bit sums overflow.

    For the export: needs the `onnx` package.
    """
    import logging

    os.environ.update(SILENT)
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it recommends a preparation that changes nothing here
    quantize_dynamic(graph, target, per_channel=True, reduce_range=narrow, weight_type=QuantType.QInt8)
