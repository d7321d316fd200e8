"""What reaches Codex on stdout: one line of JSON with no member its schema does not have, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.base import Answer
from hivemind_cli.hosts.codex.answer import TEXT_BYTES_MAX

MOMENTS = {event: moment for event, moment in codex.EVENTS.items() if moment is not None}
COMMON = {"continue", "stopReason", "suppressOutput", "systemMessage", "hookSpecificOutput"}
CONTEXT = {"hookEventName", "additionalContext"}
SCHEMAS = {
    "SessionStart": (COMMON, CONTEXT),
    "UserPromptSubmit": (COMMON | {"decision", "reason"}, CONTEXT),
    "PreToolUse": (
        COMMON | {"decision", "reason"},
        CONTEXT | {"permissionDecision", "permissionDecisionReason", "updatedInput"},
    ),
    "SubagentStart": (COMMON, CONTEXT),
}
"""Members of the output, and of its `hookSpecificOutput`, that the program's own schemas have; they forbid others."""


def checked(event: str, line: bytes) -> dict[str, Any]:
    """The answer, if the host would take it."""
    said: dict[str, Any] = json.loads(line)
    members, inner = SCHEMAS[event]
    assert said.keys() <= members
    specific = said.get("hookSpecificOutput", {"hookEventName": event})
    assert specific.keys() <= inner
    assert specific["hookEventName"] == event
    assert "permissionDecision" not in specific or specific["permissionDecision"] == "deny"  # a bare allow fails
    return said


def test_every_event_that_waits_has_a_schema_with_a_place_for_text() -> None:
    assert MOMENTS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("event", sorted(MOMENTS))
def test_context_names_its_own_event(event: str) -> None:
    said = checked(event, codex.encode_answer(event, Answer(MOMENTS[event], "use tabs")))
    assert said == {"hookSpecificOutput": {"hookEventName": event, "additionalContext": "use tabs"}}


def test_a_hold_denies_with_the_rule_as_the_reason() -> None:
    said = checked("PreToolUse", codex.encode_answer("PreToolUse", Answer(Moment.TOOL_CALL, "rule", hold=True)))
    assert said["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "rule",
    }


def test_a_notice_goes_to_the_person_alone() -> None:
    answer = Answer(Moment.SESSION_START, "", notice="learned: use tabs")
    line = codex.encode_answer("SessionStart", answer)
    assert checked("SessionStart", line) == {"systemMessage": "learned: use tabs"}


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("UserPromptSubmit", Answer(Moment.PROMPT, "")),
        ("PreToolUse", Answer(Moment.TOOL_CALL, "", hold=True)),
        ("Stop", Answer(Moment.PROMPT, "would make the agent go on")),
        ("PostToolUse", Answer(Moment.TOOL_CALL, "would stand in for the result")),
        ("Interrupt", Answer(Moment.PROMPT, "text")),
        ("Unknown", Answer(Moment.PROMPT, "text")),
        ("UserPromptSubmit", Answer(Moment.PROMPT, "x" * 9_001)),
        ("UserPromptSubmit", Answer(Moment.PROMPT, "é" * 5_001)),
        ("UserPromptSubmit", Answer(Moment.PROMPT, "表" * 3_334)),
        ("UserPromptSubmit", Answer(Moment.PROMPT, "half a \ud800")),
        ("PreToolUse", Answer(Moment.TOOL_CALL, "x" * 9_001, hold=True)),
    ],
)
def test_silence_is_no_byte(event: str, answer: Answer) -> None:
    assert codex.encode_answer(event, answer) == b""


@pytest.mark.parametrize("text", ["é" * 5_000, "表" * 3_333, "x" * 9_000])
def test_what_fits_in_the_hosts_bytes_is_said_whole(text: str) -> None:
    said = checked("UserPromptSubmit", codex.encode_answer("UserPromptSubmit", Answer(Moment.PROMPT, text)))
    assert said["hookSpecificOutput"]["additionalContext"] == text
    assert len(text.encode()) <= TEXT_BYTES_MAX


@settings(deadline=None)
@given(
    event=st.sampled_from(sorted(MOMENTS)), text=st.text(max_size=200), notice=st.text(max_size=50), hold=st.booleans()
)
def test_it_is_always_one_whole_line_the_host_takes(event: str, text: str, notice: str, hold: bool) -> None:
    line = codex.encode_answer(event, Answer(MOMENTS[event], text, hold=hold, notice=notice))
    if text or notice:
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        checked(event, line)
    else:
        assert line == b""
