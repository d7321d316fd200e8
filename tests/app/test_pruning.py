"""Forgetting a session: no word of it is left, on disk or in the database, and nothing brings it back."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.pruning import forget_names, prune_session
from hivemind_cli.app.reading import current_skills, history_of, skill_named
from hivemind_cli.app.skillset import accept, undo
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import (
    Candidate,
    Correction,
    Event,
    GateSkip,
    Moment,
    Notice,
    Recall,
    SkillRevision,
    SkillState,
)
from hivemind_cli.storage.forgetting import is_blank
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.talk import Talk
from tests.pipeline.judging_loop import judgement_
from tests.storage.samples import START, outcome, tombstone

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SECRET = "zanzibar"


def lesson(number: int, session_id: str, word: str) -> Correction:
    return Correction(
        id=f"c{number}",
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        host="claude",
        session_id=session_id,
        kind="said",  # type: ignore[arg-type]
        occurred_at=START,
        act_event_id="",
        reaction_event_id=f"e{number}",
        quote=f"never run {word} by hand",
        task=f"deploy {word}",
    )


def revision(version: int, lessons: list[Correction], **changes: Any) -> SkillRevision:
    from hivemind_cli.pipeline.codify import extractive
    from hivemind_cli.pipeline.codify.revise import first_revision

    made = first_revision(extractive.draft(lessons), lessons, ())
    known: dict[str, Any] = {
        "id": f"v{version}",
        "skill_id": "sk_1ABCDEFGH",
        "name": "deploy",
        "version": version,
        "state": SkillState.LIVE,
    }
    return replace(made, **(known | changes))


def words_in(path: Path) -> str:
    """All that any table holds, in small letters."""
    with duckdb.connect(path, read_only=True) as raw:
        tables = [row[0] for row in raw.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return str([raw.execute(f"SELECT * FROM {table}").fetchall() for table in tables]).lower()


def test_no_table_holds_a_word_of_a_pruned_session(paths: Paths, tree: Path, hive: OwnedHivemind) -> None:
    talk = Talk(paths, tree)
    talk.says(f"deploy the {SECRET} docs")
    hive.settle()
    one, other = lesson(1, talk.id, SECRET), lesson(2, "other", "rsync")
    mine = revision(1, [one], name=f"never-run-{SECRET}", skill_id="sk_2ABCDEFGH", id="x1")
    shared = [revision(1, [other]), revision(2, [other, one], id="v2", body=f"# {SECRET}"), revision(3, [one, other])]
    heard = Recall(
        id="r1",
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        host="claude",
        session_id="other",
        occurred_at=START,
        moment=Moment.PROMPT,
        event_id="e",
        query="deploy",
        candidates=(Candidate(id="sk_2ABCDEFGH", kind="skill", name=mine.name, decision="injected"),),
        text=f"never run {SECRET}",
    )
    skip = GateSkip(
        id="g",
        workspace_id="default",
        project_id="p1",
        occurred_at=START,
        recurrence_key=SECRET,
        correction_ids=("c1",),
        reason="",
    )
    notices = [
        Notice(id=f"n{n}", workspace_id="default", occurred_at=START, about="published", text=SECRET, subject=subject)
        for n, subject in enumerate((mine.name, mine.skill_id, f"{mine.skill_id}@1", "deploy"))
    ]
    said = judgement_(one, by="a/b", reason=f"it says {SECRET}")
    hive.store.append([one, said, other, mine, *shared, heard, skip, *notices])
    hive.store.append([replace(outcome(1, "r1"), subject_id="c1")])
    prune_session(hive.store, "claude", talk.id, NOW)
    hive.call("forget", {"host": "claude", "session_id": talk.id})
    hive.settle()
    assert forget_names(hive.store, "claude", talk.id, NOW)
    left = skill_named(hive.store, "deploy")
    assert left.state is SkillState.LIVE
    assert {one for line in left.lines for one in line.correction_ids} == {"c2"}
    assert left.tasks == ("deploy rsync",)
    assert "rsync" in left.trigger
    assert history_of(hive.store, left.skill_id)[0].id == "v1"
    assert hive.store.count(Event) == hive.store.count(GateSkip) == 0
    hive.close()
    assert SECRET not in words_in(paths.database)


def test_undo_and_accept_do_not_bring_a_pruned_skill_back() -> None:
    store = InMemoryStore()
    one = lesson(1, "s1", SECRET)
    store.append([one, revision(1, [one]), revision(2, [one])])
    prune_session(store, "claude", "s1", NOW)
    (left,) = current_skills(store)
    assert is_blank(left)
    assert left.name == "deploy"  # by which its file is found
    for change in (undo, accept):
        with pytest.raises(HivemindError, match="cannot come back"):
            change(store, left, NOW)
    assert store.count(SkillRevision) == 1
    assert not forget_names(store, "claude", "s1", NOW)
    store.commit("publish", [], cursor_from=0, cursor_to=99)
    assert forget_names(store, "claude", "s1", NOW)
    assert [one.name for one in current_skills(store)] == ["pruned-abcdefgh"]
    assert store.count(SkillRevision) == 1


def test_what_a_codify_under_way_makes_of_it_comes_too_late() -> None:
    store = InMemoryStore()
    one = lesson(1, "s1", SECRET)
    store.append([one])
    late = revision(1, [one])
    told = Notice(id="n", workspace_id="default", occurred_at=START, about="published", text=SECRET, subject=late.name)
    store.prune("claude", "s1", tombstone())
    assert store.commit("codify", [late, told], cursor_from=0, cursor_to=1) == 0
    assert store.append([one, lesson(2, "s1", SECRET)]) == 0


def test_the_file_of_a_pruned_skill_is_gone_after_a_restart_too(paths: Paths, tree: Path, hive: OwnedHivemind) -> None:
    one = lesson(1, "s1", SECRET)
    hive.store.append([one, revision(1, [one], project_id="", scope="user")])
    hive.settle()
    files = list(paths.home.glob(".claude/skills/*/SKILL.md"))
    assert files
    prune_session(hive.store, "claude", "s1", NOW)
    hive.close()
    owner = Hivemind.own(paths, Config(), env={})
    try:
        owner.settle()
        assert not any(file.exists() for file in files)
        assert forget_names(owner.store, "claude", "s1", NOW)
    finally:
        owner.close()
