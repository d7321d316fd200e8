"""Gemini CLI's session files: messages written again as they grow, histories written again, old documents."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import gemini
from hivemind_cli.hosts.base import Seen, listening
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import (
    FOLDER,
    THREAD,
    gemini_call,
    gemini_context,
    gemini_info,
    gemini_meta,
    gemini_says,
    gemini_user,
)

Line = dict[str, Any]
EDIT = {"file_path": f"{FOLDER}/till.py", "old_string": "a", "new_string": "b"}


def read(tmp_path: Path, *lines: Line) -> list[Seen]:
    return list(gemini.read_transcript(sample.write(tmp_path / "chats" / "session-x-01a1fa32.jsonl", [*lines])))


def of(seen: list[Seen], kind: EventKind) -> list[Seen]:
    return [one for one in seen if one.kind is kind]


def prompts(seen: list[Seen]) -> list[str]:
    return [one.payload["text"] for one in of(seen, EventKind.PROMPT)]


def context_record(named: str, *texts: str) -> Line:
    line = gemini_user(named, "<session_context>\nThis is the Gemini CLI.\n</session_context>")
    return {**line, "content": [*line["content"], *({"text": text} for text in texts)]}


def test_a_hook_can_make_the_same_keys(tmp_path: Path) -> None:
    call = gemini_call("g", "run_shell_command", {"command": "ls"}, "a")
    seen = read(
        tmp_path, gemini_meta(), gemini_user("u", "go"), gemini_says("a", "One.", call), gemini_says("b", "Two.")
    )
    (prompt,), (begun,), (reply,) = (of(seen, k) for k in (EventKind.PROMPT, EventKind.TOOL_CALL, EventKind.REPLY))
    text = hashlib.sha256(b"go").hexdigest()[:16]
    given = hashlib.sha256(b'{"command": "ls"}').hexdigest()[:16]
    assert (prompt.native_key, begun.native_key) == (f":{text}:#0", f"tool_call:run_shell_command:{given}:#0")
    assert reply.payload["text"] == "One.\nTwo."  # as AfterAgent gives it
    assert begun.payload["call_id"] == f"run_shell_command:{given}"  # the host's own id is in no hook


def test_equal_calls_stay_two_and_each_has_its_end(tmp_path: Path) -> None:
    calls = [gemini_call(name, "run_shell_command", {"command": "ls"}, "a") for name in ("g", "h")]
    seen = read(tmp_path, gemini_meta(), gemini_user("u", "go"), gemini_says("a", "", *calls))
    assert len({one.native_key for one in seen}) == len(seen) == 6


def test_a_call_is_told_when_it_is_made_and_its_end_when_it_ends(tmp_path: Path) -> None:
    going = gemini_call("g", "run_shell_command", {"command": "ls"}, "", "executing")
    begun = [gemini_meta(), gemini_user("u", "go"), gemini_says("a", "", going)]
    assert [one.kind.value for one in read(tmp_path, *begun)][-1] == "tool_call"
    seen = read(tmp_path, *begun, gemini_says("a", "", {**going, "status": "success"}))
    assert [one.kind.value for one in seen][-2:] == ["tool_call", "tool_result"]


@pytest.mark.parametrize(
    "text",
    [
        "<session_context>\nThis is the Gemini CLI. We are setting up\n</session_context>",
        "<hook_context>use tabs</hook_context>",
        "Here is the user's editor context as a JSON object.",
        "<state_snapshot>\n<overall_goal>x</overall_goal>\n</state_snapshot>",
        "/chat save here",
        fence.fenced(["count twice"]),
    ],
)
def test_what_no_person_typed_is_no_prompt(tmp_path: Path, text: str) -> None:
    assert prompts(read(tmp_path, gemini_meta(), gemini_user("u", text))) == []


def test_hooks_words_around_a_prompt_are_not_the_persons(tmp_path: Path) -> None:
    line = gemini_user("u", "<hook_context>&lt;hivemind-recall&gt;</hook_context>\n\nmake it\n")
    line["content"].append({"text": "<hook_context>more</hook_context>"})
    assert prompts(read(tmp_path, gemini_meta(), line)) == ["make it"]


def test_of_a_prompt_with_files_what_was_typed_counts(tmp_path: Path) -> None:
    line = gemini_user("u", "read @a.py\n--- Content from referenced files ---\nsecret", displayContent="read @a.py")
    assert prompts(read(tmp_path, gemini_meta(), line)) == ["read @a.py"]


def test_a_command_of_the_persons_own_steers(tmp_path: Path) -> None:
    text = "I ran the following shell command:\n```sh\ngit status\n```\n\nThis produced the following result:\nok"
    seen = read(tmp_path, gemini_meta(), gemini_user("u", text))
    assert [one.payload for one in of(seen, EventKind.STEER)] == [{"text": "", "ran": "git status"}]
    assert prompts(seen) == []


def test_esc_while_a_tool_runs_is_an_interrupt_and_no_refusal(tmp_path: Path) -> None:
    call = gemini_call("g", "replace", EDIT, "[Operation Cancelled] Reason: User cancelled the operation.", "cancelled")
    lines = [gemini_meta(), gemini_user("u", "go"), gemini_info("i", "Request cancelled."), gemini_says("a", "", call)]
    seen = read(tmp_path, *lines)
    assert [one.payload["for_tool"] for one in of(seen, EventKind.INTERRUPT)] == [False]
    assert [one.payload["interrupted"] for one in of(seen, EventKind.TOOL_FAILURE)] == [True]
    assert of(seen, EventKind.TOOL_DENIED) == []


@pytest.mark.parametrize(
    "reason", ["User denied execution.", "User cancelled the operation.", "User did not allow tool call"]
)
def test_a_call_cancelled_with_no_esc_before_was_refused(tmp_path: Path, reason: str) -> None:
    call = gemini_call("g", "replace", EDIT, f"[Operation Cancelled] Reason: {reason}", "cancelled")
    lines = [gemini_meta(), gemini_user("u", "go"), gemini_says("a", "", call), gemini_info("i", "Request cancelled.")]
    seen = read(tmp_path, *lines)
    assert [one.payload["by"] for one in of(seen, EventKind.TOOL_DENIED)] == ["person"]
    assert [one.payload["for_tool"] for one in of(seen, EventKind.INTERRUPT)] == [True]


@pytest.mark.parametrize(
    ("error", "by"),
    [("Tool execution denied by policy.", "rule"), (f"Tool execution blocked: {fence.fenced(['no'])}", "hivemind")],
)
def test_who_else_refused_is_told(tmp_path: Path, error: str, by: str) -> None:
    seen = read(tmp_path, gemini_meta(), gemini_says("a", "", gemini_call("g", "replace", EDIT, error, "error")))
    assert [one.payload["by"] for one in of(seen, EventKind.TOOL_DENIED)] == [by]


def test_an_edit_tells_the_whole_file_and_whether_the_person_changed_it(tmp_path: Path) -> None:
    display = {"newContent": "b\nc\n", "diffStat": {"user_added_lines": 1, "user_removed_lines": 0}}
    call = gemini_call("g", "replace", EDIT, "ok", resultDisplay=display)
    (left,) = of(read(tmp_path, gemini_meta(), gemini_context(), gemini_says("a", "", call)), EventKind.TOOL_RESULT)
    assert left.payload["wrote"] == {"path": f"{FOLDER}/till.py", "written": "b", "after": "b\nc\n"}
    assert left.payload["user_modified"] is True


def test_a_rewind_takes_back_the_edits_behind_it(tmp_path: Path) -> None:
    call = gemini_call("lost", "replace", {**EDIT, "new_string": "lost"}, "ok")
    lines = [gemini_user("u1", "one"), gemini_says("a", "", gemini_call("kept", "replace", EDIT, "ok"))]
    lines += [gemini_user("u2", "two"), gemini_says("b", "", call), {"$rewindTo": "u2"}, gemini_user("u3", "three")]
    seen = read(tmp_path, gemini_meta(), *lines)
    lost = of(seen, EventKind.TOOL_RESULT)[1].payload["call_id"]
    assert [one.payload.get("abandoned") for one in of(seen, EventKind.PROMPT)] == [None, None, [lost]]


def test_a_compaction_is_told_once_however_often_it_is_written(tmp_path: Path) -> None:
    snapshot = gemini_user("n1", "<state_snapshot>\n<overall_goal>coins</overall_goal>\n</state_snapshot>")
    again = {"$set": {"messages": [{**snapshot, "id": "n2"}]}}
    seen = read(tmp_path, gemini_meta(), gemini_user("u", "go"), {"$set": {"messages": [snapshot]}}, again, snapshot)
    assert len(of(seen, EventKind.COMPACT)) == 1
    assert prompts(seen) == ["go"]


def test_a_history_written_again_under_new_ids_is_no_new_one(tmp_path: Path) -> None:
    call = gemini_call("g", "run_shell_command", {"command": "ls"}, "a")
    seen = read(
        tmp_path,
        gemini_meta(),
        gemini_context(),
        gemini_user("u1", "first"),
        gemini_says("a1", "Yes.", call),
        gemini_user("u2", "second"),
        gemini_says("a2", "Done."),
        context_record("n0", "first"),
        gemini_says("n1", "Yes."),
        gemini_user("n2", "second"),
        gemini_says("n3", "Done."),
        {"$set": {"messages": []}},
        gemini_user("u3", "second"),
    )
    assert prompts(seen) == ["first", "second", "second"]
    assert len(of(seen, EventKind.TOOL_CALL)) == 1
    assert [one.payload["text"] for one in of(seen, EventKind.REPLY)] == ["Yes.", "Done."]


def test_after_a_history_written_again_an_equal_prompt_is_a_new_one(tmp_path: Path) -> None:
    lines = [gemini_user("u1", "first"), context_record("n0"), gemini_user("n1", "first"), gemini_user("u2", "first")]
    assert prompts(read(tmp_path, gemini_meta(), gemini_context(), *lines)) == ["first", "first"]


def test_subagents_files_follow_their_parents_and_add_to_its_session(tmp_path: Path) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "shop" / "chats"
    parent = sample.write(chats / "session-2026-11-20T18-00-01a1fa32.jsonl", [gemini_meta()])
    lines = [gemini_meta(sessionId="sub", kind="subagent", directories=[FOLDER]), gemini_user("u", "look there")]
    lines += [gemini_says("a", "", gemini_call("g", "glob", {"pattern": "*"}, "a")), gemini_says("b", "Looked.")]
    child = sample.write(chats / THREAD / "sub.jsonl", lines)
    later = sample.write(chats / "session-2026-11-21T18-00-ffffffff.jsonl", [gemini_meta()])
    assert list(gemini.find_sessions(tmp_path)) == [parent, child, later]
    seen = list(gemini.read_transcript(child))
    assert {(one.session_id, one.payload["agent_id"], one.cwd) for one in seen} == {(THREAD, "sub", FOLDER)}
    assert [one.kind.value for one in seen] == ["subagent_start", "tool_call", "tool_result", "subagent_stop"]


def old_document(**fields: Any) -> str:
    messages = [gemini_user("u", "count the coins"), gemini_says("a", "Counted.")]
    return json.dumps({**gemini_meta(), "messages": messages, **fields}, indent=2)


def test_old_documents_are_read_too_unless_a_newer_file_took_them_over(tmp_path: Path) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "shop" / "chats"
    chats.mkdir(parents=True)
    old, taken = chats / "session-2025-10-01T00-00-aaaaaaaa.json", chats / "session-2025-10-02T00-00-bbbbbbbb.json"
    for path in (old, taken):
        path.write_text(old_document(), encoding="utf-8")
    newer = sample.write(taken.with_suffix(".jsonl"), sample.gemini_session())
    assert list(gemini.find_sessions(tmp_path)) == [old, newer]
    assert gemini.sessions_in(old) == (old,)
    assert [one.kind.value for one in gemini.read_transcript(old)] == ["session_start", "prompt", "reply"]


def test_an_old_document_cut_short_gives_what_stands_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "session-x.json"
    text = old_document()
    path.write_text(text[: text.index('"gemini"')], encoding="utf-8")
    with listening() as told:
        assert prompts(list(gemini.read_transcript(path))) == ["count the coins"]
    assert told.skipped == {"part torn or strange": 1}


@pytest.mark.parametrize("known", ["root", "slug", "hash"])
def test_the_project_is_known_from_the_hosts_own_files(tmp_path: Path, known: str) -> None:
    own = tmp_path / ".gemini"
    folder = own / "tmp" / "shop"
    hashed = hashlib.sha256(FOLDER.encode()).hexdigest()
    lines = [gemini_meta(projectHash=hashed), gemini_user("u", "go")]
    path = sample.write(folder / "chats" / "session-2026-11-20T18-00-01a1fa32.jsonl", lines)
    if known == "root":
        (folder / ".project_root").write_text(FOLDER, encoding="utf-8")
    elif known == "slug":
        (own / "projects.json").write_text(json.dumps({"projects": {"/x": "other", FOLDER: "shop"}}), encoding="utf-8")
    else:
        (own / "trustedFolders.json").write_text(json.dumps({"/x": "T", FOLDER: "TRUST_FOLDER"}), encoding="utf-8")
    assert {one.cwd for one in gemini.read_transcript(path)} == {FOLDER}


def test_the_variable_moves_the_folder_that_holds_the_hosts_own(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "moved/.gemini/tmp/shop/chats/session-a-01a1fa32.jsonl", [gemini_meta()])
    assert list(gemini.find_sessions(tmp_path, config_dir=tmp_path / "moved")) == [path]
    assert list(gemini.find_sessions(tmp_path, config_dir=tmp_path / "moved" / ".gemini")) == [path]
