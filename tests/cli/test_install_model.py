"""`hivemind install --with-embeddings`: what it does where the model is there, and what it says where it is not."""

import json
import os
from pathlib import Path

import pytest

from hivemind_cli.app import embeddings
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding import export, found
from tests.cli.here import Done, run_here
from tests.embedding import tiny


@pytest.fixture(autouse=True)
def wired_agent(own_home: Path) -> Path:
    (own_home / ".claude").mkdir()
    return own_home / ".claude" / "settings.json"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a sentence-transformers model, and everything that an export needs."""
    folder = tmp_path / "some-model"
    folder.mkdir()
    for name in found.MARKS:
        (folder / name).write_text("{}")
    monkeypatch.setenv("HIVEMIND_EMBEDDINGS", str(folder))
    monkeypatch.setattr(embeddings, "missing", str)
    return folder


def install(*words: str) -> Done:
    return run_here("install", *words)


def test_where_packages_are_missing_it_says_which_and_changes_nothing(
    wired_agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_NEEDS", ("no_such_package",))
    done = install("--with-embeddings")
    assert done.returncode == 5
    assert "no_such_package not installed" in done.stderr
    assert "pip install 'hivemind-loop[embeddings]'" in done.stderr
    assert not wired_agent.exists()


def test_where_the_model_is_missing_it_says_how_to_get_it_and_changes_nothing(
    wired_agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVEMIND_EMBEDDINGS", "no-such-model")
    monkeypatch.setattr(embeddings, "missing", str)
    monkeypatch.setattr(export, "missing", str)
    done = install("--with-embeddings")
    assert done.returncode == 5
    assert "no-such-model is not on this machine" in done.stderr
    assert "hf download sentence-transformers/no-such-model" in " ".join(done.stderr.split())
    assert not wired_agent.exists()


def test_switched_off_it_says_how_to_switch_on(wired_agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEMIND_EMBEDDINGS", "false")
    done = install("--with-embeddings")
    assert done.returncode == 5 and "hivemind config set embedding.runtime auto" in done.stderr
    assert not wired_agent.exists()


def test_what_is_exported_is_not_exported_again(wired_agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.make(Paths.from_env(os.environ).models / "some-model")
    monkeypatch.setenv("HIVEMIND_EMBEDDINGS", "some-model")
    done = install("--with-embeddings")
    assert done.returncode == 0 and "is set up already" in done.stdout
    assert wired_agent.exists()


@pytest.mark.parametrize("words", [("--with-embeddings", "--dry-run"), ()])
def test_a_plan_and_a_plain_install_name_the_model_and_make_nothing(source: Path, words: tuple[str, ...]) -> None:
    done = install(*words)
    assert done.returncode == 0
    said = " ".join(done.stderr.split())
    assert ("would be exported" if words else "hivemind install --with-embeddings") in said
    assert not Paths.from_env(os.environ).models.exists()


@pytest.mark.model
def test_the_model_that_is_there_is_exported_and_purged(model_folder: Path, own_home: Path) -> None:
    done = install("--with-embeddings", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["host"] == "claude"
    assert json.loads(run_here("embeddings", "--json").stdout)["exported"] == "whole"
    assert "To recall by meaning" not in install().stderr
    assert run_here("uninstall", "--purge", "--yes").returncode == 0
    assert [path.name for path in own_home.iterdir()] == [".claude"]
