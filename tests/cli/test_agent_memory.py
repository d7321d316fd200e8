"""`hivemind experience`, `run` and `sql` at the door, over a real daemon."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.memory import Database
from tests.cli.here import Done, run_here
from tests.memory.conftest import db

__all__ = ["db"]


@pytest.fixture(autouse=True)
def at_home(daemon_home: Path, workspace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEMIND_HOME", str(daemon_home))
    monkeypatch.setenv("HIVEMIND_WORKSPACE_ID", workspace)


def hivemind(*words: str, code: int = 0) -> Done:
    done = run_here(*words)
    assert done.returncode == code, done.stderr
    return done


def told(*words: str) -> Any:
    return json.loads(hivemind(*words, "--json").stdout)


def test_an_experience_is_added_listed_found_shown_and_put_into_a_prompt() -> None:
    assert "Nothing was tried" in hivemind("experience", "list").stderr
    worked = ["--approach", "helm upgrade", "--outcome", "success", "--score", "0.9", "--lessons", "use [their] values"]
    id = hivemind("experience", "add", "deploy billing to staging", *worked).stdout.strip()
    failed = ["--approach", "kubectl apply", "--outcome", "failure", "--score", "0.1", "--error", "ImagePullBackOff"]
    hivemind("experience", "add", "deploy billing to production", *failed)
    assert "use [their] values" in hivemind("experience", "list").stdout
    assert [one["outcome"] for one in told("experience", "list", "--outcome", "failure")] == ["failure"]
    found = told("experience", "find", "deploy billing to staging now")
    assert found["worked"][0]["id"] == id and found["failed"][0]["error_trace"] == "ImagePullBackOff"
    assert found["strategies"][0]["approach"] == "helm upgrade" and found["strategies"][0]["attempts"] == 1
    shown = hivemind("experience", "find", "deploy billing").stdout
    assert "worked" in shown and "failed" in shown and "0.90" in shown
    assert told("experience", "show", id)["task"] == "deploy billing to staging"
    assert "What worked:" in hivemind("experience", "context", "deploy billing to staging").stdout
    assert "no outcome" in hivemind("experience", "list", "--outcome", "fine", code=4).stderr


def test_fixes_are_found_by_the_error(db: Database) -> None:
    assert "No error was got over" in hivemind("experience", "fixes", "MemoryError").stderr
    db.debugging.append("Fix OOM in the pipeline", "Read in batches.", error_trace="MemoryError: 47 GiB")
    assert "Read in batches." in hivemind("experience", "fixes", "MemoryError").stdout
    assert told("experience", "fixes", "MemoryError")[0]["error_trace"] == "MemoryError: 47 GiB"


def test_a_run_is_listed_shown_step_by_step_and_resumed(db: Database) -> None:
    assert "No agent kept a step" in hivemind("run", "list").stderr
    run = db.run("run-42")
    for n in (1, 2, 3):
        run.step(action=f"act {n}", observation=f"saw {n}", state={"n": n}, tokens_used=10)
    assert "run-42" in hivemind("run", "list").stdout
    (one,) = told("run", "list")
    assert (one["steps"], one["tokens_used"]) == (3, 30)
    assert [step["action"] for step in told("run", "history", "run-42", "--after", "1")] == ["act 2", "act 3"]
    assert "saw 3" in hivemind("run", "history", "run-42").stdout
    assert told("run", "show", "run-42", "--step", "2")["state"] == {"n": 2}
    assert told("run", "resume", "run-42") == {"step": 3, "next_step": 4, "state": {"n": 3}}
    assert "has no step 9" in hivemind("run", "show", "run-42", "--step", "9", code=2).stderr


def test_branches_are_listed_compared_merged_and_rolled_back(db: Database) -> None:
    db.ingest("notes", {"name": ["a", "b"], "text": ["one", "two"]}, key=["name"])
    other = db.branch("try/x")
    other.execute("UPDATE notes SET text = 'changed' WHERE name = 'a'")
    assert [one["name"] for one in told("run", "branches")] == ["main", "try/x"]
    assert "one → changed" in hivemind("run", "diff", "main", "try/x").stdout
    assert told("run", "diff", "main", "try/x")[0]["key"] == {"name": "a"}
    db.execute("UPDATE notes SET text = 'ours' WHERE name = 'a'")
    assert "1 conflict" in hivemind("run", "merge", "try/x", "--dry-run").stderr
    hivemind("run", "merge", "try/x", code=4)
    done = told("run", "merge", "try/x", "--policy", "theirs")
    assert db.query("SELECT text FROM notes WHERE name = 'a'") == [{"text": "changed"}]
    hivemind("run", "rollback", "main", str(done["before_seq"]))
    assert db.query("SELECT text FROM notes WHERE name = 'a'") == [{"text": "ours"}]
    assert "no policy" in hivemind("run", "merge", "try/x", "--policy", "luck", code=2).stderr
    hivemind("run", "diff", "main", "never", code=4)


def test_sql_reads_tables_and_views_as_a_table_json_and_csv(db: Database) -> None:
    text = 'with, "commas"\nand [bold]lines[/]'
    db.ingest("notes", {"name": ["a", "b"], "text": [text, None], "v": [[0.5, 1.0], [1.0, 0.0]], "n": [1, 2]})
    shown = hivemind("sql", "SELECT name, text, n, v FROM notes ORDER BY name")
    assert "[bold]lines[/]" in shown.stdout and "[0.5, 1]" in shown.stdout and "2 rows" in shown.stderr
    rows = told("sql", "SELECT name, text, v FROM notes ORDER BY name")
    assert rows == [{"name": "a", "text": text, "v": [0.5, 1.0]}, {"name": "b", "text": None, "v": [1.0, 0.0]}]
    read = list(csv.DictReader(io.StringIO(hivemind("sql", "SELECT * FROM notes ORDER BY name", "--csv").stdout)))
    assert read[0]["text"] == text and json.loads(read[0]["v"]) == [0.5, 1.0] and read[1]["text"] == ""
    assert told("sql", "SELECT * FROM sessions") == []
    assert hivemind("sql", "SELECT name, n FROM notes WHERE false", "--csv").stdout == "name,n\n"
    assert "The first 1 rows" in hivemind("sql", "SELECT * FROM notes", "--limit", "1").stderr


def test_sql_without_a_statement_tells_what_there_is(db: Database) -> None:
    db.ingest("notes", {"name": ["a"]})
    listed = {one["name"]: one for one in told("sql")}
    assert listed["notes"]["columns"] == {"name": "text"} and listed["notes"]["kind"] == "table"
    assert {"sessions", "corrections", "attempts", "fixes"} <= set(listed)
    assert "score" in listed["attempts"]["columns"]
    assert "attempts" in hivemind("sql").stdout


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM notes", "only reading"),
        ("SELECT 1; SELECT 2", ""),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT read_text('/etc/passwd')", ""),
        ("DROP TABLE notes", "only reading"),
    ],
)
def test_sql_refuses_what_does_not_only_read(db: Database, statement: str, says: str) -> None:
    db.ingest("notes", {"name": ["a"]})
    refused = hivemind("sql", statement, code=4)
    assert says in refused.stderr and refused.stdout == ""
    assert db.query("SELECT name FROM notes") == [{"name": "a"}]
