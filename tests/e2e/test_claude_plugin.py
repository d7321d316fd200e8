"""The Claude Code plugin, with the real client: it captures alone, and beside the settings' hooks nothing twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.assets import asset
from tests.e2e.world import Played, World

PLUGIN = Path(str(asset("hooks", "plugins/claude/hook.sh"))).parent
ALONE, BOTH = "the plugin alone", "the plugin and the settings"
VALID, OFFERED = "validate", "validate the marketplace"
TAKEN, TAKEN_S = [r'"deliveries": 0', r'"events": [1-9]'], 60
PROMPT = "Say that the kettle is on."

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def played(new_world: Callable[[], World]) -> Played:
    """A session with the plugin alone, then one with the settings' hooks, too."""
    world = new_world()
    world.add_projects({})
    words = ["--plugin-dir", str(PLUGIN), "-p", PROMPT]
    read = {"name": "Read", "input": {"file_path": str(world.project / "README.md")}}
    turns: list[dict[str, Any]] = [{"text": "Looking.", "tools": [read]}, {"text": "The kettle is on."}]
    steps = [
        world.run(VALID, [str(world.client), "plugin", "validate", str(PLUGIN)]),
        world.run(OFFERED, [str(world.client), "plugin", "validate", str(Path(__file__).parents[2])]),
        world.hivemind("install another", "install", "--only", "codex", "--yes"),
        world.session(ALONE, words, turns),
        world.poll(f"status {ALONE}", ["status", "--json"], TAKEN, within_s=TAKEN_S),
        world.hivemind("install", "install", "--only", "claude", "--yes"),
        world.session(BOTH, words, turns),
        world.poll(f"status {BOTH}", ["status", "--json"], TAKEN, within_s=TAKEN_S),
        world.hivemind("uninstall", "uninstall"),
    ]
    return world.play(steps)


def test_the_client_finds_it_valid(played: Played) -> None:
    assert played.results[VALID]["ok"], played.tell("not valid", VALID)
    assert played.results[OFFERED]["ok"], played.tell("not valid", OFFERED)


def test_a_session_is_captured_and_none_of_it_twice(played: Played) -> None:
    assert played.results.get("uninstall", {}).get("ok"), played.tell("not played to the end", ALONE, BOTH)
    alone, both = (json.loads(played.results[f"status {name}"]["stdout"]) for name in (ALONE, BOTH))
    assert [host["wired"] for host in alone["hosts"] if host["name"] == "claude"] == [False]
    assert [host["wired"] for host in both["hosts"] if host["name"] == "claude"] == [True]
    assert both["events"] == 2 * alone["events"], played.tell("two equal sessions count differently", ALONE, BOTH)
