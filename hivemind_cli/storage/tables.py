"""The Tables port: SQL in, typed rows out. What the agents' own tables stand on; the loop's records are the Store's.

An engine runs SQL that `hivemind_cli.tables` wrote: it knows nothing of branches, workspaces or scoring. Values are
always bound, as $1, $2 ... in both engines. Vendor errors never escape: TablesError or another StoreError.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
LOOP_VIEWS = (
    *("sessions", "corrections", "skills", "recalls", "outcomes", "costs", "judgements"),
    *("attempts", "fixes"),
)
"""The stable face of the loop's records: to be read beside a workspace's own tables, never written."""


class Kind(StrEnum):
    """What a column holds, and how it is said in Python."""

    TEXT = "text"
    """str without NUL."""
    JSON = "json"
    """Anything JSON can say; bound and given as Python values (dict, list, str, ...), never as text."""
    VECTOR = "vector"
    """float32 [dim]; bound as a sequence of numbers or a numpy array, given as a numpy array."""
    INT = "int"
    """32 bits."""
    BIGINT = "bigint"
    """64 bits."""
    REAL = "real"
    """32 bits."""
    DOUBLE = "double"
    """64 bits."""
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    """Aware datetime in UTC, to the microsecond."""


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type."""

    kind: Kind
    dim: int = 0
    """Of a vector; 0: not known until the first row."""

    def __str__(self) -> str:
        return f"vector({self.dim})" if self.kind is Kind.VECTOR and self.dim else str(self.kind)


@dataclass(frozen=True, slots=True)
class Result:
    """Rows and what they are. Values as `Kind` says; NULL is None; a type no Kind covers is given as text."""

    names: tuple[str, ...]
    types: tuple[Type, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """A dict a row."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


Relations = Mapping[str, Mapping[str, "NDArray[np.generic]"]]
"""Small tables a read may name as if they stood in the database: name -> column -> int64 or float64 array."""


class Transaction(Protocol):
    """What can be done inside `Tables.write`. All of it is there afterwards, or nothing."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement of the engine's own SQL; its rows, if it gives any (RETURNING, SELECT)."""

    def insert(self, table: str, columns: Mapping[str, tuple[Type, Sequence[Any]]]) -> None:
        """Many rows at once: name -> (type, one value a row). A vector column may be a float32 [rows, dim] array.

        `table` as `Tables.qualified` names it.
        """

    def numbers(self, count: int) -> int:
        """The first of `count` consecutive numbers, each larger than all given before. Never given twice."""


class Tables(Protocol):
    """A database. Safe to share between threads; readers never wait for writers."""

    dialect: str
    """sqlglot's name of the SQL it speaks: duckdb or postgres."""
    next_number: str
    """SQL of one such number as `Transaction.numbers` gives, for INSERT ... SELECT."""
    url: str
    """Names the database; without a password."""

    @property
    def commits(self) -> int | None:
        """Larger after each commit of a writer, before that writer is told; None: others write here unseen."""

    def changes(self, name: str) -> int | None:
        """The same for one table of ours (its plain name): it grows with commits that may have written there."""

    def qualified(self, name: str) -> str:
        """How SQL names a table of ours: quoted, with its schema."""

    def loop_view(self, name: str) -> str | None:
        """How SQL names the loop's stable view `name` (sessions, corrections ...); None: it is not in this database."""

    def type_sql(self, type: Type) -> str:
        """How CREATE TABLE says it."""

    def read(self, sql: str, values: Sequence[Any] = (), *, relations: Relations | None = None) -> Result:
        """All rows of one SELECT. It cannot write, whatever it says."""

    def stream(
        self, sql: str, values: Sequence[Any] = (), *, batch_rows: int = 10_000, relations: Relations | None = None
    ) -> AbstractContextManager[Iterator[Result]]:
        """The same rows, a batch at a time, in bounded memory."""

    def arrays(self, sql: str, values: Sequence[Any] = ()) -> "dict[str, NDArray[Any]]":
        """The columns of one SELECT, for very many rows: numbers as such, str and float32 arrays as objects.

        A column with a NULL among its values is a masked array.
        """

    def nearest(
        self, table: str, column: str, vector: Sequence[float], count: int
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]] | None":
        """_hm_seq and cosine similarity of nearly all of the `count` nearest versions, highest first; ties together.

        By an index of the engine's own: `table` (its plain name) may not have one, or not yet; then None.
        """

    def write(self, work: Callable[[Transaction], T]) -> T:
        """`work` in one transaction, durable when this returns.

        Those who come together may share a commit, so `work` may be run again, and must do nothing but through its
        Transaction. Writers are in line: numbers are given in the order of commits, also between machines.
        """

    def close(self) -> None:
        """Release it. Idempotent."""
