"""Debugging memory: problems as they were met, with error, tools and what helped; found by meaning and by words.

A table of hivemind's own, `debugging`, which SQL reads. Agents append to it; the errors that coding sessions got over
come by themselves, and go with their session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.core import redact
from hivemind_cli.core.errors import WrongValue
from hivemind_cli.core.ids import new_id
from hivemind_cli.storage.tables import Kind, Type
from hivemind_cli.tables.catalog import ColumnInfo
from hivemind_cli.tables.layout import MAIN

if TYPE_CHECKING:
    from hivemind_cli.tables.workspace import Workspace

NAME = "debugging"
COLUMNS = (
    ColumnInfo("id", Type(Kind.TEXT), not_null=True),
    ColumnInfo("task", Type(Kind.TEXT), not_null=True),
    ColumnInfo("outcome", Type(Kind.TEXT), not_null=True),
    ColumnInfo("error_trace", Type(Kind.TEXT)),
    ColumnInfo("tools_used", Type(Kind.TEXT)),
    ColumnInfo("metadata", Type(Kind.JSON)),
    ColumnInfo("sure", Type(Kind.DOUBLE)),
    ColumnInfo("occurred_at", Type(Kind.TIMESTAMP), not_null=True),
    ColumnInfo("host", Type(Kind.TEXT)),
    ColumnInfo("session_id", Type(Kind.TEXT)),
    ColumnInfo("project_id", Type(Kind.TEXT)),
    ColumnInfo("author", Type(Kind.TEXT)),
    ColumnInfo("about", Type(Kind.TEXT)),
    ColumnInfo("embedding", Type(Kind.VECTOR), embeds="about"),
)
_GIVEN = [column.name for column in COLUMNS if column.name not in ("about", "embedding")]
VECTOR_WEIGHT, TEXT_WEIGHT = 0.5, 0.5
ABOUT_CHARS_MAX = 4000
LIMIT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Debugged:
    """One row of `debugging`, and how well it fits what was asked for."""

    id: str
    task: str
    """What was to be done, or fixed."""
    outcome: str
    """Root cause and fix, in words."""
    error_trace: str
    tools_used: str
    """Names, commas between them."""
    metadata: dict[str, Any]
    sure: float | None
    """0..1, how sure it is that this helped; None: an agent appended it."""
    occurred_at: datetime
    host: str
    session_id: str
    project_id: str
    author: str
    score: float
    """Weighted sum of cosine and share of the words; higher is better."""


class Debugging:
    """Of one workspace. Safe to share between threads."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace

    def append(
        self,
        task: str,
        outcome: str,
        *,
        error_trace: str = "",
        tools_used: Sequence[str] | str = "",
        metadata: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
        branch: str = MAIN,
    ) -> str:
        """Keep one, durable when this returns; its id. Secrets in its words are replaced. WrongValue, BranchError."""
        for name, said in (("task", task), ("outcome", outcome)):
            if not isinstance(said, str) or not said.strip():
                raise WrongValue(f"A debugging trace needs its {name}.")
        tools = tools_used if isinstance(tools_used, str) else ", ".join(tools_used)
        row = {
            "id": new_id(),
            "task": redact.text(task),
            "outcome": redact.text(outcome),
            "error_trace": redact.text(error_trace),
            "tools_used": redact.text(tools),
            "metadata": redact.tree(dict(metadata or {})),
            "occurred_at": occurred_at or datetime.now(UTC),
        }
        row["about"] = about(str(row["task"]), str(row["error_trace"]), str(row["outcome"]))
        self._workspace.own_table(NAME, COLUMNS, ("id",))
        self._workspace.insert_own(NAME, {name: [value] for name, value in row.items()}, branch=branch)
        return str(row["id"])

    def search(
        self,
        query: str,
        *,
        limit: int = 3,
        vector_weight: float = VECTOR_WEIGHT,
        text_weight: float = TEXT_WEIGHT,
        branch: str = MAIN,
    ) -> list[Debugged]:
        """The issues most like `query` (a problem, or an error as it was printed), best first.

        vector_weight, text_weight  of meaning and of words in common
        """
        if self._workspace.own(NAME) is None:
            return []
        vector = self._workspace.embedding([query])[0]
        found = self._workspace.query(
            f"SELECT {', '.join(_GIVEN)}, hybrid(embedding, about, $1, $2, $3, $4) AS score FROM {NAME}"
            " ORDER BY score DESC LIMIT $5",
            [vector, query, float(vector_weight), float(text_weight), max(1, min(int(limit), LIMIT_MAX))],
            branch=branch,
        )
        return [Debugged(**{**row, **_filled(row)}) for row in found.dicts()]

    def count(self, *, branch: str = MAIN) -> int:
        """How many there are."""
        if self._workspace.own(NAME) is None:
            return 0
        ((count,),) = self._workspace.query(f"SELECT count(*) FROM {NAME}", branch=branch).rows
        return int(count)


def about(task: str, error_trace: str, outcome: str) -> str:
    """The text an issue is found by."""
    return "\n".join(part for part in (task, error_trace, outcome) if part)[:ABOUT_CHARS_MAX]


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    texts = ("error_trace", "tools_used", "host", "session_id", "project_id", "author")
    filled: dict[str, Any] = {name: row[name] or "" for name in texts}
    return {**filled, "metadata": row["metadata"] or {}, "score": float(row["score"] or 0.0)}
