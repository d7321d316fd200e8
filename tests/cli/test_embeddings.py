"""`hivemind embeddings` as people and programs meet it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.client import Client
from tests.embedding import tiny


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hivemind_cli", "embeddings", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def no_daemon_is_left() -> Iterator[None]:
    yield
    Client(Paths.from_env(os.environ), env=os.environ).stop()


def test_status_then_uninstall_of_an_export() -> None:
    folder = tiny.make(Paths.from_env(os.environ).models / "some-model")
    shown = run("status", HIVEMIND_EMBEDDINGS="some-model")
    assert shown.returncode == 0 and "tiny/onnx-int8, 8 numbers" in shown.stdout and "whole" in shown.stdout
    assert "set up already" in run("install", HIVEMIND_EMBEDDINGS="some-model").stdout
    gone = run("uninstall", "--json", HIVEMIND_EMBEDDINGS="some-model")
    assert json.loads(gone.stdout)["folder"] == str(folder) and json.loads(gone.stdout)["bytes"] > 0
    assert not folder.exists()


def test_a_daemon_that_runs_does_not_go_on_with_another_model() -> None:
    paths = Paths.from_env(os.environ)
    tiny.make(paths.models / "some-model")
    client = Client(paths, env={**os.environ, "HIVEMIND_EMBEDDINGS": "some-model"})
    client.ensure(30)
    try:
        run("uninstall", HIVEMIND_EMBEDDINGS="some-model")
        assert not client.alive()
    finally:
        client.stop()


def test_switched_off_it_says_how_to_switch_on() -> None:
    said = json.loads(run("status", "--json", HIVEMIND_EMBEDDINGS="false").stdout)
    assert said["runtime"] == "none"
    assert "hivemind config set embedding.runtime auto" in said["advice"]
    assert (said["index"]["tier"], said["index"]["vectors"]) == ("lexical", 0)


def test_uninstall_takes_the_vectors_with_it() -> None:
    paths = Paths.from_env(os.environ)
    tiny.make(paths.models / "some-model")
    assert "0 vectors of texts" in run("status", HIVEMIND_EMBEDDINGS="some-model").stdout
    assert list(paths.vectors.iterdir())
    assert "by words now" in run("uninstall", HIVEMIND_EMBEDDINGS="some-model").stderr
    assert not paths.vectors.exists()


def test_reindex_builds_all_that_is_derived_and_says_what_there_is() -> None:
    paths = Paths.from_env(os.environ)
    paths.make()
    paths.config.write_text('[embedding]\nruntime = "hashing"\n')
    command = [sys.executable, "-m", "hivemind_cli", "reindex", "--vectors"]
    said = json.loads(subprocess.run([*command, "--json"], capture_output=True, timeout=60, check=True).stdout)
    assert (said["tier"], said["model"], said["working"], said["fault"]) == ("hybrid", "hashing-384", False, "")
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "0 vectors of hashing-384" in told


def test_a_model_that_is_not_here_is_an_error_with_advice_not_a_traceback() -> None:
    done = run("export", HIVEMIND_EMBEDDINGS="some-model")
    assert done.returncode == 5 and done.stdout == ""
    assert "some-model is not on this machine" in done.stderr and "Traceback" not in done.stderr
