"""`python -m hivemind_cli.daemon`, as hooks and clients start it."""

import os
import subprocess
import sys

import pytest

from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.daemon.client import Client
from tests.daemon.rig import until

HEAVY = {"duckdb", "tantivy", "typer", "rich", "watchdog", "re2", "anthropic", "hivemind_cli.app", "hivemind_cli.hosts"}


def test_nothing_heavy_is_loaded_before_it_listens() -> None:
    code = (
        "import sys, hivemind_cli.daemon.__main__, hivemind_cli.daemon.run, hivemind_cli.daemon.crash\n"
        "import hivemind_cli.core.settings\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert not HEAVY.intersection(loaded)


def test_it_starts_listens_and_ends_when_told(paths: Paths, client: Client) -> None:
    client.ensure(15)
    assert lock.holder(paths)
    assert client.stop(30) is True
    until(lambda: not paths.socket.exists())
    assert sorted(path.name for path in paths.socket.parent.iterdir()) == ["daemon.lock"]


def test_a_wrong_setting_is_told_to_who_waits_for_the_daemon(paths: Paths, client: Client) -> None:
    paths.config.write_text("[recall]\nlimit = 'many'\n")
    with pytest.raises(DaemonError) as told:
        client.ensure(1.0)
    assert "recall.limit" in told.value.why
    assert lock.holder(paths) is None


def test_a_second_one_in_the_foreground_is_refused_in_words(paths: Paths, client: Client) -> None:
    client.ensure(15)
    try:
        second = subprocess.run(
            [*spawn.command(), "--foreground"], env=os.environ, capture_output=True, text=True, timeout=30, check=False
        )
        assert second.returncode == 4
        assert str(lock.holder(paths)) in second.stderr
    finally:
        client.stop(30)
