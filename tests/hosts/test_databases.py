"""What readers of databases share."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hivemind_cli.hosts import databases


@pytest.mark.parametrize("session_id", ["ses_1", "a/b", "50%#1", "snow \u2603", "."])
def test_a_name_gives_file_and_session_back(tmp_path: Path, session_id: str) -> None:
    name = databases.named(tmp_path / "of#many.db", session_id)
    assert name.parent == tmp_path
    assert databases.unnamed(name) == (tmp_path / "of#many.db", session_id)
    assert databases.unnamed(tmp_path / "one.db") == (tmp_path / "one.db", "")


def test_families_stand_together_and_a_ring_of_parents_is_cut() -> None:
    pairs = [("a", ""), ("b", "gone"), ("a1", "a"), ("a11", "a1"), ("x", "y"), ("y", "x"), ("me", "me")]
    assert databases.families(pairs) == ["a", "a1", "a11", "b", "me", "x", "y"]


def test_a_field_too_long_to_hold_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "FIELD_BYTES_MAX", 10)
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('short'), ('much too long');")
    with databases.opened(path) as db:
        assert [row["x"] for row in databases.rows(db, "t", ("x", "none"))] == ["short", None]


def test_a_closed_database_that_changes_while_it_is_read_is_an_oserror(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (x)")
        db.commit()
    with pytest.raises(OSError, match="import it again"), databases.opened(path):
        os.utime(path, (1, 1))


def test_a_database_is_never_written_to(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
        db.commit()
    with pytest.raises(OSError, match="readonly"), databases.opened(path) as db:
        db.execute("INSERT INTO t VALUES (1)")
