"""The MCP door, asked by the SDK's own client."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from hivemind_cli.cli.door import Door
from hivemind_cli.serve.known import TOOLS, Known, Place
from hivemind_cli.serve.mcp import server
from tests.cli.here import door_here
from tests.pipeline.session import Session


@pytest.fixture
def door() -> Iterator[Door]:
    opened = door_here()
    yield opened
    opened.client.stop()


def asked(at: Any, *calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[tuple[str, bool]]]:
    """The tools, and what each call gave: its text, and whether it was refused."""

    async def ask() -> tuple[list[Any], list[tuple[str, bool]]]:
        async with Client(at, read_timeout_seconds=60) as client:
            tools = (await client.list_tools()).tools
            answers = [await client.call_tool(name, args) for name, args in calls]
            return tools, [(_text(one), bool(one.is_error)) for one in answers]

    return anyio.run(ask)


def test_it_has_three_tools_that_only_read(door: Door) -> None:
    event = Session(door.store).says("migrate the billing schema")
    built = server(Known(door.ask, door.store, Place("/repo", "default", "p1", "shop")))
    tools, answers = asked(
        built,
        ("hivemind_index", {}),
        ("hivemind_search", {"query": "billing", "limit": 1}),
        ("hivemind_read", {"id": event.id}),
        ("hivemind_read", {"id": "no such thing"}),
        ("hivemind_search", {"query": "billing", "limit": 1000}),
        ("hivemind_search", {"query": "???"}),
    )
    assert tuple(tool.name for tool in tools) == TOOLS
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    assert [refused for _, refused in answers] == [False, False, False, True, True, True]
    assert "1 events" in answers[0][0] and event.id in answers[1][0] and "billing schema" in answers[2][0]
    assert "Nothing here is called 'no such thing'. Take an id" in answers[3][0]


def _text(answer: Any) -> str:
    return "".join(part.text for part in answer.content)


@pytest.mark.thorough
def test_it_is_served_on_standard_streams_for_the_folders_project(own_home: Path) -> None:
    tree = own_home / "shop"
    tree.mkdir()
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    env = {name: os.environ[name] for name in ("HOME", "HIVEMIND_HOME", "PATH")}
    argv = ["-P", "-m", "hivemind_cli", "mcp"]
    at = StdioServerParameters(command=sys.executable, args=argv, env=env, cwd=tree)
    try:
        tools, answers = asked(at, ("hivemind_index", {}), ("hivemind_search", {"query": "anything"}))
        assert tuple(tool.name for tool in tools) == TOOLS
        assert "Project shop, workspace default: 0 events" in answers[0][0]
        assert "Nothing found" in answers[1][0]
    finally:
        subprocess.run([sys.executable, "-m", "hivemind_cli", "daemon", "stop"], env=env, timeout=60, check=True)


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, door: Door) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] in ("mcp", "mcp_types")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    from hivemind_cli.core.errors import ConfigError

    with pytest.raises(ConfigError, match=r'pip install "hivemind-loop\[serve\]"'):
        server(Known(door.ask, door.store, Place("/repo", "default", "p1", "shop")))


def test_only_the_command_that_serves_loads_the_sdk() -> None:
    code = "import sys, hivemind_cli.cli.mcp, hivemind_cli.serve.mcp; sys.exit('mcp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
