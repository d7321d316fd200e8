"""The export: kept only if it is the same model, and the older one stays until then."""

import os
import sys
from pathlib import Path

import pytest

from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding import export
from hivemind_cli.embedding.exported import check_files, read_manifest
from hivemind_cli.embedding.found import MARKS, ModelFolder
from hivemind_cli.embedding.onnx import Onnx
from tests.embedding import tiny


@pytest.fixture
def not_a_model(tmp_path: Path) -> ModelFolder:
    """The right file names around nothing."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in MARKS:
        (folder / name).write_bytes(b"{}")
    return ModelFolder("m", folder, "a test")


def _export(source: ModelFolder, target: Path, wall_s: float = export.WALL_S) -> None:
    export.export(source, target, env=os.environ, work=target.parent.parent / "work", wall_s=wall_s)


@pytest.fixture
def all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages count as installed, whether they are or not."""
    monkeypatch.setattr(export, "missing", lambda: "")


@pytest.mark.usefixtures("all_there")
def test_an_export_that_dies_says_its_last_words_and_leaves_nothing(
    not_a_model: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'no memory left' >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(ModelError, match=r"broke off. no memory left"):
        _export(not_a_model, tmp_path / "models" / "m")
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.usefixtures("model_folder")
def test_a_failed_export_leaves_the_older_one_and_nothing_else(not_a_model: ModelFolder, tmp_path: Path) -> None:
    older = tiny.make(tmp_path / "models" / "m")
    with pytest.raises(ModelError, match="cannot be loaded"):
        _export(not_a_model, older)
    assert [path.name for path in older.parent.iterdir()] == ["m"]
    assert Onnx(older).name == "tiny/onnx-int8"


@pytest.mark.usefixtures("all_there")
def test_an_export_that_takes_too_long_is_stopped(not_a_model: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="stopped after"):
        _export(not_a_model, tmp_path / "models" / "m", wall_s=0.01)
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.usefixtures("all_there")
def test_a_folder_that_cannot_be_written_is_told(not_a_model: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelError, match="cannot be written"):
        _export(not_a_model, tmp_path / "models" / "m")


@pytest.mark.usefixtures("all_there")
def test_another_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no sentence-transformers model"):
        _export(ModelFolder("m", tmp_path, "a test"), tmp_path / "models" / "m")


def test_missing_packages_are_named(not_a_model: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnx" else object())
    with pytest.raises(ModelError, match=r"onnx not installed: pip install"):
        _export(not_a_model, tmp_path / "models" / "m")


def test_removing_gives_back_the_bytes_and_refuses_other_folders(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "models" / "m")
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert export.remove(folder) == size and not folder.exists()
    with pytest.raises(ModelError, match="holds no exported model"):
        export.remove(tmp_path)
    assert tmp_path.is_dir()


@pytest.mark.slow
@pytest.mark.model
def test_the_real_model_is_exported_whole(exported_model: Path) -> None:
    manifest = read_manifest(exported_model)
    check_files(exported_model, manifest)
    assert (manifest.name, manifest.dim, manifest.pooling) == ("all-MiniLM-L6-v2/onnx-int8", 384, "mean")
    assert manifest.agreement_min >= export.AGREEMENT_MIN and manifest.agreement_mean >= export.AGREEMENT_MEAN_MIN
    assert sum(path.stat().st_size for path in exported_model.iterdir()) < 30_000_000
    assert {path.stat().st_mode & 0o077 for path in exported_model.iterdir()} == {0}
