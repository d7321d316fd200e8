"""pydantic-ai's toolset on hivemind: a real agent with a model that is played by the test."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed: pip install -e '.[dev,pydantic-ai]'")

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from hivemind_cli import memory
from hivemind_cli.memory.pydantic_ai import memory_toolset


def played(calls: list[tuple[str, dict[str, Any]]], heard: list[Any], tools: set[str]) -> FunctionModel:
    """A model that makes these calls one by one and keeps what it hears."""
    left = list(calls)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        tools.update(tool.name for tool in info.function_tools)
        heard.extend(part.content for part in messages[-1].parts if isinstance(part, (ToolReturnPart, RetryPromptPart)))
        if not left:
            return ModelResponse(parts=[TextPart("done")])
        name, args = left.pop(0)
        return ModelResponse(parts=[ToolCallPart(name, args)])

    return FunctionModel(answer)


def test_an_agent_remembers_recalls_and_resumes(db: memory.Database) -> None:
    heard: list[Any] = []
    tools: set[str] = set()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("resume_run", {}),
        ("recall_experiences", {"task": "fix the build of the parser"}),
        ("record_step", {"action": "edit", "observation": "green", "state": {"file": 3}}),
        (
            "remember_experience",
            {"task": "fix the build of the parser", "approach": "pin the grammar", "outcome": "success", "score": 0.9},
        ),
        ("query_memory", {"sql": "DELETE FROM steps"}),
        ("query_memory", {"sql": "SELECT run_id, step, action FROM steps"}),
        ("recall_experiences", {"task": "fix the build of the parser"}),
    ]
    agent = Agent(played(calls, heard, tools), toolsets=[memory_toolset(db, run_id="run-42")], retries=3)
    assert asyncio.run(agent.run("go")).output == "done"
    assert tools == {"recall_experiences", "remember_experience", "query_memory", "record_step", "resume_run"}
    assert heard[0] == {"step": 0, "state": None, "next_step": 1}
    assert (
        heard[1] == "Nothing is known about such tasks yet." and heard[2] == "Step 1 is kept." and heard[3] == "Kept."
    )
    assert "writes" in str(heard[4]) and heard[5] == [{"run_id": "run-42", "step": 1, "action": "edit"}]
    assert "pin the grammar" in heard[6]
    assert db.run("run-42").resume().state == {"file": 3}


def test_without_a_run_there_are_no_steps(db: memory.Database) -> None:
    tools: set[str] = set()
    asyncio.run(Agent(played([], [], tools), toolsets=[memory_toolset(db)]).run("go"))
    assert tools == {"recall_experiences", "remember_experience", "query_memory"}
