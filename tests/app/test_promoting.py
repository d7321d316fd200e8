"""Skills for every project, and a person's commands beside their own edits of the files."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.reading import current_skills, history_of
from hivemind_cli.app.skillset import accept, promote, retire, rollback, undo
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import Scope, SkillRevision, SkillState
from hivemind_cli.hosts.apply import apply
from hivemind_cli.storage.base import Store
from tests.app.conftest import make_tree
from tests.app.skill_files import EDITED, abouts, begin, edit, looks, skill_file, teach
from tests.app.talk import Talk


@pytest.fixture
def promoted(hive: OwnedHivemind, tree: Path) -> Path:
    """The file of a skill that a person promoted, in their home."""
    teach(hive, tree)
    promote(hive.store, current_skills(hive.store)[0], datetime.now(UTC), hive.paths)
    hive.settle()
    return skill_file(hive.paths.home)


def test_a_promoted_skill_moves_home_and_is_recalled_in_every_project(
    hive: OwnedHivemind, tree: Path, promoted: Path
) -> None:
    assert not (tree / ".claude").exists() and not (tree / ".agents").exists()
    assert "hivemind-scope: user" in promoted.read_text("utf-8")
    link = hive.paths.home / ".agents" / "skills" / promoted.parent.name
    assert link.is_symlink() and (link / "SKILL.md").read_bytes() == promoted.read_bytes()
    elsewhere = Talk(hive.paths, make_tree(hive.paths.home / "work" / "other"), "elsewhere")
    name = elsewhere.says("set the liftable module going")
    assert b"always use lift" in hive.answer(name)


def test_undo_brings_a_promoted_skill_back_into_its_project(hive: OwnedHivemind, tree: Path, promoted: Path) -> None:
    undo(hive.store, current_skills(hive.store)[0], datetime.now(UTC))
    hive.settle()
    assert not promoted.exists() and not (hive.paths.home / ".agents" / "skills").exists()
    assert "hivemind-scope: project" in skill_file(tree).read_text("utf-8")
    assert {document.project_id for document in hive.index.all()} != {""}


def test_what_is_learned_for_a_promoted_skill_waits_for_a_person(
    hive: OwnedHivemind, tree: Path, promoted: Path
) -> None:
    text = promoted.read_text("utf-8")
    teach(hive, tree, "s2")
    assert promoted.read_text("utf-8") == text
    assert sorted(one.state.value for one in current_skills(hive.store)) == ["live", "review"]


def test_nobody_is_told_of_what_they_did_themselves(hive: OwnedHivemind, tree: Path, promoted: Path) -> None:
    assert b"learned" not in hive.answer(Talk(hive.paths, tree, "later").starts())
    edit(promoted)
    looks(hive)
    assert b"learned" not in hive.answer(Talk(hive.paths, tree, "later still").starts())


def test_a_tree_that_was_away_loses_what_was_promoted_meanwhile(hive: OwnedHivemind, tree: Path, clone: Path) -> None:
    teach(hive, tree)
    begin(hive, clone)
    away = clone.rename(clone.with_name("away"))
    promote(hive.store, current_skills(hive.store)[0], datetime.now(UTC), hive.paths)
    hive.settle()
    away.rename(clone)
    assert skill_file(clone).exists()
    begin(hive, clone, "again")
    assert not list((clone / ".claude").rglob("SKILL.md"))


def test_a_persons_edit_and_delete_of_a_skill_for_every_project_count_too(hive: OwnedHivemind, promoted: Path) -> None:
    text = edit(promoted)
    skill = looks(hive)
    assert (skill.version, skill.drafter, skill.scope) == (3, "person", Scope.USER)
    assert promoted.read_text("utf-8") == text
    promoted.unlink()
    skill = looks(hive)
    assert (skill.version, skill.state) == (4, SkillState.RETIRED)
    assert hive.index.all() == []


def test_a_promoted_skill_stands_where_the_person_has_their_skills(
    hive: OwnedHivemind, tree: Path, own_home: Path
) -> None:
    moved = own_home / ".config" / "claude"
    hive.paths.receipts.mkdir(parents=True, exist_ok=True)
    apply([], hive.paths.receipts, "claude", "a stamp", config_dir=str(moved))
    teach(hive, tree)
    promote(hive.store, current_skills(hive.store)[0], datetime.now(UTC), hive.paths)
    hive.settle()
    (file,) = (moved / "skills").glob("*/SKILL.md")
    assert (own_home / ".agents" / "skills" / file.parent.name).resolve() == file.parent
    assert not (own_home / ".claude").exists()


def test_what_a_person_has_of_that_name_at_home_bars_a_promotion(hive: OwnedHivemind, tree: Path) -> None:
    teach(hive, tree)
    (skill,) = current_skills(hive.store)
    mine = hive.paths.home / ".claude" / "skills" / skill.name / "SKILL.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", "utf-8")
    with pytest.raises(HivemindError, match="beside your own skills") as caught:
        promote(hive.store, skill, datetime.now(UTC), hive.paths)
    assert caught.value.fix and looks(hive) == skill
    assert mine.read_text("utf-8") == "mine"


def test_where_home_cannot_be_written_the_project_keeps_its_file(hive: OwnedHivemind, tree: Path) -> None:
    teach(hive, tree)
    (hive.paths.home / ".claude").write_text("mine", "utf-8")
    promote(hive.store, current_skills(hive.store)[0], datetime.now(UTC), hive.paths)
    hive.settle()
    assert skill_file(tree).exists() and "publish_failed" in abouts(hive)


# A person's command after a person's edit


def test_a_rollback_wins_over_an_edit_which_stays_as_a_version(hive: OwnedHivemind, tree: Path) -> None:
    teach(hive, tree)
    file = skill_file(tree)
    before = file.read_text("utf-8")
    edit(file)
    skill = looks(hive)
    rollback(hive.store, skill, 1, datetime.now(UTC))
    hive.settle()
    assert file.read_text("utf-8").replace('"3"', '"1"') == before
    history = history_of(hive.store, skill.skill_id)
    assert EDITED.removeprefix("- ") in history[1].body
    rollback(hive.store, looks(hive), 2, datetime.now(UTC))
    hive.settle()
    assert EDITED in file.read_text("utf-8")


def test_of_two_edits_the_one_that_is_called_for_stands(hive: OwnedHivemind, tree: Path) -> None:
    teach(hive, tree)
    file = skill_file(tree)
    first = edit(file)
    looks(hive)
    file.write_text(first.replace("ada", "bob"), "utf-8")
    skill = looks(hive)
    assert skill.version == 3
    undo(hive.store, skill, datetime.now(UTC))
    hive.settle()
    assert "Ask ada" in file.read_text("utf-8")


def to_the_first(store: Store, skill: SkillRevision, now: datetime) -> SkillRevision:
    return rollback(store, skill, 1, now)


@pytest.mark.parametrize("change", [retire, undo, to_the_first])
def test_an_edit_that_was_not_seen_before_the_command_is_kept_and_the_command_holds(
    hive: OwnedHivemind, tree: Path, change: Callable[..., SkillRevision]
) -> None:
    teach(hive, tree)
    teach(hive, tree, "s2", new="lift by name")
    (skill,) = current_skills(hive.store)
    file = skill_file(tree)
    edit(file)
    os.utime(file, (1e9, 1e9))
    wanted = change(hive.store, skill, datetime.now(UTC))
    hive.settle()
    after = looks(hive)
    assert (after.state, after.reason, after.lines) == (wanted.state, wanted.reason, wanted.lines)
    assert any(EDITED.removeprefix("- ") in one.body for one in history_of(hive.store, skill.skill_id))
    assert EDITED not in "".join(path.read_text("utf-8") for path in (tree / ".claude").rglob("SKILL.md"))
    assert looks(hive) == after


def test_an_edit_is_one_version_though_we_were_killed_before_it_was_noted(
    hive: OwnedHivemind, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(hive, tree)
    edit(skill_file(tree))
    with monkeypatch.context() as killed:
        killed.setattr("hivemind_cli.skills.disk.adopt", lambda *given: None)
        assert looks(hive).version == 2
    assert looks(hive).version == 2
    skill_file(tree).write_text(skill_file(tree).read_text("utf-8").replace("ada", "bob"), "utf-8")
    assert looks(hive).version == 3


def test_an_edit_while_more_waits_for_the_same_skill_is_kept_and_so_is_what_waits(
    hive: OwnedHivemind, tree: Path
) -> None:
    teach(hive, tree)
    file = skill_file(tree)
    edit(file)
    looks(hive)
    teach(hive, tree, "s2")  # the file is the person's: it waits beside
    text = file.read_text("utf-8").replace("ada", "bob")
    file.write_text(text, "utf-8")
    hive.tick(datetime.now(UTC))
    (waiting,) = [one for one in current_skills(hive.store) if one.state is SkillState.REVIEW]
    accept(hive.store, waiting, datetime.now(UTC))
    hive.settle()
    assert file.read_text("utf-8") == text
    assert [one.state for one in current_skills(hive.store)] == [SkillState.LIVE] * 2


@pytest.mark.parametrize("state", [SkillState.REVIEW, SkillState.DRAFT, SkillState.QUARANTINED])
def test_an_edit_that_nobody_saw_outlives_a_version_that_takes_the_skill_out_of_use(
    hive: OwnedHivemind, tree: Path, state: SkillState
) -> None:
    teach(hive, tree)
    file = skill_file(tree)
    text = edit(file)
    (skill,) = current_skills(hive.store)
    hive.store.append([replace(skill, id="next", version=2, state=state, reason="its tests fail")])
    hive.settle()
    after = looks(hive)
    assert (after.version, after.state, after.drafter) == (3, SkillState.LIVE, "person")
    assert file.read_text("utf-8") == text
