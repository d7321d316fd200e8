"""Install once, scope by project, verify, inspect: the page's four commands, of which npm's is done already."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.client import Client
from tests.seeds.pages import SHELL, adapted

PACKAGE = {"npm install -g @deeplake/hivemind && ": ""}


@pytest.fixture
def project(tmp_path: Path, own_home: Path) -> Iterator[Path]:
    """A repository of a person who uses Claude Code; the daemon that the commands start ends with the test."""
    folder = tmp_path / "payments"
    folder.mkdir()
    (own_home / ".claude").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    yield folder
    Client(Paths.from_env(os.environ)).stop(30.0)


@pytest.mark.thorough
def test_the_four_commands_install_scope_verify_and_inspect(project: Path) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = []
    for command in (adapted(SHELL[0], PACKAGE), *SHELL[1:]):
        argv = ["bash", "-c", command]
        done = subprocess.run(
            argv, cwd=project, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said.append(done.stdout + done.stderr)
    assert "claude" in said[0].lower()
    assert "payments-service" in said[1] + said[2]
    assert "claude" in said[2].lower()
    assert said[3].strip()
