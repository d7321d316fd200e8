"""Exported folders: what is missing, damaged or exchanged is told, never run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding import onnx
from hivemind_cli.embedding.exported import MANIFEST, MODEL, TOKENIZER
from hivemind_cli.embedding.onnx import Onnx
from tests.embedding import tiny


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """An export that may be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "export"))


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _no_dim(path: Path) -> None:
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "dim": "many"}))


def _of_tomorrow(path: Path) -> None:
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "format": 99}))


@pytest.mark.parametrize(
    ("file", "harm", "said"),
    [
        (MODEL, Path.unlink, "cannot be read"),
        (MODEL, _half, "is not the file that was exported"),
        (TOKENIZER, _half, "is not the file that was exported"),
        (MANIFEST, Path.unlink, "holds no exported model"),
        (MANIFEST, _half, "is damaged"),
        (MANIFEST, _no_dim, "is damaged"),
        (MANIFEST, _of_tomorrow, "not of a form this version reads"),
    ],
)
def test_a_damaged_folder_is_refused(folder: Path, file: str, harm: Callable[[Path], None], said: str) -> None:
    harm(folder / file)
    with pytest.raises(ModelError, match=said) as told:
        Onnx(folder)
    assert "hivemind embeddings export" in told.value.fix


@pytest.mark.parametrize("file", [MODEL, TOKENIZER])
def test_a_file_that_is_no_model_is_refused_though_its_sum_is_right(folder: Path, file: str) -> None:
    (folder / file).write_bytes(b"\x08\x07 no model")
    tiny.sign(folder)
    with pytest.raises(ModelError, match="cannot be loaded"):
        Onnx(folder)


def test_inputs_we_cannot_give_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="position_ids"):
        Onnx(tiny.make(tmp_path / "m", inputs=("input_ids", "position_ids")))


def test_a_graph_of_another_shape_is_an_error_not_a_vector(tmp_path: Path) -> None:
    model = Onnx(tiny.make(tmp_path / "m", dim=16))
    with pytest.raises(ModelError, match="no vector of 16 numbers"):
        model.embed(["red"])


def test_a_missing_runtime_names_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'hivemind-loop\[embeddings\]'"):
        Onnx(folder)


def test_threads_with_different_limits_do_not_disturb_each_other(folder: Path) -> None:
    model = Onnx(folder)
    text = "red blue green one"
    limits = [1, 2, 3, 4]
    alone = {limit: model.embed([text], tokens_max=limit)[0] for limit in limits}
    with ThreadPoolExecutor(len(limits)) as pool:
        asked = limits * 50
        found = list(pool.map(lambda limit: model.embed([text], tokens_max=limit)[0], asked))
    assert all(np.allclose(row, alone[limit]) for row, limit in zip(found, asked, strict=True))


def test_naming_a_runtime_loads_none() -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hivemind_cli.core.config import EmbeddingConfig\n"
        "from hivemind_cli.embedding import Setting, describe\n"
        "nowhere = Path('/nowhere')\n"
        "describe(Setting(config=EmbeddingConfig(), models=nowhere, work=nowhere, home=nowhere, env={}))\n"
        "print([m for m in ('onnxruntime', 'tokenizers', 'torch', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_runtime_keeps_nothing_in_the_home_and_tells_nobody(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "a-home"
    home.mkdir()
    load = "import pathlib, sys; from hivemind_cli.embedding.onnx import Onnx; Onnx(pathlib.Path(sys.argv[1]))"
    env = {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", load, str(folder)], env=env, check=True, timeout=60)
    assert list(home.rglob("*")) == []
