"""Forgetting a session: no word of it is left, on disk or in the database, and nothing brings it back."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.app.pruning import consequences, forget_copy, forget_names, prune_session
from hivemind_cli.app.reading import current_skills, history_of, skill_named
from hivemind_cli.app.skillset import IN_FILE, accept, undo
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
    SkillCheck,
    SkillRevision,
    SkillState,
)
from hivemind_cli.skills.format import check, parse
from hivemind_cli.storage.forgetting import is_blank
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.skill_files import EDITED, edit, looks, skill_file, teach
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


def replay_(id: str, skill_id: str, moment: Correction, did: str) -> SkillCheck:
    return SkillCheck(
        id=id,
        workspace_id="default",
        project_id="p1",
        occurred_at=START,
        skill_id=skill_id,
        version=1,
        kind="replay",
        figures={"correction_id": moment.id, "answers": [{"did": f"Bash: {did}"}]},
    )


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
    replayed = [
        replay_("k0", mine.skill_id, one, SECRET),
        replay_("k1", "sk_1ABCDEFGH", one, SECRET),
        replay_("k2", "sk_1ABCDEFGH", other, "rsync"),
    ]
    hive.store.append([one, said, other, mine, *shared, heard, skip, *notices, *replayed])
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
    assert [row.record.id for row in hive.store.find(SkillCheck)] == ["k2"]
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


def test_a_persons_own_words_stay_in_their_file(paths: Paths, tree: Path, hive: OwnedHivemind) -> None:
    teach(hive, tree)
    before = looks(hive)
    file = skill_file(tree)
    edit(file)
    assert looks(hive).reason == IN_FILE
    prune_session(hive.store, "claude", "s1", NOW)
    left = looks(hive)
    assert (left.skill_id, left.state, left.drafter) == (before.skill_id, SkillState.LIVE, "person")
    text = file.read_text("utf-8")
    assert EDITED in text and not check(text, left.name)
    for words in (*(line.text for line in before.lines), before.title, before.trigger, "lift"):
        assert words not in text.replace(f"name: {left.name}", "")
        assert words not in str(replace(left, name=""))
    assert not left.tasks and not left.acts
    assert looks(hive).id == left.id  # nothing of it is taken for an edit


def test_a_file_that_says_nothing_else_goes_even_if_a_person_touched_it(
    paths: Paths, tree: Path, hive: OwnedHivemind
) -> None:
    teach(hive, tree)
    file = skill_file(tree)
    bare = re.sub(r" *<!--.*?-->", "", file.read_text("utf-8"))
    file.write_text(bare, "utf-8")
    edited = looks(hive)
    assert edited.reason == IN_FILE and not any(line.correction_ids for line in edited.lines)
    assert set(consequences(hive.store, "claude", "s1").lines[edited.name]) == {one.text for one in edited.lines}
    prune_session(hive.store, "claude", "s1", NOW)
    assert is_blank(looks(hive))
    assert not file.exists()


def test_a_mark_in_a_persons_text_names_only_what_is_left() -> None:
    store = InMemoryStore()
    one, other = lesson(1, "s1", SECRET), lesson(2, "s2", "rsync")
    body = f"# Mine\n\nWords.\n- shared <!-- hm:c_c1,c_c2 -->\n- {SECRET} <!-- hm:c_c1 -->\n  goes on\n- mine\n"
    lines = parse(f"---\nname: deploy\ndescription: d\n---\n{body}").lines
    theirs = {"id": "v2", "body": body, "lines": lines, "title": "Mine", "trigger": "Mine, too", "drafter": "person"}
    store.append([one, other, revision(1, [one, other]), revision(2, [one, other], **theirs)])
    prune_session(store, "claude", "s1", NOW)
    (left,) = current_skills(store)
    assert left.body == "# Mine\n\nWords.\n- shared <!-- hm:c_c2 -->\n- mine\n"
    assert (left.title, left.trigger, left.state) == ("Mine", "Mine, too", SkillState.LIVE)
    assert left.tasks == ("deploy rsync",)


def test_a_person_is_told_of_a_skill_that_goes_with_a_history_that_gives_way() -> None:
    store = InMemoryStore()
    one, other = lesson(1, "s1", SECRET), lesson(2, "s1", "rsync")
    waiting = revision(1, [other], skill_id="sk_2ABCDEFGH", id="w", name="copy", state=SkillState.REVIEW)
    store.append([one, other, revision(1, [one]), waiting])
    forget_copy(store, "claude", "s1", NOW)
    (told,) = [row.record for row in store.find(Notice)]
    assert (told.about, told.subject) == ("skill_gone", "deploy")
    assert "skillify run" in told.fix


def test_what_a_codify_under_way_makes_of_it_comes_too_late() -> None:
    store = InMemoryStore()
    one = lesson(1, "s1", SECRET)
    store.append([one])
    late = revision(1, [one])
    told = Notice(id="n", workspace_id="default", occurred_at=START, about="published", text=SECRET, subject=late.name)
    store.prune("claude", "s1", tombstone())
    assert store.commit("codify", [late, told], cursor_from=0, cursor_to=1) == 0
    assert store.append([replay_("k", late.skill_id, one, SECRET)]) == 0
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
