"""The REST door before the worker's daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.client import Client
from hivemind_cli.memory.link import Link
from hivemind_cli.serve.operations import Doors
from hivemind_cli.serve.rest import OPEN_PATHS, rest
from hivemind_cli.storage.daemon import DaemonStore
from tests.serve.http_server import Asking, serving


@pytest.fixture
def served(daemon_home: Path) -> Iterator[Asking]:
    """`hivemind serve` over that daemon, in this process."""
    with serving_tables(daemon_home) as asking:
        yield asking


@contextmanager
def serving_tables(daemon_home: Path, url: str = "") -> Iterator[Asking]:
    """As `hivemind serve --url URL`."""
    paths = Paths(root=daemon_home, home=daemon_home.parent)
    client, link = Client(paths, env={}), Link(paths)
    doors = Doors(paths, lambda verb, **args: client.call(verb, args), link.ask, DaemonStore(client.call), url)
    with serving(rest(doors, "http://localhost"), paths, open_paths=OPEN_PATHS) as asking:
        yield asking
    link.close()
