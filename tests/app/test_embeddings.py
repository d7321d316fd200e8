"""The embedding model as people handle it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hivemind_cli.app import embedding_setting, embeddings
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding import Setting
from hivemind_cli.embedding.exported import read_manifest
from hivemind_cli.embedding.found import find_model
from tests.embedding import tiny


@pytest.fixture
def setting(own_home: Path) -> Setting:
    """Of a machine that has no model called some-model."""
    paths = Paths.from_env(os.environ)
    paths.make()
    return embedding_setting(paths, Config(embedding=EmbeddingConfig(model="some-model")), {})


def test_a_machine_without_a_model_is_told_how_to_have_one(setting: Setting) -> None:
    found = embeddings.status(setting)
    assert (found.runtime, found.name, found.dim, found.exported, found.source) == ("none", "", 0, "none", "")
    assert found.advice


def test_an_export_is_shown_with_its_size_and_whether_it_is_whole(setting: Setting) -> None:
    folder = tiny.make(setting.models / "some-model")
    found = embeddings.status(setting)
    assert (found.runtime, found.name, found.dim) == ("onnx", "tiny/onnx-int8", tiny.DIM)
    assert (found.folder, found.exported, found.advice) == (str(folder), "whole", "")
    assert found.exported_bytes == sum(path.stat().st_size for path in folder.iterdir())
    (folder / "model.onnx").write_bytes(b"other")
    damaged = embeddings.status(setting)
    assert damaged.runtime == "none" and "is not the file that was exported" in damaged.exported


def test_uninstall_removes_the_export_once(setting: Setting) -> None:
    folder = tiny.make(setting.models / "some-model")
    size = embeddings.status(setting).exported_bytes
    assert embeddings.uninstall(setting) == (folder, size)
    assert not folder.exists()
    with pytest.raises(ModelError, match="nothing to remove"):
        embeddings.uninstall(setting)


def test_uninstall_leaves_a_persons_own_folder(setting: Setting, tmp_path: Path) -> None:
    own = tiny.make(tmp_path / "own" / "export")
    theirs = replace(setting, config=EmbeddingConfig(model=str(own)))
    assert embeddings.status(theirs).runtime == "onnx"
    with pytest.raises(ModelError, match="was not made by hivemind's export"):
        embeddings.uninstall(theirs)
    assert read_manifest(own).name == "tiny/onnx-int8"


def test_export_says_where_it_looked_and_refuses_other_folders(setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="some-model is not on this machine"):
        embeddings.export(setting)
    with pytest.raises(ModelError, match="is no sentence-transformers model"):
        embeddings.export(setting, tmp_path)


@pytest.mark.slow
@pytest.mark.model
def test_a_persons_own_folder_is_exported_under_a_name_of_its_own(
    setting: Setting, model_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "mine")
    steps: list[str] = []
    setting = replace(setting, env=os.environ)
    manifest, target = embeddings.export(setting, tmp_path / "mine", progress=steps.append)
    found = find_model(str(tmp_path / "mine"), {}, tmp_path)
    assert found is not None and target == setting.models / found.name and len(steps) >= 4
    shutil.rmtree(tmp_path / "mine")
    chosen = embeddings.status(replace(setting, config=EmbeddingConfig(model=target.name)))
    assert (chosen.runtime, chosen.name) == ("onnx", manifest.name)
