"""A model of a few words and 8 numbers, as the export would lay it down: made in a moment, run by the real runtime."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from hivemind_cli.embedding.base import sha256_of
from hivemind_cli.embedding.exported import MODEL, TOKENIZER, Manifest

WORDS = ("[UNK]", "red", "blue", "green", "one", "two", "three", "four")
DIM = 8


def make(folder: Path, *, inputs: tuple[str, ...] = ("input_ids",), dim: int = DIM) -> Path:
    """The model in `folder`: each word an axis, a text their mean."""
    folder.mkdir(parents=True, exist_ok=True)
    table = numpy_helper.from_array(np.eye(len(WORDS), DIM, dtype=np.float32), "table")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
            helper.make_node("ReduceMean", ["tokens"], ["vectors"], axes=[1], keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", DIM])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    (folder / MODEL).write_bytes(model.SerializeToString())
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / TOKENIZER))
    sign(folder, inputs=inputs, dim=dim)
    return folder


def sign(folder: Path, *, inputs: tuple[str, ...] = ("input_ids",), dim: int = DIM) -> None:
    """A manifest for whatever files stand there."""
    Manifest(
        name="tiny/onnx-int8",
        model="tiny",
        dim=dim,
        tokens_max=64,
        pooling="mean",
        inputs=inputs,
        source_sha256="",
        agreement_min=1.0,
        agreement_mean=1.0,
        files={name: sha256_of(folder / name) for name in (MODEL, TOKENIZER)},
    ).write(folder)
