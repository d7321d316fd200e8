"""A fresh working tree for each test."""

from pathlib import Path

import pytest

from tests.skills.working_tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "shop", tmp_path / "receipts")
