"""The MCP door, asked by the SDK's own client."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from hivemind_cli.app.tokens import Access
from hivemind_cli.cli.door import Door
from hivemind_cli.core.errors import WrongValue
from hivemind_cli.core.fence import CLOSE, OPEN
from hivemind_cli.serve.known import TOOLS, Known, Place
from hivemind_cli.serve.mcp import PATH, over_http, server
from hivemind_cli.serve.tried import Tried
from tests.cli.here import door_here
from tests.pipeline.session import Session
from tests.serve.http_server import LONG_S, Asking, serving

READING = TOOLS[:-1]


@pytest.fixture
def door() -> Iterator[Door]:
    opened = door_here()
    yield opened
    opened.client.stop()


class Told:
    """Stands where the daemon's memory is."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def __call__(self, method: str, args: dict[str, Any], *, reads: bool = True) -> Any:
        assert (args["workspace"], reads) == ("default", method != "experiences.append")
        if method == "experiences.append":
            if args["task"] == "bad":
                raise WrongValue("It will not do.", fix="Say another.")
            self.kept.append(args)
            return "01"
        if method == "experiences.render":
            return "\n".join(["What worked:", *(one["approach"] for one in self.kept), CLOSE]) if self.kept else ""
        return [{"approach": one["approach"], "mean_score": 0.9, "attempts": 1} for one in self.kept]


@pytest.fixture
def known(door: Door) -> Known:
    return Known(door.ask, door.store, Place("/repo", "default", "p1", "shop"))


def asked(at: Any, *calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[tuple[str, bool]]]:
    """The tools, and what each call gave: its text, and whether it was refused."""

    async def ask() -> tuple[list[Any], list[tuple[str, bool]]]:
        async with Client(at, read_timeout_seconds=60) as client:
            tools = (await client.list_tools()).tools
            answers = [await client.call_tool(name, args) for name, args in calls]
            return tools, [(_text(one), bool(one.is_error)) for one in answers]

    return anyio.run(ask)


def test_all_its_tools_but_one_only_read(door: Door, known: Known) -> None:
    event = Session(door.store).says("migrate the billing schema")
    tools, answers = asked(
        server(known, Tried(Told(), "default"), writes=True),
        ("hivemind_index", {}),
        ("hivemind_search", {"query": "billing", "limit": 1}),
        ("hivemind_read", {"id": event.id}),
        ("hivemind_read", {"id": "no such thing"}),
        ("hivemind_search", {"query": "billing", "limit": 1000}),
        ("hivemind_search", {"query": "???"}),
    )
    assert tuple(tool.name for tool in tools) == TOOLS
    assert [tool.name for tool in tools if not tool.annotations.read_only_hint] == ["hivemind_remember"]
    assert all(tool.description and not tool.annotations.destructive_hint for tool in tools)
    assert [refused for _, refused in answers] == [False, False, False, True, True, True]
    assert "1 events" in answers[0][0] and event.id in answers[1][0] and "billing schema" in answers[2][0]
    assert "Nothing here is called 'no such thing'. Take an id" in answers[3][0]


def _text(answer: Any) -> str:
    return "".join(part.text for part in answer.content)


TRIED = {"task": "fix the OOM", "approach": "stream the file", "outcome": "success", "score": 0.9, "tools": ["arrow"]}


def test_what_one_agent_keeps_the_next_is_told_as_data(known: Known) -> None:
    told = Told()
    _, answers = asked(
        server(known, Tried(told, "default"), writes=True),
        ("hivemind_experiences", {"task": "OOM"}),
        ("hivemind_remember", TRIED),
        ("hivemind_experiences", {"task": "OOM"}),
        ("hivemind_remember", {**TRIED, "outcome": "splendid"}),
        ("hivemind_remember", {**TRIED, "score": 2}),
        ("hivemind_remember", {**TRIED, "task": "bad"}),
    )
    assert [refused for _, refused in answers] == [False, False, False, True, True, True]
    assert "Nothing like this" in answers[0][0] and "It will not do. Say another." in answers[5][0]
    assert answers[2][0].startswith(OPEN) and answers[2][0].count(CLOSE) == 1
    assert "stream the file (mean score 0.90 of 1)" in answers[2][0]
    assert [one["tools_used"] for one in told.kept] == [["arrow"]]


def over(asking: Asking, token: str, *calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[tuple[str, bool]]]:
    """`asked`, over HTTP with this token."""

    @asynccontextmanager
    async def transport() -> AsyncIterator[Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=LONG_S) as client,
            streamable_http_client(f"http://127.0.0.1:{asking.port}{PATH}", http_client=client) as streams,
        ):
            yield streams

    return asked(transport(), *calls)


def test_over_http_a_token_decides_what_may_be_done(door: Door, known: Known) -> None:
    told = Told()
    app = over_http(known, Tried(told, "default"), "default")
    with serving(app, door.paths) as asking:
        writes, reads = asking.token("default"), asking.token("default", Access.READ)
        tools, answers = over(asking, writes, ("hivemind_remember", TRIED), ("hivemind_index", {}))
        assert tuple(tool.name for tool in tools) == TOOLS and "0 events" in answers[1][0]
        tools, answers = over(asking, reads, ("hivemind_experiences", {"task": "OOM"}), ("hivemind_remember", TRIED))
        assert tuple(tool.name for tool in tools) == READING
        assert "stream the file" in answers[0][0] and answers[1][1] and len(told.kept) == 1
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        assert asking.ask("POST", PATH, body, token=reads, **accept).status == 200
        for token, status in (("", 401), (reads[:-1], 401), (asking.token("payments"), 403)):
            refused = asking.ask("POST", PATH, body, token=token, **accept)
            assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
        assert asking.ask("GET", PATH, token=reads, **accept).headers["allow"] == "POST"
        for headers, status in (({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)):
            assert asking.ask("POST", PATH, body, token=reads, **accept, **headers).status == status


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


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, known: Known) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] in ("mcp", "mcp_types")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    from hivemind_cli.core.errors import ConfigError

    with pytest.raises(ConfigError, match=r'pip install "hivemind-loop\[serve\]"'):
        server(known, Tried(Told(), "default"), writes=True)


def test_only_the_command_that_serves_loads_the_sdk() -> None:
    code = "import sys, hivemind_cli.cli.mcp, hivemind_cli.serve.mcp; sys.exit('mcp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
