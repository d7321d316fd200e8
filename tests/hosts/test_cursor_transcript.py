"""Cursor's transcripts and chat stores, built here in the shapes that others found in real ones."""

import hashlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import READERS, cursor, databases
from hivemind_cli.hosts.base import Seen, listening
from hivemind_cli.hosts.telling import Teller

SESSION = "0a1b2c3d-0000-4000-8000-000000000001"


def said(role: str, *content: str | dict[str, Any]) -> dict[str, Any]:
    blocks = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return {"role": role, "message": {"content": blocks}}


def used(tool: str, **tool_input: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": tool, "input": tool_input}


def transcript(home: Path, lines: list[dict[str, Any]], name: str = SESSION, slug: str = "home-ada-shop") -> Path:
    path = home / ".cursor" / "projects" / slug / "agent-transcripts" / name / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def wire(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2, len(value)]) + value


def store(
    home: Path, messages: list[dict[str, Any]], name: str = SESSION, *, root: bool = True, hexed: bool = True
) -> Path:
    path = home / ".cursor" / "chats" / "f00" / name / "store.db"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB); CREATE TABLE meta (key TEXT, value TEXT);")
    listed = b""
    for message in messages:
        raw = json.dumps(message).encode()
        name_of = hashlib.sha256(raw)
        db.execute("INSERT OR IGNORE INTO blobs VALUES (?,?)", (name_of.hexdigest(), raw))
        listed += wire(1, name_of.digest())
    listed += wire(9, b"file:///home/ada/my%20shop")
    root_id = hashlib.sha256(listed).hexdigest()
    db.execute("INSERT INTO blobs VALUES (?,?)", (root_id, listed))
    meta = json.dumps({"agentId": name, "latestRootBlobId": root_id if root else "", "createdAt": 1_790_000_000_000})
    db.execute("INSERT INTO meta VALUES ('0',?)", (meta.encode().hex() if hexed else meta,))
    db.commit()
    db.close()
    return path


def told(path: Path) -> list[Seen]:
    return list(cursor.read_transcript(path))


def shape(seen: list[Seen]) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one.payload.get("text", one.payload.get("output", "")))) for one in seen[1:]]


TURN = [
    said("user", "<user_info>OS: linux</user_info>"),
    said("user", "<timestamp>Monday</timestamp>\n<user_query>\nadd a price\n</user_query>"),
    said("assistant", "Reading.", used("Read", path="/home/ada/shop/cart.py")),
    said("assistant", used("StrReplace", path="/home/ada/shop/cart.py", old_string="a", new_string="b\nc")),
    said("assistant", used("Shell", command="pytest -q"), {"type": "tool_result", "content": "Exit code: 1\nboom"}),
    said("assistant", "Done."),
    {"type": "turn_ended", "status": "success"},
]


def test_a_transcript_tells_the_persons_words_the_acts_and_the_last_reply(tmp_path: Path) -> None:
    seen = told(transcript(tmp_path, TURN))
    assert [one.kind.value for one in seen] == [
        "session_start", "prompt", "tool_call", "tool_call", "tool_call", "tool_failure", "reply",
    ]  # fmt: skip
    assert seen[1].payload["text"] == "add a price" and seen[-1].payload["text"] == "Done."
    edit = seen[3].payload["act"]
    assert (edit["kind"], edit["text"]) == ("edit", "b\nc")
    assert {one.session_id for one in seen} == {SESSION}
    assert all(one.occurred_at for one in seen)
    assert [one.occurred_at for one in seen] == sorted(one.occurred_at for one in seen if one.occurred_at)


def test_a_result_without_an_id_ends_a_call_of_the_last_message(tmp_path: Path) -> None:
    seen = told(transcript(tmp_path, TURN))
    failure = next(one for one in seen if one.kind is EventKind.TOOL_FAILURE)
    assert failure.payload["act"] == {"kind": "shell", "tool": "Shell", "command": "pytest -q"}


def test_a_turn_ended_by_hand_is_an_interrupt(tmp_path: Path) -> None:
    lines = [said("user", "<user_query>go</user_query>"), said("assistant", used("Shell", command="sleep 9"))]
    aborted = {"type": "turn_ended", "status": "aborted", "error": "User aborted/interrupted manually."}
    seen = told(transcript(tmp_path, [*lines, aborted, said("user", "<user_query>go</user_query>"), aborted]))
    assert [one.payload["for_tool"] for one in seen if one.kind is EventKind.INTERRUPT] == [True, False]
    keys = [one.native_key for one in seen]
    assert len(set(keys)) == len(keys)


def test_a_growing_transcript_keeps_its_keys(tmp_path: Path) -> None:
    path = transcript(tmp_path, TURN)
    before = [one.native_key for one in told(path)]
    transcript(tmp_path, [*TURN, said("user", "<user_query>\nadd a price\n</user_query>")])
    after = [one.native_key for one in told(path)]
    assert after[: len(before)] == before and len(set(after)) == len(before) + 1


MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You are"},
    {"role": "user", "content": "<user_info>x</user_info>"},
    {"role": "user", "content": [{"type": "text", "text": "<user_query>go on</user_query>"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "hm"},
            {"type": "text", "text": "I write."},
            {
                "type": "tool-call",
                "toolCallId": "t1",
                "toolName": "Write",
                "args": {"path": "a.py", "contents": "x\ny"},
            },
            {"type": "tool-call", "toolCallId": "t2", "toolName": "Shell", "args": {"command": "make"}},
            {"type": "tool-call", "toolCallId": "t3", "toolName": "Shell", "args": {"command": "rm -r b"}},
        ],
    },
    {
        "role": "tool",
        "content": [
            {"type": "tool-result", "toolCallId": "t1", "toolName": "Write", "result": "ok"},
            {"type": "tool-result", "toolCallId": "t2", "toolName": "Shell", "result": "Exit code: 2\nno rule"},
            {"type": "tool-result", "toolCallId": "t3", "result": "User rejected the command. Reason: use trash"},
        ],
    },
    {"role": "user", "content": [{"type": "text", "text": "<user_query>go on</user_query>"}]},
    {"role": "assistant", "content": "Done."},
]


@pytest.mark.parametrize("hexed", [True, False])
def test_a_chats_store_is_read_in_the_order_of_its_newest_root(tmp_path: Path, hexed: bool) -> None:
    seen = told(store(tmp_path, MESSAGES, hexed=hexed))
    assert [one.kind.value for one in seen] == [
        "session_start", "prompt", "tool_call", "tool_call", "tool_call", "tool_result", "tool_failure", "tool_denied",
        "prompt", "reply",
    ]  # fmt: skip
    assert [one.payload["text"] for one in seen if one.kind is EventKind.PROMPT] == ["go on", "go on"]
    assert seen[5].payload["wrote"] == {"path": "/home/ada/my shop/a.py", "written": "x\ny", "after": "x\ny"}
    assert (seen[7].payload["by"], seen[7].payload["words"]) == ("person", "use trash")
    assert {one.cwd for one in seen} == {"/home/ada/my shop"}
    assert seen[2].native_key == "t1:tool_call"
    assert seen[0].occurred_at is not None and seen[0].occurred_at.year == 2026


def test_a_store_without_a_root_is_read_in_the_order_of_its_rows(tmp_path: Path) -> None:
    seen = told(store(tmp_path, MESSAGES, root=False))
    assert [one.payload["text"] for one in seen if one.kind is EventKind.PROMPT] == ["go on"]  # kept once


def test_where_both_tell_of_a_session_the_store_is_read(tmp_path: Path) -> None:
    own = store(tmp_path, MESSAGES)
    transcript(tmp_path, TURN)
    other = transcript(tmp_path, TURN, name="other")
    sub = other.parent / "subagents" / "sub.jsonl"
    sub.parent.mkdir()
    sub.write_bytes(other.read_bytes())
    assert list(cursor.find_sessions(tmp_path)) == [own, other, sub]
    seen = told(sub)
    assert {one.session_id for one in seen} == {"other"} and {one.payload["agent_id"] for one in seen} == {"sub"}
    assert [seen[0].kind, seen[-1].kind] == [EventKind.SUBAGENT_START, EventKind.SUBAGENT_STOP]
    assert not [one for one in seen if one.kind in (EventKind.PROMPT, EventKind.REPLY)]


def test_the_project_is_where_the_folder_says_or_what_its_name_was_made_of(tmp_path: Path) -> None:
    project = tmp_path / "my.shop-2" / "src"
    project.mkdir(parents=True)
    slug = "-".join("".join(c if c.isalnum() else " " for c in str(project)).split())
    path = transcript(tmp_path, TURN, slug=slug)
    assert {one.cwd for one in told(path)} == {str(project)}
    trusted = path.parent.parent.parent / ".workspace-trusted"
    trusted.write_text(json.dumps({"workspacePath": "/srv/shop"}), encoding="utf-8")
    assert {one.cwd for one in told(path)} == {"/srv/shop"}
    trusted.unlink()
    assert {one.cwd for one in told(transcript(tmp_path, TURN, slug="gone-for-good"))} == {""}


def test_only_cursors_files_are_claimed(tmp_path: Path) -> None:
    mine = [transcript(tmp_path, TURN), store(tmp_path, MESSAGES)]
    for path in mine:
        assert [name for name, one in READERS.items() if one.sessions_in(path)] == ["cursor"]
    others = {
        "claude.jsonl": {"type": "user", "uuid": "u", "sessionId": "s", "message": {"role": "user", "content": "hi"}},
        "ended.jsonl": {"type": "turn_ended", "status": "success"},
        "plain.jsonl": {"role": "user", "content": "hi"},
    }
    for name, line in others.items():
        (tmp_path / name).write_text(json.dumps(line) + "\n", encoding="utf-8")
        assert cursor.sessions_in(tmp_path / name) == ()
    (tmp_path / "store.db").write_bytes(b"SQLite format 3\0 and then nothing")
    os.mkfifo(tmp_path / "pipe.db")
    for name in ("store.db", "pipe.db", "gone.db", "gone.jsonl"):
        assert cursor.sessions_in(tmp_path / name) == ()


def test_torn_lines_and_torn_blobs_are_passed_over_and_told(tmp_path: Path) -> None:
    path = transcript(tmp_path, TURN)
    whole = len(told(path))
    path.write_bytes(b"\0\0" + path.read_bytes() + b'{"role":"assistant","mess')
    with listening() as said_so:
        assert len(told(path)) == whole
    assert said_so.skipped == {"line torn or strange": 1}
    chat = store(tmp_path, MESSAGES)
    with sqlite3.connect(chat) as db:
        db.execute("UPDATE blobs SET data = substr(data, 1, 20) WHERE CAST(data AS TEXT) LIKE '%Done.%'")
    db.close()
    with listening() as said_so:
        assert shape(told(chat))[-1] == ("prompt", "go on")
    assert said_so.skipped == {"message torn or strange": 1}


BLOCKS = st.dictionaries(
    st.sampled_from(["type", "text", "name", "toolName", "input", "args", "toolCallId", "result", "isError"]),
    st.none() | st.text(max_size=6) | st.integers() | st.lists(st.none() | st.text(max_size=3), max_size=2)
    | st.sampled_from(["text", "tool-call", "tool-result", "tool_use", {"edits": [7]}, {"command": [1, "ls"]}]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(BLOCKS | st.none() | st.text(max_size=4), max_size=6), st.sampled_from(["user", "assistant", "tool"]))
def test_whatever_stands_in_a_message_it_never_raises(blocks: list[Any], role: str) -> None:
    databases.shown(cursor.reader._Reading(Teller("s")).message, role, blocks)
