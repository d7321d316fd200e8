"""What our plugin of OpenClaw tells, decoded; and the plugin itself, in node, with an OpenClaw that is made up."""

import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import openclaw
from hivemind_cli.hosts.base import Answer, Host, Seen

HOST: Host = openclaw
NODE = shutil.which("node")


def sent(**fields: Any) -> dict[str, Any]:
    base = {"session_id": "s1", "session_key": "agent:main:main", "cwd": "/home/ada/shop", "channel": "", "trigger": ""}
    return {**base, "owner": False, **fields}


def shown(event: str, **fields: Any) -> Seen:
    (seen,) = HOST.decode(event, sent(**fields))
    return seen


EXEC = {"tool_name": "exec", "tool_use_id": "c1", "tool_input": {"command": "npm publish"}}
WRITE = {"tool_name": "write", "tool_use_id": "c2", "tool_input": {"path": "price.py", "content": "CENTS = 100\n"}}


def test_each_event_shows_what_it_should() -> None:
    told: dict[str, dict[str, Any]] = {
        "session_start": {"source": "startup"},
        "before_prompt_build": {"prompt": "prices are kept in cents"},
        "before_tool_call": EXEC,
        "after_tool_call": {**EXEC, "content": "ok", "error": ""},
        "agent_end": {"text": "Done.", "error": ""},
        "before_compaction": {},
        "session_end": {"reason": "reset"},
        "gateway_start": {},
    }
    kinds = {event: [one.kind.value for one in HOST.decode(event, sent(**fields))] for event, fields in told.items()}
    assert kinds == {
        "session_start": ["session_start"],
        "before_prompt_build": ["prompt"],
        "before_tool_call": ["tool_call"],
        "after_tool_call": ["tool_result"],
        "agent_end": ["reply"],
        "before_compaction": ["compact"],
        "session_end": ["session_end"],
        "gateway_start": [],
    }


@pytest.mark.parametrize(
    ("fields", "persons"),
    [
        ({}, True),
        ({"channel": "webchat", "trigger": "user"}, True),
        ({"channel": "telegram"}, False),
        ({"channel": "telegram", "owner": True}, True),
        ({"session_key": "agent:main:telegram:group:42"}, False),
        ({"session_key": "agent:main:subagent:7"}, False),
        ({"trigger": "heartbeat"}, False),
        ({"trigger": "cron", "owner": True}, False),
    ],
)
def test_only_the_persons_own_words_are_a_prompt(fields: dict[str, Any], persons: bool) -> None:
    seen = HOST.decode("before_prompt_build", sent(prompt="prices are kept in cents", **fields))
    assert bool(seen) is persons
    stopped = HOST.decode("agent_end", sent(text="", error="run aborted", **fields))
    assert [one.kind.value for one in stopped] == (["interrupt"] if persons else [])


def test_calls_are_acts_and_their_ends_tell_what_became_of_them() -> None:
    assert shown("before_tool_call", **EXEC).payload["asks"] is True
    assert "asks" not in shown("before_tool_call", **WRITE).payload
    result = shown("after_tool_call", **WRITE, content={"content": [{"type": "text", "text": "ok"}]}, error="")
    assert result.payload["output"] == "ok" and result.payload["wrote"]["path"] == "/home/ada/shop/price.py"
    assert shown("after_tool_call", **EXEC, content=None, error="not found").kind == "tool_failure"
    held = shown("after_tool_call", **WRITE, content=None, error=f"{fence.OPEN}use pnpm{fence.CLOSE}")
    assert (held.kind, held.payload["by"]) == ("tool_denied", "hivemind")
    assert [one.kind for one in HOST.decode("agent_end", sent(text="Half", error="model overloaded"))] == ["reply"]


def test_malformed_payloads_are_faults() -> None:
    bad: list[dict[str, Any]] = [{}, {**EXEC, "tool_input": []}, {**EXEC, "tool_name": None}, {**EXEC, "session_id": 7}]
    for fields in bad:
        with pytest.raises((KeyError, TypeError)):
            HOST.decode("before_tool_call", sent(**fields))


def test_it_is_answered_where_the_plugin_can_say_it() -> None:
    said = json.loads(HOST.encode_answer("before_prompt_build", Answer(Moment.PROMPT, "use pnpm")))
    assert said == {"context": "use pnpm"}
    held = json.loads(HOST.encode_answer("before_tool_call", Answer(Moment.TOOL_CALL, "use pnpm", hold=True)))
    assert held == {"deny": "use pnpm"}
    assert HOST.encode_answer("before_tool_call", Answer(Moment.TOOL_CALL, "use pnpm")) == b""


PLAY = """
import plugin from "./index.js";
const hooks = {};
plugin.register({ on: (name, handler) => { hooks[name] = handler; } });
const ctx = { sessionId: "s1", sessionKey: "agent:main:main", workspaceDir: "/home/ada/shop", trigger: "user" };
const call = { toolName: "exec", params: { command: "npm publish" }, toolCallId: "c1" };
const said = [{ role: "user", content: "x" }, { role: "assistant", content: [{ type: "text", text: "Done." }] }];
const out = {};
await hooks.session_start({ sessionId: "s1" }, ctx);
out.prompt = await hooks.before_prompt_build({ prompt: "prices are kept in cents", messages: [] }, ctx);
out.call = await hooks.before_tool_call(call, ctx);
await hooks.after_tool_call({ ...call, error: new Error("blocked") }, ctx);
await hooks.agent_end({ messages: said, success: true }, ctx);
await hooks.before_tool_call(undefined, undefined);
await hooks.session_end({ reason: "reset" }, ctx);
console.log(JSON.stringify(out));
"""

HOOK = """#!/bin/sh
read -r line
printf '%s %s\\n' "$2" "$line" >>"$1"
case "$2" in
session_start) echo '{"context": "lately", "notice": "hello"}' ;;
before_prompt_build) echo '{"context": "use pnpm"}' ;;
before_tool_call) echo '{"deny": "use pnpm"}' ;;
after_tool_call) echo 'no json' ;;
esac
"""


def play(home: Path, command: str) -> dict[str, Any]:
    for edit in HOST.plan_install(home, command):
        edit.path.parent.mkdir(parents=True, exist_ok=True)
        patient = (edit.after or b"").replace(b"const WAIT_MS = 1500;", b"const WAIT_MS = 60000;")
        assert edit.path.suffix == ".json" or b"WAIT_MS = 60000" in patient
        edit.path.write_bytes(patient)
    script = home / ".openclaw" / "extensions" / "hivemind" / "play.mjs"
    script.write_text(PLAY, encoding="utf-8")
    done = subprocess.run([NODE or "node", str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.mark.skipif(NODE is None, reason="node is not here")
def test_the_plugin_tells_its_hook_and_says_what_it_is_answered(own_home: Path) -> None:
    hook, log = own_home / "a hook.sh", own_home / "log"
    hook.write_text(HOOK, encoding="utf-8")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    out = play(own_home, f"'{hook}' '{log}'")
    assert out == {
        "prompt": {"prependContext": "lately\n\nuse pnpm"},
        "call": {"block": True, "blockReason": "use pnpm"},
    }
    told = [line.split(" ", 1) for line in log.read_text(encoding="utf-8").splitlines()]
    kinds = [
        one.kind.value
        for event, line in told
        for one in (HOST.decode(event, json.loads(line)) if json.loads(line)["session_id"] else [])
    ]
    ended = ["tool_failure", "reply", "session_end"]
    assert kinds == ["session_start", "prompt", "tool_call", *ended]


@pytest.mark.skipif(NODE is None, reason="node is not here")
def test_with_its_hook_gone_the_plugin_says_nothing_and_blocks_nothing(own_home: Path) -> None:
    assert play(own_home, "/nonexistent/hook") == {}
