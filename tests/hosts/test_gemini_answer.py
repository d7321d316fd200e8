"""What reaches Gemini CLI on stdout: one line of JSON, or nothing; and what its shell makes of a hook that fails."""

import json

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import gemini
from hivemind_cli.hosts.base import Answer

MOMENTS = {event: moment for event, moment in gemini.EVENTS.items() if moment is not None}


@pytest.mark.parametrize("event", sorted(MOMENTS))
def test_context_names_its_own_event(event: str) -> None:
    line = gemini.encode_answer(event, Answer(MOMENTS[event], "use tabs"))
    assert json.loads(line) == {"hookSpecificOutput": {"hookEventName": event, "additionalContext": "use tabs"}}


def test_text_for_a_call_comes_with_its_result() -> None:
    """What is given before a call does not reach the model, so nothing counts as given there."""
    assert (gemini.EVENTS["BeforeTool"], gemini.EVENTS["AfterTool"]) == (None, Moment.TOOL_CALL)
    assert gemini.encode_answer("BeforeTool", Answer(Moment.TOOL_CALL, "use tabs")) == b""


def test_a_hold_denies_with_the_rule_as_the_reason() -> None:
    line = gemini.encode_answer("BeforeTool", Answer(Moment.TOOL_CALL, "rule", hold=True))
    assert json.loads(line) == {"decision": "deny", "reason": "rule"}


def test_a_notice_goes_to_the_person_alone() -> None:
    answer = Answer(Moment.SESSION_START, "", notice="learned: use tabs")
    assert json.loads(gemini.encode_answer("SessionStart", answer)) == {"systemMessage": "learned: use tabs"}


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("BeforeAgent", Answer(Moment.PROMPT, "")),
        ("AfterAgent", Answer(Moment.PROMPT, "would make the agent go on")),
        ("PreCompress", Answer(Moment.PROMPT, "text")),
        ("BeforeAgent", Answer(Moment.PROMPT, "x" * 9_001)),
        ("BeforeTool", Answer(Moment.TOOL_CALL, "x" * 9_001, hold=True)),
    ],
)
def test_silence_is_no_byte(event: str, answer: Answer) -> None:
    assert gemini.encode_answer(event, answer) == b""


def test_it_is_one_line_whatever_stands_in_it() -> None:
    line = gemini.encode_answer("BeforeAgent", Answer(Moment.PROMPT, "a\nb\u2028 é"))
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
