"""What Gemini CLI's hooks send: whose words, how a call ended, what is no event, and what is a fault."""

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
from hivemind_cli.hosts import gemini
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.gemini.words import persons_words

FOLDER = Path(__file__).parent / "payloads" / "gemini"
CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent")) / "gemini"
STRANGE = (KeyError, TypeError, ValueError)


def payload(name: str, **changed: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {**value, **changed}


def ended(name: str, **response: Any) -> Seen:
    told = payload(f"AfterTool-{name}")
    told["tool_response"] = {**told["tool_response"], **response}
    (seen,) = gemini.decode("AfterTool", told)
    return seen


def test_a_prompt_is_the_persons_words_alone() -> None:
    (seen,) = gemini.decode("BeforeAgent", payload("BeforeAgent"))
    assert seen.kind is EventKind.PROMPT
    assert seen.payload == {"text": "count the coins"}
    assert seen.native_key.endswith(":#?")


ESCAPED = fence.fenced(["count twice"]).replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"<hook_context>{ESCAPED}</hook_context>\n\nmake it", "make it"),
        (f"make it<hook_context>{ESCAPED}</hook_context>", "make it"),
        (f"<hook_context>{ESCAPED}</hook_context>", ""),
        (f"{fence.fenced(['count twice'])}\n\nmake it", "make it"),
        ("read @till.py\n--- Content from referenced files ---\nContent from @till.py:\nsecret", "read @till.py"),
        ("/chat save here", ""),
        ("compare a < b and c > d", "compare a < b and c > d"),
        ("use &lt;b&gt; here", "use &lt;b&gt; here"),
    ],
)
def test_what_hooks_and_the_host_add_to_a_prompt_is_no_persons(given: str, said: str) -> None:
    assert persons_words(given) == said
    found = gemini.decode("BeforeAgent", payload("BeforeAgent", prompt=given))
    assert [seen.payload["text"] for seen in found] == ([said] if said else [])


def test_a_call_may_be_one_that_a_person_is_asked_about() -> None:
    (seen,) = gemini.decode("BeforeTool", payload("BeforeTool-run_shell_command"))
    assert (seen.kind, seen.tool, seen.payload["asks"]) == (EventKind.TOOL_CALL, "run_shell_command", True)
    assert seen.payload["act"]["command"] == "python3 purse.py"


def test_how_a_call_ended_is_told() -> None:
    edit = ended("replace")
    assert edit.payload["wrote"] == {"path": "/home/ada/shop/till.py", "written": "total = 2", "after": "total = 2\n"}
    assert (ended("run_shell_command").kind, ended("read_file").kind) == (EventKind.TOOL_FAILURE,) * 2
    assert ended("read_file").payload["error"].startswith("File not found")
    assert ended("run_shell_command", llmContent="Output: 3\nExit Code: 0").kind is EventKind.TOOL_RESULT


def test_an_edit_the_person_changed_is_told() -> None:
    display = payload("AfterTool-replace")["tool_response"]["returnDisplay"]
    changed = {**display, "diffStat": {**display["diffStat"], "user_added_lines": 2}}
    assert ended("replace", returnDisplay=changed).payload["user_modified"] is True


def test_a_command_stopped_by_esc_is_a_failure() -> None:
    seen = ended("run_shell_command", llmContent="Command was cancelled by user before it could complete.")
    assert (seen.kind, seen.payload["interrupted"]) == (EventKind.TOOL_FAILURE, True)


def test_a_result_of_parts_is_read() -> None:
    parts = [{"text": "one"}, {"inlineData": {"data": "AA"}}, "two"]
    assert ended("write_file", llmContent=parts).payload["output"] == "one\ntwo"


def test_a_turn_without_words_has_no_reply() -> None:
    (seen,) = gemini.decode("AfterAgent", payload("AfterAgent"))
    assert (seen.kind, seen.payload) == (EventKind.REPLY, {"text": "Counting.\nCounted."})
    assert gemini.decode("AfterAgent", payload("AfterAgent", prompt_response="[no response text]")) == []


def test_what_fires_before_every_request_is_no_compaction() -> None:
    assert "PreCompress" not in gemini.EVENTS
    assert gemini.decode("PreCompress", payload("PreCompress")) == []


@pytest.mark.parametrize(
    ("event", "changed"),
    [
        ("BeforeAgent", {"prompt": None}),
        ("BeforeAgent", {"session_id": 7}),
        ("BeforeTool", {"tool_input": []}),
        ("AfterTool", {"tool_response": None}),
        ("AfterTool", {"tool_name": {}}),
        ("SessionStart", {"source": None}),
    ],
)
def test_a_field_of_another_kind_is_a_fault(event: str, changed: dict[str, Any]) -> None:
    name = {"BeforeTool": "BeforeTool-replace", "AfterTool": "AfterTool-replace"}.get(event, event)
    with pytest.raises(STRANGE):
        gemini.decode(event, payload(name, **changed))


WORDS = st.text(max_size=9)
JSON = st.none() | st.booleans() | st.integers() | WORDS | st.lists(WORDS) | st.dictionaries(WORDS, st.none() | WORDS)


@settings(deadline=None)  # on a busy machine one example may take any time
@given(data=st.data(), value=JSON)
def test_whatever_stands_in_a_field_nothing_else_is_raised(data: st.DataObject, value: object) -> None:
    name = data.draw(st.sampled_from(sorted(path.stem for path in FOLDER.glob("*.json"))))
    told = copy.deepcopy(payload(name))
    part = told
    if "tool_response" in told and data.draw(st.booleans()):
        part = told["tool_response"]
    part[data.draw(st.sampled_from(sorted(part)))] = value
    try:
        gemini.decode(name.partition("-")[0], told)
    except STRANGE:
        pass


def test_the_transcript_lies_below_the_hosts_own_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    own = home / ".gemini" / "tmp" / "shop" / "chats" / "session-a.jsonl"
    own.parent.mkdir(parents=True)
    own.touch()
    (tmp_path / "other.jsonl").touch()
    for named, found in ((own, own), (tmp_path / "other.jsonl", None), (own.with_suffix(".json"), None), ("x", None)):
        assert gemini.transcript_of(home, {"transcript_path": str(named)}) == found
    assert gemini.transcript_of(home, {}) is None


@pytest.mark.skipif(not CAPTURED.is_dir(), reason="HIVEMIND_TEST_HOSTS names no folder with captured payloads")
def test_every_captured_payload_decodes() -> None:
    kinds: set[EventKind] = set()
    files = [path for path in sorted(CAPTURED.glob("*.json")) if not path.name.startswith("_")]
    for path in files:
        kinds |= {seen.kind for seen in gemini.decode(path.stem.partition("-")[0], json.loads(path.read_bytes()))}
    assert len(files) > 10
    assert kinds == {
        EventKind.SESSION_START,
        EventKind.PROMPT,
        EventKind.TOOL_CALL,
        EventKind.TOOL_RESULT,
        EventKind.TOOL_FAILURE,
        EventKind.REPLY,
        EventKind.SESSION_END,
    }
