"""Which embedder there is, and why none."""

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.embedding import Setting, choose, describe, export, exported_folder, sentence_transformers
from hivemind_cli.embedding.found import MARKS, find_model, is_model, model_dim
from hivemind_cli.embedding.worker import InWorker

MakeSetting = Callable[..., Setting]


@pytest.fixture(autouse=True)
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real model's package counts as not installed, whether it is or not; the library as installed."""
    found = metadata.distributions

    def without() -> list[metadata.Distribution]:
        return [one for one in found() if not (one.metadata["Name"] or "").startswith("gt-")]

    monkeypatch.setattr(metadata, "distributions", without)
    monkeypatch.setattr(sentence_transformers, "missing", lambda: "")
    monkeypatch.setattr(export, "missing", lambda: "")


def _source(folder: Path, *, weights: bytes = b"weights", dim: int = 8) -> Path:
    """A folder that looks like a model of the library's."""
    folder.mkdir(parents=True)
    for name in MARKS:
        (folder / name).write_bytes(weights)
    modules = [{"idx": 0, "path": "", "type": "t"}, {"idx": 1, "path": "1_Pooling", "type": "p"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config.json").write_text('{"hidden_size": 4}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": dim}))
    return folder


def _export(setting: Setting, tiny_model: Path, name: str = "all-MiniLM-L6-v2") -> Path:
    return Path(shutil.copytree(tiny_model, setting.models / name))


def test_an_empty_machine_has_none_and_says_what_to_do(setting: MakeSetting) -> None:
    choice = choose(setting())
    assert choice.embedder is None
    assert "not exported" in choice.reason and "not on this machine" in choice.reason
    assert "hivemind embeddings export FOLDER" in describe(setting())


def test_hashing_is_only_taken_by_name(setting: MakeSetting) -> None:
    choice = choose(setting(runtime="hashing"))
    assert choice.embedder is not None and choice.embedder.name == "hashing-384"


def test_none_means_none(setting: MakeSetting, tiny_model: Path) -> None:
    off = setting(runtime="none")
    _export(off, tiny_model)
    assert choose(off).embedder is None
    assert "hivemind config set embedding.runtime auto" in describe(off)


def test_a_misspelt_runtime_is_refused(setting: MakeSetting) -> None:
    with pytest.raises(ConfigError, match="onx"):
        choose(setting(runtime="onx"))


def test_an_export_is_taken_before_anything_else(setting: MakeSetting, tiny_model: Path, tmp_path: Path) -> None:
    one = setting(env={"HF_HUB_CACHE": str(tmp_path / "hub")})
    _source(tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "abc")
    folder = _export(one, tiny_model)
    choice = choose(one)
    assert choice.embedder is not None and choice.embedder.name == "tiny/onnx-int8"
    assert (choice.runtime, choice.folder) == ("onnx", folder)


def test_in_bulk_an_export_runs_in_a_process_of_its_own(setting: MakeSetting, tiny_model: Path) -> None:
    one = setting()
    _export(one, tiny_model)
    worker = choose(one, in_worker=True).embedder
    assert isinstance(worker, InWorker)
    assert worker.embed(["red"]).shape == (1, worker.dim)
    worker.close()


@pytest.mark.parametrize("in_worker", [False, True])
def test_a_damaged_export_is_a_reason_and_the_next_is_taken(
    setting: MakeSetting, tiny_model: Path, tmp_path: Path, in_worker: bool
) -> None:
    one = setting(env={"HF_HOME": str(tmp_path / "hf")})
    (_export(one, tiny_model) / "model.onnx").write_bytes(b"other")
    assert "is not the file that was exported" in choose(one, in_worker=in_worker).reason
    _source(tmp_path / "hf" / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "abc")
    choice = choose(one, in_worker=in_worker)
    assert choice.embedder is not None and choice.embedder.name == "all-MiniLM-L6-v2/sentence-transformers"
    assert choice.embedder.dim == 8
    assert "is not the file that was exported" in choice.reason


def test_without_the_library_its_command_is_named(
    setting: MakeSetting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_transformers, "missing", lambda: "torch not installed: pip install it")
    _source(tmp_path / "m")
    assert "pip install it" in choose(setting(model=str(tmp_path / "m"))).reason


def test_the_cache_gives_what_its_main_reference_names(tmp_path: Path) -> None:
    repository = tmp_path / ".cache" / "huggingface" / "hub" / "models--someone--their-model"
    old, new = _source(repository / "snapshots" / "aaa"), _source(repository / "snapshots" / "bbb")
    found = find_model("someone/their-model", {}, tmp_path)
    assert found is not None and found.name == "their-model" and found.path in (old, new)
    (repository / "refs").mkdir()
    for name, folder in (("aaa", old), ("bbb", new)):
        (repository / "refs" / "main").write_text(name)
        found = find_model("someone/their-model", {}, tmp_path)
        assert found is not None and found.path == folder
    assert find_model("their-model", {}, tmp_path) is None  # another's model is not meant by a bare name


def test_a_package_that_carries_the_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    folder = _source(site / "carrier" / "data")
    info = site / "x_some_model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: x-some-model\nVersion: 1.0\n")
    (info / "RECORD").write_text("carrier/data/config.json,,\ncarrier/data/modules.json,,\n")
    monkeypatch.syspath_prepend(str(site))
    found = find_model("some-MODEL", {}, tmp_path)
    assert found is not None and found.path == folder and "x-some-model" in found.origin
    assert find_model("some-other-model", {}, tmp_path) is None


def test_models_in_folders_of_one_name_have_names_of_their_own(setting: MakeSetting, tmp_path: Path) -> None:
    one, other = _source(tmp_path / "a" / "model"), _source(tmp_path / "b" / "model", weights=b"others")
    names = {str(exported_folder(setting(model=str(folder)))) for folder in (one, other)}
    assert len(names) == 2 and all("model-" in name for name in names)


def test_a_model_with_unsafe_weights_only_is_none(tmp_path: Path) -> None:
    folder = _source(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert not is_model(folder)


@pytest.mark.parametrize("said", ["", "[]", "{", '[{"path": 3}]', '[{"path": "gone"}]', "null"])
def test_a_model_that_does_not_say_its_dimension_says_so(setting: MakeSetting, tmp_path: Path, said: str) -> None:
    folder = _source(tmp_path / "m")
    assert model_dim(folder) == 8
    (folder / "modules.json").write_text(said)
    assert model_dim(folder) == 0
    assert "does not say how long" in choose(setting(model=str(folder))).reason
