"""Without the daemon the hook answers in each host's own words, as its adapter would write them, or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.app.sayings import sayings
from hivemind_cli.core import fence
from hivemind_cli.core.hook_settings import TEXT, HookSettings, Saying, write
from hivemind_cli.core.records import EventKind, Moment
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.base import Answer
from hivemind_cli.hosts.running import running
from tests.hooks.rig import Rig, load
from tests.hooks.test_snapshot import MIGRATIONS, TREE, publish

hook: Any = load("hivemind_hook_snapshot")

SAYINGS = sayings(HOSTS.values())
WAITING = HookSettings(
    recall=True,
    deadline_ms=5000,
    wait=tuple(
        (host.NAME, event, moment) for host in HOSTS.values() for event, moment in host.EVENTS.items() if moment
    ),
    say=SAYINGS,
)
PAYLOADS = Path(__file__).parents[1] / "hosts" / "payloads"
PROMPT = {"session_id": "s/1", "cwd": TREE, "prompt": "please add a migration for the users table"}
CALL = {"tool_name": "Other", "tool_input": {"command": "tool migration add --database"}}


@pytest.fixture
def alone(rig: Rig) -> Rig:
    """A hook that waits for every host, a snapshot, and no daemon."""
    write(rig.paths.hook_settings, WAITING)
    publish(rig, MIGRATIONS)
    return rig


def test_every_host_that_takes_text_at_a_prompt_is_answered_there() -> None:
    told = {(saying.host, saying.event) for saying in SAYINGS}
    for host in HOSTS.values():
        for event, moment in host.EVENTS.items():
            if moment is Moment.PROMPT and host.HOOK_NAME == host.NAME:
                assert bool(host.encode_answer(event, Answer(moment, "text"))) is ((host.NAME, event) in told)


@pytest.mark.parametrize("name", sorted({saying.host for saying in SAYINGS}))
def test_it_says_what_the_adapter_would(alone: Rig, name: str) -> None:
    host = HOSTS[name]
    expected = fence.fenced([MIGRATIONS.text])
    for number, event in enumerate(saying.event for saying in SAYINGS if saying.host == name):
        moment = host.EVENTS[event]
        assert moment is not None
        shown = CALL if moment is Moment.TOOL_CALL else {}
        out = alone.run(event, {**PROMPT, **shown, "session_id": f"s{number}"}, host=name)
        assert out.count(b"\n") == 1
        assert json.loads(out) == json.loads(host.encode_answer(event, Answer(moment, expected)))
        assert alone.paths.session_file(name, f"s{number}").read_text() == "sk_1@2\n"


@pytest.mark.parametrize("letter", ["a", "é", "語", "😀"])
@pytest.mark.parametrize("saying", SAYINGS, ids=lambda one: f"{one.host}-{one.event}")
def test_no_text_is_said_that_the_host_would_not_take_whole(saying: Saying, letter: str) -> None:
    host = HOSTS[saying.host]
    most = min(saying.chars_max, saying.bytes_max // len(letter.encode()))
    moment = host.EVENTS[saying.event]
    assert moment is not None
    line = host.encode_answer(saying.event, Answer(moment, letter * most))
    assert json.loads(line) == json.loads(saying.line.replace(TEXT, json.dumps(letter * most)))
    assert letter != "a" or not host.encode_answer(saying.event, Answer(moment, letter * (most + 1)))


def test_where_not_all_of_it_fits_the_best_is_said(rig: Rig) -> None:
    wide = "語" * 1_000
    publish(rig, *(replace(MIGRATIONS, id=f"sk_{n}", text=f"{n} {wide}") for n in range(3)), limit=3, tokens_max=600)
    saying = Saying("acme", "asked", f'{{"say": {TEXT}}}', chars_max=9_000, bytes_max=7_000)
    write(rig.paths.hook_settings, replace(WAITING, wait=(("acme", "asked", Moment.PROMPT),), say=(saying,)))
    out = rig.run("asked", PROMPT, host="acme")
    assert len(json.loads(out)["say"].encode()) <= 7_000
    assert json.loads(out)["say"].count("語") == 2_000
    assert len(rig.paths.session_file("acme", "s/1").read_text().splitlines()) == 2
    write(rig.paths.hook_settings, replace(WAITING, wait=WAITING.wait, say=(replace(saying, bytes_max=1_000),)))
    assert rig.run("asked", {**PROMPT, "session_id": "other"}, host="acme") == b""


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("asked", {"sessionId": "s/1", "prompt": PROMPT["prompt"]}),
        ("asked", {"conversation_id": "s/1", "prompt": PROMPT["prompt"]}),
        ("asked", {"session_id": "s/1", "extra": {"user_message": PROMPT["prompt"]}}),
        ("called", {"sessionId": "s/1", "toolName": "bash", "toolArgs": CALL["tool_input"]}),
        ("called", {"sessionId": "s/1", "toolName": "bash", "toolArgs": json.dumps(CALL["tool_input"])}),
        (
            "called",
            {"session_id": "s/1", "tool_name": "edit", "tool_input": {"filePath": "x", "new": "database migration"}},
        ),
    ],
)
def test_every_hosts_names_of_the_fields_are_read(rig: Rig, event: str, payload: dict[str, Any]) -> None:
    publish(rig, MIGRATIONS)
    said = tuple(Saying("acme", name, f'{{"say":{TEXT}}}', 9_000, 9_000) for name in ("asked", "called"))
    wait = (("acme", "asked", Moment.PROMPT), ("acme", "called", Moment.TOOL_CALL))
    write(rig.paths.hook_settings, replace(WAITING, wait=wait, say=said))
    out = rig.run(event, {"cwd": TREE, **payload}, host="acme")
    assert json.loads(out) == {"say": fence.fenced([MIGRATIONS.text])}
    assert json.loads(rig.deliveries()[1].raw)["session_id"] == "s/1"


FIELDS = st.fixed_dictionaries(
    {"session_id": st.just("s")},
    optional={
        "cursor_version": st.just("1"),
        "hookEventName": st.just("x"),
        "sessionId": st.just("s"),
        "turn_id": st.just("t"),
        "model": st.just("m"),
        "extra": st.sampled_from([{}, "x"]),
        "timestamp": st.just(1),
    },
)
ENVIRONMENTS = st.sets(st.sampled_from([b"DEVIN_PROJECT_DIR", b"COPILOT_CLI", b"GEMINI_SESSION_ID"]))


@given(st.sampled_from(["claude", "copilot", "codex"]), FIELDS, ENVIRONMENTS)
def test_it_is_silent_wherever_another_host_may_run_it(
    name: str, payload: dict[str, Any], variables: set[bytes]
) -> None:
    names = {b"DEVIN_PROJECT_DIR": "devin", b"COPILOT_CLI": "copilot", b"GEMINI_SESSION_ID": "gemini"}
    mark = " ".join([*(names[one] for one in variables), *(["claude:"] if variables else [])])
    doubtful = hook.ran_by_another(name.encode(), payload, dict.fromkeys(variables, b"1"))
    assert doubtful or running(name, payload, mark) == name
    assert not doubtful or variables or running(name, payload, mark) != name


def _recorded() -> list[tuple[str, str, Path]]:
    """(host, event, file) of each payload at an event at which the hook may answer."""
    events: dict[str, list[str]] = {saying.host: [] for saying in SAYINGS}
    for saying in SAYINGS:
        events[saying.host].append(saying.event)
    files = [(host, file) for host in events for file in sorted((PAYLOADS / host).glob("*.json"))]
    return [
        (host, file.stem.partition("-")[0], file) for host, file in files if file.stem.partition("-")[0] in events[host]
    ]


@pytest.mark.parametrize(
    ("name", "event", "file"), _recorded(), ids=lambda one: one.stem if isinstance(one, Path) else ""
)
def test_recorded_payloads_are_read_as_their_adapter_reads_them(name: str, event: str, file: Path) -> None:
    payload = hook.decode(file.read_bytes())
    shown = HOSTS[name].decode(event, payload)
    moment = HOSTS[name].EVENTS[event]
    for seen in shown:
        assert hook.context(payload) == (seen.session_id, seen.payload.get("agent_id", ""))
        if seen.kind is EventKind.PROMPT and moment is Moment.PROMPT:
            assert seen.payload["text"] in hook.task_text(b"prompt", payload)
        elif moment is Moment.TOOL_CALL:
            assert hook.task_text(b"tool_call", payload) or hook.call_text(payload, "")
