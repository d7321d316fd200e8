"""The Store port: records in, records out. What `InMemoryStore` does is what `Store` means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from hivemind_cli.core.records import Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Row(Generic[R]):
    """A stored record and its place in the order of storing."""

    seq: int
    """Per record type; grows by storing order, starts at 1. What cursors count."""
    record: R


class Store(Protocol):
    """Append-only records with cursors. Every call is atomic; safe to share between threads.

    Vendor errors never escape: StoreError and its children are raised instead.
    """

    def append(self, records: Sequence[Record]) -> int:
        """Store what is new, all or nothing; how many were.

        A record is not new if its id is stored, or (Event) its (host, session_id, native_key) is.
        Of a session with a Tombstone no Event, Correction, Judgement, Experience, Recall or Outcome is stored, nor a
        SkillRevision or GateSkip that a stage under way made of its corrections.
        Order is kept: later in `records`, higher seq.

        VersionTaken, and nothing stored: a new SkillRevision has the skill_id and version of another one.
        """

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        """`append(outputs)` and move the cursor of `stage`, in one transaction.

        CursorMoved, and nothing stored, if the cursor is not at `cursor_from`; VersionTaken as `append`, and the
        cursor stays where it was.
        """

    def cursor(self, stage: str) -> int:
        """How far `stage` has read; 0 if it never ran."""

    def find(
        self,
        kind: type[R],
        /,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        since: datetime | None = None,
        **equals: Any,
    ) -> list[Row[R]]:
        """Rows with `after` < seq <= `until`, in seq order (or newest first), whose fields equal `equals`.

        A tuple or list as a value means any of these. `since` bounds occurred_at from below.
        StoreError for a field the record does not have.
        """

    def count(self, kind: type[R], /, *, since: datetime | None = None, **equals: Any) -> int:
        """How many rows `find` would give without a limit."""

    def prune(self, host: str, session_id: str, tombstone: Record, *, bury: bool = True) -> int:
        """Delete the session and what was made of it; store `tombstone`. How many rows were deleted.

        Not `bury`: the tombstone only names the session and the time; it is not stored, and the session may come back.

        Its events, corrections, judgements, experiences, recalls, outcomes and marks go, and the outcomes of its
        memos; what rests on its corrections (`forgetting.fallout`): versions of skills, gate skips, and notices about
        them. A skill left without a version gets a blank retired one. Other sessions' recalls no longer hold their
        words.
        """

    def rest(self) -> None:
        """There is no flood just now: tidy up, and give memory back. It may take a while, and changes no record."""

    def close(self) -> None:
        """Release the engine. Idempotent."""
