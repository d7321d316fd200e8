"""OpenCode's database: built here as its plugin's events and its schema say, and from recorded events where given."""

import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.imported import Tally
from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import databases, kilo
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.opencode import reader as opencode

CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent")) / "opencode" / "sessions"
AT = 1_790_000_000_000
TABLES = """
CREATE TABLE session (id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, directory TEXT, title TEXT, version TEXT,
    revert TEXT, time_created INTEGER, time_updated INTEGER);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, data TEXT);
"""


class Database:
    """OpenCode's tables, filled message by message."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLES)
        self._n = 0

    def session(self, session_id: str = "ses_a", parent: str | None = None, directory: str = "/home/ada/shop") -> None:
        row = (session_id, parent, directory, AT + self._next())
        self.db.execute("INSERT INTO session (id, parent_id, directory, time_created) VALUES (?,?,?,?)", row)

    def message(self, role: str, *parts: dict[str, Any], session_id: str = "ses_a", **info: Any) -> str:
        n = self._next()
        name = f"msg_{n:04}"
        data = {"role": role, "time": {"created": AT + n * 1000}, **info}
        self.db.execute("INSERT INTO message VALUES (?,?,?,?,?)", (name, session_id, AT + n, AT + n, json.dumps(data)))
        for part in parts:
            self.db.execute(
                "INSERT INTO part VALUES (?,?,?,?,?)",
                (f"prt_{self._next():04}", name, session_id, AT, json.dumps(part)),
            )
        return name

    def done(self) -> Path:
        self.db.commit()
        self.db.close()
        return self.path

    def _next(self) -> int:
        self._n += 1
        return self._n


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def tool(
    name: str, call_id: str, tool_input: dict[str, Any], status: str = "completed", **state: Any
) -> dict[str, Any]:
    return {"type": "tool", "tool": name, "callID": call_id, "state": {"status": status, "input": tool_input, **state}}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "opencode.db")
    database.session()
    return database


def told(path: Path) -> list[Seen]:
    return list(opencode.read_transcript(path))


def kinds(seen: list[Seen]) -> list[str]:
    return [one.kind.value for one in seen]


def test_a_turn_is_told_under_the_ids_that_a_plugin_sees(database: Database) -> None:
    asked = database.message("user", text("add a price column"))
    edit = {"filePath": "/home/ada/shop/cart.py", "oldString": "a\nb", "newString": "a\nc"}
    database.message(
        "assistant",
        {"type": "reasoning", "text": "hm"},
        text("I will edit it."),
        tool("edit", "call_1", edit, output="Edit applied successfully."),
        parentID=asked,
    )
    database.message("assistant", text("Done."), parentID=asked)
    (session,) = opencode.sessions_in(database.done())
    start, prompt, call, result, reply = told(session)
    assert start.kind is EventKind.SESSION_START and start.cwd == "/home/ada/shop"
    assert prompt.payload == {"text": "add a price column"} and prompt.native_key.startswith(f"{asked}:")
    assert (call.native_key, result.native_key) == ("call_1:tool_call", "call_1:tool_result")
    assert call.payload["act"] == {"kind": "edit", "tool": "edit", "path": "cart.py", "text": "a\nc"}
    assert result.payload["wrote"] == {"path": "/home/ada/shop/cart.py", "written": "c"}
    assert reply.payload["text"] == "Done." and reply.native_key.startswith(f"reply:{asked}:")
    assert prompt.occurred_at is not None and prompt.occurred_at < (reply.occurred_at or prompt.occurred_at)


@pytest.mark.parametrize(
    ("error", "by", "words"),
    [
        ("The user rejected permission to use this specific tool call.", "person", ""),
        (
            "The user rejected permission to use this specific tool call with the following feedback: use rye\nplease",
            "person",
            "use rye\nplease",
        ),
        ("The user has specified a rule which prevents you from using this specific tool call.", "rule", ""),
    ],
)
def test_a_refusal_says_who_refused_and_in_what_words(database: Database, error: str, by: str, words: str) -> None:
    database.message("assistant", tool("bash", "call_1", {"command": "pip install x"}, "error", error=error))
    last = told(opencode.sessions_in(database.done())[0])[-1]
    assert last.kind is EventKind.TOOL_DENIED
    assert (last.payload["by"], last.payload["words"]) == (by, words)


def test_a_command_that_fails_is_a_failure_though_the_tool_completed(database: Database) -> None:
    state = tool("bash", "call_1", {"command": "make"}, output="boom", metadata={"exit": 2})
    database.message("assistant", state, tool("read", "call_2", {"filePath": "none"}, "error", error="File not found"))
    seen = told(opencode.sessions_in(database.done())[0])
    assert [one.payload["error"] for one in seen if one.kind is EventKind.TOOL_FAILURE] == [
        "Exit code 2\nboom",
        "File not found",
    ]


def test_esc_is_an_interrupt_and_the_running_call_is_marked(database: Database) -> None:
    running = tool("bash", "call_1", {"command": "sleep 9"}, "error", error="Tool execution aborted")
    database.message("assistant", text("Let me wait."), running, error={"name": "MessageAbortedError", "data": {}})
    *_, failure, interrupt = told(opencode.sessions_in(database.done())[0])
    assert failure.payload["interrupted"] is True
    assert interrupt.kind is EventKind.INTERRUPT and interrupt.payload == {"for_tool": True}


def test_only_what_a_person_typed_is_a_prompt(database: Database) -> None:
    database.message("user", text("Called the Read tool", synthetic=True), text("fix @a.py"))
    database.message("user", text('"two words"'))
    database.message("user", {"type": "compaction", "auto": True})
    database.message("assistant", text("## Goal"), summary=True)
    database.message("user", text("Continue if you have next steps", synthetic=True))
    database.message("user", text("The following tool was executed by the user", synthetic=True))
    database.message("assistant", tool("bash", "call_9", {"command": "git checkout a.py"}, output=""))
    seen = told(opencode.sessions_in(database.done())[0])
    assert [(one.kind.value, one.payload.get("text"), one.payload.get("ran")) for one in seen[1:]] == [
        ("prompt", "fix @a.py", None),
        ("prompt", "two words", None),
        ("compact", None, None),
        ("steer", "", "git checkout a.py"),
    ]


def test_a_subagents_work_belongs_to_its_parents_session(database: Database) -> None:
    database.message("user", text("look around"))
    database.session("ses_b", parent="ses_a")
    database.session("ses_z")
    database.message("user", text("search for carts"), session_id="ses_b")
    database.message("assistant", tool("grep", "call_5", {"pattern": "cart"}, output="3"), session_id="ses_b")
    database.message("assistant", text("Three."), session_id="ses_b")
    named = opencode.sessions_in(database.done())
    assert [path.name for path in named] == ["opencode.db#ses_a", "opencode.db#ses_b", "opencode.db#ses_z"]
    child = told(named[1])
    assert {(one.session_id, one.payload["agent_id"]) for one in child} == {("ses_a", "ses_b")}
    assert kinds(child) == ["subagent_start", "tool_call", "tool_result", "subagent_stop"]


def test_read_again_after_growth_it_tells_the_same_and_more(tmp_path: Path) -> None:
    growing = Database(tmp_path / "opencode.db")
    growing.session()
    growing.message("user", text("go on"))
    growing.db.commit()
    (session,) = opencode.sessions_in(growing.path)
    before = [one.native_key for one in told(session)]
    growing.message("assistant", text("Yes."))
    growing.message("user", text("go on"))
    growing.done()
    after = [one.native_key for one in told(session)]
    assert after[: len(before)] == before and len(set(after)) == len(after) == len(before) + 2


def test_found_in_the_data_folder_or_where_the_variable_says(tmp_path: Path) -> None:
    for name, file in (("u", ".local/share/opencode/opencode.db"), ("m", "moved/opencode/opencode-dev.db")):
        made = Database(tmp_path / file)
        made.session(name)
        made.done()
    assert [path.name for path in opencode.find_sessions(tmp_path)] == ["opencode.db#u"]
    assert [path.name for path in opencode.find_sessions(tmp_path, config_dir=tmp_path / "moved")] == [
        "opencode-dev.db#m"
    ]


def test_a_database_of_its_fork_is_kilos_alone(tmp_path: Path) -> None:
    made = Database(tmp_path / ".local/share/kilo/kilo.db")
    made.session()
    made.message("user", text("count the coins"))
    path = made.done()
    (session,) = kilo.find_sessions(tmp_path)
    assert kilo.sessions_in(path) == (session,)
    assert kinds(list(kilo.read_transcript(session))) == ["session_start", "prompt"]
    assert opencode.sessions_in(path) == opencode.sessions_in(session) == ()
    assert kilo.sessions_in(Database(tmp_path / "opencode.db").done()) == ()


def test_what_was_said_behind_a_result_or_to_hold_a_call_is_ours(database: Database) -> None:
    rule = fence.fenced(["use make"])
    database.message(
        "assistant",
        tool("bash", "c1", {"command": "ls"}, output=f"a.py\n\n{rule}", metadata={"exit": 0}),
        tool("bash", "c2", {"command": "npm i"}, "error", error=rule),
    )
    (session,) = opencode.sessions_in(database.done())
    _, _, result, _, denied = told(session)
    assert result.payload["output"] == "a.py"
    assert (denied.kind, denied.payload["by"]) == (EventKind.TOOL_DENIED, "hivemind")


def test_a_live_database_is_read_with_what_is_only_in_its_log_and_nothing_is_written(tmp_path: Path) -> None:
    live = Database(tmp_path / "data" / "opencode.db")
    live.db.execute("PRAGMA journal_mode=WAL")
    live.session("ses_live")
    live.db.commit()
    before = {path.name: path.read_bytes() for path in live.path.parent.iterdir()}
    (session,) = opencode.sessions_in(live.path)
    assert kinds(told(session)) == ["session_start"]
    assert {path.name for path in live.path.parent.iterdir()} == set(before) > {"opencode.db"}
    assert live.path.read_bytes() == before["opencode.db"]
    live.done()
    assert kinds(told(session)) == ["session_start"]
    assert [path.name for path in live.path.parent.iterdir()] == ["opencode.db"]


def test_a_locked_or_damaged_database_is_an_oserror_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_MS", 50)
    base = Database(tmp_path / "opencode.db")
    base.session()
    for n in range(200):
        base.message("user", text(f"prompt {n} " + "x" * 500))
    (session,) = opencode.sessions_in(base.done())
    with closing(sqlite3.connect(base.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match="locked"):
            told(session)
        other.execute("ROLLBACK")
    raw = bytearray(base.path.read_bytes())
    raw[4096 * 3 : 4096 * 30] = b"\xff" * (4096 * 27)
    base.path.write_bytes(bytes(raw))
    with pytest.raises(OSError, match=r"opencode\.db"):
        told(session)


def test_files_that_are_none_of_ours_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "opencode.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE session (id TEXT)")
        db.commit()
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "empty.db").touch()
    (tmp_path / "notes.db").write_text("SQLite it is not", encoding="utf-8")
    for name in ("opencode.db", "folder.db", "empty.db", "notes.db", "gone.db", "opencode.db#ses_a"):
        assert opencode.sessions_in(tmp_path / name) == ()
    with pytest.raises(OSError, match="tables are missing"):
        told(tmp_path / "opencode.db#ses_a")
    with pytest.raises(OSError, match="no SQLite"):
        told(tmp_path / "notes.db#ses_a")


def test_an_older_table_and_torn_rows_cost_only_themselves(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE session (id TEXT); CREATE TABLE message (id TEXT, session_id TEXT, data TEXT);"
            "CREATE TABLE part (id TEXT, message_id TEXT, data TEXT);"
            "INSERT INTO session VALUES ('s');"
            """INSERT INTO message VALUES ('m1','s','{"role":"user"}'), ('m2','s','{"role":'), ('m3','s','[]');"""
            """INSERT INTO part VALUES ('p1','m1','{"type":"text","text":"hi\\u0000 there"}'),"""
            """('p2','m1',x'ff00'), ('p3','m1','7');"""
        )
    (session,) = opencode.sessions_in(path)
    assert [one.payload.get("text") for one in told(session)] == [None, "hi\0 there"]
    with pytest.raises(OSError, match="holds no session"):
        told(tmp_path / "opencode.db#other")


@pytest.mark.skipif(not CAPTURED.is_dir(), reason="HIVEMIND_TEST_HOSTS names no folder with recorded sessions")
def test_a_recorded_session_gives_what_the_client_did(tmp_path: Path) -> None:
    database = Database(tmp_path / "opencode.db")
    tally, seen = Tally(), []
    messages: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for line in (CAPTURED / "headless-tools.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        said = event["args"][0]
        if event["event"] == "event:session.created":
            database.session(said["info"]["id"], directory=said["info"]["directory"])
        elif event["event"] == "event:message.updated":
            messages[said["info"]["id"]] = said["info"]
        elif event["event"] == "event:message.part.updated":
            parts[said["part"]["id"]] = said["part"]
    for name, info in messages.items():
        row = (name, info["sessionID"], info["time"]["created"], 0, json.dumps(info))
        database.db.execute("INSERT INTO message VALUES (?,?,?,?,?)", row)
    for name, part in parts.items():
        row = (name, part["messageID"], part["sessionID"], 0, json.dumps(part))
        database.db.execute("INSERT INTO part VALUES (?,?,?,?,?)", row)
    (session,) = opencode.sessions_in(database.done())
    for one in told(session):
        tally.add(one)
        seen.append(one)
    assert tally.counts == {
        "prompts": 1,
        "interrupts": 0,
        "tool_rejections": 0,
        "tool_uses": 4,
        "tool_errors": 2,
        "edits": 2,
    }
    assert Counter(kinds(seen))["reply"] == 1
    assert max(Counter(one.native_key for one in seen).values()) == 1
