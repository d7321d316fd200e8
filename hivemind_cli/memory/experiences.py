"""What was tried for which task, and how it went: appended by agents, fed by coding sessions, asked before acting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.tables import wire

if TYPE_CHECKING:
    from hivemind_cli.memory.database import Database
    from hivemind_cli.tables.experiences import PastExperience, Strategy


class Experiences:
    """The experience store of a workspace; the table `experiences`, which SQL reads.

    Act, evaluate, store, retrieve (the loop of Deeplake's "How to build a self-improving AI agent"):

        context = db.experiences.render(task)                      # before: what worked, what to avoid
        result = agent.act(task, context)
        db.experiences.evaluate_and_store(task, approach, result)  # after
    """

    def __init__(self, db: "Database") -> None:
        """`Database.experiences` makes one."""
        self._db = db

    def append(
        self,
        task: str,
        approach: str,
        outcome: str,
        score: float,
        *,
        lessons: str = "",
        error_trace: str = "",
        tools_used: Sequence[str] | str = (),
        metadata: Mapping[str, Any] | None = None,
        duration_s: float | None = None,
        tokens: int | None = None,
        occurred_at: datetime | None = None,
    ) -> str:
        """Keep one, durable when this returns; its id. Secrets in its words are replaced.

        outcome      success, partial or failure
        score        0..1
        tools_used   names, as a list or with commas between them
        occurred_at  aware; None: now
        raises       WrongValue: an outcome or score that is none, no task, NUL characters
        """
        return str(
            self._ask(
                "append",
                reads=False,
                task=task,
                approach=approach,
                outcome=outcome,
                score=score,
                lessons=lessons,
                error_trace=error_trace,
                tools_used=tools_used,
                metadata=metadata,
                duration_s=duration_s,
                tokens=tokens,
                occurred_at=occurred_at,
            )
        )

    def replay(
        self, task: str, *, limit: int = 5, score_min: float = 0.8, similarity_min: float | None = None
    ) -> "list[PastExperience]":
        """What worked for similar tasks: successes above `score_min` (0..1), the most similar task first.

        similarity_min   cosine, -1..1; None: however unlike
        """
        return self._past("replay", task=task, limit=limit, score_min=score_min, similarity_min=similarity_min)

    def failures(self, task: str, *, limit: int = 3, similarity_min: float | None = None) -> "list[PastExperience]":
        """What failed for similar tasks, with its error and lesson, the most similar task first."""
        return self._past("failures", task=task, limit=limit, similarity_min=similarity_min)

    def search(self, task: str, *, limit: int = 5, similarity_min: float | None = None) -> "list[PastExperience]":
        """Whatever came of similar tasks, the most similar first."""
        return self._past("search", task=task, limit=limit, similarity_min=similarity_min)

    def newest(self, *, limit: int = 20, outcome: str = "") -> "list[PastExperience]":
        """Whatever was tried last, newest first; of one outcome, or of any."""
        return self._past("newest", limit=limit, outcome=outcome)

    def get(self, id: str) -> "PastExperience":
        """By its id. WrongValue: there is none."""
        return self._one(self._ask("get", id=id))

    def strategies(self, task: str, *, similarity_min: float | None = None, limit: int = 3) -> "list[Strategy]":
        """Approaches to tasks like this one by mean score, the best first, with attempts and a 95 % interval.

        similarity_min   cosine above which a task is like this one; None: 0.85
        """
        from hivemind_cli.tables.experiences import Strategy

        said: dict[str, Any] = {} if similarity_min is None else {"similarity_min": similarity_min}
        found = self._ask("strategies", task=task, limit=limit, **said)
        return [wire.shape_from_json(Strategy, one) for one in found]

    def evaluate_and_store(
        self,
        task: str,
        approach: str,
        result: Mapping[str, Any],
        *,
        tools_used: Sequence[str] | str = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> "PastExperience":
        """Have it judged how it went, by the configured LLM if there is one, and keep that.

        result   what came of it, JSON; its own `outcome`, `score`, `lessons` or `error` count where nobody can be
                 asked; `duration` (s) and `tokens` are kept
        raises   WrongValue: there is nobody to ask, and `result` does not say; ProviderError: the provider failed
        """
        said: dict[str, Any] = {"task": task, "approach": approach, "result": result, "tools_used": tools_used}
        return self._one(self._ask("evaluate_and_store", reads=False, **said, metadata=metadata))

    def render(
        self, task: str, *, limit: int = 5, failures: int = 3, tokens_max: int = 800, similarity_min: float = 0.3
    ) -> str:
        """Text for a prompt: what worked for similar tasks and what to avoid; "" if nothing is known.

        tokens_max   of the text, about; what does not fit is left out, the least similar first
        """
        said: dict[str, Any] = {
            "limit": limit,
            "failures": failures,
            "tokens_max": tokens_max,
            "similarity_min": similarity_min,
        }
        return str(self._ask("render", task=task, **said))

    def count(self) -> int:
        """How many there are."""
        return int(self._ask("count"))

    def __repr__(self) -> str:
        return f"Experiences(workspace={self._db.workspace!r}, branch={self._db.branch_name!r})"

    def _ask(self, method: str, *, reads: bool = True, **args: Any) -> Any:
        said = {name: wire.value_to_json(value) for name, value in args.items()}
        return self._db._ask(f"experiences.{method}", said, reads=reads)

    def _past(self, method: str, **args: Any) -> "list[PastExperience]":
        return [self._one(one) for one in self._ask(method, **args)]

    def _one(self, said: Any) -> "PastExperience":
        from hivemind_cli.tables.experiences import PastExperience

        return wire.shape_from_json(PastExperience, said)
