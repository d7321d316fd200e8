"""pi and OpenCode with our own install: corrected once, reminded in the next session, held, and left alone."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from tests.e2e.chat import CHAT_PORT
from tests.e2e.clients import Home, settle
from tests.e2e.conftest import Grounds
from tests.e2e.world import REPOSITORY, Played, Program, Request, Step, World

pytestmark = pytest.mark.e2e

CLIENT_S = 240
SKILL_S = 45
FINISHED = {"text": "That is finished."}
ASKED = "add the left-pad package"
SAID = "no, we use pnpm in this repo, never npm"
AGAIN = "add the chalk package"
HELD = "the checkout page shows prices without a currency, please fix that"
RULE = "pnpm"
FILES = {"package.json": '{"name": "shop", "private": true}\n', "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}


@dataclass(frozen=True, slots=True)
class Plugged:
    """How one host is started, and where our plugin stands in it."""

    host: str
    fresh: tuple[str, ...]
    resumed: tuple[str, ...]
    plugin: str
    shell: str = "bash"

    def call(self, command: str) -> dict[str, Any]:
        """A command, as the model calls for it."""
        return {"name": self.shell, "input": {"command": command, "description": "run"}}


PLUGGED = {
    "pi": Plugged("pi", ("-p",), ("-p", "--continue"), ".pi/agent/extensions/hivemind.ts"),
    "opencode": Plugged("opencode", ("run",), ("run", "--continue"), ".config/opencode/plugin/hivemind.js"),
}


@pytest.fixture(scope="module", params=sorted(PLUGGED))
def plugged(request: pytest.FixtureRequest) -> Plugged:
    return PLUGGED[request.param]


@pytest.fixture(scope="module")
def played(
    plugged: Plugged, client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    """All sessions, in one home."""
    grounds = client_of(plugged.host)
    world = World(tmp_path_factory.mktemp("world"), grounds.client, grounds.namespaces)
    env = settle(plugged.host, Home(world.home, f"http://127.0.0.1:{CHAT_PORT}", world.root / "traps"))
    world.add_projects(FILES)
    for name in ("npm", "pnpm"):
        world.add_program(Program(name=name, only="install|add"))

    def session(name: str, words: Sequence[str], *turns: Mapping[str, Any]) -> Step:
        run = {"name": name, "port": CHAT_PORT, "turns": turns, "log": str(world.root / "requests.jsonl")}
        run |= {"argv": [str(grounds.client), *words], "env": env, "seconds": CLIENT_S}
        path = world.root / f"{name}.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        place = [f"PYTHONPATH={REPOSITORY}", f"HOME={world.home}"]
        step = world.run(name, ["env", *place, sys.executable, "-m", "tests.e2e.chat", str(path)])
        return {**step, "timeout_s": CLIENT_S + 30}

    act = {"text": "I will.", "tools": [plugged.call("npm install left-pad")]}
    reads = {"text": "I will.", "tools": [{"name": "read", "input": _path(plugged, world.project / "README.md")}]}
    steps = [
        world.hivemind("install", "install", "--only", plugged.host, "--yes"),
        session("first", [*plugged.fresh, ASKED], act, FINISHED),
        session("told", [*plugged.resumed, SAID], {"text": "Understood."}),
        world.wait("skill", ".agents/skills/*/SKILL.md", within_s=SKILL_S),
        session("again", [*plugged.fresh, AGAIN], reads, FINISHED),
        session("held", [*plugged.fresh, HELD], act, act, FINISHED),
        *world.questions(),
        world.run("break", ["mv", str(world.home / ".hivemind/bin"), str(world.home / ".hivemind/gone")]),
        session("broken", [*plugged.fresh, HELD], act, FINISHED),
        world.run("mend", ["mv", str(world.home / ".hivemind/gone"), str(world.home / ".hivemind/bin")]),
        world.hivemind("import", "import", "--all", "--json"),
        world.hivemind("uninstall", "uninstall"),
        world.read("plugin", world.home / plugged.plugin),
    ]
    yield world.play(steps)


def _path(plugged: Plugged, path: Path) -> dict[str, str]:
    return {"path" if plugged.host == "pi" else "filePath": str(path)}


def of(played: Played, name: str) -> list[Request]:
    found = played.requests(name)
    assert found, played.tell(f"the client sent no request in {name}", name)
    return found


def test_a_correction_becomes_a_skill(played: Played) -> None:
    assert not any(fence.OPEN in one.text for one in of(played, "first")), played.tell("it spoke too soon", "first")
    assert played.results["skill"]["ok"], played.tell("no skill came", "first", "told")


def test_the_next_session_is_reminded_before_its_first_call(played: Played) -> None:
    first = of(played, "again")[0].text
    assert first.count(fence.OPEN) == 1, played.tell("no reminder, or too many", "again")
    assert RULE in first.partition(fence.OPEN)[2]


def test_the_same_act_is_held_once(played: Played) -> None:
    before, denied, ran, *_ = of(played, "held")
    assert fence.OPEN not in before.text
    assert RULE in denied.text.partition(fence.OPEN)[2], played.tell("the call was not held", "held")
    assert ran.text.count(fence.OPEN) == 1


def test_with_the_hook_gone_the_agent_works_as_without(played: Played) -> None:
    assert played.results["broken"]["rc"] == 0, played.tell("it was disturbed", "broken")
    assert [fence.OPEN in one.text for one in of(played, "broken")] == [False, False]


def test_an_import_adds_only_what_no_hook_told(played: Played) -> None:
    lines = [json.loads(line) for line in played.results["import"]["stdout"].splitlines()]
    sessions = [line for line in lines if "path" in line]
    assert [line["prompts"] for line in sessions] == [2, 1, 1, 1], played.tell("another count", "import")
    assert [line["new"] for line in sessions][:3] == [0, 0, 0], played.tell("hooks and files differ", "import")
    assert sessions[3]["new"] == 5  # the session in which the hook was gone: start, prompt, call, result, reply


def test_uninstall_removes_the_plugin(played: Played) -> None:
    assert played.results["plugin"]["text"] is None
    assert played.results["uninstall"]["ok"], played.tell("it could not be undone", "uninstall")
