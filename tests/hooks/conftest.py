"""A hivemind root whose name is short: a socket's may have 104 bytes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hooks.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    root = Path(tempfile.mkdtemp(prefix="hm"))
    yield Rig(root).install()
    shutil.rmtree(root, ignore_errors=True)
