"""What reaches Claude Code on stdout: one line of JSON, or nothing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import claude
from hivemind_cli.hosts.base import Answer

MOMENTS = {event: moment for event, moment in claude.EVENTS.items() if moment is not None}


@pytest.mark.parametrize("event", sorted(MOMENTS))
def test_context_names_its_own_event(event: str) -> None:
    line = claude.encode_answer(event, Answer(MOMENTS[event], "use tabs"))
    assert json.loads(line) == {"hookSpecificOutput": {"hookEventName": event, "additionalContext": "use tabs"}}


def test_a_hold_denies_with_the_rule_as_the_reason() -> None:
    line = claude.encode_answer("PreToolUse", Answer(Moment.TOOL_CALL, "rule", hold=True))
    assert json.loads(line)["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "rule",
    }


def test_a_notice_goes_to_the_person_alone() -> None:
    answer = Answer(Moment.SESSION_START, "", notice="learned: use tabs")
    assert json.loads(claude.encode_answer("SessionStart", answer)) == {"systemMessage": "learned: use tabs"}


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("UserPromptSubmit", Answer(Moment.PROMPT, "")),
        ("Stop", Answer(Moment.PROMPT, "would make the agent go on")),
        ("Unknown", Answer(Moment.PROMPT, "text")),
        ("UserPromptSubmit", Answer(Moment.PROMPT, "x" * 9_001)),
        ("PreToolUse", Answer(Moment.TOOL_CALL, "x" * 9_001, hold=True)),
    ],
)
def test_silence_is_no_byte(event: str, answer: Answer) -> None:
    assert claude.encode_answer(event, answer) == b""


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=200), notice=st.text(max_size=50), hold=st.booleans())
def test_it_is_always_one_whole_line(text: str, notice: str, hold: bool) -> None:
    line = claude.encode_answer("PreToolUse", Answer(Moment.TOOL_CALL, text, hold=hold, notice=notice))
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert text in json.loads(line)["hookSpecificOutput"].values()
