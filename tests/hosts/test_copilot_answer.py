"""What reaches Copilot CLI on stdout: one line of JSON, or nothing."""

import json

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import copilot
from hivemind_cli.hosts.base import Answer

MOMENTS = {event: moment for event, moment in copilot.EVENTS.items() if moment is not None}


@pytest.mark.parametrize("event", sorted(MOMENTS))
def test_context_stands_at_the_top_level(event: str) -> None:
    line = copilot.encode_answer(event, Answer(MOMENTS[event], "use tabs"))
    assert json.loads(line) == {"additionalContext": "use tabs"}


def test_text_that_the_person_would_be_shown_with_a_result_comes_quietly_with_the_call() -> None:
    assert (copilot.EVENTS["preToolUse"], copilot.EVENTS["postToolUse"]) == (Moment.TOOL_CALL, None)


def test_a_hold_denies_with_the_rule_as_the_reason() -> None:
    line = copilot.encode_answer("preToolUse", Answer(Moment.TOOL_CALL, "rule", hold=True))
    assert json.loads(line) == {"permissionDecision": "deny", "permissionDecisionReason": "rule"}


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("userPromptSubmitted", Answer(Moment.PROMPT, "")),
        ("sessionStart", Answer(Moment.SESSION_START, "", notice="it has nothing that only the person sees")),
        ("agentStop", Answer(Moment.PROMPT, "would make the agent go on")),
        ("postToolUse", Answer(Moment.TOOL_CALL, "would be shown to the person")),
        ("userPromptSubmitted", Answer(Moment.PROMPT, "é" * 4_501)),
        ("preToolUse", Answer(Moment.TOOL_CALL, "x" * 9_001, hold=True)),
    ],
)
def test_silence_is_no_byte(event: str, answer: Answer) -> None:
    assert copilot.encode_answer(event, answer) == b""


def test_it_is_one_line_whatever_stands_in_it() -> None:
    line = copilot.encode_answer("userPromptSubmitted", Answer(Moment.PROMPT, "a\nb\u2028 é"))
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
