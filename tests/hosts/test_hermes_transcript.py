"""Hermes's database, built here as its reference and its published schema say."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import databases, hermes
from hivemind_cli.hosts.base import Seen, listening
from hivemind_cli.hosts.telling import Teller

AT = 1_790_000_000.0
TABLES = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, model TEXT, model_config TEXT, parent_session_id TEXT,
    started_at REAL, ended_at REAL, end_reason TEXT, cwd TEXT, title TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, role TEXT, content TEXT,
    tool_call_id TEXT, tool_calls TEXT, tool_name TEXT, effect_disposition TEXT, timestamp REAL, finish_reason TEXT,
    observed INTEGER DEFAULT 0, _compressed_summary INTEGER DEFAULT 0, active INTEGER DEFAULT 1,
    compacted INTEGER DEFAULT 0, display_kind TEXT);
"""


class Database:
    """Hermes's tables, filled row by row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLES)
        self._n = 0

    def session(self, session_id: str = "s1", **fields: Any) -> None:
        self._n += 1
        row = {"source": "cli", "cwd": "/home/ada/shop", "started_at": AT + self._n, **fields, "id": session_id}
        self._insert("sessions", row)

    def say(self, role: str, content: str | None, session_id: str = "s1", **fields: Any) -> None:
        self._n += 1
        row = {"session_id": session_id, "role": role, "content": content, "timestamp": AT + self._n, **fields}
        self._insert("messages", row)

    def call(self, call_id: str, tool: str, arguments: dict[str, Any], result: object, **fields: Any) -> None:
        function = {"name": tool, "arguments": json.dumps(arguments)}
        calls = json.dumps([{"id": call_id, "type": "function", "function": function}])
        self.say("assistant", None, tool_calls=calls, **fields)
        told = result if isinstance(result, str) else json.dumps(result)
        self.say("tool", told, tool_call_id=call_id, tool_name=tool, **fields)

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        marks = ",".join("?" for _ in row)
        self.db.execute(f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})", tuple(row.values()))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / ".hermes" / "state.db")
    database.session()
    return database


def told(database: Database, n: int = 0) -> list[Seen]:
    return list(hermes.read_transcript(hermes.sessions_in(database.done())[n]))


def shape(seen: list[Seen]) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one.payload.get("text", one.payload.get("error", "")))) for one in seen[1:]]


def test_a_turn_is_told_in_order_with_its_acts(database: Database) -> None:
    database.say("user", "add a price column")
    database.call("c1", "terminal", {"command": "ls"}, {"output": "cart.py", "exit_code": 0, "error": None})
    database.call("c2", "patch", {"mode": "replace", "path": "cart.py", "old_string": "a", "new_string": "b"}, "{}")
    database.call("c3", "read_file", {"path": "/home/ada/shop/cart.py"}, {"error": "no such file"})
    database.say("assistant", "Done.", finish_reason="stop")
    seen = told(database)
    assert [one.kind.value for one in seen] == [
        "session_start", "prompt", "tool_call", "tool_result", "tool_call", "tool_result", "tool_call", "tool_failure",
        "reply",
    ]  # fmt: skip
    acts = [one.payload["act"] for one in seen if one.kind is EventKind.TOOL_CALL]
    assert acts == [
        {"kind": "shell", "tool": "terminal", "command": "ls"},
        {"kind": "edit", "tool": "patch", "path": "cart.py", "text": "b"},
        {"kind": "read", "tool": "read_file", "path": "cart.py"},
    ]
    assert seen[3].payload["output"] == "cart.py"
    assert seen[5].payload["wrote"] == {"path": "/home/ada/shop/cart.py", "written": "b"}
    assert seen[2].native_key == "c1:tool_call" and {one.cwd for one in seen} == {"/home/ada/shop"}


def test_a_denied_command_names_the_person_and_a_blocked_one_the_rule(database: Database) -> None:
    blocked = {"output": "", "exit_code": -1, "status": "blocked"}
    denied = {**blocked, "error": "BLOCKED: User denied this command.", "user_summary": "You denied this command"}
    database.call("c1", "terminal", {"command": "rm -r build"}, denied)
    database.call("c2", "terminal", {"command": "rm -rf /"}, {**blocked, "error": "BLOCKED: hardline policy"})
    by = [one.payload["by"] for one in told(database) if one.kind is EventKind.TOOL_DENIED]
    assert by == ["person", "rule"]


def test_a_stop_is_one_interrupt_however_many_calls_it_cut(database: Database) -> None:
    database.say("user", "build it")
    killed = {"output": "half\n[Command interrupted]", "exit_code": 130, "error": None}
    database.call("c1", "terminal", {"command": "make"}, killed)
    skipped = "[Tool execution cancelled — terminal was skipped due to user interrupt]"
    database.call("c2", "terminal", {"command": "make test"}, skipped)
    database.say("user", "and now?")
    database.say("assistant", "Operation interrupted: waiting for model response (3.1s elapsed).")
    seen = told(database)
    assert [one.payload["for_tool"] for one in seen if one.kind is EventKind.INTERRUPT] == [True, False]
    assert [one.payload["interrupted"] for one in seen if one.kind is EventKind.TOOL_FAILURE] == [True, True]
    assert not [one for one in seen if one.kind is EventKind.REPLY]


def test_what_a_rewind_took_back_is_told_and_named_at_the_next_prompt(database: Database) -> None:
    database.say("user", "write it", active=0)
    database.call("c1", "write_file", {"path": "a.py", "content": "x"}, "{}", active=0)
    database.say("user", "write it in b.py")
    database.say("user", "and test it")
    prompts = [one.payload for one in told(database) if one.kind is EventKind.PROMPT]
    assert [(one.get("rewound"), one.get("abandoned")) for one in prompts] == [
        (None, None), (True, ["c1"]), (None, None),
    ]  # fmt: skip


def test_what_compaction_folded_away_is_told_once(database: Database) -> None:
    database.say("user", "first", active=0, compacted=1)
    database.say("assistant", "one", active=0, compacted=1)
    database.say("user", "second", active=0, compacted=1, timestamp=AT + 500)
    database.say("assistant", "[CONTEXT COMPACTION — REFERENCE ONLY] so far", _compressed_summary=1)
    database.say("user", "second", timestamp=AT + 500)
    database.say("user", "third")
    assert shape(told(database)) == [
        ("prompt", "first"), ("reply", "one"), ("prompt", "second"), ("compact", ""), ("prompt", "third"),
    ]  # fmt: skip


def test_a_session_that_goes_on_does_not_repeat_the_tail_it_was_given(database: Database) -> None:
    database.db.execute("UPDATE sessions SET end_reason = 'compression'")
    database.say("user", "second", timestamp=AT + 500)
    database.session("s2", parent_session_id="s1")
    database.say("user", "[CONTEXT COMPACTION — REFERENCE ONLY] so far", "s2")
    database.say("user", "second", "s2", timestamp=AT + 500)
    database.say("user", "third", "s2")
    seen = told(database, 1)
    assert shape(seen) == [("compact", ""), ("prompt", "third")] and seen[0].session_id == "s2"


def test_a_subagents_work_belongs_to_its_masters_session(database: Database) -> None:
    database.session("deep", source="subagent", parent_session_id="sub", started_at=AT + 900)
    database.session("sub", parent_session_id="s1", model_config=json.dumps({"_delegate_from": "s1"}))
    database.session("s9")
    database.say("user", "look around", "sub")
    database.say("assistant", "Nothing.", "sub")
    path = database.done()
    assert [one.name for one in hermes.sessions_in(path)] == [f"state.db#{one}" for one in ("s1", "sub", "deep", "s9")]
    child = list(hermes.read_transcript(path.with_name("state.db#sub")))
    assert [(one.kind.value, one.session_id, one.payload["agent_id"]) for one in child] == [
        ("subagent_start", "s1", "sub"), ("subagent_stop", "s1", "sub"),
    ]  # fmt: skip


def test_words_of_the_host_and_of_a_schedule_are_no_prompts(database: Database) -> None:
    database.say("user", '\0json:[{"type":"text","text":"look at this"},{"type":"image_url"}]')
    database.say("user", "[IMPORTANT: Background process finished]")
    database.say("user", "chatter of others", observed=1)
    database.say("user", "a card", display_kind="notice")
    database.session("cron1", source="cron")
    database.say("user", "every morning", "cron1")
    path = database.done()
    texts = [
        one.payload["text"]
        for s in hermes.sessions_in(path)
        for one in hermes.read_transcript(s)
        if "text" in one.payload
    ]
    assert texts == ["look at this"]


def test_words_beside_the_hosts_own_are_the_persons(database: Database) -> None:
    database.say("user", "[System note: The session was reset.]\n\ngo on")
    skill = "[IMPORTANT: The user has invoked the tidy skill]\n\n# Tidy\n\n"
    said = "The user has provided the following instruction alongside the skill invocation: only src"
    database.say("user", f"{skill}{said}\n\n[Runtime note: none]")
    database.say("user", skill)
    steer = "[OUT-OF-BAND USER MESSAGE — a direct message]\nnot there\n[/OUT-OF-BAND USER MESSAGE]"
    database.call("c1", "terminal", {"command": "ls"}, json.dumps({"output": "a", "exit_code": 0}) + f"\n\n{steer}")
    seen = told(database)
    assert [(one.kind.value, one.payload["text"]) for one in seen if "text" in one.payload] == [
        ("prompt", "go on"), ("prompt", "only src"), ("steer", "not there"),
    ]  # fmt: skip
    assert next(one for one in seen if one.kind is EventKind.TOOL_RESULT).payload["output"] == "a"


def test_call_ids_that_come_again_stay_apart(database: Database) -> None:
    for command in ("make", "make test"):
        database.call("call_0", "terminal", {"command": command}, {"output": "", "exit_code": 0})
    keys = [one.native_key for one in told(database)]
    assert len(set(keys)) == len(keys) == 5


def test_the_variable_moves_the_home_and_profiles_count(tmp_path: Path) -> None:
    for folder in (tmp_path / "moved", tmp_path / "moved" / "profiles" / "work"):
        made = Database(folder / "state.db")
        made.session("s")
        made.done()
    found = list(hermes.find_sessions(tmp_path, config_dir=tmp_path / "moved"))
    assert [path.parent.name for path in found] == ["moved", "work"]
    assert list(hermes.find_sessions(tmp_path)) == []


def test_an_old_table_without_most_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE sessions (id TEXT); INSERT INTO sessions VALUES ('a/b#c');"
            "CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content TEXT);"
            "INSERT INTO messages VALUES (1,'a/b#c','user','hello'), (2,'a/b#c','assistant',x'4869ff'),"
            "(3,'a/b#c',NULL,NULL), (4,'a/b#c','tool','no call');"
        )
    (session,) = hermes.sessions_in(path)
    seen = list(hermes.read_transcript(session))
    assert {one.session_id for one in seen} == {"a/b#c"}
    assert shape(seen) == [("prompt", "hello"), ("reply", "Hi\ufffd")]


def test_another_programs_state_is_none_of_ours(tmp_path: Path) -> None:
    other = tmp_path / "state.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE sessions (id TEXT)")
        db.commit()
    assert hermes.sessions_in(other) == ()
    with pytest.raises(OSError, match="tables are missing"):
        list(hermes.read_transcript(tmp_path / "state.db#x"))
    with pytest.raises(FileNotFoundError):
        list(hermes.read_transcript(tmp_path / "gone.db#x"))


VALUES = st.none() | st.integers(-1, 2) | st.text(max_size=8) | st.binary(max_size=4) | st.sampled_from(
    ["user", "assistant", "tool", "\0json:[", "[{}]", '[{"function":7}]', '{"exit_code":"x","error":[]}', "c1"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id", "active"]), VALUES)))
def test_whatever_stands_in_a_row_it_never_raises(rows: list[dict[str, Any]]) -> None:
    reading = hermes.reader._Reading(Teller("s"), by_person=True)
    empty = dict.fromkeys(hermes.reader._MESSAGE)
    with listening() as said:
        for row in rows:
            databases.shown(reading.row, {**empty, "role": "assistant", **row})
    assert sum(said.skipped.values()) <= len(rows)
