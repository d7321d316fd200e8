"""Our plugins as JavaScript: what they hand to the hook, what they make of its answer, and that nothing upsets them."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import fence
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import HOSTS, pi
from hivemind_cli.hosts.base import Seen

NODE = shutil.which("node")
CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent"))
HARNESS = Path(__file__).parent / "plugin_host.mjs"
FOLDER = "/home/dev/project"
RULE = fence.fenced(["use make"])
DEADLINE_S = 120

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed, so no plugin of ours can be run")

Event = dict[str, Any]


class Runner:
    """Runs a plugin with a hook that writes down its payloads, in order, and answers by the event's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.got = folder / "got"
        self.got.mkdir()
        hook = folder / "hook.sh"
        hook.write_text(
            f'#!/bin/sh\ncd {shlex.quote(str(self.got))} || exit 1\nn=$(ls | wc -l)\ncat > "$(printf %04d $n)-$1"\n'
            f'cat "{folder}/answer-$1" 2>/dev/null\nexit 0\n',
            encoding="utf-8",
        )
        self.command = f"sh {shlex.quote(str(hook))}"

    def answer(self, event: str, line: str | Mapping[str, str]) -> None:
        """What the hook prints at this event."""
        text = line if isinstance(line, str) else json.dumps(line)
        (self.folder / f"answer-{event}").write_text(text, encoding="utf-8")

    def run(
        self,
        host: str,
        events: Sequence[Event],
        *,
        command: str = "",
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> list[Any]:
        """What the plugin answered to each event."""
        (edit,) = HOSTS[host].plan_install(self.folder / "home", command or self.command)
        assert edit.after is not None
        plugin, steps = self.folder / "plugin.mjs", self.folder / "steps.json"
        plugin.write_bytes(edit.after)
        steps.write_text(json.dumps({"host": host, "directory": FOLDER, "events": events, **more}), encoding="utf-8")
        done = subprocess.run(
            [str(NODE), str(HARNESS), str(plugin), str(steps)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )
        assert done.returncode == 0, done.stderr
        answers: list[Any] = json.loads(done.stdout)
        return answers

    @property
    def payloads(self) -> list[tuple[str, Event]]:
        """(event, payload) as the hook was given them."""
        files = sorted(self.got.iterdir())
        return [(file.name[5:], json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def seen(self, host: str) -> list[Seen]:
        """The payloads, decoded."""
        return [one for event, payload in self.payloads for one in HOSTS[host].decode(event, payload)]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def pi_event(event: str, **told: Any) -> Event:
    return {"event": event, "told": {"type": event, **told}, "session": "s-1"}


def said(role: str, text: str, **more: Any) -> Event:
    return pi_event("message_end", message={"role": role, "content": [{"type": "text", "text": text}], **more})


def call(call_id: str = "c1", command: str = "ls") -> Event:
    return pi_event("tool_call", toolName="bash", toolCallId=call_id, input={"command": command})


def test_pi_is_given_what_recall_says(runner: Runner) -> None:
    runner.answer("session_start", {"context": "what is new", "notice": "one skill"})
    runner.answer("before_agent_start", {"context": RULE})
    runner.answer("tool_call", {"context": "mind this"})
    result = {"content": [{"type": "text", "text": "a.py"}], "isError": False}
    answers = runner.run(
        "pi",
        [
            pi_event("session_start", reason="startup"),
            pi_event("before_agent_start", prompt="count the coins"),
            call(),
            pi_event("tool_result", toolCallId="c1", **result),
            pi_event("tool_result", toolCallId="c2", **result),
        ],
    )
    message = {"customType": "hivemind", "content": f"what is new\n\n{RULE}", "display": False}
    assert answers == [
        None,
        {"message": message},
        None,
        {"content": [{"type": "text", "text": "a.py"}, {"type": "text", "text": "mind this"}]},
        None,
    ]


def test_pi_blocks_a_call_that_is_held_and_tells_that_it_did_not_run(runner: Runner) -> None:
    runner.answer("tool_call", {"deny": RULE})
    blocked = {"content": [{"type": "text", "text": RULE}]}
    events = [call(), pi_event("tool_execution_end", toolName="bash", toolCallId="c1", result=blocked, isError=True)]
    assert runner.run("pi", events)[0] == {"block": True, "reason": RULE}
    asked, denied = runner.seen("pi")
    assert asked.kind is EventKind.TOOL_CALL and not asked.payload.get("asks")
    assert (denied.kind, denied.payload["by"], denied.payload["act"]["command"]) == ("tool_denied", "hivemind", "ls")


def test_pi_tells_prompts_once_and_steering_as_such(runner: Runner) -> None:
    busy = said("assistant", "Counting.", stopReason="toolUse")
    busy["told"]["message"]["content"].append({"type": "toolCall", "id": "c1", "name": "bash", "arguments": {}})
    runner.run(
        "pi",
        [
            pi_event("before_agent_start", prompt="count"),
            said("user", "count"),
            busy,
            said("user", "silver too"),
            said("assistant", "Half", stopReason="aborted", timestamp=1700000000000),
            said("user", "and now gold"),
            pi_event("user_bash", command="git status"),
            pi_event("session_compact", compactionEntry={"id": "e9"}),
            pi_event("session_shutdown", reason="quit"),
        ],
    )
    told = [
        (one.kind.value, one.payload.get("text", ""), one.native_key.rpartition(":")[2]) for one in runner.seen("pi")
    ]
    assert told == [
        ("prompt", "count", "#?"),
        ("steer", "silver too", "#?"),
        ("reply", "Half", "#?"),
        ("interrupt", "", "1700000000000"),
        ("prompt", "and now gold", "#?"),
        ("steer", "", "#?"),
        ("compact", "", "e9"),
        ("session_end", "", "#?"),
    ]


def user(text: str, session: str = "ses_a", message: str = "msg_1") -> Event:
    parts = [{"type": "text", "text": text, "id": "prt_1fa2a62bd001abcdefghij", "messageID": message}]
    return {"event": "chat.message", "args": [{"sessionID": session}, {"message": {"id": message}, "parts": parts}]}


def before(call_id: str = "c1", command: str = "ls", session: str = "ses_a") -> Event:
    ids = {"tool": "bash", "sessionID": session, "callID": call_id}
    return {"event": "tool.execute.before", "args": [ids, {"args": {"command": command}}]}


def after(output: str, call_id: str = "c1", **metadata: Any) -> Event:
    ids = {"tool": "bash", "sessionID": "ses_a", "callID": call_id, "args": {"command": "ls"}}
    return {"event": "tool.execute.after", "args": [ids, {"title": "", "output": output, "metadata": metadata}]}


def part(message: str, part_id: str, kind: str, **fields: Any) -> Event:
    one = {"id": part_id, "messageID": message, "sessionID": "ses_a", "type": kind, **fields}
    return {"event": "event:message.part.updated", "args": [{"part": one}]}


def answered(message: str, parent: str = "msg_1", **fields: Any) -> Event:
    info = {"id": message, "role": "assistant", "sessionID": "ses_a", "parentID": parent, "time": {"completed": 2}}
    return {"event": "event:message.updated", "args": [{"info": {**info, **fields}}]}


def test_opencode_is_given_what_recall_says(runner: Runner) -> None:
    runner.answer("session.created", {"context": "what is new"})
    runner.answer("chat.message", {"context": RULE})
    runner.answer("tool.execute.before", {"context": "mind this"})
    created = {"event": "event:session.created", "args": [{"info": {"id": "ses_a"}}]}
    _, prompt, _, result = runner.run("opencode", [created, user('"count the coins"'), before(), after("a.py")])
    own, *ours = prompt["parts"]
    assert [(one["text"], one["synthetic"], one["messageID"]) for one in ours] == [
        ("what is new", True, "msg_1"),
        (RULE, True, "msg_1"),
    ]
    ids = [one["id"] for one in (own, *ours)]
    assert ids == sorted(set(ids))
    assert result["output"] == "a.py\n\nmind this"
    told = [(one.kind.value, one.payload.get("text") or one.payload.get("output")) for one in runner.seen("opencode")]
    assert told[:2] == [("session_start", None), ("prompt", "count the coins")]
    assert ("tool_result", "a.py") in told


@pytest.mark.parametrize(("config", "asks"), [({"permission": {"bash": "ask"}}, True), ({}, None), (None, True)])
def test_opencode_throws_for_a_call_that_is_held_and_says_whether_a_person_is_asked(
    runner: Runner, config: dict[str, Any] | None, asks: bool | None
) -> None:
    runner.answer("tool.execute.before", {"deny": RULE})
    state = {"status": "error", "error": RULE, "input": {"command": "ls"}}
    refused = part("msg_2", "prt_9", "tool", tool="bash", callID="c1", state=state)
    answers = runner.run("opencode", [before(), refused, refused], config=config)
    assert answers[0] == {"thrown": RULE}
    asked, denied = runner.seen("opencode")
    assert asked.payload.get("asks") is asks
    assert (denied.native_key, denied.payload["by"]) == ("c1:tool_denied", "hivemind")


def test_opencode_tells_a_turns_last_words_an_interrupt_and_a_persons_own_command(runner: Runner) -> None:
    shell = {"status": "completed", "input": {"command": "git status"}, "output": "clean"}
    runner.run(
        "opencode",
        [
            user("count"),
            part("msg_2", "prt_1", "text", text="Counting."),
            part("msg_2", "prt_2", "tool", tool="bash", callID="c1", state={"status": "running"}),
            answered("msg_2", finish="tool-calls"),
            part("msg_3", "prt_3", "text", text="Ten."),
            answered("msg_3"),
            answered("msg_3"),
            part("msg_5", "prt_4", "text", text="Twen"),
            answered("msg_5", "msg_4", error={"name": "MessageAbortedError"}),
            part("msg_6", "prt_5", "text", text="The following tool was executed by the user", synthetic=True),
            answered("msg_7", "msg_6", time={}),
            part("msg_7", "prt_6", "tool", tool="bash", callID="c7", state=shell),
            part("msg_8", "prt_7", "compaction", auto=True),
        ],
    )
    told = [(one.kind.value, one.payload.get("text") or one.payload.get("ran")) for one in runner.seen("opencode")]
    assert told == [
        ("prompt", "count"),
        ("reply", "Ten."),
        ("reply", "Twen"),
        ("interrupt", None),
        ("steer", "git status"),
        ("compact", None),
        ("session_end", None),
    ]


def test_a_subagent_of_opencode_speaks_in_its_parents_session(runner: Runner) -> None:
    runner.run(
        "opencode", [user("count for me", "ses_b", "msg_9"), before("c2", "ls", "ses_b")], parents={"ses_b": "ses_a"}
    )
    told = [(one.session_id, one.kind.value, one.payload.get("agent_id")) for one in runner.seen("opencode")]
    assert told[:2] == [("ses_a", "subagent_start", "ses_b"), ("ses_a", "tool_call", "ses_b")]


@pytest.mark.parametrize(
    "command", ["/nonexistent/hook", "exit 3;", "echo '{\"context\": 7}';", "echo no json;", "exec 0<&-; true;"]
)
def test_whatever_the_hook_does_the_agent_goes_on(runner: Runner, command: str) -> None:
    long = "x" * 300_000  # more than a pipe holds
    assert runner.run("pi", [pi_event("before_agent_start", prompt=long), call()], command=command) == [None, None]


@pytest.mark.thorough
def test_a_hook_that_hangs_is_waited_for_once_and_never_two_run_side_by_side(runner: Runner) -> None:
    log = shlex.quote(str(runner.folder / "log"))
    hangs = f"echo begins >> {log}; sleep 2; echo ends >> {log}; exit 0;"
    events = [pi_event("before_agent_start", prompt="count"), *(call(f"c{n}") for n in range(3))]
    assert runner.run("pi", events, command=hangs) == [None] * 4
    log_lines = (runner.folder / "log").read_text().splitlines()
    assert log_lines and set(log_lines[::2]) == {"begins"} and set(log_lines[1::2]) <= {"ends"}


def test_a_session_of_hivemind_itself_tells_nothing(runner: Runner) -> None:
    runner.run("pi", [pi_event("before_agent_start", prompt="count"), call()], env={"HIVEMIND_INTERNAL": "1"})
    assert runner.payloads == []


def captured(host: str) -> list[dict[str, Any]]:
    path = CAPTURED / host / "sessions" / "headless-tools.jsonl"
    if not path.is_file():
        pytest.skip("HIVEMIND_TEST_HOSTS names no folder with captured sessions")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_pi_was_seen_to_tell_gives_the_keys_of_its_session_file(runner: Runner) -> None:
    lines = captured("pi")
    session = Path(next(line["session"] for line in lines)).stem.rpartition("_")[2]
    runner.run("pi", [{"event": one["event"], "told": one["payload"], "session": session} for one in lines])
    told = {one.native_key.replace("#?", "#0") for one in runner.seen("pi")}
    read = list(pi.read_transcript(CAPTURED / "pi" / "transcripts" / "headless-tools.jsonl"))
    assert {one.session_id for one in read} == {session}
    assert {one.native_key for one in read} <= told
    assert told - {one.native_key for one in read} == {"session_end:quit:#0"}


def test_what_opencode_was_seen_to_tell_is_decoded(runner: Runner) -> None:
    runner.run("opencode", [{"event": one["event"], "args": one["args"]} for one in captured("opencode")])
    kinds = [one.kind.value for one in runner.seen("opencode")]
    assert kinds.count("prompt") == 1
    assert kinds.count("tool_call") == 4
    assert kinds.count("tool_result") == 2
    assert kinds.count("tool_failure") == 2
    assert kinds[-2:] == ["reply", "session_end"]


@pytest.mark.parametrize(("host", "least"), [("pi", 9), ("opencode", 9)])
def test_every_captured_event_is_taken_by_itself(host: str, least: int, runner: Runner) -> None:
    files = sorted((CAPTURED / host).glob("*.json"))
    if not files:
        pytest.skip("HIVEMIND_TEST_HOSTS names no folder with captured payloads")
    told = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    runner.run(host, [{**one, "told": one.get("payload"), "session": "s-1"} for one in told])
    assert {event for event, _ in runner.payloads} <= set(HOSTS[host].EVENTS)
    assert len(runner.seen(host)) >= least
