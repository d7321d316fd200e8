"""What readers of databases share."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hivemind_cli.hosts import databases, hermes
from hivemind_cli.hosts.base import Reader
from hivemind_cli.hosts.opencode import reader as opencode


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


TABLES = {
    "hermes": """
        CREATE TABLE sessions (id TEXT); CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content TEXT);
        INSERT INTO sessions VALUES ('s1'); INSERT INTO messages VALUES (1, 's1', 'user', 'no, not there');""",
    "opencode": """
        CREATE TABLE session (id TEXT); CREATE TABLE message (id TEXT, session_id TEXT, data TEXT);
        CREATE TABLE part (id TEXT, message_id TEXT, data TEXT); INSERT INTO session VALUES ('s1');""",
}
FILES = {"hermes": "state.db", "opencode": "opencode/opencode.db"}


@pytest.fixture(params=[hermes, opencode], ids=lambda one: one.NAME)
def reader(request: pytest.FixtureRequest) -> Reader:
    found: Reader = request.param
    return found


def filled(reader: Reader, folder: Path) -> Path:
    path = folder / FILES[reader.NAME]
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(os.fsencode(path))) as db:
        db.executescript(TABLES[reader.NAME])
    return path


def test_a_locked_database_is_found_and_reading_it_says_why(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_MS", 50)
    path = filled(reader, tmp_path)
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("BEGIN EXCLUSIVE")
        found = list(reader.find_sessions(Path("/nonexistent"), config_dir=tmp_path))
        assert reader.sessions_in(path) == ()
        assert found == [path]
        with pytest.raises(OSError, match="locked by its program"):
            list(reader.read_transcript(path))


def test_a_database_behind_a_link_out_of_the_hosts_folder_is_left_out(reader: Reader, tmp_path: Path) -> None:
    path = filled(reader, tmp_path / "own")
    path.rename(tmp_path / "elsewhere.db")
    path.symlink_to(tmp_path / "elsewhere.db")
    assert list(reader.find_sessions(Path("/nonexistent"), config_dir=tmp_path / "own")) == []


@pytest.mark.parametrize("name", ["Ada L\u00f6velace?#%", "f\udcff"])
def test_a_database_in_a_folder_of_any_name_is_read(reader: Reader, tmp_path: Path, name: str) -> None:
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    path = filled(reader, tmp_path / name)
    (session,) = reader.find_sessions(Path("/nonexistent"), config_dir=tmp_path / name)
    assert session == databases.named(path, "s1")
    assert [one.session_id for one in reader.read_transcript(session)][:1] == ["s1"]
