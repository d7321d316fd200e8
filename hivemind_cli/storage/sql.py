"""Conditions and names in SQL, made from a record's mapping. Values are always bound, never written in."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

from hivemind_cli.storage.admission import NativeKey
from hivemind_cli.storage.schema import Column, ColumnType, Table, accepted, naive_utc

SQL_TYPES = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.JSON: "VARCHAR",
}
"""DuckDB's names."""
_CONSTANTS_MAX = 8
"""Up to so many values are looked up as constants, more as a joined list: where the two cost the same (measured)."""


def names_of(table: Table) -> str:
    """The quoted columns of `table`, comma-separated, in order."""
    return ", ".join(f'"{name}"' for name in table.columns)


def where(
    table: Table, since: datetime | None, equals: dict[str, Any], *, after: int = 0, until: int | None = None
) -> tuple[str, list[Any]]:
    """The WHERE clause of Store.find ("" for all rows), and its parameters."""
    conditions: list[str] = []
    parameters: list[Any] = []
    if after:
        conditions.append("seq > ?")
        parameters.append(after)
    if until is not None:
        conditions.append("seq <= ?")
        parameters.append(until)
    if since is not None:
        conditions.append("occurred_at >= ?")
        parameters.append(naive_utc(since))
    for name, value in equals.items():
        condition, values = _matches(table.column(name), accepted(table.kind, name, value))
        conditions.append(condition)
        parameters += values
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), parameters


def _matches(column: Column, wanted: list[Any]) -> tuple[str, list[Any]]:
    name = f'"{column.name}"'
    given = [value for value in wanted if value is not None]
    condition, parameters = any_of(name, SQL_TYPES[column.type], given) if given else ("FALSE", [])
    if len(given) < len(wanted):
        condition = f"({condition} OR {name} IS NULL)"
    return condition, parameters


def any_of(key: str, sql_type: str, wanted: list[Any]) -> tuple[str, list[Any]]:
    """`key` is one of `wanted` (not empty, no None), and the parameters."""
    if len(wanted) <= _CONSTANTS_MAX:
        return f"{key} IN ({', '.join('?' * len(wanted))})", wanted
    return f"{key} IN (SELECT unnest(?::{sql_type}[]))", [wanted]


def native_hash(key: NativeKey) -> int:
    """64 bits that find a native key among millions by a cheap scan; hits are then compared in full."""
    digest = blake2b("\x1f".join(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
