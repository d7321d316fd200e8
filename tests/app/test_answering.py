"""The moments: a session's start, a prompt, a call, subagents side by side: each agent is told what it cannot know."""

import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.core.fence import BRIEF_OPEN, CLOSE, OPEN
from hivemind_cli.core.records import Moment, Outcome, Recall, Verdict
from tests.app.test_owned import Agent, agent, owner, text_of

__all__ = ["agent", "owner"]

TASK = {"description": "docs", "prompt": "deploy the docs site", "subagent_type": "writer"}
OTHER = {"description": "tests", "prompt": "count the rows of the orders table", "subagent_type": "writer"}


@pytest.fixture
def skilled(agent: Agent, owner: OwnedHivemind) -> Agent:
    """A skill is live."""
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    return agent


def test_a_session_begins_with_what_was_learned_lately_and_gets_the_skill_at_its_moment_all_the_same(
    skilled: Agent, owner: OwnedHivemind, tmp_path: Path
) -> None:
    begun = text_of(skilled.asks("SessionStart", "tuesday", source="startup"))
    assert begun.startswith(BRIEF_OPEN) and OPEN not in begun
    assert "make publish" in begun and len(begun.splitlines()) <= 2 + 5
    assert text_of(skilled.asks("SessionStart", "tuesday", source="resume")) == ""
    assert text_of(skilled.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="2")).count(
        OPEN
    )
    starts = [text_of(skilled.asks("SessionStart", f"day {n}", source="startup")) for n in range(2)]
    assert [bool(text) for text in starts] == [True, False], "the same news again and again is none"
    (tmp_path / "garden" / ".git").mkdir(parents=True)
    (tmp_path / "garden" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    stranger = Agent(owner, tmp_path / "garden")
    assert text_of(stranger.asks("SessionStart", "s", source="startup")) == ""


def test_news_that_a_host_cannot_tell_the_person_waits_for_one_that_can(skilled: Agent, owner: OwnedHivemind) -> None:
    skilled.host = "copilot"
    name = skilled.drop("sessionStart", "tuesday", sessionId="tuesday", source="new")
    assert json.loads(owner.answer(name))["additionalContext"].startswith(BRIEF_OPEN)
    skilled.host = "claude"
    said = [json.loads(owner.answer(skilled.drop("SessionStart", day, source="startup")) or b"{}") for day in "ab"]
    assert [bool(one.get("systemMessage")) for one in said] == [True, False]


def test_a_subagent_gets_what_its_session_was_given_already(skilled: Agent) -> None:
    assert text_of(skilled.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="2"))
    call = {"tool_name": "Agent", "tool_input": TASK, "tool_use_id": "a1"}
    assert skilled.asks("PreToolUse", "tuesday", **call) == {}, "the one who asks has read it"
    start = {"agent_id": "x", "agent_type": "writer"}
    assert OPEN in text_of(skilled.asks("SubagentStart", "tuesday", **start))
    run = {"tool_name": "Bash", "tool_input": {"command": "rsync -a site/ o:/srv"}, "tool_use_id": "b1"}
    assert skilled.asks("PreToolUse", "tuesday", agent_id="x", agent_type="writer", **run) == {}, "it knows by now"


@pytest.mark.parametrize("first", [TASK, OTHER])
def test_of_parallel_subagents_each_gets_what_its_own_task_needs(skilled: Agent, first: dict[str, str]) -> None:
    second = OTHER if first is TASK else TASK
    for n, task in enumerate((first, second)):
        skilled.drop("PreToolUse", "tuesday", tool_name="Agent", tool_input=task, tool_use_id=f"a{n}")
    told = [
        text_of(skilled.asks("SubagentStart", "tuesday", agent_id=id, agent_type="writer")).count(OPEN) for id in "xy"
    ]
    assert told == [task is TASK for task in (first, second)]


def test_a_task_that_was_refused_is_nobodys(skilled: Agent) -> None:
    call = {"tool_name": "Agent", "tool_input": TASK, "tool_use_id": "a1"}
    skilled.drop("PreToolUse", "tuesday", **call)
    skilled.drop("PostToolUseFailure", "tuesday", **call, error="no such agent")
    skilled.drop("PreToolUse", "tuesday", tool_name="Agent", tool_input=OTHER, tool_use_id="a2")
    assert skilled.asks("SubagentStart", "tuesday", agent_id="x", agent_type="writer") == {}


def test_the_call_that_asks_for_a_subagent_is_compared_by_its_task(skilled: Agent, owner: OwnedHivemind) -> None:
    skilled.asks("PreToolUse", "tuesday", tool_name="Agent", tool_input=TASK, tool_use_id="a1")
    (recall,) = (row.record for row in owner.store.find(Recall, session_id="tuesday", moment=Moment.TOOL_CALL))
    (candidate,) = recall.candidates
    prompt = owner.call("recall", {"query": TASK["prompt"], "cwd": str(skilled.project)})["candidates"][0]
    assert candidate.decision == "injected"
    assert candidate.score == pytest.approx(prompt["score"], abs=0.001)


def test_a_tool_of_another_server_is_compared_by_its_name_and_arguments(agent: Agent, owner: OwnedHivemind) -> None:
    call: dict[str, Any] = {
        "tool_name": "mcp__tickets__close_ticket",
        "tool_input": {"ticket": "4711", "resolution": "wontfix"},
        "tool_use_id": "m1",
    }
    agent.asks("UserPromptSubmit", "monday", prompt="tidy up the tickets", prompt_id="1")
    agent.asks("PreToolUse", "monday", **call)
    agent.drop("PostToolUse", "monday", tool_response="closed", **call)
    agent.drop("Stop", "monday", prompt_id="1", last_assistant_message="Done.", stop_hook_active=False)
    words = "no, never close a ticket as wontfix, always ask the reporter first"
    agent.drop("UserPromptSubmit", "monday", prompt=words, prompt_id="2")
    owner.settle()
    again = {**call, "tool_input": {"ticket": "4712", "resolution": "wontfix"}, "tool_use_id": "m2"}
    assert agent.asks("PreToolUse", "tuesday", **again)["permissionDecision"] == "deny"


def test_a_text_beyond_what_the_host_takes_is_shortened_by_whole_lines(
    skilled: Agent, owner: OwnedHivemind, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = text_of(skilled.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="2"))
    monkeypatch.setattr("hivemind_cli.hosts.claude.TEXT_CHARS_MAX", len(whole) - 1)
    short = text_of(skilled.asks("UserPromptSubmit", "later", prompt="deploy the docs site", prompt_id="3"))
    assert short.splitlines() == [*whole.splitlines()[:-2], CLOSE]


def test_each_recurrence_lets_it_be_said_once_more_and_no_oftener(skilled: Agent, owner: OwnedHivemind) -> None:
    said: list[int] = []
    call = {"tool_name": "Bash", "tool_input": {"command": "rsync -a site/ other:/srv"}}
    for turn in range(3):
        for n in range(2):
            fields = {"prompt": "deploy the docs site", "prompt_id": f"{turn}.{n}"}
            said.append(text_of(skilled.asks("UserPromptSubmit", "tuesday", **fields)).count(OPEN))
        if turn == 0:
            skilled.drop("PreToolUse", "tuesday", tool_use_id="b1", **call)
            skilled.drop("PostToolUse", "tuesday", tool_use_id="b1", **call, tool_response={"stdout": ""})
            end = {"prompt_id": "0.1", "last_assistant_message": "Done.", "stop_hook_active": False}
            skilled.drop("Stop", "tuesday", **end)
            owner.settle()
            assert [row.record.verdict for row in owner.store.find(Outcome)] == [Verdict.RECURRED]
    assert said == [1, 0, 1, 0, 0, 0]


def test_after_a_compaction_a_memo_is_said_as_the_skill_that_it_became(agent: Agent, owner: OwnedHivemind) -> None:
    agent.is_corrected()
    assert OPEN in text_of(agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="1"))
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    assert OPEN in text_of(agent.asks("SessionStart", "tuesday", source="compact"))
