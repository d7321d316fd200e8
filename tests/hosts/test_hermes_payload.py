"""Decoding what Hermes' published code sends to shell hooks, and the keys that its database gives the same things."""

import json
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import hermes
from hivemind_cli.hosts.base import Answer, Host
from tests.hosts.hooked import event_of, names, payload, shown, told
from tests.hosts.test_hermes_transcript import Database, database

__all__ = ["database"]

HOST: Host = hermes
SHOWN = {
    "on_session_end-completed": [],
    "on_session_end-interrupted": ["interrupt"],
    "on_session_finalize": ["session_end"],
    "on_session_start": ["session_start"],
    "post_approval_response-deny": ["tool_denied"],
    "post_approval_response-once": [],
    "post_llm_call": ["reply"],
    "post_tool_call-blocked": ["tool_denied"],
    "post_tool_call-error": ["tool_failure"],
    "post_tool_call-refused": ["tool_denied"],
    "post_tool_call-terminal": ["tool_result"],
    "post_tool_call-terminal-failed": ["tool_failure"],
    "post_tool_call-write_file": ["tool_result"],
    "pre_api_request": [],
    "pre_llm_call": ["prompt"],
    "pre_llm_call-subagent": [],
    "pre_tool_call-terminal": ["tool_call"],
    "pre_tool_call-write_file": ["tool_call"],
    "subagent_start": ["subagent_start"],
    "subagent_stop": ["subagent_stop"],
}


def test_every_payload_shows_what_it_should() -> None:
    found = {name: [one.kind.value for one in HOST.decode(event_of(name), payload("hermes", name))] for name in SHOWN}
    assert found == SHOWN and names("hermes") == sorted(SHOWN)


def test_a_command_may_be_asked_about_and_an_edit_is_not() -> None:
    command = shown(HOST, "pre_tool_call-terminal")
    assert command.payload["asks"] is True and command.payload["act"]["command"] == "npm publish"
    edit = shown(HOST, "pre_tool_call-write_file")
    assert "asks" not in edit.payload and edit.payload["act"]["path"] == "price.py"
    wrote = shown(HOST, "post_tool_call-write_file").payload["wrote"]
    assert wrote == {"path": "/home/ada/shop/price.py", "written": "CENTS = 100", "after": "CENTS = 100\n"}


def test_a_denial_has_its_author() -> None:
    asked = shown(HOST, "post_approval_response-deny").payload
    assert (asked["by"], asked["act"]["command"]) == ("person", "npm publish")
    assert shown(HOST, "post_tool_call-refused").payload["by"] == "person"
    assert shown(HOST, "post_tool_call-blocked").payload["by"] == "rule"
    extra = {**payload("hermes", "post_tool_call-blocked")["extra"], "error_message": f"{fence.OPEN}x{fence.CLOSE}"}
    assert shown(HOST, "post_tool_call-blocked", extra=extra).payload["by"] == "hivemind"


def test_malformed_payloads_are_faults() -> None:
    good = payload("hermes", "pre_tool_call-terminal")
    bad: list[dict[str, Any]] = [{"extra": []}, {"extra": {}}, {"tool_name": None}, {"session_id": 7}]
    for fields in bad:
        with pytest.raises((KeyError, TypeError)):
            HOST.decode("pre_tool_call", {**good, **fields})


def test_importing_the_session_that_hooks_told_of_adds_nothing(database: Database) -> None:
    database.say("user", "prices are kept in cents")
    database.call("c1", "terminal", {"command": "make test"}, {"output": "2 passed", "exit_code": 0, "error": None})
    refusal = {"output": "", "exit_code": -1, "error": "BLOCKED: User denied this.", "status": "blocked"}
    database.call("c2", "terminal", {"command": "npm publish"}, refusal)
    database.say("assistant", "Done.")
    database.say("user", "and in whole numbers")
    database.say("assistant", "Operation interrupted: waiting for model response")

    def sent(event: str, tool: str | None = None, given: dict[str, Any] | None = None, **extra: Any) -> Any:
        base = {"hook_event_name": event, "session_id": "s1", "cwd": "/home/ada/shop"}
        return event, {**base, "tool_name": tool, "tool_input": given, "extra": extra}

    test, publish = {"command": "make test"}, {"command": "npm publish"}
    hooks = told(
        HOST,
        [
            sent("on_session_start", model="m"),
            sent("pre_llm_call", user_message="prices are kept in cents"),
            sent("pre_tool_call", "terminal", test, tool_call_id="c1"),
            sent("post_tool_call", "terminal", test, tool_call_id="c1", status="ok", result='{"output":"2 passed"}'),
            sent("pre_tool_call", "terminal", publish, tool_call_id="c2"),
            sent(
                "post_tool_call", "terminal", publish, tool_call_id="c2", status="blocked", result=json.dumps(refusal)
            ),
            sent("post_llm_call", assistant_response="Done."),
            sent("on_session_end", interrupted=False),
            sent("pre_llm_call", user_message="and in whole numbers"),
            sent("on_session_end", interrupted=True),
        ],
    )
    imported = {one.native_key: one.kind for one in HOST.read_transcript(HOST.sessions_in(database.done())[0])}
    assert {key: one.kind for key, one in hooks.items()} == imported
    assert EventKind.INTERRUPT in imported.values() and EventKind.REPLY in imported.values()


def test_it_is_answered_where_its_code_listens() -> None:
    assert json.loads(HOST.encode_answer("pre_llm_call", Answer(Moment.PROMPT, "use pnpm"))) == {"context": "use pnpm"}
    held = HOST.encode_answer("pre_tool_call", Answer(Moment.TOOL_CALL, "use pnpm", hold=True))
    assert json.loads(held) == {"action": "block", "message": "use pnpm"}
    assert HOST.encode_answer("pre_tool_call", Answer(Moment.TOOL_CALL, "use pnpm")) == b""
    assert HOST.encode_answer("on_session_start", Answer(Moment.SESSION_START, "use pnpm")) == b""
    assert HOST.encode_answer("pre_llm_call", Answer(Moment.PROMPT, "x" * 9_001)) == b""
