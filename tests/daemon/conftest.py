"""Daemons as subprocesses, ended when the test is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.client import Client
from tests.daemon.rig import Start, until

SCRIPT = Path(__file__).with_name("fake_daemon.py")


@pytest.fixture
def paths() -> Paths:
    paths = Paths.from_env(os.environ)
    paths.make()
    return paths


@pytest.fixture
def client(paths: Paths) -> Client:
    return Client(paths)


@pytest.fixture
def start(paths: Paths, client: Client) -> Iterator[Start]:
    """start(**options of fake_daemon): a daemon that answers, its store open unless the options keep it from that."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*, wait: bool = True, **options: Any) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, str(SCRIPT), json.dumps(options)], stderr=subprocess.PIPE)
        started.append(process)
        if wait:
            opens = not {"open_s", "damaged"} & options.keys()
            until(lambda: (client.ping() or {}).get("ready") if opens else client.alive())
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
