"""A toolset for pydantic-ai: an agent that remembers what was tried, and whose run survives a crash.

    from hivemind_cli import memory
    from hivemind_cli.memory.pydantic_ai import memory_toolset

    with memory.connect("hivemind://payments-service") as db:
        agent = Agent(model, toolsets=[memory_toolset(db, run_id="run-42")])

Needs `pip install 'hivemind-loop[pydantic-ai]'`. Source: pydantic_ai.toolsets.FunctionToolset, pydantic-ai 2.
"""

from typing import TYPE_CHECKING, Any, Literal

from hivemind_cli.core.errors import ConfigError, TablesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.toolsets import FunctionToolset

    from hivemind_cli.memory.database import Database

ID = "hivemind"
ROWS_MAX = 100
"""Of one answer to a query: more would fill the model's context."""
INSTRUCTIONS = (
    "Before a task, call recall_experiences: it says what worked for similar tasks and what to avoid."
    " After it, call remember_experience with how it went."
)
RUN_INSTRUCTIONS = " Call resume_run first: it says which steps are done. Call record_step after each step."


def memory_toolset(db: "Database", *, run_id: str | None = None) -> "FunctionToolset[Any]":
    """Tools over a workspace: recall and remember experiences, query tables, and, with a run, its steps.

    db      the workspace and branch; not closed here
    run_id  the run whose steps `record_step` and `resume_run` keep; None: these two are left out
    raises  ConfigError: pydantic-ai is not installed
    """
    try:
        from pydantic_ai.exceptions import ModelRetry
        from pydantic_ai.toolsets import FunctionToolset
    except ImportError as exc:
        raise ConfigError("pydantic-ai is not installed.", fix="pip install 'hivemind-loop[pydantic-ai]'") from exc

    def told(work: "Callable[[], Any]") -> Any:
        """A statement or value that will not do is the model's to mend."""
        try:
            return work()
        except TablesError as exc:
            raise ModelRetry(str(exc)) from exc

    tools = _about_experiences(db, told) + (_about_run(db, run_id, told) if run_id else [])
    said = INSTRUCTIONS + (RUN_INSTRUCTIONS if run_id else "")
    return FunctionToolset(tools, id=ID, instructions=said)


def _about_experiences(db: "Database", told: "Callable[[Callable[[], Any]], Any]") -> "list[Callable[..., Any]]":
    def recall_experiences(task: str) -> str:
        """What worked for tasks like this one, and what to avoid.

        Args:
            task: The task at hand, in a sentence or two.
        """
        return str(told(lambda: db.experiences.render(task))) or "Nothing is known about such tasks yet."

    def remember_experience(
        task: str,
        approach: str,
        outcome: Literal["success", "partial", "failure"],
        score: float,
        lessons: str = "",
        error_trace: str = "",
    ) -> str:
        """Keep how a task went, for next time.

        Args:
            task: What was to be done.
            approach: What was done.
            outcome: How it went.
            score: From 0 (useless) to 1 (all that was asked for).
            lessons: What to do otherwise next time.
            error_trace: The error, if there was one.
        """
        told(lambda: db.experiences.append(task, approach, outcome, score, lessons=lessons, error_trace=error_trace))
        return "Kept."

    def query_memory(sql: str) -> list[dict[str, Any]]:
        """Rows of one SELECT over this workspace's tables (PostgreSQL's SQL; read only), the first hundred.

        Args:
            sql: One SELECT statement. bm25(column, 'words') scores text.
        """

        def rows() -> list[dict[str, Any]]:
            found = []
            with db.stream(sql, batch_rows=ROWS_MAX) as stream:
                for row in stream:
                    found.append({name: _plain(value) for name, value in row.items()})
                    if len(found) == ROWS_MAX:
                        break
            return found

        return list(told(rows))

    return [recall_experiences, remember_experience, query_memory]


def _about_run(db: "Database", run_id: str, told: "Callable[[Callable[[], Any]], Any]") -> "list[Callable[..., Any]]":
    def record_step(action: str, observation: str = "", state: dict[str, Any] | None = None) -> str:
        """Keep one step of this run, durably.

        Args:
            action: What was done.
            observation: What came of it.
            state: All that is needed to go on from here.
        """
        made = told(lambda: db.run(run_id).step(action=action, observation=observation, state=state))
        return f"Step {made.step} is kept."

    def resume_run() -> dict[str, Any]:
        """The last step of this run that is done, the state after it, and the number of the next one."""
        found = told(lambda: db.run(run_id).resume())
        return {"step": found.step, "state": found.state, "next_step": found.next_step}

    return [record_step, resume_run]


def _plain(value: Any) -> Any:
    """A vector as a list."""
    return value.tolist() if hasattr(value, "tolist") else value
