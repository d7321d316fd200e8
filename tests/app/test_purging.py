"""`uninstall --purge` takes back the skills for every project that hivemind alone wrote, and no other file."""

from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import purging
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Scope, SkillRevision
from hivemind_cli.skills import disk
from hivemind_cli.skills.format import render
from tests.app.skills import revision

ID = "01ARZ3NDEKTSV4RRFFQ69G0001"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "own").mkdir()
    return Paths(root=tmp_path / "own" / ".hivemind", home=tmp_path / "own")


def put(paths: Paths, tree: Path, skill: SkillRevision) -> Path:
    folders = [tree / ".claude" / "skills", tree / ".agents" / "skills"]
    return disk.publish(tree, folders, render(skill), skill.name, paths.receipts).path


def wide(name: str = "deploy", *texts: str, **changes: Any) -> SkillRevision:
    return revision(1, *(texts or (f"Deploy with make.@{ID}",)), name=name, scope=Scope.USER, **changes)


def test_what_nobody_touched_goes_with_its_folders_and_links(paths: Paths) -> None:
    put(paths, paths.home, wide())
    put(paths, paths.home, wide("tag"))
    assert [(one.name, one.removed) for one in purging.withdraw_user_skills(paths)] == [("deploy", True), ("tag", True)]
    assert [*paths.home.iterdir()] == [paths.root]
    assert purging.user_skills(paths) == []


@pytest.mark.parametrize("noticed", [True, False])
def test_what_a_person_wrote_in_stays_as_it_is_noticed_or_not(paths: Paths, noticed: bool) -> None:
    path = put(paths, paths.home, wide())
    path.write_text(path.read_text().replace("with make", "with care"))
    if noticed:
        (seen,) = disk.observe(paths.home, paths.receipts)
        disk.adopt(paths.home, seen, paths.receipts)
    said = path.read_bytes()
    (left,) = purging.withdraw_user_skills(paths)
    assert (left.removed, left.why, path.read_bytes()) == (False, purging.THEIRS, said)
    assert (paths.home / ".agents" / "skills" / "deploy" / "SKILL.md").read_bytes() == said


@pytest.mark.parametrize(
    "skill",
    [
        wide(drafter="person"),  # edited in a review
        wide("deploy", f"Deploy with make.@{ID}", "Ask Ann first."),  # a line of theirs, and lines were added since
    ],
)
def test_words_of_a_person_stay_though_hivemind_wrote_the_file(paths: Paths, skill: SkillRevision) -> None:
    path = put(paths, paths.home, skill)
    (left,) = purging.withdraw_user_skills(paths)
    assert not left.removed and path.is_file()


def test_after_an_undo_of_the_persons_edit_it_is_hiveminds_again(paths: Paths) -> None:
    path = put(paths, paths.home, wide())
    path.write_text(path.read_text() + "- Ask Ann first.\n")
    (seen,) = disk.observe(paths.home, paths.receipts)
    disk.adopt(paths.home, seen, paths.receipts)
    put(paths, paths.home, wide())
    (gone,) = purging.withdraw_user_skills(paths)
    assert gone.removed and not path.exists()


def test_files_of_projects_are_counted_and_left(paths: Paths, tmp_path: Path) -> None:
    shop, gone = tmp_path / "shop", tmp_path / "gone"
    for tree in (shop, gone):
        tree.mkdir()
        put(paths, tree, revision(1, f"A@{ID}"))
    put(paths, shop, revision(1, f"A@{ID}", name="tag"))
    put(paths, paths.home, wide())
    (gone / ".claude" / "skills" / "deploy" / "SKILL.md").unlink()
    purging.withdraw_user_skills(paths)
    assert purging.in_projects(paths) == {shop.resolve(): 2}
    assert (shop / ".claude" / "skills" / "deploy" / "SKILL.md").is_file()
