"""An index whose newest documents are found at once, and written to disk when there is time.

A commit to disk takes as long as the disk wants; what a person said a moment ago must be recalled before that. The
cursor tells of both: after a crash the index on disk has an older one, and the store tells it the rest again.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hivemind_cli.index.base import Document, Index, Matched, Scope
from hivemind_cli.index.inmemory import InMemoryIndex

PENDING_MAX = 64
"""Documents that wait for the disk; more are written at once."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """What is not on disk yet."""

    changed: Mapping[str, Document | None] = field(default_factory=dict)
    """By id; None for what was dropped."""
    index: InMemoryIndex = field(default_factory=InMemoryIndex)

    @classmethod
    def of(cls, changed: Mapping[str, Document | None]) -> "_Pending":
        index = InMemoryIndex()
        index.update([one for one in changed.values() if one is not None], [], cursor=0)
        return cls(changed, index)


class FreshFirst:
    """An Index over `on_disk`, whose changes wait in memory until `flush`."""

    def __init__(self, on_disk: Index) -> None:
        self._on_disk = on_disk
        self._pending = _Pending()
        self._written = self._cursor = on_disk.cursor()
        self._changing = threading.Lock()
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        return f"FreshFirst({self._on_disk!r}, pending={len(self._pending.changed)})"

    def cursor(self) -> int:
        on_disk = self._on_disk.cursor()
        return self._cursor if on_disk == self._written else on_disk  # else it was damaged, and is begun anew

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        """Drops first, then puts: what is in both is there. On disk only after `flush`, or where it is much."""
        with self._changing:
            if self._on_disk.cursor() != self._written:
                self._written = self._on_disk.cursor()
            changed = {**self._pending.changed, **dict.fromkeys(drop), **{one.id: one for one in put}}
            self._pending, self._cursor = _Pending.of(changed), cursor
        if len(changed) > PENDING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one commit. Whoever searches, or updates, meanwhile does not wait for it."""
        if self._pending.changed:
            self._write()

    def match(self, query: str, scope: Scope, *, limit: int, ids: Collection[str] = ()) -> list[Matched]:
        pending = self._pending
        found = self._on_disk.match(query, scope, limit=limit, ids=ids)
        if not pending.changed:
            return found
        found = [one for one in found if one.document.id not in pending.changed]
        return found + pending.index.match(query, scope, limit=limit, ids=ids)

    def all(self, scope: Scope | None = None) -> list[Document]:
        pending = self._pending
        found = [one for one in self._on_disk.all(scope) if one.id not in pending.changed]
        return found + pending.index.all(scope)

    def close(self) -> None:
        """Write what waits, and release files. Idempotent."""
        if self.cursor() != self._on_disk.cursor():
            self._write()
        self._on_disk.close()

    def _write(self) -> None:
        with self._writing:
            with self._changing:
                changed, cursor = self._pending.changed, self._cursor
            put = [one for one in changed.values() if one is not None]
            self._on_disk.update(put, [id for id, one in changed.items() if one is None], cursor=cursor)
            with self._changing:
                if self._on_disk.cursor() != cursor:  # it was damaged, and wants everything again
                    return
                left = {id: one for id, one in self._pending.changed.items() if changed.get(id, id) is not one}
                self._pending, self._written = _Pending.of(left), cursor
