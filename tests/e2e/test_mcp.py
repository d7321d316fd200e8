"""`hivemind mcp` with real clients: each finds our entry in its list, and a model's call is answered with records."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.fence import CLOSE, OPEN
from hivemind_cli.serve.known import LEAD
from tests.e2e.conftest import Grounds
from tests.e2e.world import Played, World

FIRST, SECOND = "first session", "second session"
SAID = "Remember that the copper kettle is in the cellar."
TAKEN, TAKEN_S = [r'"deliveries": 0', r'"events": [1-9]'], 60
LISTS = {"codex": ["mcp", "list"], "opencode": ["mcp", "list"]}

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def played(new_world: Callable[[], World], client_of: Callable[[str], Grounds]) -> Played:
    """A session of Claude Code is captured; the next one asks for it over MCP. Others list our server."""
    world = new_world()
    world.add_projects({})
    for folder in (".codex", ".config/opencode"):
        (world.home / folder).mkdir(parents=True)
    call = {"name": "mcp__hivemind__hivemind_search", "input": {"query": "copper kettle"}}
    turns: list[dict[str, Any]] = [{"text": "Looking.", "tools": [call]}, {"text": "In the cellar."}]
    add = [str(world.client), "mcp", "add", "--scope", "user", "--transport", "stdio", "hivemind", "--"]
    steps = [
        world.hivemind("install", "install", "--only", "claude", "--yes"),
        world.session(FIRST, ["-p", SAID], [{"text": "Noted."}]),
        world.poll("captured", ["status", "--json"], TAKEN, within_s=TAKEN_S),
        world.run("claude mcp add", [*add, sys.executable, "-P", "-m", "hivemind_cli", "mcp"]),
        world.session(SECOND, ["-p", "Where is it?"], turns),
        world.hivemind("mcp install", "mcp", "install", "--only", "codex,opencode"),
        *(world.run(host, [str(client_of(host).client), *words]) for host, words in LISTS.items()),
        world.hivemind("mcp uninstall", "mcp", "uninstall"),
        world.hivemind("uninstall", "uninstall"),
    ]
    return world.play(steps)


def test_a_model_that_asks_is_given_records_as_data(played: Played) -> None:
    requests = played.requests(SECOND)
    assert requests, played.tell("not played", SECOND)
    results = [part for message in requests[-1].body["messages"] for part in _results(message)]
    assert len(results) == 1, played.tell("not one result", SECOND)
    (told,) = (part["text"] for part in results[0]["content"])
    assert told.startswith(f"{OPEN}\n{LEAD}\n\n1 found") and told.endswith(f"\n{CLOSE}"), played.tell(
        "not data", SECOND
    )
    assert "[prompt] id " in told and SAID in told, played.tell("not what was said", SECOND)


def _results(message: dict[str, Any]) -> list[dict[str, Any]]:
    parts = message["content"] if isinstance(message["content"], list) else []
    return [part for part in parts if part["type"] == "tool_result"]


@pytest.mark.parametrize("host", LISTS)
def test_other_clients_know_the_server(played: Played, host: str) -> None:
    listed = played.results[host]
    assert listed["ok"] and "hivemind" in listed["stdout"], played.tell(f"{host} does not list it", host)
    assert {"codex": "enabled", "opencode": "connected"}[host] in listed["stdout"], played.tell("not in use", host)


def test_their_lists_are_as_before(played: Played) -> None:
    assert played.results["uninstall"]["ok"], played.tell("not played to the end")
    assert not Path(played.root, "home/.codex/config.toml").exists()
    assert "hivemind_cli" not in Path(played.root, "home/.config/opencode/opencode.json").read_text()
