"""Our entries in Cursor's hooks.json, and our answers: it drops a whole file for one thing it does not know."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import cursor
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.base import Answer
from hivemind_cli.hosts.command import hook_command
from hivemind_cli.hosts.cursor.settings import KNOWN_EVENTS
from tests.hosts.hooked import payload, run

GOLDEN = Path(__file__).parent / "golden" / "cursor"
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "cursor")
FOREIGN = (
    '{\n  "version": 1,\n  "hooks": {\n    "stop": [{ "command": "~/bin/bell", "loop_limit": 2 }],\n'
    '    "afterFileEdit": [\n      { "command": "prettier", "failClosed": false }\n    ]\n  }\n}\n'
)


def place(home: Path, text: str) -> Path:
    path = home / ".cursor" / "hooks.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def entries(home: Path) -> dict[str, Any]:
    (edit,) = cursor.plan_install(home, COMMAND)
    assert edit.after is not None
    value: dict[str, Any] = json.loads(edit.after)
    return value


def test_a_fresh_file_holds_only_what_cursor_documents(own_home: Path) -> None:
    file = entries(own_home)
    assert set(file) == {"version", "hooks"} and file["version"] == 1
    assert set(file["hooks"]) == set(cursor.EVENTS) <= KNOWN_EVENTS
    for event, listed in file["hooks"].items():
        assert listed == [{"command": f"{COMMAND} {event}", "timeout": 10}]


@pytest.mark.parametrize(("name", "text"), [("foreign", FOREIGN), ("empty", ""), ("minified", '{"version":1}')])
def test_the_dry_run_is_the_golden_diff_and_every_byte_comes_back(own_home: Path, name: str, text: str) -> None:
    path = place(own_home, text)
    edits = cursor.plan_install(own_home, COMMAND)
    assert diff(edits).replace(str(own_home), "~") == (GOLDEN / f"{name}.diff").read_text(encoding="utf-8")
    apply(edits, own_home / "receipts", "cursor", "now")
    assert cursor.wired(own_home, COMMAND)
    (removal,) = cursor.plan_uninstall(own_home, COMMAND)
    assert removal.after is not None and b"hivemind" not in removal.after
    (result,) = undo("cursor", own_home / "receipts", lambda: cursor.plan_uninstall(own_home, COMMAND))
    assert result.proven and path.read_text(encoding="utf-8") == text


def test_what_makes_cursor_drop_the_file_is_said(own_home: Path) -> None:
    place(own_home, FOREIGN)
    assert cursor.notices(own_home) == []
    place(own_home, '{"hooks": {"beforeEverything": [{"command": "x"}]}}')
    strange, version = cursor.notices(own_home)
    assert "beforeEverything" in strange and "version" in version


@pytest.mark.parametrize("event", ["sessionStart", "beforeSubmitPrompt", "postToolUse"])
def test_text_goes_where_cursor_takes_it(event: str) -> None:
    moment = cursor.EVENTS[event]
    assert moment is not None
    line = cursor.encode_answer(event, Answer(moment, "use pnpm"))
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert json.loads(line)["additional_context"] == "use pnpm"
    assert set(json.loads(line)) <= {"additional_context", "continue"}


def test_where_it_cannot_be_said_there_is_silence() -> None:
    assert cursor.encode_answer("preToolUse", Answer(Moment.TOOL_CALL, "use pnpm")) == b""
    assert cursor.encode_answer("postToolUse", Answer(Moment.TOOL_CALL, "use pnpm", hold=True)) == b""
    assert cursor.encode_answer("sessionStart", Answer(Moment.SESSION_START, "", notice="hello")) == b""
    assert cursor.encode_answer("sessionStart", Answer(Moment.SESSION_START, "x" * 9_001)) == b""


def test_with_hivemind_gone_its_command_says_nothing_and_succeeds(own_home: Path) -> None:
    sent = json.dumps(payload("cursor", "preToolUse-Shell")).encode()
    gone = hook_command(Path("/nonexistent/python3"), own_home / "hivemind_hook.py", "cursor")
    done = run(["/bin/sh", "-c", f"{gone} preToolUse"], sent, own_home)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
