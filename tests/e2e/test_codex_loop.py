"""Codex and Claude Code share one brain: what a person puts right in one, the other is told, before it acts.

Real clients, our own install, and consent given by a person at `hivemind codex trust`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.codex_world import CodexWorld
from tests.e2e.conftest import Grounds
from tests.e2e.world import Played, Program, Request

SKILL_S = 90.0
FENCE, FENCE_END = "<hivemind-recall>", "</hivemind-recall>"
RULE = re.compile("pnpm", re.IGNORECASE)
PROMPT, SAID = "add the left-pad package", "No, never npm in this repository: we use pnpm here, always."
AGAIN, HELD = "please install the chalk package", "the build complains about something missing"
FINISHED = {"text": "That is finished."}
Turn = Mapping[str, Any]

pytestmark = pytest.mark.e2e


def in_codex(command: str) -> Turn:
    """Without a login shell, which would look for programs elsewhere than the story does."""
    return {"text": "On it.", "tools": [{"name": "exec_command", "input": {"cmd": command, "login": False}}]}


def in_claude(command: str) -> Turn:
    return {"text": "On it.", "tools": [{"name": "Bash", "input": {"command": command}}]}


def of_agents(tool: str, **given: Any) -> Turn:
    return {"text": "On it.", "tools": [{"name": tool, "namespace": "collaboration", "input": given}]}


DELEGATED: list[Turn] = [
    {"match": HELD, **of_agents("spawn_agent", message=AGAIN, task_name="chalk")},
    {"match": '"task_name"', **of_agents("wait_agent", timeout_ms=60_000)},
    {"match": "NEW_TASK", **in_codex("npm ci")},
    {"match": "exited with code", **FINISHED},
    {"match": "Wait completed|FINAL_ANSWER", **FINISHED},
]
"""An agent that hands its task to a subagent, in whatever order their requests come."""


@pytest.fixture(scope="module")
def new_codex_world(
    client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], CodexWorld]:
    """A world with two git projects, and stand-ins for the programs the story names."""

    def make() -> CodexWorld:
        claude, codex = client_of("claude"), client_of("codex")
        world = CodexWorld(tmp_path_factory.mktemp("codex"), claude.client, claude.namespaces, codex.client)
        world.add_projects({"package.json": "{}\n"})
        for name in ("npm", "pnpm"):
            world.add_program(Program(name=name))
        return world

    return make


@pytest.fixture(scope="module")
def from_codex(new_codex_world: Callable[[], CodexWorld]) -> Played:
    """Corrected in Codex; recalled in Codex, then in Claude Code."""
    world = new_codex_world()
    agreed = [r'"name": "codex"[^}]*"trusted": true']
    steps = [
        world.hivemind("install", "install", "--only", "claude,codex", "--yes"),
        world.hivemind("status before", "status", "--json"),
        world.hivemind("asked before", "codex", "trust", "--json", must=False),
        world.codex("not agreed", ["what is in here?"], [in_codex("ls"), FINISHED]),
        world.hivemind("sessions before", "sessions", "--json"),
        world.agree("agree"),
        world.hivemind("asked after", "codex", "trust", "--json", must=False),
        world.codex("first", [PROMPT], [in_codex("npm install left-pad"), FINISHED]),
        world.codex("told", ["resume", "--last", SAID], [in_codex("pnpm add left-pad"), FINISHED]),
        world.wait("skill", ".agents/skills/*/SKILL.md", within_s=SKILL_S),
        world.codex("again", [AGAIN], [in_codex("cat README.md"), FINISHED]),
        world.codex("held", [HELD], [in_codex("npm install chalk"), in_codex("npm install chalk"), FINISHED]),
        world.codex("delegated", [HELD], DELEGATED),
        world.session("claude", ["-p", AGAIN], [in_claude("cat README.md"), FINISHED]),
        world.session("claude held", ["-p", HELD], [in_claude("npm install chalk"), FINISHED]),
        world.poll("corrections", ["corrections", "--json"], [r'"host":\s*"codex"'], within_s=SKILL_S),
        world.poll("status after", ["status", "--json"], agreed, within_s=SKILL_S),
        world.hivemind("doctor", "doctor", must=False),
        world.hivemind("import", "import", str(world.codex_home / "sessions"), "--json"),
        *world.questions(),
        world.hivemind("uninstall", "uninstall"),
        world.read("hooks after", world.codex_home / "hooks.json"),
    ]
    return world.play(steps)


@pytest.fixture(scope="module")
def from_claude(new_codex_world: Callable[[], CodexWorld]) -> Played:
    """Corrected in Claude Code; recalled in Codex."""
    world = new_codex_world()
    steps = [
        world.hivemind("install", "install", "--only", "claude,codex", "--yes"),
        world.agree("agree"),
        world.session("first", ["-p", PROMPT], [in_claude("npm install left-pad"), FINISHED]),
        world.session("told", ["-p", "--continue", SAID], [in_claude("pnpm add left-pad"), FINISHED]),
        world.wait("skill", ".agents/skills/*/SKILL.md", within_s=SKILL_S),
        world.codex("again", [AGAIN], [in_codex("cat README.md"), FINISHED]),
        world.codex("held", [HELD], [in_codex("npm install chalk"), FINISHED]),
        *world.questions(),
        world.hivemind("uninstall", "uninstall"),
    ]
    return world.play(steps)


def requests(played: Played, name: str) -> list[Request]:
    assert played.results.get(name, {}).get("ok"), played.tell(f"the step {name!r} did not succeed", name)
    found = played.requests(name)
    assert found, played.tell("the client sent no request", name)
    return found


def answered(played: Played, name: str) -> Any:
    """What hivemind printed as JSON."""
    result = played.results.get(name, {})
    assert result.get("stdout"), played.tell(f"the step {name!r} said nothing", name)
    return json.loads(result["stdout"])


def fences(request: Request) -> int:
    return request.text.count(FENCE)


def fenced(request: Request) -> str:
    return request.text.partition(FENCE)[2].partition(FENCE_END)[0]


def is_told_at_the_prompt(played: Played, name: str) -> None:
    for request in requests(played, name):
        assert fences(request) == 1, played.tell(f"request {request.number} has {fences(request)} fences", name)
        assert RULE.search(fenced(request)), played.tell("the fence does not say the rule", name)


def is_held(played: Played, name: str) -> list[Request]:
    """The first call is denied with the rule and does not run; the session's requests."""
    found = requests(played, name)
    (call,) = found[0].calls
    result = found[1].result(call["id"])
    assert fences(found[0]) == 0, played.tell("a fence came before the call", name)
    assert result is not None and result.error and RULE.search(result.text), played.tell("it was not held", name)
    assert found[0].facts == found[1].facts, played.tell("the call ran although it was held", name)
    return found


def test_codex_runs_no_hook_of_ours_before_a_person_agreed_and_we_say_so(from_codex: Played) -> None:
    assert {one["consent"] for one in answered(from_codex, "asked before")} == {"untrusted"}
    requests(from_codex, "not agreed")
    assert answered(from_codex, "sessions before") == []
    (codex,) = (one for one in answered(from_codex, "status before")["hosts"] if one["name"] == "codex")
    assert codex["wired"] and codex["trusted"] is False


def test_once_agreed_codexs_own_word_and_ours_are_the_same(from_codex: Played) -> None:
    assert from_codex.results["agree"]["ok"], from_codex.tell("nobody could agree", "agree")
    assert {one["consent"] for one in answered(from_codex, "asked after")} == {"trusted"}
    assert from_codex.results["status after"]["ok"], from_codex.tell("status does not know", "status after")


def test_doctor_has_it_from_codex_itself(from_codex: Played) -> None:
    said = " ".join(from_codex.results["doctor"]["stdout"].split())
    assert "Codex itself says that it runs all 10 hooks of hivemind." in said, from_codex.tell(said, "doctor")


def test_a_correction_given_in_codex_is_captured_once_with_the_act(from_codex: Played) -> None:
    found = [one for one in answered(from_codex, "corrections") if one["quote"] == SAID]
    assert [(one["host"], one["kind"]) for one in found] == [("codex", "said")]
    assert found[0]["act"]["command"] == "npm install left-pad"


def test_importing_what_was_captured_adds_nothing(from_codex: Played) -> None:
    assert from_codex.results["import"]["ok"], from_codex.tell("the import failed", "import")
    lines = map(json.loads, from_codex.results["import"]["stdout"].splitlines())
    before_consent, *captured = [line["new"] for line in lines if "path" in line]
    assert before_consent > 0, from_codex.tell("the session that no hook saw is not there", "import")
    assert captured == [0, 0, 0, 0], from_codex.tell("hooks and rollout do not tell the same", "import")


def test_a_new_codex_session_is_told_at_its_prompt(from_codex: Played) -> None:
    is_told_at_the_prompt(from_codex, "again")


def test_codex_lists_the_skill_once(from_codex: Played) -> None:
    (skill,) = (path.parent for path in from_codex.root.glob("shop/.claude/skills/*/SKILL.md"))
    listing = requests(from_codex, "again")[0].text
    assert listing.count(f"/{skill.name}/SKILL.md)") == 1, from_codex.tell(f"{skill.name} is not listed", "again")


def test_the_act_is_held_in_codex_and_its_repeat_runs(from_codex: Played) -> None:
    found = is_held(from_codex, "held")
    (repeat,) = found[1].calls
    result = found[2].result(repeat["id"])
    assert result is not None and not result.error, from_codex.tell("the repeated call did not pass", "held")
    assert found[1].facts != found[2].facts, from_codex.tell("the repeated call did not run", "held")


def test_a_subagent_is_told_at_its_start(from_codex: Played) -> None:
    found = requests(from_codex, "delegated")
    mine = [fences(request) for request in found if "NEW_TASK" not in request.text]
    own = [fences(request) for request in found if "NEW_TASK" in request.text]
    assert own, from_codex.tell("no subagent began", "delegated")
    # It begins with its parent's words, in which the rule may stand already: the call that asked for it was told.
    assert min(own) == max(mine) + 1, from_codex.tell(f"fences: {mine} and, of the subagent, {own}", "delegated")


def test_claude_code_is_told_what_codex_was(from_codex: Played) -> None:
    is_told_at_the_prompt(from_codex, "claude")
    is_held(from_codex, "claude held")


def test_uninstall_leaves_codex_without_a_file_of_ours(from_codex: Played) -> None:
    assert from_codex.results["uninstall"]["ok"], from_codex.tell("uninstall failed", "uninstall")
    assert from_codex.results["hooks after"]["text"] is None


def test_codex_is_told_what_claude_code_was(from_claude: Played) -> None:
    is_told_at_the_prompt(from_claude, "again")
    is_held(from_claude, "held")
