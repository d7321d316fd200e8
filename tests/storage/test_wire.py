"""Requests and errors between the daemon and everyone else, and the table of engines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import errors
from hivemind_cli.core.errors import ConfigError, CursorMoved, HivemindError, StoreError
from hivemind_cli.core.records import Event
from hivemind_cli.storage import ENGINES, open_store
from hivemind_cli.storage.inmemory import InMemoryStore
from hivemind_cli.storage.wire import error_from_json, error_to_json, handle
from tests.storage.samples import event


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type)], ids=lambda kind: kind.__name__
)
def test_every_error_crosses_as_itself(kind: type[HivemindError]) -> None:
    sent = json.loads(json.dumps(error_to_json(kind("what \ud800", why="why", fix="fix"))))
    came = error_from_json(sent)
    assert type(came) is kind
    assert (came.what, came.why, came.fix) == ("what \ufffd", "why", "fix")


def test_a_bug_crosses_as_an_error_that_names_it() -> None:
    came = error_from_json(error_to_json(ZeroDivisionError("by zero")))
    assert type(came) is HivemindError
    assert "ZeroDivisionError: by zero" in came.what


def test_an_error_of_a_newer_daemon_is_still_an_error() -> None:
    assert type(error_from_json({"type": "NewError", "what": "x"})) is HivemindError


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("store.close", {}),
        ("store.__init__", {}),
        ("append", {}),
        ("store.append", {}),
        ("store.append", {"records": [["Event"]]}),
        ("store.append", {"records": [["Event", {"id": 1}]]}),
        ("store.append", {"records": 3}),
        ("store.find", {"kind": "dict"}),
        ("store.find", {"kind": ["Event"]}),
        ("store.find", {"kind": "Event", "equals": {"after": 3, "limit": 2}}),
        ("store.find", {"kind": "Event", "equals": {"id": {"$when": "x"}}}),
        ("store.find", {"kind": "Event", "since": "yesterday"}),
        ("store.prune", {"host": "claude"}),
        ("store.commit", {"stage": "x", "outputs": [], "cursor_from": "zero", "cursor_to": 1}),
    ],
)
def test_a_request_that_makes_no_sense_is_a_store_error(method: str, args: dict[str, Any]) -> None:
    with InMemoryStore() as store, pytest.raises(StoreError):
        handle(store, method, args)


def test_results_and_errors_are_plain_json() -> None:
    with InMemoryStore() as store:
        store.append([event(1)])
        found = handle(store, "store.find", {"kind": "Event"})
        assert json.loads(json.dumps(found))["rows"][0][0] == 1
        with pytest.raises(CursorMoved):
            handle(store, "store.commit", {"stage": "x", "outputs": [], "cursor_from": 4, "cursor_to": 5})


def test_open_store_opens_the_engine_it_is_named(tmp_path: Path) -> None:
    for engine in ENGINES:
        store = open_store(engine, tmp_path / "db" / "x.duckdb", memory_mb=64)
        assert store.append([event(1)]) == 1
        assert store.count(Event) == 1
        store.close()


def test_a_misspelt_engine_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'duckdb'"):
        open_store("duckbd", tmp_path, memory_mb=64)
    with pytest.raises(ConfigError) as caught:
        open_store("zzz", tmp_path, memory_mb=64)
    assert caught.value.fix.startswith("Set `storage.engine`")


def test_asking_the_daemon_loads_no_engine() -> None:
    code = "import sys, hivemind_cli.storage, hivemind_cli.storage.daemon; print('duckdb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
