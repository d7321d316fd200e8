"""LangGraph's checkpointer on hivemind: real graphs stop, resume, fork, and go on in another process."""

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest

pytest.importorskip("langgraph", reason="LangGraph is not installed: pip install -e '.[dev,langgraph]'")

from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from hivemind_cli import memory
from hivemind_cli.memory.langgraph import HivemindSaver


class State(TypedDict):
    """Of the graph."""

    said: Annotated[list[str], operator.add]
    tries: int


def built(saver: Any, fails: list[bool] | None = None) -> Any:
    """plan -> (look, read) -> act, which asks a person; `fails` says whether `read` dies."""

    def plan(state: State) -> dict[str, Any]:
        return {"said": ["plan"], "tries": state.get("tries", 0) + 1}

    def look(state: State) -> dict[str, Any]:
        return {"said": ["look"]}

    def read(state: State) -> dict[str, Any]:
        if fails and fails.pop():
            raise RuntimeError("died")
        return {"said": ["read"]}

    def act(state: State) -> dict[str, Any]:
        return {"said": [f"act {interrupt('sure?')}"]}

    graph = StateGraph(State)
    for node in (plan, look, read, act):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "look")
    graph.add_edge("plan", "read")
    graph.add_edge(["look", "read"], "act")
    graph.add_edge("act", END)
    return graph.compile(checkpointer=saver)


def thread(name: str = "t") -> Any:
    return {"configurable": {"thread_id": name}}


def test_a_graph_resumes_after_an_interrupt_and_after_a_crash(db: memory.Database) -> None:
    fails = [True]
    with pytest.raises(RuntimeError, match="died"):
        built(HivemindSaver(db), fails).invoke({"said": ["go"], "tries": 0}, thread())
    with memory.connect(f"hivemind://{db.workspace}", home=db._link.paths.root) as other:
        saver = HivemindSaver(other)
        asked = built(saver).invoke(None, thread())  # `look` is not run again: its write was kept
        assert asked["said"] == ["go", "plan", "look", "read"] and asked["__interrupt__"][0].value == "sure?"
    found = built(HivemindSaver(db)).invoke(Command(resume="yes"), thread())
    assert found == {"said": ["go", "plan", "look", "read", "act yes"], "tries": 1}
    rows = db.query("SELECT count(*) AS n FROM langgraph_checkpoints WHERE thread_id = $1", ["t"])
    assert rows[0]["n"] == len(list(built(HivemindSaver(db)).get_state_history(thread())))


def test_it_says_what_the_saver_in_memory_says(db: memory.Database) -> None:
    told = []
    for saver in (InMemorySaver(), HivemindSaver(db)):
        graph = built(saver)
        graph.invoke({"said": ["a"], "tries": 0}, thread())
        graph.invoke(Command(resume="ok"), thread())
        graph.invoke({"said": ["b"], "tries": 5}, thread("other"))
        past = list(graph.get_state_history(thread()))
        forked = graph.invoke(None, past[-2].config)  # from the first step on, once more
        graph.update_state(thread(), {"said": ["by hand"], "tries": 9}, as_node="act")
        history = [
            (one.values, one.next, one.metadata["step"], one.metadata["source"], len(one.tasks))
            for one in graph.get_state_history(thread())
        ]
        filtered = [
            one.metadata["step"] for one in graph.get_state_history(thread(), filter={"source": "loop"}, limit=3)
        ]
        before = list(saver.list(thread(), before=past[0].config, limit=2))
        told.append((history, filtered, [one.metadata["step"] for one in before], forked["said"]))
        assert len({one.config["configurable"]["thread_id"] for one in saver.list(None)}) == 2
    assert told[0] == told[1] and len(told[0][0]) > 5


def test_a_branch_goes_on_by_itself_and_a_merge_brings_its_checkpoints(db: memory.Database) -> None:
    built(HivemindSaver(db)).invoke({"said": ["go"], "tries": 0}, thread())
    idea = db.branch("idea")
    done = built(HivemindSaver(idea)).invoke(Command(resume="there"), thread())
    assert done["said"][-1] == "act there"
    assert built(HivemindSaver(db)).get_state(thread()).next == ("act",)
    db.merge("idea")
    assert built(HivemindSaver(db)).get_state(thread()).values == done


def test_async_graphs_run_on_it(db: memory.Database) -> None:
    async def run() -> Any:
        saver = HivemindSaver(db)
        graph = built(saver)
        await graph.ainvoke({"said": ["go"], "tries": 0}, thread())
        await graph.ainvoke(Command(resume="on"), thread())
        steps = [one.metadata["step"] async for one in saver.alist(thread())]
        await saver.acopy_thread("t", "copied")
        await saver.adelete_thread("t")
        return steps, await saver.aget_tuple(thread()), (await graph.aget_state(thread("copied"))).values["said"]

    steps, gone, copied = asyncio.run(run())
    assert steps == sorted(steps, reverse=True) and len(steps) > 3 and gone is None and copied[-1] == "act on"


def test_a_write_is_kept_once_and_an_error_anew(db: memory.Database) -> None:
    saver = HivemindSaver(db)
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": "inner|ü"}}
    placed = saver.put(config, empty_checkpoint(), {"source": "input", "step": -1, "run_id": "r1"}, {})
    for value in ("first", "second"):
        saver.put_writes(placed, [("channel", value), ("__error__", value)], "task")
    found = saver.get_tuple(config)
    assert {(channel, value) for _, channel, value in found.pending_writes} == {
        ("channel", "first"),
        ("__error__", "second"),
    }
    saver.delete_for_runs(["r1"])
    assert saver.get_tuple(config) is None and not db.query("SELECT 1 FROM langgraph_writes")
