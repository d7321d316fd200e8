"""One real daemon for all tests of a worker that need no more of it than tables; each has a workspace of its own."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTED_WITHIN_S = 60.0


@pytest.fixture(scope="session")
def daemon_home() -> Iterator[Path]:
    """Of a hivemind whose daemon runs."""
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.daemon.client import Client

    with tempfile.TemporaryDirectory(prefix="hm") as folder:
        home = Path(folder)
        paths = Paths(root=home / ".hivemind", home=home)
        paths.make()
        client = Client(paths, env={"PATH": os.environ["PATH"], "HOME": folder})
        client.ensure(STARTED_WITHIN_S)
        yield paths.root
        client.stop(30.0)


@pytest.fixture
def workspace() -> str:
    """A name nobody else has."""
    return f"w-{uuid.uuid4().hex[:12]}"
