"""How a table and its branches lie in the database.

A logical table is one physical table: the person's columns, and

    _hm_seq      BIGINT   number of this version of the row; larger is later, over all tables and branches
    _hm_row      BIGINT   which row: all its versions, on whatever branch, share it
    _hm_branch   BIGINT   number of the branch it was written on; 0 is main
    _hm_until    BIGINT   number from which a later version (or a delete) on the same branch stands; NULL: current
    _hm_deleted  BOOLEAN  on a branch: the row of its parent is gone here

Nothing is updated in place but `_hm_until`. A branch is one row of the catalog: its parent and the number at which it
left it (`fork_seq`). What it sees are its own current versions, and those its parent had at that number, but for rows
that it has versions of itself; and so on up to main.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SEQ, ROW, BRANCH, UNTIL, DELETED = "_hm_seq", "_hm_row", "_hm_branch", "_hm_until", "_hm_deleted"
HIDDEN = (SEQ, ROW, BRANCH, UNTIL, DELETED)
HIDDEN_PREFIX = "_hm_"
MAIN = "main"
MAIN_NUMBER = 0


@dataclass(frozen=True, slots=True)
class Level:
    """One branch of a lineage, and up to which number it is looked at; None: as it is now."""

    branch: int
    until_seq: int | None = None


Lineage = Sequence[Level]
"""A branch first, its parent at the fork next, main last."""

ON_MAIN: Lineage = (Level(MAIN_NUMBER),)


def visible(physical: str, columns: Sequence[str], lineage: Lineage = ON_MAIN) -> str:
    """SELECT of the rows a branch sees: `columns` (quoted here), _hm_seq and _hm_row. `physical` is qualified already.

    The same SQL for both engines; numbers stand in it as they are.
    """
    names = ", ".join([*(quoted(name) for name in columns), SEQ, ROW])
    parts = []
    for depth, level in enumerate(lineage):
        parts.append(f"SELECT {names} FROM {physical} WHERE {_of_level(level, deleted=False)}")
        nearer = [f"{ROW} NOT IN (SELECT {ROW} FROM {physical} WHERE {_any_of(one)})" for one in lineage[:depth]]
        parts[-1] += "".join(f" AND {condition}" for condition in nearer)
    return " UNION ALL ".join(parts)


def _of_level(level: Level, *, deleted: bool) -> str:
    """The versions that stood on a branch at that number."""
    current = f"{BRANCH} = {level.branch}" + ("" if deleted else f" AND NOT {DELETED}")
    if level.until_seq is None:
        return f"{current} AND {UNTIL} IS NULL"
    return f"{current} AND {SEQ} <= {level.until_seq} AND ({UNTIL} IS NULL OR {UNTIL} > {level.until_seq})"


def _any_of(level: Level) -> str:
    """Every version, current or not, that a branch had by that number: its rows hide the parent's."""
    bound = "" if level.until_seq is None else f" AND {SEQ} <= {level.until_seq}"
    return f"{BRANCH} = {level.branch}{bound}"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
