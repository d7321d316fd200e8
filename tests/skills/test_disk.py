"""Skill files in working trees: real files, real git, and hostile repositories."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.skills import history
from hivemind_cli.skills.disk import FileState, SkillNotOurs, adopt, disown, observe, publish, withdraw
from hivemind_cli.skills.receipts import trees
from tests.skills.working_tree import FOLDERS, NAME, Tree, skill


def test_it_is_written_once_and_linked(tree: Tree) -> None:
    published = tree.publish()
    assert published.written
    assert tree.file.read_text() == skill()
    assert os.readlink(tree.link) == f"../../.claude/skills/{NAME}"
    assert (tree.link / "SKILL.md").read_text() == skill()
    assert published.links == (tree.link,)
    assert tree.state() is FileState.UNCHANGED
    assert not tree.publish().written
    assert trees(tree.receipts) == [tree.root]
    assert tree.git("diff", "--cached", "--name-only") == ""


def test_a_new_version_replaces_ours(tree: Tree) -> None:
    tree.publish()
    assert tree.publish(skill(2)).written
    assert tree.file.read_text() == skill(2)
    assert tree.state() is FileState.UNCHANGED
    assert len(list(tree.file.parent.iterdir())) == 1


def test_files_have_the_trees_own_permissions(tree: Tree) -> None:
    tree.root.chmod(0o750)
    os.umask(os.umask(0o077))
    tree.publish()
    assert tree.file.stat().st_mode & 0o777 == 0o640
    assert tree.file.parent.stat().st_mode & 0o777 == 0o750
    assert {path.stat().st_mode & 0o077 for path in tree.receipts.rglob("*.json")} == {0}


def test_an_edit_is_noticed_and_never_overwritten(tree: Tree) -> None:
    tree.publish()
    edited = skill(rule="Write it twice.")
    tree.file.write_text(edited)
    assert tree.states() == [(FileState.EDITED, edited)]
    with pytest.raises(SkillNotOurs, match="person"):
        tree.publish(skill(2))
    assert tree.file.read_text() == edited


def test_an_edit_the_store_has_may_be_replaced(tree: Tree) -> None:
    tree.publish()
    tree.file.write_text(skill(rule="Write it twice."))
    [seen] = observe(tree.root, tree.receipts)
    adopt(tree.root, seen, tree.receipts)
    assert tree.state() is FileState.UNCHANGED
    tree.publish(skill(2, "Write it twice."))
    assert tree.state() is FileState.UNCHANGED


def test_an_edit_made_after_it_was_seen_is_kept(tree: Tree) -> None:
    tree.publish()
    tree.file.write_text(skill(rule="Once."))
    [seen] = observe(tree.root, tree.receipts)
    tree.file.write_text(skill(rule="Twice."))
    adopt(tree.root, seen, tree.receipts)
    with pytest.raises(SkillNotOurs):
        tree.publish(skill(2))


def test_other_line_ends_are_no_edit(tree: Tree) -> None:
    tree.publish()
    tree.file.write_bytes(skill().replace("\n", "\r\n").encode())
    assert tree.state() is FileState.UNCHANGED


@pytest.mark.parametrize("content", [b"mine\n", b"", b"\xff\xfe\x00", skill(skill_id="sk_other").encode()])
def test_a_persons_own_skill_of_that_name_is_left_alone(tree: Tree, content: bytes) -> None:
    tree.file.parent.mkdir(parents=True)
    tree.file.write_bytes(content)
    with pytest.raises(SkillNotOurs) as caught:
        tree.publish()
    assert caught.value.fix
    assert tree.file.read_bytes() == content
    assert not tree.link.exists()
    assert withdraw(tree.root, tree.receipts) == []
    assert tree.file.exists()


def test_a_folder_with_other_files_is_left_alone(tree: Tree) -> None:
    tree.file.parent.mkdir(parents=True)
    (tree.file.parent / "notes.txt").write_text("mine")
    with pytest.raises(SkillNotOurs):
        tree.publish()


def test_a_persons_own_skill_at_the_link_is_left_alone(tree: Tree) -> None:
    tree.link.mkdir(parents=True)
    (tree.link / "SKILL.md").write_text("mine")
    published = tree.publish()
    assert published.written
    assert (published.links, len(published.skipped)) == ((), 1)
    assert (tree.link / "SKILL.md").read_text() == "mine"
    withdraw(tree.root, tree.receipts)
    assert (tree.link / "SKILL.md").read_text() == "mine"


def test_a_write_whose_receipt_was_not_finished_stays_ours(tree: Tree) -> None:
    tree.publish()
    tree.commit("skill")
    [path] = tree.receipts.rglob(f"{NAME}.json")
    before = json.loads(path.read_text())
    tree.publish(skill(2))
    after = json.loads(path.read_text())
    path.write_text(json.dumps({**before, "known": after["known"]}))
    assert tree.state() is FileState.UNCHANGED
    assert tree.publish(skill(3)).written


def test_the_same_text_from_a_teammate_is_taken_over(tree: Tree) -> None:
    tree.file.parent.mkdir(parents=True)
    tree.file.write_text(skill())
    assert not tree.publish().written
    tree.publish(skill(2))
    assert tree.file.read_text() == skill(2)


def test_our_earlier_text_that_git_carried_into_another_tree_is_replaced(tree: Tree, tmp_path: Path) -> None:
    tree.publish()
    other = Tree(tmp_path / "clone", tree.receipts)
    other.file.parent.mkdir(parents=True)
    other.file.write_text(skill())
    tree.publish(skill(2))
    assert other.publish(skill(2)).written


# -- hostile trees


@pytest.mark.parametrize(
    "where", [".claude", ".claude/skills", f".claude/skills/{NAME}", f".claude/skills/{NAME}/SKILL.md"]
)
def test_no_link_out_of_the_tree_is_followed(tree: Tree, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tree.root / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside if link.suffix != ".md" else outside / "SKILL.md")
    with pytest.raises(HivemindError) as caught:
        tree.publish()
    assert caught.value.fix
    assert list(outside.iterdir()) == []
    assert tree.states() == []


def test_a_link_put_there_later_is_not_read_through(tree: Tree, tmp_path: Path) -> None:
    tree.publish()
    secret = tmp_path / "secret"
    secret.write_text("not for the store")
    tree.file.unlink()
    tree.file.symlink_to(secret)
    assert tree.states() == [(FileState.ABSENT, "")]
    withdraw(tree.root, tree.receipts)
    assert secret.read_text() == "not for the store"


def test_git_is_never_written_into(tree: Tree) -> None:
    (tree.root / ".claude").symlink_to(".git")
    with pytest.raises(HivemindError, match="outside"):
        tree.publish()


def test_a_link_out_of_the_tree_among_the_other_folders_is_skipped(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tree.root / ".agents").symlink_to(tmp_path / "outside")
    published = tree.publish()
    assert published.written
    assert "outside" in published.skipped[0]
    assert list((tmp_path / "outside").iterdir()) == []


def test_folders_that_are_links_inside_the_tree_are_fine(tree: Tree) -> None:
    (tree.root / ".claude/skills").mkdir(parents=True)
    (tree.root / ".agents").mkdir()
    (tree.root / ".agents/skills").symlink_to("../.claude/skills")
    assert tree.publish().skipped == ()
    assert tree.link.resolve() == tree.file.parent
    assert not tree.link.is_symlink()


@pytest.mark.parametrize("name", ["../up", "Upper", "a/b", "", ".", "a--b"])
def test_a_name_that_is_none_is_refused(tree: Tree, name: str) -> None:
    with pytest.raises(HivemindError):
        tree.publish(name=name)
    assert tree.files() == {"README"}


def test_a_skill_may_be_called_as_anything(tree: Tree) -> None:
    for name in ("tree", "created", "con"):
        tree.publish(name=name)
    assert len(tree.states()) == 3


def test_a_damaged_receipt_makes_everything_the_persons(tree: Tree) -> None:
    tree.publish()
    for path in tree.receipts.rglob("*.json"):
        path.write_text('{"path": "../../etc"')
    assert tree.states() == []
    assert withdraw(tree.root, tree.receipts) == []
    with pytest.raises(SkillNotOurs):
        tree.publish(skill(2))
    assert tree.file.read_text() == skill()


# -- where links are not allowed


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: object, target_is_directory: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "symlink_to", refuse)


@pytest.mark.usefixtures("no_links")
def test_without_links_there_is_a_copy_that_follows(tree: Tree) -> None:
    assert tree.publish().copies == (tree.link,)
    tree.publish(skill(2))
    assert (tree.link / "SKILL.md").read_text() == skill(2)
    withdraw(tree.root, tree.receipts)
    assert tree.files() == {"README"}


@pytest.mark.usefixtures("no_links")
def test_an_edited_copy_is_noticed_and_kept(tree: Tree) -> None:
    tree.publish()
    edited = skill(rule="Mine.")
    (tree.link / "SKILL.md").write_text(edited)
    assert tree.states() == [(FileState.UNCHANGED, ""), (FileState.EDITED, edited)]
    assert tree.publish(skill(2)).skipped
    assert (tree.link / "SKILL.md").read_text() == edited


# -- withdrawing


def test_withdrawing_leaves_nothing_of_ours(tree: Tree) -> None:
    tree.publish()
    tree.publish(name="other")
    assert [one.removed for one in withdraw(tree.root, tree.receipts, NAME)] == [True]
    assert tree.files() >= {".claude/skills/other/SKILL.md", ".agents/skills/other"}
    assert not os.path.lexists(tree.link)
    withdraw(tree.root, tree.receipts)
    assert tree.files() == {"README"}
    assert list((tree.receipts / "skills").iterdir()) == []


def test_withdrawing_keeps_folders_and_files_of_the_person(tree: Tree) -> None:
    (tree.root / ".claude").mkdir()
    tree.publish()
    (tree.root / ".agents/mine").write_text("x")
    withdraw(tree.root, tree.receipts)
    assert tree.files() == {"README", ".claude", ".agents", ".agents/mine"}


def test_withdrawing_leaves_an_edited_file_and_says_so(tree: Tree) -> None:
    tree.publish()
    tree.file.write_text(skill(rule="Mine."))
    [one] = withdraw(tree.root, tree.receipts)
    assert (one.removed, "changed" in one.why) == (False, True)
    assert tree.file.exists()
    assert (tree.link / "SKILL.md").exists()
    assert tree.states() == []


# -- two skills of one name, trees made anew, and texts that no person wrote


def test_another_skill_of_that_name_is_refused_and_not_withdrawn(tree: Tree) -> None:
    tree.publish()
    with pytest.raises(SkillNotOurs, match="Another skill"):
        tree.publish(skill(skill_id="sk_2"))
    assert withdraw(tree.root, tree.receipts, NAME, "sk_2") == []
    assert tree.file.read_text() == skill()
    assert [one.removed for one in withdraw(tree.root, tree.receipts, NAME, "sk_1")] == [True]


def test_a_file_with_our_mark_but_no_receipt_is_said_to_be_one(tree: Tree) -> None:
    tree.file.parent.mkdir(parents=True)
    tree.file.write_text(skill(rule="From another machine."))
    with pytest.raises(SkillNotOurs, match="no receipt"):
        tree.publish()
    assert "another machine" in tree.file.read_text()


def test_a_clone_made_anew_has_deleted_nothing_and_is_published_to(tree: Tree, tmp_path: Path) -> None:
    tree.publish()
    assert tree.state() is FileState.UNCHANGED
    tree.git("clone", "-q", ".", str(tmp_path / "anew"))
    shutil.rmtree(tree.root)
    (tmp_path / "anew").rename(tree.root)
    assert tree.states() == []
    assert tree.publish().written
    tree.file.unlink()
    assert tree.state() is FileState.DELETED


def test_a_worktree_made_anew_has_deleted_nothing(tree: Tree, tmp_path: Path) -> None:
    side = tmp_path / "side"
    for _ in range(2):
        tree.git("worktree", "add", "-q", "--force", "--detach", str(side))
        assert observe(side, tree.receipts) == []
        assert publish(side, FOLDERS, skill(), NAME, tree.receipts).written
        tree.git("worktree", "remove", "--force", str(side))


def test_an_edited_file_stays_known_in_a_tree_made_anew(tree: Tree) -> None:
    tree.publish()
    edited = skill(rule="Mine.")
    tree.file.write_text(edited)
    (tree.root / ".git").rename(tree.root / "old")
    tree.git("init", "-q")
    assert tree.states() == [(FileState.EDITED, edited)]


def test_receipts_from_before_trees_had_identities_stay_good(tree: Tree) -> None:
    tree.publish()
    for path in tree.receipts.rglob("*.json"):
        said = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in said.items() if k not in ("identity", "at", "foreign", "gone")}))
    tree.file.unlink()
    assert tree.state() is FileState.DELETED


def test_git_is_asked_once_about_an_absent_file(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.git("branch", "before")
    tree.publish()
    tree.commit("skill")
    tree.git("checkout", "-q", "before")
    asked: list[str] = []
    real = history.was_deleted

    def counted(root: Path, path: str, head: str) -> bool:
        asked.append(path)
        return real(root, path, head)

    monkeypatch.setattr(history, "was_deleted", counted)
    assert [tree.state() for _ in range(3)] == [FileState.ABSENT] * 3
    assert len(asked) == 1
    tree.git("commit", "-q", "--allow-empty", "-m", "on")
    assert tree.state() is FileState.ABSENT
    assert len(asked) == 2
    tree.git("checkout", "-q", "main")
    assert tree.state() is FileState.UNCHANGED
    tree.file.unlink()
    assert tree.state() is FileState.DELETED


def test_a_text_that_no_person_wrote_is_remembered_until_it_is_another(tree: Tree) -> None:
    tree.publish()
    tree.file.write_text(skill(rule="Not mine."))
    [seen] = observe(tree.root, tree.receipts)
    assert not seen.foreign
    disown(tree.root, seen, tree.receipts)
    [again] = observe(tree.root, tree.receipts)
    assert again.foreign
    assert again.since == seen.since
    tree.file.write_text(skill(rule="Mine."))
    [other] = observe(tree.root, tree.receipts)
    assert not other.foreign
    tree.file.write_text(skill())
    observe(tree.root, tree.receipts)
    tree.file.write_text(skill(rule="Not mine."))
    [after] = observe(tree.root, tree.receipts)
    assert not after.foreign
    assert after.since > seen.since


# -- what may go wrong


def test_a_full_disk_tears_nothing(tree: Tree) -> None:
    resource = pytest.importorskip("resource")
    tree.publish()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))  # writes past it fail as on a full disk
    try:
        with pytest.raises(HivemindError) as caught:
            tree.publish(skill(2, "long " * 5000))
        with pytest.raises(HivemindError):
            tree.publish(skill(1, "long " * 5000), name="other")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free disk space" in caught.value.fix
    assert tree.file.read_text() == skill()
    assert tree.state() is FileState.UNCHANGED
    assert tree.files() == {
        *("README", ".claude", ".claude/skills", f".claude/skills/{NAME}", f".claude/skills/{NAME}/SKILL.md"),
        *(".agents", ".agents/skills", f".agents/skills/{NAME}"),
    }
    tree.publish(skill(2))
    assert tree.state() is FileState.UNCHANGED


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_read_only_tree_is_an_error_with_advice(shared: Path) -> None:
    root = shared / "shop"
    root.mkdir()
    root.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)  # to root nothing is read-only
    try:
        with pytest.raises(HivemindError) as caught:
            publish(root, FOLDERS, skill(), NAME, shared / "receipts")
        assert [one.state for one in observe(root, shared / "receipts")] == []
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        root.chmod(0o755)
    assert "write access" in caught.value.fix
    assert list(root.iterdir()) == []


def test_a_file_where_a_folder_must_be_is_an_error_with_advice(tree: Tree) -> None:
    (tree.root / ".claude").write_text("not a folder")
    with pytest.raises(HivemindError) as caught:
        tree.publish()
    assert caught.value.fix
    assert (tree.root / ".claude").read_text() == "not a folder"


def test_what_a_killed_writer_left_is_swept_and_finished(tree: Tree) -> None:
    tree.publish()
    (tree.file.parent / ".SKILL.md.123.aside").write_text("half")
    tree.publish(skill(2))
    assert [path.name for path in tree.file.parent.iterdir()] == ["SKILL.md"]


PUBLISHER = """
import sys
from pathlib import Path
from hivemind_cli.skills.disk import publish, withdraw
tree, receipts, text, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
folders = [Path(".claude/skills"), Path(".agents/skills")]
print("ready", flush=True)
while True:
    for version in range(2, 40):
        publish(tree, folders, text.replace("VERSION", str(version)), name, receipts)
    withdraw(tree, receipts)
"""


@pytest.mark.thorough
def test_kill_9_leaves_whole_files_that_stay_ours(tree: Tree) -> None:
    rng = random.Random(3)
    command = [sys.executable, "-c", PUBLISHER, str(tree.root), str(tree.receipts), skill().replace('"1"', '"VERSION"')]
    for _ in range(20):
        child = subprocess.Popen([*command, NAME], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout
        assert child.stderr
        child.stdout.readline()
        time.sleep(rng.uniform(0, 0.12))
        child.kill()
        assert child.wait() == -9, child.stderr.read()
        child.stdout.close()
        child.stderr.close()
        if tree.file.exists():
            assert tree.file.read_text().endswith("- Write it reversible.\n")
        assert {state for state, _ in tree.states()} <= {FileState.UNCHANGED, FileState.OLDER, FileState.ABSENT}
        tree.publish()
        assert tree.state() is FileState.UNCHANGED
    withdraw(tree.root, tree.receipts)
    assert tree.files() == {"README"}
