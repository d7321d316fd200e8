"""Whether a host's hook answers: asked as the host would ask, without leaving a record."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import OwnedHivemind, checking, installing
from hivemind_cli.core.config import CaptureConfig, Config
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, Notice
from hivemind_cli.hosts import HOSTS
from hivemind_cli.pipeline.spool import CHECK_EVENT, Delivery, Spool

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CLAUDE = HOSTS["claude"]


@pytest.fixture
def paths(own_home: Path) -> Paths:
    return Paths(own_home / ".hivemind", own_home)


def install(paths: Paths, config: Config | None = None) -> None:
    plan = installing.plan(paths, [CLAUDE], {}, HOSTS)
    installing.install(paths, config or Config(), plan, daemon=(), env={}, now=NOW, hosts=HOSTS)


def why(paths: Paths) -> str:
    (checked,) = checking.check(paths, [CLAUDE], os.environ)
    return checked.why


def test_what_keeps_a_hook_silent_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "do not hold our hooks" in why(paths)
    install(paths)
    assert why(paths) == ""
    monkeypatch.setenv("HIVEMIND_CAPTURE", "false")  # of this shell, not of the host's
    assert why(paths) == ""
    paths.hook.unlink()
    assert "did not arrive" in why(paths)


def test_capture_that_is_off_is_no_fault_of_the_hook(paths: Paths) -> None:
    install(paths, Config(capture=CaptureConfig(enabled=False)))
    assert "Capture is off" in why(paths)


def test_a_hook_that_talks_is_told(paths: Paths) -> None:
    install(paths)
    paths.hook.write_text("print('hello')\n")
    assert "said something" in why(paths)


def test_a_daemon_that_takes_it_keeps_no_record_and_hands_it_back(hive: OwnedHivemind) -> None:
    spool = Spool(hive.paths)
    spool.put(Delivery(id=new_id(NOW), time_ns=1, host="no such host", event=CHECK_EVENT, raw=b'{"check": "m4rk"}'))
    hive.settle()
    assert spool.pending() == []
    assert (hive.store.count(Event), hive.store.count(Notice)) == (0, 0)
    assert b"m4rk" in hive.paths.spool_checked.read_bytes()
