"""Debugging memory: problems, their errors and what resolved them, found by meaning and by words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.tables import wire

if TYPE_CHECKING:
    from hivemind_cli.memory.database import Database
    from hivemind_cli.tables.debugging import Debugged


class Debugging:
    """Of a workspace; the table `debugging`, which SQL reads. What coding sessions got over comes by itself."""

    def __init__(self, db: "Database") -> None:
        """`Database.debugging` makes one."""
        self._db = db

    def append(
        self,
        task: str,
        outcome: str,
        *,
        error_trace: str = "",
        tools_used: Sequence[str] | str = "",
        metadata: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
    ) -> str:
        """Keep one, durable when this returns; its id. Secrets in its words are replaced.

        outcome   root cause and fix, in words
        raises    WrongValue: no task, no outcome, NUL characters
        """
        said: dict[str, Any] = {"task": task, "outcome": outcome, "error_trace": error_trace, "tools_used": tools_used}
        return str(self._ask("append", reads=False, **said, metadata=metadata, occurred_at=occurred_at))

    def search(
        self, query: str, *, limit: int = 3, vector_weight: float = 0.5, text_weight: float = 0.5
    ) -> "list[Debugged]":
        """The issues most like `query` (a problem in words, or an error as it was printed), best first.

        vector_weight, text_weight   of meaning, and of words in common
        """
        from hivemind_cli.tables.debugging import Debugged

        said: dict[str, Any] = {
            "query": query,
            "limit": limit,
            "vector_weight": vector_weight,
            "text_weight": text_weight,
        }
        return [wire.shape_from_json(Debugged, one) for one in self._ask("search", **said)]

    def count(self) -> int:
        """How many there are."""
        return int(self._ask("count"))

    def __repr__(self) -> str:
        return f"Debugging(workspace={self._db.workspace!r}, branch={self._db.branch_name!r})"

    def _ask(self, method: str, *, reads: bool = True, **args: Any) -> Any:
        said = {name: wire.value_to_json(value) for name, value in args.items()}
        return self._db._ask(f"debugging.{method}", said, reads=reads)
