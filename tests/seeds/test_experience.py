"""Experience replay, failure avoidance, strategy evolution: "retrieve past experiences before each new task"."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.seeds import pages
from tests.seeds.conftest import Address, Embed
from tests.seeds.pages import adapted, run

IMPORT = {"import deeplake": "from hivemind_cli import memory as deeplake"}
DEPLOY = "deploy the payments service to the staging cluster"
OTHERS = (
    ("translate the handbook into German", "machine translation", "success", 0.99, None),
    ("draw a logo for the team", "vector graphics", "failure", 0.2, "wrong colours"),
)


class Agent(dict[str, Any]):
    """The program's names: the page's own, and what it takes for granted."""

    def tried(self, task: str, approach: str, outcome: str, score: float, error: str | None) -> None:
        """Keep one more experience as the page does."""
        self["exp"].append(
            {
                "task": task,
                "task_embedding": self["embed"](task),
                "approach": approach,
                "tools_used": json.dumps(["bash"]),
                "outcome": outcome,
                "score": score,
                "error_message": error,
                "duration_seconds": 45,
                "timestamp": int(time.time()),
            }
        )


@pytest.fixture
def agent(address: Address, embed: Embed) -> Iterator[Agent]:
    """Which has stored one success by the page's first block, then more, and is about to deploy again."""
    agent = Agent(json=json, time=time, embed=embed, new_task=f"{DEPLOY} again")
    agent |= {"task_description": DEPLOY, "chosen_approach": "canary", "tools": ["kubectl", "helm"]}
    block = adapted(pages.EXPERIENCE_REPLAY, {**IMPORT, "al://my-org/agent-experience": address("agent-experience")})
    run(block, agent)
    agent["block"] = block
    yield agent
    agent["exp"].close()


def test_similar_successes_come_first_and_none_that_went_badly(agent: Agent) -> None:
    for other in OTHERS:
        agent.tried(*other)
    agent.tried(DEPLOY, "big bang", "failure", 0.1, "CrashLoopBackOff")
    agent.tried(DEPLOY, "by hand", "success", 0.5, None)
    run(agent["block"], agent)
    found = agent["relevant"]
    assert found[0] == {
        "task": DEPLOY, "approach": "canary", "outcome": "success", "score": 0.92, "error_message": None,
    }  # fmt: skip
    assert [row["approach"] for row in found] == ["canary", "canary", "machine translation"]


def test_what_went_wrong_with_similar_tasks_is_known_before_the_next(agent: Agent) -> None:
    for other in OTHERS:
        agent.tried(*other)
    agent.tried(DEPLOY, "big bang", "failure", 0.1, "CrashLoopBackOff: the queue was not drained")
    run(pages.FAILURE_AVOIDANCE, agent)
    assert [row["approach"] for row in agent["failures"]] == ["big bang", "vector graphics"]
    assert agent["failures"][0]["error_message"] == "CrashLoopBackOff: the queue was not drained"


def test_the_best_strategy_for_this_type_of_task_comes_first(agent: Agent) -> None:
    for approach, score in (("canary", 0.7), ("big bang", 0.3), ("big bang", 0.4), ("by hand", 0.6)):
        agent.tried(DEPLOY, approach, "success", score, None)
    agent.tried("draw a logo for the team", "vector graphics", "success", 1.0, None)
    run(pages.STRATEGY_EVOLUTION, agent)
    found = agent["best_strategies"]
    assert [(row["approach"], row["attempts"]) for row in found] == [("canary", 2), ("by hand", 1), ("big bang", 2)]
    assert [row["avg_score"] for row in found] == pytest.approx([0.81, 0.6, 0.35])


class Judge:
    """The page's `llm`."""

    def evaluate(self, task: str, approach: str, result: dict[str, Any]) -> dict[str, Any]:
        return result["judged"]  # type: ignore[no-any-return]


def test_an_agent_improves_itself_act_evaluate_store_retrieve(address: Address, embed: Embed) -> None:
    agent: dict[str, Any] = {"time": time, "embed": embed, "llm": Judge()}
    columns = adapted(pages.EXPERIENCE_STORE, {**IMPORT, "al://my-org/agent-experiences": address("agent-experiences")})
    run(columns, agent)
    run(pages.BEFORE_ACTING, agent)
    run(pages.AFTER_ACTING, agent)
    recall, store = agent["get_relevant_experience"], agent["evaluate_and_store"]
    assert recall(DEPLOY) == "Past experience with similar tasks:\n"
    lesson = {"outcome": "failure", "score": 0.25, "lessons": "drain the queue first"}
    store(DEPLOY, "big bang", {"judged": lesson, "tokens": 900, "duration": 12.5})
    lesson = {"outcome": "success", "score": 1.0, "lessons": "ask a native speaker"}
    store("translate the handbook into German", "machine translation", {"judged": lesson, "tokens": 1, "duration": 1})
    assert recall(f"{DEPLOY} again", top_k=1) == (
        "Past experience with similar tasks:\n"
        f"- Task: {DEPLOY}\n Approach: big bang\n Outcome: failure (score: 0.25)\n Lesson: drain the queue first\n\n"
    )
    assert recall(DEPLOY).index("drain the queue") < recall(DEPLOY).index("native speaker")
    (kept,) = agent["experiences"].query("SELECT metadata FROM agent_experiences WHERE outcome = 'failure'")
    assert kept["metadata"] == {"tokens_used": 900, "duration": 12.5}
    run(columns, agent)  # the next day: the columns are there, and so is what was learned
    assert "drain the queue first" in recall(DEPLOY)
    agent["experiences"].close()
