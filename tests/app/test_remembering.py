"""Coding sessions feed their workspace's experiences and debugging memory, once; pruned, they leave both."""

import json
import time
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.remembering import STAGE
from hivemind_cli.core.acts import Act
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.errors import Forbidden
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import EventKind, Experience, LLMCall
from hivemind_cli.pipeline.experience import NAME
from hivemind_cli.storage import wire
from hivemind_cli.tables.workspace import Workspace
from tests.app.talk import Talk
from tests.pipeline.session import Session
from tests.storage.samples import experience, tombstone


@pytest.fixture
def owner(hive: OwnedHivemind) -> OwnedHivemind:
    return hive


def works(owner: OwnedHivemind, session_id: str = "s1", word: str = "tomlkit") -> Session:
    session = Session(owner.store, session_id)
    session.says(f"run the {word} importer on the new files")
    session.runs("python importer.py", error=f"ModuleNotFoundError: No module named '{word}'")
    session.runs(f"uv pip install {word}")
    session.runs("python importer.py")
    session.replies()
    return session


def team(owner: OwnedHivemind, name: str = "default") -> Workspace:
    return owner.memory.opened().workspace(name)


def test_a_session_stands_in_both_tables_once_however_often_it_is_looked_at(owner: OwnedHivemind) -> None:
    session = works(owner)
    assert owner.settle()
    (tried,) = team(owner).experiences.newest()
    assert (tried.outcome, tried.host, tried.session_id) == ("success", "claude", "s1")
    assert tried.approach.endswith("uv pip install tomlkit\npython importer.py")
    (fix,) = team(owner).debugging.search("No module named 'tomlkit'")
    assert fix.outcome == "uv pip install tomlkit\nthen worked: python importer.py" and fix.sure == 0.9
    session.says("no, we install with poetry add, never with pip")
    assert owner.settle()
    (again,) = team(owner).experiences.newest()
    assert again.id == tried.id and again.score < tried.score and "poetry add" in again.lessons
    for stage in (NAME, STAGE):  # all of it anew
        owner.store.commit(stage, [], cursor_from=owner.store.cursor(stage), cursor_to=0)
    session.ends()
    assert owner.settle()
    assert [one.id for one in team(owner).experiences.newest()] == [tried.id]
    assert team(owner).debugging.count() == 1


def test_what_hooks_deliver_becomes_a_row_with_the_lines_that_a_hand_changed(
    owner: OwnedHivemind, paths: Paths, tree: Path
) -> None:
    (tree / ".hivemind.toml").write_text('workspace = "payments"\n')
    talk = Talk(paths, tree)
    talk.starts()
    talk.says("write the retry helper of the http client")
    talk.writes(tree / "retry.py", "import time\n\ndef again(call):\n    time.sleep(1)\n    return call()\n")
    talk.runs("pytest -q", "4 passed in 0.11s")
    talk.replies()
    assert owner.settle()
    (first,) = team(owner, "payments").experiences.newest()
    assert (first.outcome, first.approach) == ("success", "edit retry.py\npytest -q")
    time.sleep(0.15)  # a file system's clock: the hand comes after the agent
    (tree / "retry.py").write_text("import time\n\ndef again(call):\n    time.sleep(2**0)\n    return call()\n")
    talk.says("now use it in the importer of the shop")
    assert owner.settle()
    (one,) = team(owner, "payments").experiences.newest()
    assert one.id == first.id and (one.metadata["lines_written"], one.metadata["lines_changed"]) == (4, 1)
    assert one.score < 0.95 and "time.sleep(2**0)" in one.lessons
    assert team(owner).experiences.count() == 0


def test_workspaces_are_kept_apart(owner: OwnedHivemind) -> None:
    works(owner)
    owner.store.append([experience(7, "s7", workspace_id="other")])
    assert owner.settle()
    owner.remembering.run()
    assert owner.remembering.wait(60)
    assert [one.session_id for one in team(owner).experiences.newest()] == ["s1"]
    assert [one.session_id for one in team(owner, "other").experiences.newest()] == ["s7"]


def prune(owner: OwnedHivemind, session_id: str) -> None:
    (buried,) = wire.records_to_json([tombstone(session_id)])
    owner.call("store.prune", {"host": "claude", "session_id": session_id, "tombstone": buried})


def test_a_pruned_session_leaves_no_row_on_any_branch_in_any_workspace(owner: OwnedHivemind) -> None:
    works(owner)
    works(owner, "s2", "pandas")
    owner.store.append([experience(7, workspace_id="other", task="run the tomlkit importer")])
    assert owner.settle()
    owner.remembering.run()
    assert owner.remembering.wait(60)
    team(owner).branches.create("try")
    assert team(owner).debugging.search("tomlkit importer", limit=1)[0].session_id == "s1"
    prune(owner, "s1")
    assert owner.store.count(Experience, session_id="s1") == 0
    for branch in ("main", "try"):
        assert [one.session_id for one in team(owner).experiences.newest(branch=branch)] == ["s2"]
        assert [one.session_id for one in team(owner).debugging.search("tomlkit", branch=branch)] == ["s2"]
    assert team(owner, "other").experiences.count() == 0
    engine = team(owner).engine
    for table in team(owner).tables():
        assert "tomlkit" not in repr(engine.read(f"SELECT * FROM {engine.qualified(table.physical)}").rows)
    for file in (owner.paths.index / "tables").rglob("*"):
        assert not file.is_file() or b"tomlkit" not in file.read_bytes()
    owner.store.append([experience(9, "s1")])
    assert owner.settle()
    owner.remembering.run()
    assert owner.remembering.wait(60)
    assert team(owner).experiences.count() == 1, "nothing brings it back"


def test_nobody_takes_the_name_of_a_table_of_hiveminds_own(owner: OwnedHivemind) -> None:
    for name in ("experiences", "Debugging", "steps", "sessions"):
        with pytest.raises(Forbidden, match="hivemind's own"):
            team(owner).ingest(name, {"mine": ["yes"]})
        with pytest.raises(Forbidden, match="hivemind's own"):
            team(owner).execute(f"CREATE TABLE {name} (mine TEXT)")
    works(owner)
    assert owner.settle()
    assert team(owner).experiences.count() > 0


def test_what_a_program_printed_may_hold_anything(owner: OwnedHivemind) -> None:
    session = Session(owner.store, "s3")
    session.says("run the tests of the nul handling")
    act = Act("shell", "Bash", command="pytest -q")
    error = "FAILED test_nul.py::test_a - ValueError: '\0' in \ud800 name\n1 failed"
    session.event(EventKind.TOOL_FAILURE, call_id=session.calls_tool(act), act=act.as_json(), error=error)
    session.replies()
    assert owner.settle()
    (one,) = team(owner).experiences.newest()
    assert one.outcome == "failure" and "test_nul.py::test_a" in one.error_trace


def test_a_daemon_without_sessions_opens_no_tables(owner: OwnedHivemind) -> None:
    assert owner.settle()
    prune(owner, "s1")
    assert not list(owner.paths.root.rglob("memory.duckdb*"))


def test_a_judgement_asked_for_has_its_receipt_and_stops_at_the_days_cap(paths: Paths) -> None:
    script = paths.root / "script.jsonl"
    answer = {"outcome": "partial", "score": 0.4, "lessons": "Check the quota first."}
    script.write_text(json.dumps({"purpose": "evaluate", "answer": answer, "times": 2}))
    llm = LLMConfig(allow=True, provider="scripted", script=str(script), evaluate_calls_day_max=1)
    owner = Hivemind.own(paths, Config(llm=llm), env={})
    try:
        experiences = team(owner).experiences
        result = {"outcome": "success", "output": "4 of 9 nodes"}
        kept = experiences.evaluate_and_store("resize the cluster", "scale up", result)
        assert (kept.outcome, kept.metadata["evaluated_by"]) == ("partial", "scripted/script")
        (receipt,) = [row.record for row in owner.store.find(LLMCall)]
        assert (receipt.purpose, receipt.result) == ("evaluate", "ok")
        capped = experiences.evaluate_and_store("resize the cluster", "scale up", result)
        assert (capped.outcome, capped.metadata["evaluated_by"]) == ("success", "caller")
        assert capped.metadata["evaluation_failed"]
    finally:
        owner.close()
