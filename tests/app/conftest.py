"""A real owner over DuckDB and tantivy in this test's home, and a working tree that is a project."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from tests import databases


@pytest.fixture
def paths() -> Paths:
    """A home that was used before, and holds no records."""
    paths = Paths.from_env(os.environ)
    paths.make()
    databases.place(paths.database)
    return paths


@pytest.fixture
def tree(own_home: Path) -> Path:
    """A repository in the person's home."""
    return make_tree(own_home / "work" / "app")


@pytest.fixture
def clone(tree: Path, own_home: Path) -> Path:
    """Another working tree of the same project."""
    other = make_tree(own_home / "work" / "clone")
    for one in (tree, other):
        subprocess.run(["git", "-C", str(one), "remote", "add", "origin", "git@git.example:o/app.git"], check=True)
    return other


@pytest.fixture
def hive(paths: Paths) -> Iterator[OwnedHivemind]:
    owner = Hivemind.own(paths, Config(), env={})
    yield owner
    owner.close()


def make_tree(root: Path) -> Path:
    """A repository without a remote, in a folder that is no temporary one to hivemind: it lies in the home."""
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root
