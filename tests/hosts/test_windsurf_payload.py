"""Windsurf: what its documentation says that hooks are told; and silence, for it takes no text."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import windsurf
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.base import Answer, Host
from hivemind_cli.hosts.command import hook_command
from tests.hosts.hooked import run

HOST: Host = windsurf
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "windsurf")
FOREIGN = b'{\n  "hooks": {\n    "pre_user_prompt": [{"command": "log", "show_output": true}]\n  }\n}\n'
EDITS = [{"old_string": "EUROS = 1\n", "new_string": "CENTS = 100\n"}]
MCP = {"mcp_server_name": "db", "mcp_tool_name": "query", "mcp_tool_arguments": {"sql": "select 1"}, "mcp_result": "1"}


def sent(event: str, at: str = "2026-11-02T09:15:00Z", **info: Any) -> dict[str, Any]:
    return {
        "agent_action_name": event,
        "trajectory_id": "t1",
        "execution_id": "e1",
        "timestamp": at,
        "tool_info": info,
        "cwd": "/home/ada/shop",
    }


@pytest.mark.parametrize(
    ("event", "info", "kinds"),
    [
        ("pre_user_prompt", {"user_prompt": "prices are kept in cents"}, ["prompt"]),
        ("post_cascade_response", {"response": "Done."}, ["reply"]),
        ("post_run_command", {"command_line": "make test", "cwd": "/home/ada/shop"}, ["tool_call", "tool_result"]),
        ("post_write_code", {"file_path": "/home/ada/shop/a.py", "edits": EDITS}, ["tool_call", "tool_result"]),
        ("post_mcp_tool_use", MCP, ["tool_call", "tool_result"]),
        ("pre_read_code", {"file_path": "a.py"}, []),
    ],
)
def test_each_event_shows_what_it_should(event: str, info: dict[str, Any], kinds: list[str]) -> None:
    seen = HOST.decode(event, sent(event, **info))
    assert [one.kind.value for one in seen] == kinds
    assert {(one.session_id, one.cwd) for one in seen} <= {("t1", "/home/ada/shop")}


def test_acts_are_what_was_done() -> None:
    call, result = HOST.decode("post_write_code", sent("", file_path="/home/ada/shop/a.py", edits=EDITS))
    assert call.payload["act"]["path"] == "a.py"
    assert result.payload["wrote"] == {"path": "/home/ada/shop/a.py", "written": "CENTS = 100"}
    assert result.payload["call_id"] == call.payload["call_id"]


def test_the_same_command_twice_is_two_calls() -> None:
    first, _ = HOST.decode("post_run_command", sent("", command_line="make test"))
    second, _ = HOST.decode("post_run_command", sent("", at="2026-11-02T09:16:00Z", command_line="make test"))
    assert first.native_key != second.native_key


def test_malformed_payloads_are_faults() -> None:
    bad: list[dict[str, Any]] = [{"tool_info": None}, {"tool_info": {}}, {"trajectory_id": 7}]
    for fields in bad:
        with pytest.raises((KeyError, TypeError)):
            HOST.decode("pre_user_prompt", {**sent("pre_user_prompt", user_prompt="x"), **fields})


def test_it_is_told_nothing() -> None:
    assert not any(HOST.EVENTS.values()) and not HOST.DENIES
    assert HOST.encode_answer("pre_user_prompt", Answer(Moment.PROMPT, "use pnpm")) == b""


def test_entries_are_flat_beside_foreign_ones_and_every_byte_comes_back(own_home: Path) -> None:
    path = own_home / ".codeium" / "windsurf" / "hooks.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(FOREIGN)
    apply(HOST.plan_install(own_home, COMMAND), own_home / "receipts", "windsurf", "now")
    hooks = json.loads(path.read_bytes())["hooks"]
    assert set(hooks) == set(HOST.EVENTS) and hooks["pre_user_prompt"][0]["command"] == "log"
    ours = {"command": f"{COMMAND} post_run_command", "show_output": False}
    assert hooks["post_run_command"] == [ours] and HOST.wired(own_home, COMMAND)
    (result,) = undo("windsurf", own_home / "receipts", lambda: HOST.plan_uninstall(own_home, COMMAND))
    assert result.proven and path.read_bytes() == FOREIGN


def test_with_hivemind_gone_its_command_blocks_nothing(own_home: Path) -> None:
    gone = hook_command(Path("/nonexistent/python3"), own_home / "hivemind_hook.py", "windsurf")
    done = run(["/bin/sh", "-c", f"{gone} pre_user_prompt"], json.dumps(sent("pre_user_prompt")).encode(), own_home)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
