"""pi's session files: a tree of entries, forks, what an extension refused, older formats."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import pi
from hivemind_cli.hosts.base import Seen
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import FOLDER, THREAD, pi_call, pi_header, pi_message, pi_result

Line = dict[str, Any]
EDIT = {"path": f"{FOLDER}/till.py", "edits": [{"oldText": "a\nkept", "newText": "b\nkept"}]}


def read(tmp_path: Path, *lines: Line) -> list[Seen]:
    return list(pi.read_transcript(sample.write(tmp_path / f"2026-11-20T18-00-00-000Z_{THREAD}.jsonl", [*lines])))


def of(seen: list[Seen], *kinds: EventKind) -> list[Seen]:
    return [one for one in seen if one.kind in kinds]


def test_an_extension_can_make_the_same_keys(tmp_path: Path) -> None:
    seen = read(
        tmp_path, pi_header(), pi_message("u", None, "user", "go"), pi_call("a", "u", "p", "bash", {"command": "ls"})
    )
    text = hashlib.sha256(b"go").hexdigest()[:16]
    assert [one.native_key for one in seen[1:]] == [f":{text}:#0", "p:tool_call"]


@pytest.mark.parametrize(
    "line",
    [
        pi_message("u", None, "user", '<skill name="coins" location="/x">\nCount.\n</skill>'),
        pi_message("u", None, "user", fence.fenced(["count twice"])),
        pi_message("u", None, "custom", "injected"),
        {"type": "custom_message", "id": "u", "parentId": None, "content": "injected", "display": False},
        {"type": "branch_summary", "id": "u", "parentId": None, "fromId": "x", "summary": "was here"},
    ],
)
def test_what_no_person_typed_is_no_prompt(tmp_path: Path, line: Line) -> None:
    assert of(read(tmp_path, pi_header(), line), EventKind.PROMPT, EventKind.STEER) == []


def test_what_is_typed_behind_a_skills_name_is_a_prompt(tmp_path: Path) -> None:
    line = pi_message("u", None, "user", '<skill name="coins">\nCount.\n</skill>\n\nonly gold')
    assert [one.payload["text"] for one in of(read(tmp_path, pi_header(), line), EventKind.PROMPT)] == ["only gold"]


def test_words_given_while_it_works_steer(tmp_path: Path) -> None:
    lines = [pi_message("u", None, "user", "go"), pi_call("a", "u", "p", "bash", {"command": "ls"})]
    lines += [pi_result("r", "a", "p", "gold"), pi_message("v", "r", "user", "silver too")]
    seen = read(tmp_path, pi_header(), *lines, pi_message("b", "v", "assistant", "Both.", stopReason="stop"))
    assert [one.kind.value for one in of(seen, EventKind.PROMPT, EventKind.STEER, EventKind.REPLY)] == [
        "prompt", "steer", "reply",
    ]  # fmt: skip


def test_a_command_of_the_persons_own_steers(tmp_path: Path) -> None:
    line = pi_message("u", None, "bashExecution", [], command="git status", output="ok", exitCode=0)
    assert [one.payload for one in read(tmp_path, pi_header(), line)[1:]] == [{"text": "", "ran": "git status"}]


def test_esc_in_mid_reply_is_an_interrupt_and_the_reply_says_so(tmp_path: Path) -> None:
    lines = [pi_message("u", None, "user", "go"), pi_message("a", "u", "assistant", "Half", stopReason="aborted")]
    seen = read(tmp_path, pi_header(), *lines)
    assert [one.payload for one in of(seen, EventKind.REPLY)] == [{"text": "Half", "aborted": True}]
    assert [one.native_key for one in of(seen, EventKind.INTERRUPT)] == ["interrupt:a"]


def test_esc_while_a_tool_runs_stopped_it(tmp_path: Path) -> None:
    lines = [pi_call("a", "u", "p", "bash", {"command": "ls"}), pi_result("r", "a", "p", "x\n\nCommand aborted", True)]
    (failure,) = of(read(tmp_path, pi_header(), *lines), EventKind.TOOL_FAILURE)
    assert failure.payload["interrupted"] is True


@pytest.mark.parametrize(
    ("text", "by", "words"),
    [
        ("Blocked by user", "person", ""),
        ("Denied by the user: use make", "person", "use make"),
        ("Tool execution was blocked by an extension", "rule", ""),
        (fence.fenced(["no"]), "hivemind", ""),
    ],
)
def test_who_refused_is_told(tmp_path: Path, text: str, by: str, words: str) -> None:
    lines = [pi_call("a", "u", "p", "bash", {"command": "ls"}), pi_result("r", "a", "p", text, True)]
    (denied,) = of(read(tmp_path, pi_header(), *lines), EventKind.TOOL_DENIED)
    assert (denied.payload["by"], denied.payload["words"]) == (by, words)


def test_an_edit_tells_only_the_lines_it_changed(tmp_path: Path) -> None:
    lines = [pi_call("a", "u", "p", "edit", EDIT), pi_result("r", "a", "p", "ok")]
    (left,) = of(read(tmp_path, pi_header(), *lines), EventKind.TOOL_RESULT)
    assert left.payload["wrote"] == {"path": f"{FOLDER}/till.py", "written": "b"}


def test_another_branch_is_a_rewind_with_the_edits_it_left(tmp_path: Path) -> None:
    seen = read(
        tmp_path,
        pi_header(),
        pi_message("u1", None, "user", "one"),
        pi_call("a1", "u1", "kept", "edit", EDIT),
        pi_result("r1", "a1", "kept", "ok"),
        pi_message("b1", "r1", "assistant", "Done.", stopReason="stop"),
        pi_message("u2", "b1", "user", "two"),
        pi_call("a2", "u2", "lost", "edit", EDIT),
        pi_result("r2", "a2", "lost", "ok"),
        pi_message("b2", "r2", "assistant", "Done.", stopReason="stop"),
        pi_message("u3", "b1", "user", "three"),
    )
    assert [one.payload.get("abandoned") for one in of(seen, EventKind.PROMPT)] == [None, None, ["lost"]]


def test_a_compaction_is_told(tmp_path: Path) -> None:
    line = {"type": "compaction", "id": "c", "parentId": None, "timestamp": sample.at(1), "summary": "x"}
    assert [one.native_key for one in read(tmp_path, pi_header(), line)[1:]] == ["compact:c"]


def test_a_fork_does_not_tell_its_parents_entries_again(tmp_path: Path) -> None:
    header = pi_header(parentSession="/x.jsonl", timestamp=sample.at(5))
    lines = [pi_message("u1", None, "user", "asked before", 1), pi_message("u2", "u1", "user", "asked now", 6)]
    seen = read(tmp_path, header, *lines)
    assert [one.payload["text"] for one in of(seen, EventKind.PROMPT)] == ["asked now"]
    assert seen[0].payload["source"] == "fork"


def test_the_first_format_had_no_ids(tmp_path: Path) -> None:
    header = {"type": "session", "id": THREAD, "timestamp": sample.at(0), "cwd": FOLDER, "provider": "p"}
    lines = sample.pi_session()[2:]
    for line in lines:
        del line["id"], line["parentId"]
    user = {"type": "message", "timestamp": sample.at(9), "message": {"role": "user", "content": "as plain text"}}
    seen = read(tmp_path, header, *lines, user)
    assert [one.payload["text"] for one in of(seen, EventKind.PROMPT)][-1] == "as plain text"
    assert len(of(seen, EventKind.TOOL_CALL)) == 4


def test_sessions_lie_by_project_and_the_variable_moves_them(tmp_path: Path) -> None:
    paths = [
        sample.write(tmp_path / "sessions" / folder / f"{name}.jsonl", [pi_header()])
        for folder, name in [("", "z"), ("--a--", "2026-01-01_x"), ("--a--", "2026-02-01_y"), ("--b--", "2025-01-01_z")]
    ]
    assert list(pi.find_sessions(Path("/nonexistent"), config_dir=tmp_path)) == paths
    home = tmp_path / "home"
    usual = sample.write(home / ".pi/agent/sessions/--a--/x.jsonl", [pi_header()])
    assert list(pi.find_sessions(home)) == [usual]
