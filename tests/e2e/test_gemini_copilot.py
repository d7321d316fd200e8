"""The loop with the real Gemini CLI and the real Copilot CLI: corrected once, reminded before the next time.

Each client is played once (under a minute on a calm machine), by our own install, offline.
"""

import json
import sys
from collections.abc import Callable
from functools import cache

import pytest

from tests.e2e.conftest import Grounds
from tests.e2e.other_world import CLIENTS, OtherWorld
from tests.e2e.world import Played, Program, Request

SAID = "no, we use pnpm in this repo, never npm"
BREAK = r"""
import re, sys
path, killed = sys.argv[1:]
text = open(path, encoding="utf-8").read()
def other(m):
    python = killed if "Tool" in m[4] else "/nonexistent/python3"
    return f"[ -x {python} ]{m[1]} exec {python} -I{m[3]} {m[4]})"
text, times = re.subn(r"\[ -x \S+ \]([^)]*?) exec (\S+) -I(.*?) (\w+)\)", other, text)
open(path, "w", encoding="utf-8").write(text)
sys.exit(times < 6)
"""
"""Our entries with another interpreter: around a call one that is killed, elsewhere one that is not there."""

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("host", sorted(CLIENTS))]

Story = tuple[OtherWorld, Played]


@pytest.fixture(scope="module")
def story(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Story]:
    """What came of the host's story; played once."""

    @cache
    def of(host: str) -> Story:
        grounds = client_of(host)
        world = OtherWorld(tmp_path_factory.mktemp(host), grounds.client, grounds.namespaces, CLIENTS[host])
        return world, _play(world)

    return of


def _play(world: OtherWorld) -> Played:
    world.add_projects({"package.json": '{"name": "shop"}\n', "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    world.add_program(Program(name="npm", prints="added 1 package in 412ms"))
    world.add_program(Program(name="pnpm", prints="Done in 380ms"))
    before = world.wiring.read_bytes() if world.wiring.exists() else None
    (world.root / "before").write_bytes(before or b"")
    done = {"text": "Done."}
    mistake, other = (world.command(f"npm install {name}") for name in ("left-pad", "currency.js"))
    return world.play(
        [
            world.hivemind("install", "install"),
            world.say("first", "add the left-pad package", [{"tools": [mistake]}, done]),
            world.say("corrected", SAID, [{"text": "Understood."}], again=True),
            world.poll("noticed", ["corrections", "--json"], ["pnpm"], within_s=60),
            world.wait("skill", ".claude/skills/*/SKILL.md", within_s=60),
            world.skills("skills"),
            world.say("again", "add the chalk package", [{"tools": [world.reads("README.md")]}, done]),
            world.say("act", "the prices lack a currency, please fix that", [{"tools": [other]}, done]),
            world.run("break", [sys.executable, "-c", BREAK, str(world.wiring), str(world.killed)]),
            world.say("alone", "add the debug package", [{"tools": [world.command("npm install debug")]}, done]),
            world.hivemind("install again", "install"),
            world.hivemind("import", "import", "--all", "--json"),
            world.hivemind("uninstall", "uninstall"),
            world.read("after", world.wiring),
            world.processes("left", within_s=30),
        ]
    )


def _asked(played: Played, name: str) -> list[Request]:
    """The session's requests; the test fails here, with what is known, if it never came to them."""
    found = played.requests(name)
    assert found, played.tell(f"The model was asked nothing in {name!r}.", name)
    return found


def _told(request: Request, world: OtherWorld) -> bool:
    return world.kind.opens in request.text


def _ran(played: Played, name: str) -> int:
    """How often the programs on PATH ran in that session."""
    order = list(played.results)
    before = played.results[order[order.index(name) - 1]]["facts"]["runs"]
    return int(played.results[name]["facts"]["runs"]) - int(before)


def test_the_correction_of_a_session_is_captured_and_becomes_a_skill(host: str, story: Callable[[str], Story]) -> None:
    world, played = story(host)
    assert _ran(played, "first") == 1, played.tell("The mistake was not made.", "first")
    assert played.results.get("noticed", {}).get("ok"), played.tell("No correction was seen.", "corrected")
    (skill,) = played.results["skills"]["skills"]
    assert "pnpm" in skill["text"] and skill["linked"]
    assert not any(_told(request, world) for request in _asked(played, "corrected"))


def test_a_new_session_holds_the_rule_before_its_first_call(host: str, story: Callable[[str], Story]) -> None:
    world, played = story(host)
    first = _asked(played, "again")[0]
    assert _told(first, world) and "never npm" in first.text, played.tell("Nothing was recalled.", "again")
    assert first.text.count("Learned here lately") == 1, played.tell("The session began without the news.", "again")


def test_the_rule_comes_with_the_call_where_the_prompt_did_not_name_it(
    host: str, story: Callable[[str], Story]
) -> None:
    world, played = story(host)
    before, after, *_ = _asked(played, "act")
    assert not _told(before, world) and _told(after, world), played.tell("Not told at the call.", "act")
    assert _ran(played, "act") == 1  # never held: nobody can know whether a person is asked


def test_the_skill_is_listed_once(host: str, story: Callable[[str], Story]) -> None:
    _, played = story(host)
    (skill,) = played.results["skills"]["skills"]
    described = next(line for line in skill["text"].splitlines() if line.startswith("description: "))
    begins = described.removeprefix("description: ").strip("\"'")[:30]
    assert begins and _asked(played, "act")[0].text.count(begins) == 1, described


def test_without_a_working_interpreter_no_prompt_and_no_call_is_refused(
    host: str, story: Callable[[str], Story]
) -> None:
    world, played = story(host)
    assert not any(_told(request, world) for request in _asked(played, "alone"))
    assert played.results["alone"]["ok"] and _ran(played, "alone") == 1, played.tell("It was blocked.", "alone")


def test_an_import_adds_only_what_no_hook_could_tell(host: str, story: Callable[[str], Story]) -> None:
    """All of the session whose hooks could not run; of Copilot CLI's others the last word, written after its hooks."""
    _, played = story(host)
    told = [json.loads(line) for line in played.results["import"]["stdout"].splitlines()]
    new = sorted(one["new"] for one in told if "path" in one)
    assert len(new) == 4, new
    assert new[3] >= 5 and max(new[:3]) <= (1 if host == "copilot" else 0), new


def test_uninstall_gives_back_every_byte_and_leaves_no_process(host: str, story: Callable[[str], Story]) -> None:
    world, played = story(host)
    before = (world.root / "before").read_text(encoding="utf-8")
    assert played.results["uninstall"]["ok"]
    assert (played.results["after"]["text"] or "") == before
    assert played.results["left"]["ok"], played.results["left"]["left"]
