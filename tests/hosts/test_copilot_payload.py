"""What Copilot CLI's hooks send: whose words, how a call ended, agents within, and what is a fault."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import copilot
from hivemind_cli.hosts.base import Seen

FOLDER = Path(__file__).parent / "payloads" / "copilot"
CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent")) / "copilot"
STRANGE = (KeyError, TypeError, ValueError)
SESSION, AGENT = (f"{n:08}-0000-4000-8000-{n:012}" for n in (1, 2))


def payload(name: str, **changed: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {**value, **changed}


def one(event: str, told: dict[str, Any]) -> Seen:
    (seen,) = copilot.decode(event, told)
    return seen


def test_a_prompt_is_the_persons_words_alone() -> None:
    assert one("userPromptSubmitted", payload("userPromptSubmitted")).payload == {"text": "count the coins"}
    for text in (fence.fenced(["count twice"]), "<system_reminder>\nbe brief\n</system_reminder>", " "):
        assert copilot.decode("userPromptSubmitted", payload("userPromptSubmitted", prompt=text)) == []


def test_what_an_agent_within_is_asked_is_no_persons_word() -> None:
    assert copilot.decode("userPromptSubmitted", payload("userPromptSubmitted-within")) == []


def test_what_an_agent_within_does_belongs_to_its_parents_session_under_its_own_name() -> None:
    told = [
        one("subagentStart", payload("subagentStart")),
        one("preToolUse", payload("preToolUse-bash-within")),
        one("postToolUse", payload("postToolUse-bash-within")),
        one("subagentStop", payload("subagentStop")),
    ]
    assert {(seen.session_id, seen.payload["agent_id"]) for seen in told} == {(SESSION, AGENT)}
    assert [seen.kind.value for seen in told] == ["subagent_start", "tool_call", "tool_result", "subagent_stop"]


def test_equal_calls_of_an_agent_within_and_of_the_session_are_two() -> None:
    within = payload("preToolUse-bash-within")
    outside = {name: value for name, value in within.items() if name not in ("agentId", "agentType", "parentAgentId")}
    keys = {one("preToolUse", told).native_key for told in (within, {**outside, "sessionId": SESSION})}
    assert len(keys) == 2


@pytest.mark.parametrize(("tool", "asks"), [("bash", True), ("create", True), ("view", None)])
def test_a_call_that_changes_something_may_be_one_a_person_is_asked_about(tool: str, asks: bool | None) -> None:
    assert one("preToolUse", payload(f"preToolUse-{tool}")).payload.get("asks") is asks


def test_how_a_call_ended_is_told() -> None:
    assert one("postToolUse", payload("postToolUse-create")).payload["wrote"] == {
        "path": "/home/ada/shop/till.py",
        "written": "total = 1",
        "after": "total = 1\n",
    }
    assert one("postToolUse", payload("postToolUse-bash")).kind is EventKind.TOOL_FAILURE
    assert one("postToolUseFailure", payload("postToolUseFailure-view")).payload["error"] == "Path does not exist"


@pytest.mark.parametrize(("kind", "by"), [("rejected", "person"), ("denied", "rule"), ("failure", "")])
def test_a_call_that_did_not_run_is_told_with_who_refused(kind: str, by: str) -> None:
    told = payload("postToolUse-bash", toolResult={"resultType": kind, "textResultForLlm": "no"})
    seen = one("postToolUse", told)
    assert (seen.kind is EventKind.TOOL_DENIED, seen.payload.get("by", "")) == (bool(by), by)


def test_arguments_given_as_text_are_read() -> None:
    given = payload("preToolUse-bash")
    as_text = payload("preToolUse-bash", toolArgs=json.dumps(given["toolArgs"]))
    assert one("preToolUse", as_text) == one("preToolUse", given)


def test_the_end_of_a_turn_shows_nothing_but_its_transcript_does(tmp_path: Path) -> None:
    """The session's file holds the reply; `capture` reads it on at the events in ENDS."""
    told = payload("agentStop")
    assert "agentStop" in copilot.ENDS and copilot.decode("agentStop", told) == []
    path = copilot.transcript_of(tmp_path, told)
    assert path == tmp_path / ".copilot" / "session-state" / SESSION / "events.jsonl"


@pytest.mark.parametrize("named", ["../../etc", "a/b", "..", "", 7])
def test_a_session_id_that_is_no_name_has_no_transcript(tmp_path: Path, named: object) -> None:
    assert copilot.transcript_of(tmp_path, {"sessionId": named}) is None


def test_a_link_out_of_the_hosts_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    state = tmp_path / "moved" / "session-state"
    state.mkdir(parents=True)
    (state / "s").symlink_to(tmp_path / "elsewhere")
    assert copilot.transcript_of(tmp_path, {"sessionId": "s"}, config_dir=tmp_path / "moved") is None


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("userPromptSubmitted", {"prompt": None}),
        ("userPromptSubmitted", {"sessionId": None}),
        ("preToolUse-bash", {"toolName": 7}),
        ("postToolUse-bash", {"toolResult": "text"}),
        ("postToolUseFailure-view", {"error": {}}),
        ("sessionEnd", {"reason": None}),
    ],
)
def test_a_field_of_another_kind_is_a_fault(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(STRANGE):
        copilot.decode(name.partition("-")[0], payload(name, **changed))


WORDS = st.text(max_size=9)
JSON = st.none() | st.booleans() | st.integers() | WORDS | st.lists(WORDS) | st.dictionaries(WORDS, st.none() | WORDS)


@settings(deadline=None)  # on a busy machine one example may take any time
@given(data=st.data(), value=JSON)
def test_whatever_stands_in_a_field_nothing_else_is_raised(data: st.DataObject, value: object) -> None:
    name = data.draw(st.sampled_from(sorted(path.stem for path in FOLDER.glob("*.json"))))
    told = copy.deepcopy(payload(name))
    part = told["toolResult"] if "toolResult" in told and data.draw(st.booleans()) else told
    part[data.draw(st.sampled_from(sorted(part)))] = value
    try:
        copilot.decode(name.partition("-")[0], told)
    except STRANGE:
        pass


@pytest.mark.skipif(not CAPTURED.is_dir(), reason="HIVEMIND_TEST_HOSTS names no folder with captured payloads")
def test_every_captured_payload_decodes() -> None:
    kinds: set[EventKind] = set()
    files = [path for path in sorted(CAPTURED.glob("*.json")) if not path.name.startswith("_")]
    for path in files:
        kinds |= {seen.kind for seen in copilot.decode(path.stem.partition("-")[0], json.loads(path.read_bytes()))}
    assert len(files) > 10
    assert kinds == {
        EventKind.SESSION_START,
        EventKind.PROMPT,
        EventKind.TOOL_CALL,
        EventKind.TOOL_RESULT,
        EventKind.TOOL_FAILURE,
        EventKind.SESSION_END,
    }
