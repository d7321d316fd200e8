"""The engine of every process but the owner: ask the daemon."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.records import Record
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.schema import from_json, table_of
from hivemind_cli.storage.wire import filter_to_json, records_to_json

R = TypeVar("R", bound=Record)

Call = Callable[[str, dict[str, Any]], Any]
"""Sends one request (method, args) and gives its result, plain JSON; raises the HivemindError that came back
(`wire.error_from_json`), or DaemonError if nobody answers. Safe to call from any thread."""


class DaemonStore:
    """The Store that `call` reaches; storage/wire.py says what is sent."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._closed = False

    def __repr__(self) -> str:
        return f"DaemonStore({self._call!r})"

    def __enter__(self) -> "DaemonStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, records: Sequence[Record]) -> int:
        return int(self._ask("store.append", records=records_to_json(records))) if records else 0

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        return int(
            self._ask(
                "store.commit",
                stage=stage,
                outputs=records_to_json(outputs),
                cursor_from=cursor_from,
                cursor_to=cursor_to,
            )
        )

    def cursor(self, stage: str) -> int:
        return int(self._ask("store.cursor", stage=stage))

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
        """As Store.find, in pages. All rows newest first are read oldest first and turned round."""
        turned = newest_first and limit is None
        asked = {
            "kind": table_of(kind).kind.__name__,
            "newest_first": newest_first and not turned,
            "until": until,
            "since": filter_to_json(since),
            "equals": _filters(equals),
        }
        found: list[Row[R]] = []
        more = limit is None or limit > 0
        while more:
            left = None if limit is None else limit - len(found)
            answer = self._ask("store.find", **asked, after=found[-1].seq if found else after, limit=left)
            found += [Row(int(seq), cast(R, from_json(kind.__name__, record))) for seq, record in answer["rows"]]
            more = bool(answer["more"]) and bool(answer["rows"]) and (limit is None or len(found) < limit)
        return found[::-1] if turned else found

    def count(self, kind: type[R], /, *, since: datetime | None = None, **equals: Any) -> int:
        name = table_of(kind).kind.__name__
        return int(self._ask("store.count", kind=name, since=filter_to_json(since), equals=_filters(equals)))

    def prune(self, host: str, session_id: str, tombstone: Record, *, bury: bool = True) -> int:
        (plain,) = records_to_json([tombstone])
        return int(self._ask("store.prune", host=host, session_id=session_id, tombstone=plain, bury=bury))

    def rest(self) -> None:
        """The daemon knows when."""

    def close(self) -> None:
        """The daemon's store stays open: it is not ours."""
        self._closed = True

    def _ask(self, method: str, **args: Any) -> Any:
        if self._closed:
            raise StoreError("This store is closed.")
        return self._call(method, args)


def _filters(equals: dict[str, Any]) -> dict[str, Any]:
    """`equals` of a find or count, ready to send."""
    return {name: filter_to_json(value) for name, value in equals.items()}
