"""DuckDB's and the system's errors as ours."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hivemind_cli.core.errors import StoreDamaged, StoreError, StoreLocked

Told = Callable[[duckdb.Error], StoreError | None]
"""Makes an error of ours of DuckDB's; None: that is for others."""


def unsaid(exc: duckdb.Error) -> StoreError | None:
    """No word for it."""
    return None


@contextmanager
def translated(path: Path, told: Told = unsaid) -> Iterator[None]:
    """DuckDB's and the system's errors as ours; `told`: what it makes of one goes first."""
    try:
        yield
    except duckdb.Error as exc:
        raise told(exc) or our_error(exc, path) from exc
    except OSError as exc:
        raise _unusable(path, str(exc)) from exc


NO_MEMORY = re.compile("out of memory|failed to pin block|could not allocate", re.I)
_DAMAGE = re.compile(
    "corrupt|checksum|not a valid duckdb|could not read enough bytes|replaying wal|deserializ|invalidated", re.I
)


def our_error(exc: duckdb.Error, path: Path) -> StoreError:
    said = (str(exc).strip() or type(exc).__name__).splitlines()[0]
    if "Could not set lock" in said:
        holder = re.search(r"PID (\d+)", said)
        return locked(path, f"process {holder[1]}" if holder else "another process")
    if "newer version of DuckDB" in said or "version number" in said:
        return StoreError(f"{path} was written by a newer DuckDB.", why=said, fix="Update hivemind.")
    if re.search("no space left|disk full|quota", said, re.I):
        return StoreError(
            f"{path} cannot grow: the disk is full.", why=said, fix="Free some space; nothing stored is lost."
        )
    if NO_MEMORY.search(said):
        return StoreError("The database ran out of memory.", why=said, fix="Raise `daemon.memory_mb` in your config.")
    damaged = (duckdb.InternalException, duckdb.SerializationException, duckdb.FatalException)
    if isinstance(exc, damaged) or _DAMAGE.search(said):
        return StoreDamaged(
            f"{path} cannot be read: it is damaged, or no database.",
            why=said,
            fix=f"It was left as it is. Move it (and {path.name}.wal, if there is one) out of {path.parent}, then run "
            "`hivemind import --all`: what waits in the spool is captured, and past sessions are read again from "
            "their transcripts. Skills on disk stay.",
        )
    if isinstance(exc, duckdb.IOException):
        return _unusable(path, said)
    return StoreError("The database refused.", why=said, fix="Run `hivemind doctor`.")


def locked(path: Path, holder: str) -> StoreLocked:
    return StoreLocked(
        f"{path} is in use by {holder}.",
        why="One process owns the database at a time.",
        fix="End that process: the next daemon captures what waits. `hivemind daemon` says whether it is the daemon.",
    )


def _unusable(path: Path, said: str) -> StoreError:
    return StoreError(f"{path} cannot be used.", why=said, fix="Check that you own the file and its folder.")
