"""Each real client that npm has, asked once: it answers, and nothing of the person's runs, is read or is left.

Not run here, for they are not on npm or take a login: cursor-agent, hermes and openclaw (tests/llm/programs.py).
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts import READERS
from hivemind_cli.hosts.base import Seen
from tests.e2e.asking import ANSWER, SECRET, SYSTEM, Ask, ask_all
from tests.e2e.conftest import Grounds

HOSTS = ["claude", "codex", "gemini", "pi", "opencode", "copilot"]
CODEX_TOOLS = {"apply_patch", "clock__curr_time", "update_plan"} | {
    f"{verb}_mcp_{noun}" for verb, noun in (("list", "resources"), ("list", "resource_templates"), ("read", "resource"))
}
KEEPS = {"gemini", "opencode", "copilot"}
"""Those that cannot be told to keep no history."""
TOLD = {"claude", "codex", "gemini", "opencode"}
"""Those whose program tells the tokens it used."""

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("host", HOSTS)]
Asked = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def asked(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """What came of the question to that host's client; asked once."""

    @cache
    def of(host: str) -> dict[str, Any]:
        grounds, folder = client_of(host), tmp_path_factory.mktemp(host)
        root = folder / "asked"
        root.mkdir()
        (found,) = ask_all([Ask(host=host, program=str(grounds.client), root=str(root))], grounds.namespaces, folder)
        return {**found, "root": root}

    return of


def test_the_answer_comes_back_with_what_it_took(host: str, asked: Asked) -> None:
    found = asked(host)
    assert found["reply"], found["error"]
    assert found["reply"]["value"] == ANSWER
    assert found["reply"]["tokens_in"] > 20 and found["reply"]["tokens_out"] > 0
    if host in TOLD and host != "claude":
        assert (found["reply"]["tokens_in"], found["reply"]["tokens_out"]) == (1000, 20)
    assert (found["reply"]["cost_usd"] > 0) is (host == "claude")


def test_the_model_is_asked_once_with_our_words(host: str, asked: Asked) -> None:
    (request,) = [one for one in asked(host)["requests"] if one.get("question")]
    said = str(request["body"])
    assert SYSTEM in said and "größe" in said


def test_the_model_has_no_tool_that_acts(host: str, asked: Asked) -> None:
    (request,) = [one for one in asked(host)["requests"] if one.get("question")]
    if host == "codex":  # a few cannot be switched off; none runs a command, and the sandbox is read-only
        assert set(re.findall(r"### `(\w+)`", str(request["body"]))) <= CODEX_TOOLS
        return
    tools = {tool["name"] for tool in request["body"].get("tools", [])} if host == "claude" else set(request["tools"])
    assert tools <= {"StructuredOutput", "DeferredToolPlaceholder"}


def test_a_file_that_the_question_names_is_not_read(host: str, asked: Asked) -> None:
    assert all(SECRET not in str(request) for request in asked(host)["requests"])


def test_nothing_of_the_persons_runs(host: str, asked: Asked) -> None:
    assert asked(host)["traps"] == ""


def test_nothing_is_left(host: str, asked: Asked) -> None:
    found = asked(host)
    assert found["processes"] == []
    assert set(found["left"]) <= {"secret", ".gemini"}


def test_what_a_client_keeps_of_it_stands_in_our_folder_where_imports_refuse_it(host: str, asked: Asked) -> None:
    root = asked(host)["root"]
    work = str(root / "hivemind" / "work")
    places = {seen.cwd for path in READERS[host].find_sessions(root / "home") for seen in _read(host, path)}
    assert places <= {work}
    assert bool(places) is (host in KEEPS)


def _read(host: str, path: Path) -> list[Seen]:
    return list(READERS[host].read_transcript(path))
