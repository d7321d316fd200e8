"""An empty workspace of the worker's daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli import memory


@pytest.fixture
def db(daemon_home: Path, workspace: str) -> Iterator[memory.Database]:
    """An empty workspace."""
    with memory.connect(f"hivemind://{workspace}", home=daemon_home) as db:
        yield db
