"""The client's own screen: what a person does with Esc and at a permission dialog becomes corrections."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.world import Played, World

REFUSAL = "use tabs for the indentation, not spaces"
REDIRECTION = "No, not a long story. Write one haiku instead."
STEP_S = "60"
CORRECTIONS_S = 45

TURNS: list[dict[str, Any]] = [
    {
        "match": "Create notes",
        "text": "I will create it.",
        "tools": [{"name": "Write", "input": {"file_path": "{project}/notes.txt", "content": "    one\n"}}],
    },
    {"match": "tabs", "text": "Tabs it is."},
    {"match": "story about", "text": "Once there was\n" * 80, "chunks": 80, "chunk_delay_s": 0.25},
    {"match": "haiku", "text": "An old silent pond."},
]
ACTIONS = [
    ["see", r"manual mode|\? for shortcuts", STEP_S],
    ["say", "Create notes.txt please"],
    ["see", r"Do you want to create", STEP_S],
    ["see", r"3\. No", STEP_S],
    ["press", "Down", r"❯ 3\. No", STEP_S],
    ["press", "Tab", r"No, ", STEP_S],
    ["type", REFUSAL],
    ["key", "Enter"],
    ["see", r"Tabs it is", STEP_S],
    ["say", "Tell me a long story about a pond"],
    ["see", r"Once there was", STEP_S],
    ["key", "Escape"],  # once: two would open the list of earlier prompts
    ["see", r"Interrupted", STEP_S],
    ["say", REDIRECTION],
    ["see", r"An old silent pond", STEP_S],
    ["say", "/exit"],
    ["gone", STEP_S],
]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def driven(new_world: Callable[[], World]) -> Played:
    """A person refuses a file with words, then stops a story and asks for something else."""
    world = new_world()
    world.add_projects({})
    turns = json.loads(json.dumps(TURNS).replace("{project}", str(world.project)))
    listed = [rf'"kind":\s*"{kind}"' for kind in ("rejected", "interrupted")]
    steps = [
        world.hivemind("install", "install", "--only", "claude", "--yes"),
        world.terminal("screen", ["--permission-mode", "manual"], turns, ACTIONS),
        world.poll("corrections", ["corrections", "--json"], listed, within_s=CORRECTIONS_S),
        *world.questions(),
        world.hivemind("uninstall", "uninstall"),
    ]
    return world.play(steps)


def test_the_client_was_refused_and_interrupted(driven: Played) -> None:
    transcripts = [path.read_text(encoding="utf-8") for path in driven.root.glob("home/.claude/projects/*/*.jsonl")]
    assert driven.results.get("screen", {}).get("ok"), driven.tell("the screen was not driven to its end", "screen")
    assert any(REFUSAL in text for text in transcripts), driven.tell("the refusal did not reach the client", "screen")
    assert any("[Request interrupted by user]" in text for text in transcripts), driven.tell("no interrupt", "screen")


@pytest.mark.parametrize(("kind", "words"), [("rejected", REFUSAL), ("interrupted", REDIRECTION)])
def test_it_becomes_a_correction_with_the_words(kind: str, words: str, driven: Played) -> None:
    asked = driven.results.get("corrections", {})
    assert asked.get("ok"), driven.tell("the corrections never came", "screen", "corrections")
    quotes = [correction["quote"] for correction in json.loads(asked["stdout"]) if correction["kind"] == kind]
    assert any(words in quote for quote in quotes), driven.tell(f"no {kind} correction quotes {words!r}", "corrections")


def test_the_words_after_an_interrupt_are_one_correction(driven: Played) -> None:
    found = json.loads(driven.results["corrections"]["stdout"])
    kinds = [one["kind"] for one in found if REDIRECTION in one["quote"]]
    assert kinds == ["interrupted"], driven.tell(f"the words became {kinds}", "corrections")
