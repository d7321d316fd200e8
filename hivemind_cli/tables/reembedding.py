"""Another embedding model makes the vectors of hivemind's own tables anew: those of two cannot be compared."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.storage.tables import Kind, Transaction, Type
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo
from hivemind_cli.tables.layout import SEQ, quoted

if TYPE_CHECKING:
    from hivemind_cli.tables.workspace import Workspace

logger = logging.getLogger(__name__)

EMBEDDED_AT_ONCE = 256
WRITTEN_AT_ONCE = 200
_one_at_a_time = threading.Lock()


def brought_up(workspace: "Workspace", table: TableInfo) -> TableInfo:
    """`table` with all vectors by the model that is set now; itself if they are. ModelError: it cannot be asked."""
    if not _behind(workspace, table):
        return table
    with _one_at_a_time:
        table = workspace.catalog.get(workspace.name, table.name)
        for column in _behind(workspace, table):
            logger.info("%s.%s is embedded anew by %s", table.name, column.name, workspace.embedding.model)
            table = _anew(workspace, table, column)
        workspace.sidecars.forget(table)
    return table


def _behind(workspace: "Workspace", table: TableInfo) -> list[ColumnInfo]:
    model = workspace.embedding.model
    return [column for column in table.columns if table.own and column.embeds and column.model != model]


def _anew(workspace: "Workspace", table: TableInfo, column: ColumnInfo) -> TableInfo:
    engine, embedding = workspace.engine, workspace.embedding
    physical, text, vector = engine.qualified(table.physical), quoted(column.embeds), quoted(column.name)
    rows = engine.read(f"SELECT {SEQ}, {text} FROM {physical} WHERE {text} IS NOT NULL ORDER BY {SEQ}").rows
    vectors = [embedding([str(said) for _, said in part]) for part in _parts(rows, EMBEDDED_AT_ONCE)]
    made = np.concatenate(vectors) if vectors else np.zeros((0, embedding.dim), np.float32)
    now = replace(column, type=Type(Kind.VECTOR, embedding.dim), model=embedding.model)

    def write(tx: Transaction) -> TableInfo:
        if engine.dialect == "postgres" and now.type != column.type:
            tx.run(f"ALTER TABLE {physical} ALTER COLUMN {vector} TYPE {engine.type_sql(now.type)} USING NULL")
        for first in range(0, len(rows), WRITTEN_AT_ONCE):
            numbers = [number for number, _ in rows[first : first + WRITTEN_AT_ONCE]]
            tx.run(*_update(physical, vector, engine.type_sql(now.type), numbers, made[first:]))
        columns = [now if one.name == column.name else one for one in table.columns]
        return workspace.catalog.change(tx, table, columns)

    return engine.write(write)


def _update(
    physical: str, vector: str, type_sql: str, numbers: Sequence[int], made: NDArray[np.float32]
) -> tuple[str, list[Any]]:
    given = ", ".join(f"(CAST(${2 * n + 1} AS BIGINT), CAST(${2 * n + 2} AS {type_sql}))" for n in range(len(numbers)))
    values = [value for number, one in zip(numbers, made, strict=False) for value in (number, one)]
    return f"UPDATE {physical} SET {vector} = hm_v.e FROM (VALUES {given}) AS hm_v (s, e) WHERE {SEQ} = hm_v.s", values


def _parts(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (rows[first : first + size] for first in range(0, len(rows), size))
