"""What our extension of pi hands over, decoded under the keys of pi's session files."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import pi
from hivemind_cli.hosts.base import Answer, Seen
from hivemind_cli.hosts.keys import digest

FOLDER = Path(__file__).parent / "payloads" / "pi"
COIN, GOLD, SAID = digest("count the coins in the till"), digest("gold only"), digest("There are two.")
EXPECTED: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "session_start-startup": [("session_start", "session_start:startup:#?", {"source": "startup"})],
    "session_start-new": [("session_start", "session_start:startup:#?", {})],
    "before_agent_start": [("prompt", f":{COIN}:#?", {"text": "count the coins in the till"})],
    "before_agent_start-skill": [("prompt", f":{digest('only gold')}:#?", {"text": "only gold"})],
    "tool_call-bash": [("tool_call", "call_1:tool_call", {"input": {"command": "make coins"}})],
    "tool_call-edit": [("tool_call", "call_2:tool_call", {})],
    "tool_execution_end-bash-failed": [
        ("tool_failure", "call_1:tool_failure", {"error": "make: no rule\n\nCommand exited with code 2"})
    ],
    "tool_execution_end-bash-held": [("tool_denied", "call_1:tool_denied", {"by": "hivemind", "words": ""})],
    "tool_execution_end-edit": [
        (
            "tool_result",
            "call_2:tool_result",
            {"output": "Replaced 1 block.", "wrote": {"path": "/home/dev/till/till.py", "written": "coins = 2"}},
        )
    ],
    "message_end-assistant": [("reply", f"reply::{SAID}:#?", {"text": "There are two."})],
    "message_end-aborted": [("interrupt", "interrupt:1795198233397", {"for_tool": False})],
    "message_end-user-steering": [("steer", f":{GOLD}:#?", {"text": "gold only"})],
    "user_bash": [("steer", f"steer:{digest('git status')}:#?", {"text": "", "ran": "git status"})],
    "session_compact": [("compact", "compact:a1b2c3d4", {})],
    "session_shutdown": [("session_end", "session_end:quit:#?", {"reason": "quit"})],
}


def decoded(name: str, **changed: Any) -> list[Seen]:
    payload = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return pi.decode(name.partition("-")[0], {**payload, **changed})


def test_every_event_has_a_payload() -> None:
    assert {name.partition("-")[0] for name in EXPECTED} == set(pi.EVENTS)
    assert set(EXPECTED) == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_payload_shows(name: str) -> None:
    seen = decoded(name)
    assert [(one.kind.value, one.native_key) for one in seen] == [expected[:2] for expected in EXPECTED[name]]
    for one, (_, _, fields) in zip(seen, EXPECTED[name], strict=True):
        assert {field: one.payload.get(field) for field in fields} == fields
        assert (one.session_id[:8], one.cwd) == ("01a1fa27", "/home/dev/till")


def test_what_no_person_typed_is_no_prompt() -> None:
    assert decoded("before_agent_start", prompt="<hivemind-recall>\nuse make\n</hivemind-recall>") == []


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("before_agent_start", {"prompt": 7}),
        ("tool_call-bash", {"tool_input": []}),
        ("user_bash", {"session_id": None}),
    ],
)
def test_a_malformed_payload_is_a_fault(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        decoded(name, **changed)


@pytest.mark.parametrize(
    ("event", "answer", "line"),
    [
        ("before_agent_start", Answer(Moment.PROMPT, "use make"), {"context": "use make"}),
        ("tool_call", Answer(Moment.TOOL_CALL, "use make", hold=True), {"deny": "use make"}),
        ("session_start", Answer(Moment.SESSION_START, "", notice="new"), {"notice": "new"}),
        ("before_agent_start", Answer(Moment.PROMPT, "use make", hold=True), {"context": "use make"}),
        ("message_end", Answer(Moment.PROMPT, "nobody waits"), None),
        ("tool_call", Answer(Moment.TOOL_CALL, "x" * (pi.TEXT_CHARS_MAX + 1)), None),
        ("tool_call", Answer(Moment.TOOL_CALL, ""), None),
    ],
)
def test_the_answer_is_one_line(event: str, answer: Answer, line: dict[str, str] | None) -> None:
    said = pi.encode_answer(event, answer)
    assert said == b"" if line is None else (json.loads(said) == line and said.endswith(b"\n"))
