"""Vectors made of a text column for rows that SQL wrote: SQL knows no model, so they are made afterwards."""

import logging
from typing import TYPE_CHECKING

from hivemind_cli.core.errors import ModelError
from hivemind_cli.storage.tables import Kind, Type
from hivemind_cli.tables import writing
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo
from hivemind_cli.tables.layout import ROW, quoted, visible
from hivemind_cli.tables.scene import Scene

if TYPE_CHECKING:
    from hivemind_cli.tables.scores import Embedding

logger = logging.getLogger(__name__)

_AT_ONCE = 100
"""Rows whose vectors are written by one statement."""


def fill(table: TableInfo, scene: Scene, embedding: "Embedding") -> int:
    """Give each row that the branch sees with a text and without its vector that vector; how many were given one.

    Where the model does not come up they stay without: the next write tries again.
    """
    filled = 0
    for column in table.columns:
        if column.embeds and column.model == embedding.model:
            try:
                while done := _some(table, column, scene, embedding):
                    filled += done
            except ModelError as exc:
                logger.warning("rows of %s stay without vectors for now: %s", table.name, exc)
    return filled


def _some(table: TableInfo, column: ColumnInfo, scene: Scene, embedding: "Embedding") -> int:
    engine = scene.engine
    text, vector = quoted(column.embeds), quoted(column.name)
    seen = visible(engine.qualified(table.physical), table.names, scene.lineage)
    due = f"SELECT {ROW}, {text} FROM ({seen}) AS hm_v WHERE {vector} IS NULL AND {text} IS NOT NULL"
    rows = engine.read(f"{due} ORDER BY {ROW} LIMIT {_AT_ONCE}").rows
    if not rows:
        return 0
    values = [value for (_, said), made in zip(rows, embedding([said for _, said in rows]), strict=True)
              for value in (said, made)]  # fmt: skip
    as_vector = engine.type_sql(Type(Kind.VECTOR, column.type.dim))
    cases = " ".join(  # a text that was changed meanwhile waits for its next turn
        f"WHEN {ROW} = {number} AND {text} = ${at + 1} THEN CAST(${at + 2} AS {as_vector})"
        for (number, _), at in zip(rows, range(0, len(values), 2), strict=True)
    )
    numbers = ", ".join(str(number) for number, _ in rows)
    still = f"SELECT {ROW} FROM ({seen}) AS hm_d WHERE {vector} IS NULL AND {ROW} IN ({numbers})"
    return engine.write(
        lambda tx: writing.supersede(
            tx, engine, table, scene.number, scene.lineage, still, values, {column.name: f"CASE {cases} END"}
        )
    )
