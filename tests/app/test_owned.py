"""The owner at work: deliveries in, answers out, skills on disk; in this process, over the real engines."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.catching_up import CATCH_UP_EVENTS_MAX
from hivemind_cli.app.owned import FLOOD_EVENTS
from hivemind_cli.core.config import Config, RecallConfig
from hivemind_cli.core.fence import OPEN
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Event, Notice, Outcome, Recall, Record, Verdict
from hivemind_cli.pipeline.capture.sessions import SESSIONS_MAX
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.spool import Delivery
from hivemind_cli.storage.base import Row, Store
from tests.storage.samples import event

CONFIG = Config(recall=RecallConfig(deadline_ms=10_000, deadline_start_ms=10_000))
"""A busy machine is no reason to be silent here; being late is tested on its own."""


class Agent:
    """Delivers as the hook does, straight into the spool."""

    def __init__(self, owner: OwnedHivemind, project: Path) -> None:
        self.owner = owner
        self.project = project
        self.host = "claude"

    def drop(self, event: str, session: str, **fields: Any) -> str:
        payload = {"session_id": session, "cwd": str(self.project), "hook_event_name": event, **fields}
        delivery = Delivery(
            id=new_id(),
            time_ns=time.time_ns(),
            host=self.host,
            event=event,
            raw=json.dumps(payload).encode(),
            cwd=str(self.project),
        )
        return self.owner.spool.put(delivery).name

    def asks(self, event: str, session: str, **fields: Any) -> dict[str, Any]:
        """Drop, ask as the hook asks, and what the host would read."""
        name = self.drop(event, session, **fields)
        answer = self.owner.answer(name)
        self.owner.after_answer(name)
        return json.loads(answer)["hookSpecificOutput"] if answer else {}

    def is_corrected(self, session: str = "monday") -> None:
        call = {
            "tool_name": "Bash",
            "tool_input": {"command": "rsync -a site/ host:/srv"},
            "tool_use_id": f"{session}1",
        }
        self.asks("UserPromptSubmit", session, prompt="deploy the docs site", prompt_id="1")
        self.asks("PreToolUse", session, prompt_id="1", **call)
        self.drop("PostToolUse", session, prompt_id="1", tool_response={"stdout": ""}, **call)
        self.drop("Stop", session, prompt_id="1", last_assistant_message="Done.", stop_hook_active=False)
        self.drop(
            "UserPromptSubmit", session, prompt="no, never rsync in this repo, we use make publish", prompt_id="2"
        )

    def calls(self, session: str, command: str, n: int = 1, **fields: Any) -> dict[str, Any]:
        return self.asks(
            "PreToolUse",
            session,
            tool_name="Bash",
            tool_input={"command": command},
            tool_use_id=f"{session}{n}",
            **fields,
        )

    def reads_why(self, session: str, held: dict[str, Any], command: str, n: int = 1) -> None:
        """The batch with the held call is over: the model is told why."""
        told = f"PreToolUse:Bash hook error: [hook]: {held['permissionDecisionReason']}"
        call = {"tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": f"{session}{n}"}
        self.drop("PostToolBatch", session, tool_calls=[{**call, "tool_response": told}])


@pytest.fixture
def owner(tmp_path: Path, own_home: Path) -> Iterator[OwnedHivemind]:
    owned = Hivemind.own(Paths(root=own_home / ".hivemind", home=own_home), CONFIG, env={})
    yield owned
    owned.close()


@pytest.fixture
def agent(owner: OwnedHivemind, tmp_path: Path) -> Agent:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "shop" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return Agent(owner, tmp_path / "shop")


def text_of(answer: dict[str, Any]) -> str:
    return str(answer.get("additionalContext", ""))


def test_a_correction_reaches_a_parallel_session_before_any_skill_exists(agent: Agent) -> None:
    agent.is_corrected()
    answer = agent.asks("UserPromptSubmit", "parallel", prompt="deploy the docs site again", prompt_id="9")
    assert text_of(answer).count(OPEN) == 1
    assert "make publish" in text_of(answer)


def test_the_prompt_that_is_the_correction_does_not_get_it_back(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    name = owner.spool.pending()[-1].name
    owner.drain()
    owner.work()
    assert owner.answer(name) == b""


def test_a_session_end_makes_a_skill_that_a_new_session_reads_once(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    (skill,) = agent.project.glob(".claude/skills/*/SKILL.md")
    assert "make publish" in skill.read_text("utf-8")
    first = agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs, please", prompt_id="3")
    again = agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs once more", prompt_id="4")
    assert text_of(first).count(OPEN) == 1
    assert again == {}
    assert {row.record.tier for row in owner.store.find(Recall)} == {"lexical"}


def test_a_recall_waits_for_no_import_that_is_being_detected(
    agent: Agent, owner: OwnedHivemind, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    owner.store.append([event(n, "imported", id=f"imported-{n}") for n in range(3 * Detect.batch_size)])
    owner.touched()
    begun = owner.store.cursor(Detect.name)
    assert text_of(agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs, please", prompt_id="3"))
    assert owner.store.cursor(Detect.name) - begun <= CATCH_UP_EVENTS_MAX
    assert owner.work() == FLOOD_EVENTS

    detecting, answered = threading.Event(), threading.Event()
    step = owner.detecting.step

    def slow(batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        detecting.set()
        assert answered.wait(30)
        return step(batch, store)

    monkeypatch.setattr(owner.detecting, "step", slow)
    working = threading.Thread(target=owner.work)
    working.start()
    try:
        assert detecting.wait(30)
        agent.drop("Stop", "wednesday", prompt_id="0", last_assistant_message="Hello.")
        name = agent.drop("UserPromptSubmit", "wednesday", prompt="deploy the docs, please", prompt_id="1")
        begun_s = time.monotonic()
        assert OPEN in json.loads(owner.answer(name))["hookSpecificOutput"]["additionalContext"]
        assert time.monotonic() - begun_s < 10, "it waited for what is being detected"
    finally:
        answered.set()
        working.join()
    owner.settle()
    newest = owner.store.find(Event, newest_first=True, limit=1)[0].seq
    assert owner.store.cursor(Detect.name) == newest


def test_the_act_is_held_once_and_the_repeat_is_a_recurrence(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    held = agent.calls("tuesday", "rsync -a site/ other:/srv", 1)
    assert held["permissionDecision"] == "deny"
    assert "make publish" in held["permissionDecisionReason"]
    twin = agent.calls("tuesday", "rsync -a site/ other:/srv", 2)
    assert twin["permissionDecision"] == "deny", "of one batch: nobody has read why yet"
    agent.reads_why("tuesday", held, "rsync -a site/ other:/srv")
    assert agent.calls("tuesday", "rsync -a site/ other:/srv", 3) == {}
    agent.drop(
        "PostToolUse",
        "tuesday",
        tool_name="Bash",
        tool_input={"command": "rsync -a site/ other:/srv"},
        tool_use_id="tuesday3",
        tool_response={"stdout": ""},
    )
    agent.drop("SessionEnd", "tuesday", reason="other")
    owner.settle()
    assert {row.record.verdict for row in owner.store.find(Outcome)} == {Verdict.RECURRED}


def test_work_done_the_corrected_way_is_held(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs", prompt_id="3")
    call = {"tool_name": "Bash", "tool_input": {"command": "make publish"}, "tool_use_id": "t9"}
    agent.asks("PreToolUse", "tuesday", **call)
    agent.drop("PostToolUse", "tuesday", tool_response={"stdout": ""}, **call)
    agent.drop("SessionEnd", "tuesday", reason="other")
    owner.settle()
    assert [row.record.verdict for row in owner.store.find(Outcome)] == [Verdict.HELD]


@pytest.mark.parametrize("mode", ["default", "plan"])
def test_a_call_that_a_person_is_asked_about_is_not_held(agent: Agent, owner: OwnedHivemind, mode: str) -> None:
    agent.is_corrected()
    owner.settle()
    answer = agent.calls("tuesday", "rsync -a site/ other:/srv", permission_mode=mode)
    assert "permissionDecision" not in answer
    assert OPEN in text_of(answer)


def test_another_project_hears_nothing(agent: Agent, owner: OwnedHivemind, tmp_path: Path) -> None:
    agent.is_corrected()
    (tmp_path / "garden" / ".git").mkdir(parents=True)
    (tmp_path / "garden" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    stranger = Agent(owner, tmp_path / "garden")
    assert stranger.asks("UserPromptSubmit", "s", prompt="deploy the docs site", prompt_id="1") == {}
    assert stranger.calls("s", "rsync -a site/ host:/srv") == {}


def test_a_delivery_that_was_captured_first_is_still_answered(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    name = agent.drop("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="3")
    while owner.drain():
        pass
    assert OPEN.encode() in owner.answer(name)


def test_what_the_hook_never_received_may_be_said_again(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    name = agent.drop("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="3")
    assert owner.answer(name)
    owner.after_answer(name, delivered=False)
    answer = agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site now", prompt_id="4")
    assert OPEN in text_of(answer)
    decisions = [candidate.decision for row in owner.store.find(Recall) for candidate in row.record.candidates]
    assert "timed out" in decisions


def test_after_a_compaction_what_was_given_is_given_once_more(agent: Agent) -> None:
    agent.is_corrected()
    agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="3")
    assert OPEN in text_of(agent.asks("SessionStart", "tuesday", source="compact"))
    assert text_of(agent.asks("SessionStart", "tuesday", source="resume")) == ""


def test_a_second_owner_finds_everything_and_rebuilds_a_lost_index(
    agent: Agent, owner: OwnedHivemind, own_home: Path
) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    events, corrections = owner.store.count(Event), owner.store.count(Correction)
    owner.close()
    for file in sorted((owner.paths.index / "skills").rglob("*")):
        if file.is_file():
            file.unlink()
    again = Hivemind.own(owner.paths, CONFIG, env={})
    try:
        assert (again.store.count(Event), again.store.count(Correction)) == (events, corrections)
        answer = Agent(again, agent.project).asks(
            "UserPromptSubmit", "late", prompt="deploy the docs site", prompt_id="7"
        )
        assert OPEN in text_of(answer)
    finally:
        again.close()


def test_what_is_behind_keeps_neither_the_opening_nor_the_first_answer_waiting(
    agent: Agent, owner: OwnedHivemind
) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    owner.store.append([event(n, f"session-{n}", id=f"behind-{n}") for n in range(2 * CATCH_UP_EVENTS_MAX)])
    detected = owner.store.cursor(Detect.name)
    owner.close()
    again = Hivemind.own(owner.paths, CONFIG, env={})
    try:
        late = Agent(again, agent.project)
        assert OPEN in text_of(late.asks("UserPromptSubmit", "late", prompt="deploy the docs site", prompt_id="7"))
        assert again.store.cursor(Detect.name) == detected
        again.settle()
        assert again.store.cursor(Detect.name) == again.store.find(Event, newest_first=True, limit=1)[0].seq
    finally:
        again.close()


def test_what_cannot_be_remembered_is_neither_said_nor_held(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    owner.settle()
    owner.paths.injected.rmdir()
    assert [agent.calls("tuesday", "rsync -a site/ other:/srv", n) for n in (1, 2)] == [{}, {}]


def test_a_session_that_falls_silent_is_judged_without_an_end(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    owner.settle()
    agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs", prompt_id="3")
    owner.tick(datetime.now(UTC))
    assert owner.store.count(Outcome) == 0
    for _ in range(2):
        owner.tick(datetime.now(UTC) + timedelta(hours=1))
    assert [row.record.verdict for row in owner.store.find(Outcome)] == [Verdict.UNKNOWN]


def test_a_subagent_is_recalled_for_by_its_task(agent: Agent) -> None:
    agent.is_corrected()
    task = {"description": "docs", "prompt": "deploy the docs site", "subagent_type": "general-purpose"}
    agent.drop("PreToolUse", "tuesday", tool_name="Agent", tool_input=task, tool_use_id="a1")
    answer = agent.asks("SubagentStart", "tuesday", agent_id="x", agent_type="general-purpose")
    assert OPEN in text_of(answer)
    assert agent.asks("SubagentStart", "other", agent_id="y", agent_type="general-purpose") == {}


def test_a_correction_made_outside_any_project_stays_there(owner: OwnedHivemind, agent: Agent, own_home: Path) -> None:
    nowhere = Agent(owner, own_home)
    nowhere.is_corrected("at home")
    owner.settle()
    assert agent.asks("UserPromptSubmit", "s", prompt="deploy the docs site", prompt_id="1") == {}
    assert agent.calls("s", "rsync -a site/ host:/srv") == {}


def test_words_after_an_interrupt_that_go_on_with_something_else_hold_nothing(
    agent: Agent, owner: OwnedHivemind, own_home: Path
) -> None:
    transcript = own_home / ".claude" / "projects" / "-shop" / "monday.jsonl"
    transcript.parent.mkdir(parents=True)
    line = {
        "type": "user",
        "uuid": "u1",
        "sessionId": "monday",
        "timestamp": datetime.now(UTC).isoformat(),
        "message": {
            "role": "user",
            "content": [{"type": "text", "text": "[Request interrupted by user for tool use]"}],
        },
    }
    transcript.write_text(json.dumps(line) + "\n", "utf-8")
    agent.asks("UserPromptSubmit", "monday", prompt="check it", prompt_id="1", transcript_path=str(transcript))
    agent.calls("monday", "make check --coverage", prompt_id="1")
    words = "also add a paragraph about the history to the readme"
    agent.asks("UserPromptSubmit", "monday", prompt=words, prompt_id="2", transcript_path=str(transcript))
    owner.settle()
    assert [row.record.kind.value for row in owner.store.find(Correction)] == ["interrupted"]
    assert agent.calls("tuesday", "make check --coverage") == {}


def test_one_bad_correction_does_not_stop_the_others(
    agent: Agent, owner: OwnedHivemind, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Codify.step

    def step(self: Codify, batch: Any, store: Any) -> Any:
        if any("poison" in row.record.task for row in batch):
            raise ValueError("bad luck")
        return whole(self, batch, store)

    monkeypatch.setattr(Codify, "step", step)
    agent.asks("UserPromptSubmit", "bad", prompt="the poison task", prompt_id="1")
    agent.calls("bad", "curl -O x", prompt_id="1")
    agent.drop("UserPromptSubmit", "bad", prompt="no, never curl here, we vendor our tools", prompt_id="2")
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    assert len(list(agent.project.glob(".claude/skills/*/SKILL.md"))) == 1
    assert owner.store.count(Notice, about="stage_failed") == 1


def test_a_batch_of_a_flood_ends_with_a_question_and_the_rest_comes_in_its_order(
    owner: OwnedHivemind, agent: Agent
) -> None:
    for n in range(40):
        agent.drop("UserPromptSubmit", "flood", prompt_id=f"p{n}", prompt=f"step {n}")
    with owner._precedence.question():
        assert 0 < owner.drain() < 40
    while owner.drain():
        pass
    said = [row.record.payload["text"] for row in owner.store.find(Event, session_id="flood")]
    assert said == [f"step {n}" for n in range(40)]


def test_more_sessions_in_a_batch_than_are_remembered(owner: OwnedHivemind, agent: Agent) -> None:
    same = {"prompt_id": "p", "prompt": "go on"}
    sessions = ["first", *(f"other{n}" for n in range(SESSIONS_MAX + 2)), "first"]
    for session in sessions:
        agent.drop("UserPromptSubmit", session, **same)
    assert owner.drain() == len(sessions)
    assert owner.store.count(Event, session_id="first") == 2


def test_of_a_host_that_tells_nothing_of_denials_the_same_call_once_more_passes(
    agent: Agent, owner: OwnedHivemind
) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    agent.host = "codex"
    unasked = {"permission_mode": "bypassPermissions"}
    assert agent.calls("tuesday", "rsync -a site/ other:/srv", 1, **unasked)["permissionDecision"] == "deny"
    of_the_batch = agent.calls("tuesday", "rsync -a docs/ other:/srv", 2, **unasked)
    assert of_the_batch["permissionDecision"] == "deny", "another call of the batch: nobody has read why yet"
    assert agent.calls("tuesday", "rsync -a site/ other:/srv", 3, **unasked) == {}
    assert agent.calls("tuesday", "rsync -a docs/ other:/srv", 4, **unasked) == {}
