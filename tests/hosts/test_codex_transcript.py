"""Codex rollouts: two logs of one thing, old and new formats, forks, subagents, what a person's Esc meant."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.base import Seen
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import THREAD, TURNS, codex_event, codex_item, codex_meta, codex_turn, codex_user

Line = dict[str, Any]


def read(tmp_path: Path, *lines: Line) -> list[Seen]:
    return list(codex.read_transcript(sample.write(tmp_path / f"rollout-2026-11-20T18-00-00-{THREAD}.jsonl", [*lines])))


def of(seen: list[Seen], *kinds: EventKind) -> list[Seen]:
    return [one for one in seen if one.kind in kinds]


def texts(seen: list[Seen]) -> list[tuple[str, str]]:
    return [
        (one.kind.value, one.payload["text"]) for one in of(seen, EventKind.PROMPT, EventKind.STEER, EventKind.REPLY)
    ]


def item_of(text: str, **fields: Any) -> Line:
    return codex_item("message", role="user", content=[{"type": "input_text", "text": text}], **fields)


def test_a_hook_can_make_the_same_keys(tmp_path: Path) -> None:
    seen = read(tmp_path, *sample.codex_session())
    (first, _) = of(seen, EventKind.PROMPT)
    assert first.native_key.startswith(f"{TURNS[0]}:") and first.native_key.endswith(":#0")
    assert [one.native_key for one in of(seen, EventKind.TOOL_CALL)] == [f"c{n}:tool_call" for n in range(1, 5)]
    assert [one.native_key for one in of(seen, EventKind.INTERRUPT)] == [f"interrupt:{TURNS[1]}"]
    (reply,) = of(seen, EventKind.REPLY)
    assert reply.native_key.startswith(f"reply:{TURNS[0]}:")


def test_a_prompt_in_one_of_the_two_logs_counts_and_in_both_counts_once(tmp_path: Path) -> None:
    event = codex_event("user_message", message="only shown")
    seen = read(tmp_path, codex_meta(), event, item_of("only given"), *codex_user("both"), item_of("only shown"))
    assert texts(seen) == [("prompt", "only shown"), ("prompt", "only given"), ("prompt", "both")]


def test_a_message_of_which_one_log_shows_more_is_one_prompt(tmp_path: Path) -> None:
    parts = ["what is this?", "<image name=[Image #1]>", "</image>", "The file till.py holds: x"]
    blocks = [{"type": "input_text", "text": text} for text in parts]
    item = codex_item("message", turn=TURNS[0], role="user", content=blocks)
    seen = read(tmp_path, codex_meta(), codex_turn(0), item, codex_event("user_message", message="what is this?"))
    assert texts(seen) == [("prompt", "what is this?\nThe file till.py holds: x")]


def test_equal_prompts_stay_two(tmp_path: Path) -> None:
    seen = read(tmp_path, codex_meta(), codex_turn(0), *codex_user("again"), codex_turn(1), *codex_user("again", 1))
    assert texts(seen) == [("prompt", "again"), ("prompt", "again")]
    assert len({one.native_key for one in of(seen, EventKind.PROMPT)}) == 2


def test_a_message_in_mid_turn_steers_and_hooks_know_it_by_the_same_turn(tmp_path: Path) -> None:
    seen = read(tmp_path, codex_meta(), codex_turn(0), *codex_user("begin"), *codex_user("wait, gold only"))
    assert texts(seen) == [("prompt", "begin"), ("steer", "wait, gold only")]
    assert of(seen, EventKind.STEER)[0].native_key.startswith(f"{TURNS[0]}:")


@pytest.mark.parametrize(
    "text",
    [
        "<environment_context>\n<cwd>/x</cwd>\n</environment_context>",
        "<permissions instructions>\nread only\n</permissions instructions>",
        "# AGENTS.md instructions for /x\n\n<INSTRUCTIONS>\nbe nice\n</INSTRUCTIONS>",
        "<user_instructions>\nbe nice\n</user_instructions>",
        '<hook_prompt hook_run_id="1">go on</hook_prompt>',
        "<turn_aborted>\nThe person stopped you.\n</turn_aborted>",
        "<skill>\n<name>x</name>\n</skill>",
        "<subagent_notification>{}</subagent_notification>",
        "Another language model started to solve this problem and produced a summary",
        fence.fenced(["count twice"]),
    ],
)
def test_what_no_person_typed_is_no_prompt(tmp_path: Path, text: str) -> None:
    assert texts(read(tmp_path, codex_meta(), item_of(text), codex_event("user_message", message=text))) == []


def test_what_the_host_marks_as_its_own_is_no_prompt(tmp_path: Path) -> None:
    line = item_of("Remember the house rules")
    line["payload"]["internal_chat_message_metadata_passthrough"] = {"content_item_kinds": ["agents_md.instructions"]}
    assert texts(read(tmp_path, codex_meta(), line)) == []


def test_of_an_editors_message_the_request_is_the_prompt(tmp_path: Path) -> None:
    text = "# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\nrename it\n"
    assert texts(read(tmp_path, codex_meta(), item_of(text))) == [("prompt", "rename it")]


def test_markup_a_person_pastes_is_a_prompt(tmp_path: Path) -> None:
    assert texts(read(tmp_path, codex_meta(), item_of("<b>why is this bold</b>"))) == [
        ("prompt", "<b>why is this bold</b>")
    ]


def test_a_command_of_the_persons_own_steers(tmp_path: Path) -> None:
    text = "<user_shell_command>\n<command>\ngit status\n</command>\n<result>\nclean\n</result>\n</user_shell_command>"
    (steer,) = of(read(tmp_path, codex_meta(), item_of(text)), EventKind.STEER, EventKind.PROMPT)
    assert steer.payload == {"text": "", "ran": "git status"}


@pytest.mark.parametrize(
    ("name", "arguments", "command"),
    [
        ("exec_command", {"cmd": "ls -l"}, "ls -l"),
        ("exec_command", {"cmd": ["bash", "-lc", "ls -l"]}, "ls -l"),
        ("shell", {"command": ["bash", "-lc", "make 'all'"]}, "make 'all'"),
        ("shell", {"command": ["git", "commit", "-m", "two words"]}, "git commit -m 'two words'"),
        ("shell_command", {"command": "ls"}, "ls"),
    ],
)
def test_commands_in_every_form_are_one_kind_of_act(tmp_path: Path, name: str, arguments: Line, command: str) -> None:
    line = codex_item("function_call", name=name, arguments=json.dumps(arguments), call_id="c")
    (call,) = of(read(tmp_path, codex_meta(), line), EventKind.TOOL_CALL)
    assert (call.tool, call.payload["act"]) == ("Bash", {"kind": "shell", "tool": "Bash", "command": command})


def test_a_local_shell_call_is_a_command_too(tmp_path: Path) -> None:
    line = codex_item("local_shell_call", call_id="c", action={"type": "exec", "command": ["ls", "-l"]})
    (call,) = of(read(tmp_path, codex_meta(), line), EventKind.TOOL_CALL)
    assert call.payload["act"]["command"] == "ls -l"


PATCH = "*** Begin Patch\n*** Update File: a/till.py\n@@\n-old\n+new\n*** Add File: b.py\n+more\n*** End Patch"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("apply_patch", json.dumps({"input": PATCH})),
        ("shell", json.dumps({"command": ["apply_patch", PATCH]})),
        ("exec_command", json.dumps({"cmd": f"apply_patch <<'EOF'\n{PATCH}\nEOF"})),
        ("shell", json.dumps({"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}\nEOF"]})),
    ],
)
def test_a_patch_is_an_edit_however_it_is_given(tmp_path: Path, name: str, arguments: str) -> None:
    done = codex_item(
        "function_call_output", call_id="c", output="Success. Updated the following files:\nM a/till.py\n"
    )
    call = codex_item("function_call", name=name, arguments=arguments, call_id="c")
    seen = read(tmp_path, codex_meta(), call, done)
    (begun,), (left,) = of(seen, EventKind.TOOL_CALL), of(seen, EventKind.TOOL_RESULT)
    assert begun.payload["act"] == {"kind": "edit", "tool": "apply_patch", "path": "a/till.py", "text": "new\nmore"}
    assert left.payload["wrote"] == {"path": f"{sample.FOLDER}/a/till.py", "written": "new"}


def test_a_new_file_is_known_whole(tmp_path: Path) -> None:
    (left,) = of(read(tmp_path, codex_meta(), *sample.codex_patch("c", sample.NEW_FILE)), EventKind.TOOL_RESULT)
    assert left.payload["wrote"]["after"] == left.payload["wrote"]["written"] == "def total():\n    return 0"


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nbad\n", "bad\n"),
        ("Exit code: 1\nWall time: 0 seconds\nOutput:\nbad", "bad"),
        (json.dumps({"output": "bad", "metadata": {"exit_code": 1, "duration_seconds": 0.1}}), "bad"),
        ({"content": "bad", "success": False}, "bad"),
        ("failed to parse function arguments: x", "failed to parse function arguments: x"),
    ],
)
def test_failures_in_every_form_tell_their_error(tmp_path: Path, output: object, error: str) -> None:
    call = codex_item("function_call", name="shell", arguments='{"command":["ls"]}', call_id="c")
    seen = read(tmp_path, codex_meta(), call, codex_item("function_call_output", call_id="c", output=output))
    assert [one.payload["error"] for one in of(seen, EventKind.TOOL_FAILURE)] == [error]


def test_output_that_speaks_of_exit_codes_is_no_failure(tmp_path: Path) -> None:
    output = "Exit code: 0\nWall time: 0 seconds\nOutput:\nProcess exited with code 3\nexec command rejected by user\n"
    call = codex_item("function_call", name="shell", arguments='{"command":["ls"]}', call_id="c")
    seen = read(tmp_path, codex_meta(), call, codex_item("function_call_output", call_id="c", output=output))
    assert [one.kind for one in seen[-1:]] == [EventKind.TOOL_RESULT]


def test_a_patch_that_does_not_fit_fails(tmp_path: Path) -> None:
    refused = "apply_patch verification failed: Failed to read file to update"
    seen = read(tmp_path, codex_meta(), *sample.codex_patch("c", PATCH, refused))
    assert of(seen, EventKind.TOOL_FAILURE)[0].payload["error"] == refused


def test_a_command_that_outlives_its_first_look_ends_when_it_ends(tmp_path: Path) -> None:
    call = codex_item("function_call", name="exec_command", arguments='{"cmd":"make test"}', call_id="c")
    first = codex_item("function_call_output", call_id="c", output="Process running with session ID 7\nOutput:\n...")
    poll = codex_item("function_call", name="write_stdin", arguments='{"session_id":7,"chars":""}', call_id="d")
    last = codex_item("function_call_output", call_id="d", output="Process exited with code 1\nOutput:\n2 failed")
    seen = read(tmp_path, codex_meta(), call, first, poll, last)
    assert [(one.payload["call_id"], one.payload["error"]) for one in of(seen, EventKind.TOOL_FAILURE)] == [
        ("c", "2 failed"), ("d", "2 failed"),
    ]  # fmt: skip


def test_a_command_run_from_within_a_script_of_the_agents_is_a_call(tmp_path: Path) -> None:
    script = codex_item("custom_tool_call", name="exec", input="await tools.exec_command({cmd: 'ls'})", call_id="x")
    done = {"type": "CommandExecution", "id": "inner", "command": ["/bin/bash", "-lc", "ls"], "status": "completed",
            "aggregated_output": "a", "exit_code": 0}  # fmt: skip
    seen = read(tmp_path, codex_meta(), script, codex_event("item_completed", item=done))
    assert [(one.payload["call_id"], one.payload["act"]["kind"]) for one in of(seen, EventKind.TOOL_CALL)] == [
        ("x", "other"), ("inner", "shell"),
    ]  # fmt: skip
    assert [one.payload["call_id"] for one in of(seen, EventKind.TOOL_RESULT)] == ["inner"]


def stopped(tmp_path: Path, policy: str, **arguments: Any) -> Seen:
    call = codex_item(
        "function_call", name="exec_command", call_id="c", arguments=json.dumps({"cmd": "ls", **arguments})
    )
    output = codex_item("function_call_output", call_id="c", output="Wall time: 1.4 seconds\naborted by user")
    return read(tmp_path, codex_meta(), codex_turn(0, approval_policy=policy), call, output)[-1]


@pytest.mark.parametrize(
    ("policy", "arguments"),
    [("on-request", {"sandbox_permissions": "require_escalated"}), ("untrusted", {}), ("unheard-of", {})],
)
def test_esc_where_the_person_may_have_been_asked_is_a_refusal(tmp_path: Path, policy: str, arguments: Line) -> None:
    denied = stopped(tmp_path, policy, **arguments)
    assert (denied.kind, denied.payload["by"], denied.payload["words"]) == (EventKind.TOOL_DENIED, "person", "")


@pytest.mark.parametrize(
    ("policy", "arguments"), [("never", {"sandbox_permissions": "require_escalated"}), ("on-request", {})]
)
def test_esc_where_nothing_was_asked_stopped_a_running_call(tmp_path: Path, policy: str, arguments: Line) -> None:
    failure = stopped(tmp_path, policy, **arguments)
    assert (failure.kind, failure.payload["interrupted"]) == (EventKind.TOOL_FAILURE, True)


@pytest.mark.parametrize(
    ("output", "by"),
    [
        ("exec command rejected by user", "person"),
        ("patch rejected by user", "person"),
        ("Command blocked by PreToolUse hook: no force. Command: ls", "rule"),
        (f"Command blocked by PreToolUse hook: {fence.fenced(['no force'])}. Command: ls", "hivemind"),
        ("`rm x` rejected: policy forbids commands starting with `rm`", "rule"),
    ],
)
def test_who_refused_is_told(tmp_path: Path, output: str, by: str) -> None:
    call = codex_item("function_call", name="shell", arguments='{"command":["ls"]}', call_id="c")
    seen = read(tmp_path, codex_meta(), call, codex_item("function_call_output", call_id="c", output=output))
    assert [one.payload["by"] for one in of(seen, EventKind.TOOL_DENIED)] == [by]


def test_a_servers_tool_cannot_speak_for_the_person(tmp_path: Path) -> None:
    call = codex_item("function_call", name="mcp__notes__read", arguments="{}", call_id="c")
    output = codex_item("function_call_output", call_id="c", output="exec command rejected by user")
    assert read(tmp_path, codex_meta(), call, output)[-1].kind is EventKind.TOOL_RESULT


def test_an_interrupt_tells_whether_a_call_was_stopped_and_a_turn_replaced_is_none(tmp_path: Path) -> None:
    seen = read(
        tmp_path,
        *sample.codex_session(),
        codex_event("turn_aborted", turn_id=TURNS[2], reason="replaced"),
        codex_event("turn_aborted", turn_id=TURNS[3], reason="interrupted"),
    )
    assert [one.payload["for_tool"] for one in of(seen, EventKind.INTERRUPT)] == [True, False]


def test_a_reply_cut_off_by_the_person_says_so(tmp_path: Path) -> None:
    half = sample.codex_reply("Half of it")
    seen = read(tmp_path, codex_meta(), *codex_user("go"), *half, codex_event("turn_aborted", reason="interrupted"))
    assert [one.payload for one in of(seen, EventKind.REPLY)] == [{"text": "Half of it", "aborted": True}]


def test_what_is_said_before_a_call_is_not_the_reply(tmp_path: Path) -> None:
    seen = read(
        tmp_path,
        codex_meta(),
        *codex_user("go"),
        *sample.codex_reply("I will look."),
        *sample.codex_shell("c", "ls", 0, "a"),
        *sample.codex_reply("Seen."),
    )
    assert [one.payload["text"] for one in of(seen, EventKind.REPLY)] == ["Seen."]


@pytest.mark.parametrize("over", ["turn_aborted", "task_complete"])
def test_words_behind_the_end_of_a_turn_are_a_prompt_even_if_no_line_begins_another(tmp_path: Path, over: str) -> None:
    lines = [codex_turn(0), *codex_user("begin"), codex_event(over), item_of("use silver")]
    assert texts(read(tmp_path, codex_meta(), *lines)) == [("prompt", "begin"), ("prompt", "use silver")]


def test_a_reply_before_a_compaction_stays_one(tmp_path: Path) -> None:
    compacted = {"timestamp": sample.at(3), "type": "compacted", "payload": {"message": "Here is: the summary"}}
    seen = read(tmp_path, codex_meta(), *codex_user("go"), *sample.codex_reply("Done."), compacted)
    assert [one.payload["text"] for one in of(seen, EventKind.REPLY)] == ["Done."]


@pytest.mark.parametrize(("turn", "trigger"), [(0, "auto"), (1, "manual")])
def test_a_compaction_is_told_and_its_summary_is_no_reply(tmp_path: Path, turn: int, trigger: str) -> None:
    compacted = {"timestamp": sample.at(3), "type": "compacted", "payload": {"message": "Here is: the summary"}}
    lines = [codex_meta(), codex_turn(0), *codex_user("go"), codex_turn(turn), *sample.codex_reply("the summary", turn)]
    seen = read(tmp_path, *lines, compacted, codex_event("item_completed", item={"type": "ContextCompaction"}))
    assert [one.payload["trigger"] for one in of(seen, EventKind.COMPACT)] == [trigger]
    assert of(seen, EventKind.REPLY) == []


def test_a_rollback_is_a_rewind_with_the_edits_it_took_back(tmp_path: Path) -> None:
    seen = read(
        tmp_path,
        codex_meta(),
        *codex_user("one"),
        *sample.codex_patch("kept", PATCH),
        codex_turn(1),
        *codex_user("two", 1),
        *sample.codex_patch("lost", PATCH),
        codex_event("thread_rolled_back", num_turns=1),
        codex_turn(2),
        *codex_user("three", 2),
        codex_turn(3),
        *codex_user("four", 3),
    )
    assert [one.payload.get("abandoned") for one in of(seen, EventKind.PROMPT)] == [None, None, ["lost"], None]


def test_the_folder_follows_the_turn(tmp_path: Path) -> None:
    seen = read(
        tmp_path, codex_meta(), *codex_user("here"), codex_turn(1, cwd="/home/ada/mill"), *codex_user("there", 1)
    )
    assert [one.cwd for one in of(seen, EventKind.PROMPT)] == [sample.FOLDER, "/home/ada/mill"]


def test_a_fork_does_not_tell_its_parents_lines_again(tmp_path: Path) -> None:
    parent = "01a1fa31-0000-7a11-80be-000000000001"
    old = "01a1fa31-1000-79b2-af8a-000000000001"
    copied = codex_user("asked before")
    for line in copied:
        line["payload"]["turn_id"] = old
        line["payload"].pop("internal_chat_message_metadata_passthrough", None)
    seen = read(
        tmp_path,
        codex_meta(forked_from_id=parent),
        codex_meta(id=parent, cwd="/elsewhere"),
        {"timestamp": sample.at(0), "type": "turn_context", "payload": {"turn_id": old, "cwd": "/elsewhere"}},
        *copied,
        codex_turn(0, 5),
        *codex_user("asked now", 0, 5),
    )
    assert texts(seen) == [("prompt", "asked now")]
    assert {(one.session_id, one.cwd) for one in seen} == {(THREAD, sample.FOLDER)}
    assert of(seen, EventKind.SESSION_START)[0].payload["source"] == "fork"


def test_a_fork_without_turn_ids_is_told_apart_by_time(tmp_path: Path) -> None:
    seen = read(tmp_path, codex_meta(forked_from_id="x"), item_of("asked before"), item_of("asked now", minute=5))
    assert texts(seen) == [("prompt", "asked now")]


@pytest.mark.parametrize(
    "fields",
    [
        {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1}}}},
        {"session_id": "root", "parent_thread_id": "mid", "thread_source": "subagent"},
    ],
)
def test_a_subagents_rollout_adds_to_its_parents_session(tmp_path: Path, fields: Line) -> None:
    meta = codex_meta(**fields)
    seen = read(
        tmp_path, meta, *codex_user("look there"), *sample.codex_shell("c", "ls", 0, "a"), *sample.codex_reply("ok")
    )
    assert {(one.session_id, one.payload["agent_id"]) for one in seen} == {("root", THREAD)}
    assert [one.kind.value for one in seen] == ["subagent_start", "tool_call", "tool_result", "subagent_stop"]


def test_what_the_host_does_for_its_own_ends_is_no_persons_session(tmp_path: Path) -> None:
    seen = read(tmp_path, codex_meta(source={"subagent": "review"}), *codex_user("review this"))
    assert {(one.session_id, one.payload["agent_id"]) for one in seen} == {(THREAD, THREAD)}
    assert of(seen, EventKind.PROMPT) == []


def test_the_first_versions_had_no_envelope(tmp_path: Path) -> None:
    block = [{"type": "input_text", "text": "count the coins"}]
    lines: list[Line] = [
        {"id": THREAD, "timestamp": "2025-06-01T10:00:00Z", "instructions": None, "git": {}},
        {"record_type": "state"},
        {"type": "message", "role": "user", "content": block},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["bash","-lc","ls"]}', "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": '{"output":"a","metadata":{"exit_code":0}}'},
    ]
    path = sample.write(tmp_path / "rollout-2025-06-01T10-00-00-x.jsonl", lines)
    seen = list(codex.read_transcript(path))
    assert [one.kind.value for one in seen] == ["session_start", "prompt", "tool_call", "tool_result"]
    assert (seen[0].session_id, seen[-1].payload["output"]) == (THREAD, "a")
    assert codex.sessions_in(path) == (path,)


def test_without_ids_calls_are_told_apart_all_the_same(tmp_path: Path) -> None:
    line = codex_item("function_call", name="shell", arguments='{"command":["ls"]}')
    assert len({one.native_key for one in of(read(tmp_path, codex_meta(), line, line), EventKind.TOOL_CALL)}) == 2


def test_archived_sessions_are_found_too(tmp_path: Path) -> None:
    old = sample.write(tmp_path / "archived_sessions" / "rollout-2026-10-01T00-00-00-a.jsonl", [codex_meta()])
    new = sample.write(tmp_path / "sessions/2026/11/20/rollout-2026-11-20T00-00-00-b.jsonl", [codex_meta()])
    sample.write(tmp_path / "sessions/2026/11/20/notes.jsonl", [codex_meta()])
    assert list(codex.find_sessions(Path("/nonexistent"), config_dir=tmp_path)) == [old, new]
    assert list(codex.find_sessions(tmp_path)) == []
