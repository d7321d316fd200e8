"""Numbered SQL files, run in order: each commits together with its own record.

migrations/<engine>/0001_records.sql, 0002_..., ...      never edited once released
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hivemind_cli.core.clock import Clock
from hivemind_cli.core.errors import StoreError
from hivemind_cli.storage.schema import naive_utc

_ROOT = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_RECORD_TABLE = (
    "CREATE TABLE IF NOT EXISTS migrations"
    " (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str


class Database(Protocol):
    """What a migration needs of an engine."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> None:
        """Run one or, without parameters, several statements."""

    def applied(self) -> set[int]:
        """Numbers in the `migrations` table, which exists."""

    def transaction(self, work: Callable[[], None]) -> None:
        """Run `work` and commit, or roll back and raise."""


def migrations(engine: str) -> list[Migration]:
    """All migrations we know for `engine`, in order."""
    found = []
    for path in sorted((_ROOT / engine).glob("*.sql")):
        match = _NAME.match(path.name)
        if match:
            found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return found


def migrate(database: Database, known: Sequence[Migration], clock: Clock) -> int:
    """Bring `database` to the newest of `known`; how many steps that took.

    StoreError, with nothing changed, if a newer hivemind has been here.
    """
    database.execute(_RECORD_TABLE)
    done = database.applied()
    newest = max((migration.number for migration in known), default=0)
    if done and max(done) > newest:
        raise StoreError(
            "The database was written by a newer hivemind.",
            why=f"It is at version {max(done)}; this hivemind knows {newest}.",
            fix="Update hivemind, or point HIVEMIND_HOME to another folder.",
        )
    missing = [migration for migration in known if migration.number not in done]
    for migration in missing:
        database.transaction(lambda step=migration: _apply(database, step, clock))  # type: ignore[misc]
    return len(missing)


def _apply(database: Database, migration: Migration, clock: Clock) -> None:
    database.execute(migration.sql)
    database.execute("INSERT INTO migrations VALUES (?, ?, ?)", (migration.number, migration.name, naive_utc(clock())))
