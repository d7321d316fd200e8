"""PostgreSQL's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from hivemind_cli.core.errors import (
    ConfigError,
    DuplicateKey,
    Forbidden,
    HivemindError,
    SQLError,
    StoreError,
    TablesError,
    WrongValue,
)


@contextmanager
def translated() -> Iterator[None]:
    """psycopg's errors, and Python's about values, as ours."""
    try:
        yield
    except HivemindError:
        raise
    except psycopg.Error as exc:
        raise our_error(exc) from exc
    except (UnicodeError, OverflowError, TypeError, ValueError) as exc:
        raise WrongValue("A value cannot be stored.", why=f"{exc}.") from exc


def may_be_repeated(exc: psycopg.Error, connection: "psycopg.Connection[object]") -> bool:
    """The connection is gone, or two transactions stood in each other's way: nothing is wrong with the statement."""
    state = exc.sqlstate or ""
    stale_plan = state == "0A000" and "cached plan" in str(exc)
    return connection.closed or stale_plan or state in ("40001", "40P01")


def our_error(exc: psycopg.Error) -> StoreError:
    """By its SQLSTATE (PostgreSQL 16, appendix A)."""
    state, why = exc.sqlstate or "", said(exc)
    for start, (kind, what, fix) in _BY_STATE.items():
        if state.startswith(start):
            return kind(what, why=why, fix=fix)
    if not state and isinstance(exc, (psycopg.DataError, psycopg.ProgrammingError)):
        return WrongValue("A value cannot be stored.", why=why)  # psycopg's own: NUL, or a type it does not know
    return StoreError("The database refused.", why=why, fix="Look into PostgreSQL's log.")


def said(exc: BaseException) -> str:
    """What PostgreSQL says, in one line."""
    primary = exc.diag.message_primary if isinstance(exc, psycopg.Error) else None
    lines = (primary or str(exc)).strip().splitlines()
    text = " ".join(line.strip() for line in lines)[:500] or type(exc).__name__
    return text if text.endswith(".") else f"{text}."


def unreachable(url: str, exc: BaseException) -> StoreError:
    """No connection can be made."""
    return StoreError(
        f"{url} does not answer, or does not let us in.",
        why=said(exc),
        fix="Check the host, the port, the name and the password, and that PostgreSQL runs.",
    )


def not_a_url(url: str, why: str) -> ConfigError:
    """What was given names no database."""
    return ConfigError(f"{url} does not name a database.", why=why, fix="Say postgresql://name@host:5432/database.")


_BUSY = "Another machine, or a long read of the same table, stands in the way: try again."
_BY_STATE: dict[str, tuple[type[StoreError], str, str]] = {
    "08P01": (SQLError, "The statement cannot be run.", ""),
    "0A": (SQLError, "The statement cannot be run here.", ""),
    "22012": (SQLError, "The statement cannot be run.", ""),
    "22": (WrongValue, "A value does not fit.", ""),
    "23505": (DuplicateKey, "There is a row with this key already.", ""),
    "23": (WrongValue, "A value does not fit.", ""),
    "25006": (Forbidden, "Reading only: the statement would write.", "Use `execute` for what writes."),
    "25": (SQLError, "The statement cannot be run here.", ""),
    "42501": (Forbidden, "The database does not allow that.", "Grant hivemind's role what it needs."),
    "42": (SQLError, "The statement cannot be run.", ""),
    "53": (StoreError, "The database has no room left.", "Free disk or memory of its machine; nothing was changed."),
    "54001": (SQLError, "The statement is too complex.", "Say it in fewer, shallower steps."),
    "54": (WrongValue, "A value is too large.", ""),
    "55P03": (StoreError, "The database is busy.", _BUSY),
    "57014": (TablesError, "The statement took too long and was broken off.", "Look at fewer rows, or stream them."),
}
"""First match counts: the longer beginnings stand before the shorter."""
