"""What our plugin of OpenCode hands over, decoded under the keys of OpenCode's database."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import kilo, opencode
from hivemind_cli.hosts.base import Answer, Seen
from hivemind_cli.hosts.keys import digest

FOLDER = Path(__file__).parent / "payloads" / "opencode"
COINS, SAID = digest("count the coins in the till"), digest("There are two.")
CALL, DENIED = ("tool_call", "call_1:tool_call"), ("tool_denied", "call_1:tool_denied")
EXPECTED: dict[str, list[tuple[tuple[str, str], dict[str, Any]]]] = {
    "session.created": [(("session_start", "session_start:startup:#?"), {})],
    "chat.message": [(("prompt", f"msg_1:{COINS}:#?"), {"text": "count the coins in the till"})],
    "chat.message-two-texts": [(("prompt", f"msg_1:{digest('count')}:#?"), {"text": "count"})],
    "subagent.message": [(("subagent_start", "ses_b:subagent_start"), {"agent_id": "ses_b", "agent_type": "general"})],
    "tool.execute.before-bash": [(CALL, {"asks": None})],
    "tool.execute.before-bash-asking": [(CALL, {"asks": True})],
    "tool.execute.before-bash-elsewhere": [(CALL, {"asks": True})],
    "tool.execute.before-bash-unknown-mode": [(CALL, {"asks": True})],
    "tool.execute.before-edit": [(("tool_call", "call_2:tool_call"), {"asks": None})],
    "tool.execute.after-bash-failed": [
        (("tool_failure", "call_1:tool_failure"), {"error": "Exit code 2\nmake: no rule"})
    ],
    "tool.execute.after-edit": [
        (
            ("tool_result", "call_2:tool_result"),
            {"output": "Edit applied.", "wrote": {"path": "/home/dev/till/till.py", "written": "coins = 2"}},
        )
    ],
    "tool.error-rejected": [(DENIED, {"by": "person", "words": "use just"})],
    "tool.error-rule": [(DENIED, {"by": "rule", "words": ""})],
    "tool.error-aborted": [(("tool_failure", "call_1:tool_failure"), {"interrupted": True})],
    "tool.error-held": [(DENIED, {"by": "hivemind", "words": ""})],
    "tool.by_hand": [(("steer", "call_1:steer"), {"text": "", "ran": "git status"})],
    "message.updated": [(("reply", f"reply:msg_1:{SAID}"), {"text": "There are two."})],
    "message.updated-aborted": [
        (("reply", f"reply:msg_1:{digest('There')}"), {"aborted": True}),
        (("interrupt", "interrupt:msg_2"), {"for_tool": True}),
    ],
    "message.updated-subagent": [(("subagent_stop", f"ses_b:subagent_stop:{digest('Three.')}"), {"text": "Three."})],
    "session.compacted": [(("compact", "compact:msg_3:#0"), {"trigger": "auto"})],
    "session.ended": [(("session_end", "session_end:exit:#?"), {})],
}


def decoded(name: str, **changed: Any) -> list[Seen]:
    payload = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return opencode.decode(name.partition("-")[0], {**payload, **changed})


def test_every_event_has_a_payload() -> None:
    assert {name.partition("-")[0] for name in EXPECTED} == set(opencode.EVENTS) == set(kilo.EVENTS)
    assert set(EXPECTED) == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_payload_shows(name: str) -> None:
    seen = decoded(name)
    assert [(one.kind.value, one.native_key) for one in seen] == [named for named, _ in EXPECTED[name]]
    for one, (_, fields) in zip(seen, EXPECTED[name], strict=True):
        assert {field: one.payload.get(field) for field in fields} == fields
        assert (one.session_id[:8], one.cwd) == ("ses_e05d", "/home/dev/till")


@pytest.mark.parametrize(
    ("command", "asks"),
    [
        ("make coins", None),
        ("cat src/till.py 2>/dev/null", None),
        ("ls /home/dev/till/src", None),
        ("cat ../other/till.py", True),
        ("cd .. && ls", True),
        ("rm -r ~/till", True),
        ("cp a.py --to=/etc", True),
    ],
)
def test_a_call_that_reaches_outside_the_project_may_be_asked_about(command: str, asks: bool | None) -> None:
    (call,) = decoded("tool.execute.before-bash", tool_input={"command": command})
    assert call.payload.get("asks") is asks


@pytest.mark.parametrize(
    ("name", "changed"),
    [("chat.message", {"prompt": 7}), ("tool.error-rule", {"tool_input": 1}), ("message.updated", {"text": None})],
)
def test_a_malformed_payload_is_a_fault(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        decoded(name, **changed)


def test_a_hold_is_a_denial_only_where_a_call_can_be_denied() -> None:
    hold = Answer(Moment.TOOL_CALL, "use just", hold=True)
    assert json.loads(opencode.encode_answer("tool.execute.before", hold)) == {"deny": "use just"}
    assert opencode.encode_answer("tool.execute.after", hold) == b""
