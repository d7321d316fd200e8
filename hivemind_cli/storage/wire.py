"""The store's requests as JSON: the owner's side (`handle`), and what both sides share.

    method          args                                                        result
    store.append    records: [[kind, record]]                                   int
    store.commit    stage, outputs: [[kind, record]], cursor_from, cursor_to    int
    store.cursor    stage                                                       int
    store.find      kind, after, until, limit, newest_first, since, equals      {rows: [[seq, record]], more: bool}
    store.count     kind, since, equals                                         int
    store.prune     host, session_id, tombstone: [kind, record], bury           int

`since` is null or {"$time": ISO 8601}; so is a time in `equals`. An error crosses as {type, what, why, fix}.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hivemind_cli.core.errors import HivemindError, StoreError
from hivemind_cli.core.records import Record
from hivemind_cli.storage.base import Row, Store
from hivemind_cli.storage.schema import from_json, naive_utc, table_named, text, to_json

Args = Mapping[str, Any]

PAGE_ROWS = 2000
"""Rows in one answer to an unlimited `find`, at most."""
PAGE_CHARS = 4_000_000
"""A page ends after about so much JSON: rows may be 64 KB a field."""


def handle(store: Store, method: str, args: Args) -> Any:
    """Do what a caller asked of `store`; the plain JSON result.

    HivemindError as the store raises it; StoreError for an unknown method or arguments that make no sense.
    """
    answer = _METHODS.get(method)
    if answer is None:
        raise StoreError(f"The store has no method {method!r}.", why=f"It has {', '.join(_METHODS)}.")
    try:
        return answer(store, args)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise StoreError(f"The request {method!r} makes no sense.", why=f"{type(exc).__name__}: {exc}.") from exc


def error_to_json(error: Exception) -> dict[str, str]:
    """What the other side needs to raise the same error. A bug crosses as a HivemindError that names it."""
    if isinstance(error, HivemindError):
        said = {"what": error.what, "why": error.why, "fix": error.fix}
        return {"type": type(error).__name__} | {name: text(value) for name, value in said.items()}
    what = text(f"The daemon failed: {type(error).__name__}: {error}")
    return {"type": HivemindError.__name__, "what": what, "why": "", "fix": "Run `hivemind doctor`."}


def error_from_json(value: Mapping[str, Any]) -> HivemindError:
    """The error to raise; of a class this version does not know, the root."""
    kinds = {kind.__name__: kind for kind in _family(HivemindError)}
    kind = kinds.get(str(value.get("type")), HivemindError)
    return kind(str(value.get("what", "")), why=str(value.get("why", "")), fix=str(value.get("fix", "")))


def records_to_json(records: Iterable[Record]) -> list[list[Any]]:
    """[kind, record] each."""
    return [[type(record).__name__, to_json(record)] for record in records]


def records_from_json(value: Sequence[Sequence[Any]]) -> list[Record]:
    """The records that `records_to_json` described."""
    return [from_json(kind, record) for kind, record in value]


def filter_to_json(value: Any) -> Any:
    """A value of `equals`, or `since`."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [filter_to_json(inner) for inner in value]
    if isinstance(value, datetime):
        return {"$time": naive_utc(value).isoformat()}
    return text(value) if isinstance(value, str) else value


def filter_from_json(value: Any) -> Any:
    """What `filter_to_json` described."""
    if isinstance(value, list):
        return [filter_from_json(inner) for inner in value]
    if isinstance(value, Mapping):
        return datetime.fromisoformat(value["$time"]).replace(tzinfo=UTC)
    return value


def _append(store: Store, args: Args) -> int:
    return store.append(records_from_json(args["records"]))


def _commit(store: Store, args: Args) -> int:
    outputs = records_from_json(args["outputs"])
    cursor_from, cursor_to = int(args["cursor_from"]), int(args["cursor_to"])
    return store.commit(str(args["stage"]), outputs, cursor_from=cursor_from, cursor_to=cursor_to)


def _cursor(store: Store, args: Args) -> int:
    return store.cursor(str(args["stage"]))


def _find(store: Store, args: Args) -> dict[str, Any]:
    kind = table_named(args["kind"]).kind
    limit, newest_first, until = args.get("limit"), bool(args.get("newest_first")), args.get("until")
    paged = not newest_first and (limit is None or limit > PAGE_ROWS)
    rows: list[Row[Any]] = store.find(
        kind,
        after=int(args.get("after", 0)),
        until=None if until is None else int(until),
        limit=PAGE_ROWS if paged else limit,
        newest_first=newest_first,
        since=filter_from_json(args.get("since")),
        **_equals(args),
    )
    page: list[list[Any]] = []
    chars = 0
    for row in rows:
        page.append([row.seq, to_json(row.record)])
        chars += len(json.dumps(page[-1][1])) if not newest_first else 0
        if chars > PAGE_CHARS:
            break
    return {"rows": page, "more": len(page) < len(rows) or (paged and len(rows) == PAGE_ROWS)}


def _count(store: Store, args: Args) -> int:
    return store.count(table_named(args["kind"]).kind, since=filter_from_json(args.get("since")), **_equals(args))


def _prune(store: Store, args: Args) -> int:
    (tombstone,) = records_from_json([args["tombstone"]])
    return store.prune(str(args["host"]), str(args["session_id"]), tombstone, bury=bool(args.get("bury", True)))


def _equals(args: Args) -> dict[str, Any]:
    return {str(name): filter_from_json(value) for name, value in dict(args.get("equals") or {}).items()}


def _family(kind: type[HivemindError]) -> list[type[HivemindError]]:
    return [kind, *(member for child in kind.__subclasses__() for member in _family(child))]


_METHODS: dict[str, Callable[[Store, Args], Any]] = {
    "store.append": _append,
    "store.commit": _commit,
    "store.cursor": _cursor,
    "store.find": _find,
    "store.count": _count,
    "store.prune": _prune,
}
