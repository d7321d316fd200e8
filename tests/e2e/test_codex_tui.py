"""Codex's own screen: what a person does with Esc and at its question becomes corrections, each once."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.codex_world import STEP_S, CodexWorld
from tests.e2e.conftest import Grounds
from tests.e2e.world import Played

REFUSAL = "use tabs for the indentation, not spaces"
REDIRECTION = "No, not a long story. Write one haiku instead."
CORRECTIONS_S = 90.0
PATCH = "*** Begin Patch\n*** Add File: notes.txt\n+    one\n*** End Patch\n"
TURNS: list[dict[str, Any]] = [
    {"match": "Create notes", "text": "I will create it.", "tools": [{"name": "apply_patch", "input": PATCH}]},
    {"match": "tabs", "text": "Tabs it is."},
    {"match": "story about", "text": "Once there was\n" * 200, "chunk_delay_s": 0.5},
    {"match": "haiku", "text": "An old silent pond."},
]
ACTIONS = [
    ["see", r"OpenAI Codex", STEP_S],
    ["say", "Create notes.txt please"],
    ["see", r"No, and tell Codex", STEP_S],
    ["key", "Escape"],
    ["see", r"tell the model what to do differently|onversation interrupted", STEP_S],
    ["say", REFUSAL],
    ["see", r"Tabs it is", STEP_S],
    ["say", "Tell me a long story about a pond"],
    ["see", r"Once there was", STEP_S],
    ["key", "Escape"],
    ["see", r"(?s)story about a pond.*onversation interrupted", STEP_S],
    ["say", REDIRECTION],
    ["see", r"An old silent pond", STEP_S],
    ["say", "/quit"],
    ["gone", STEP_S],
]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def driven(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A person refuses a file with words, then stops a story and asks for something else."""
    claude, codex = client_of("claude"), client_of("codex")
    world = CodexWorld(tmp_path_factory.mktemp("codex"), claude.client, claude.namespaces, codex.client)
    world.add_projects({})
    listed = [rf'"kind":\s*"{kind}"' for kind in ("rejected", "interrupted")]
    steps = [
        world.hivemind("install", "install", "--only", "codex", "--yes"),
        world.agree("agree"),
        world.codex_screen("screen", ["-s", "read-only", "-a", "on-request"], TURNS, ACTIONS),
        world.poll("corrections", ["corrections", "--json"], listed, within_s=CORRECTIONS_S),
        world.hivemind("import", "import", str(world.codex_home / "sessions"), "--json"),
        *world.questions(),
        world.hivemind("uninstall", "uninstall"),
    ]
    return world.play(steps)


@pytest.mark.parametrize(("kind", "words"), [("rejected", REFUSAL), ("interrupted", REDIRECTION)])
def test_it_becomes_one_correction_with_the_words(kind: str, words: str, driven: Played) -> None:
    assert driven.results.get("screen", {}).get("ok"), driven.tell("the screen was not driven to its end", "screen")
    asked = driven.results.get("corrections", {})
    assert asked.get("ok"), driven.tell("the corrections never came", "screen", "corrections")
    kinds = [one["kind"] for one in json.loads(asked["stdout"]) if words in one["quote"]]
    assert kinds == [kind], driven.tell(f"the words {words!r} became {kinds}", "corrections")


def test_a_refusal_and_an_interrupt_are_told_once(driven: Played) -> None:
    assert driven.results.get("import", {}).get("ok"), driven.tell("the import failed", "screen", "import")
    told = [json.loads(line) for line in driven.results["import"]["stdout"].splitlines()]
    (session,) = (one for one in told if "path" in one)
    counted = {name: session[name] for name in ("prompts", "interrupts", "tool_rejections", "new")}
    assert counted == {"prompts": 4, "interrupts": 2, "tool_rejections": 1, "new": 0}
