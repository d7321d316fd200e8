"""Deletes, checkouts and reverts of a published file, told apart by git's own history."""

from pathlib import Path

import pytest

from hivemind_cli.skills import history
from hivemind_cli.skills.disk import FileState, SkillNotOurs, adopt, observe, publish, withdraw
from hivemind_cli.skills.receipts import trees
from tests.skills.working_tree import FOLDERS, NAME, Tree, skill


def test_a_delete_is_noticed_and_not_undone(tree: Tree) -> None:
    tree.publish()
    tree.file.unlink()
    assert tree.state() is FileState.DELETED
    with pytest.raises(SkillNotOurs, match="deleted"):
        tree.publish(skill(2))
    [seen] = observe(tree.root, tree.receipts)
    adopt(tree.root, seen, tree.receipts)
    assert tree.states() == []
    assert tree.files() == {"README"}


def test_a_delete_after_many_commits_is_still_a_delete(tree: Tree) -> None:
    tree.publish()
    (tree.root / "code.py").write_text("x = 1\n")
    tree.commit("with the skill")
    (tree.root / "code.py").write_text("x = 2\n")
    tree.commit("more")
    tree.file.unlink()
    assert tree.state() is FileState.DELETED


def test_an_untracked_file_deleted_after_a_commit_is_a_delete(tree: Tree) -> None:
    tree.publish()
    (tree.root / "README").write_text("more\n")
    tree.git("commit", "-qam", "not the skill")
    tree.file.unlink()
    assert tree.state() is FileState.DELETED


def test_another_branch_without_it_is_no_delete(tree: Tree) -> None:
    tree.git("branch", "before")
    tree.publish()
    tree.commit("skill")
    tree.git("checkout", "-q", "before")
    assert not tree.file.exists()
    assert tree.state() is FileState.ABSENT
    tree.git("checkout", "-q", "main")
    assert tree.state() is FileState.UNCHANGED


def test_an_old_commit_is_no_delete_and_may_be_published_to(tree: Tree) -> None:
    tree.publish()
    tree.commit("skill")
    tree.git("checkout", "-q", "HEAD~1")
    assert tree.state() is FileState.ABSENT
    assert tree.publish().written


def test_a_stash_is_no_delete(tree: Tree) -> None:
    tree.publish()
    tree.git("stash", "-u", "-q")
    assert not tree.file.exists()
    assert tree.state() is FileState.ABSENT


def test_a_reverted_commit_is_a_delete(tree: Tree) -> None:
    tree.publish()
    tree.commit("skill")
    tree.git("revert", "--no-edit", "HEAD")
    assert not tree.file.exists()
    assert tree.state() is FileState.DELETED


def test_a_reverted_version_is_an_edit(tree: Tree) -> None:
    tree.publish()
    tree.commit("skill")
    tree.publish(skill(2))
    tree.commit("skill, version 2")
    tree.git("revert", "--no-edit", "HEAD")
    assert tree.states() == [(FileState.EDITED, skill())]
    with pytest.raises(SkillNotOurs):
        tree.publish(skill(3))


def test_an_old_commits_version_is_no_edit(tree: Tree) -> None:
    tree.publish()
    tree.commit("skill")
    tree.publish(skill(2))
    tree.commit("skill, version 2")
    tree.git("checkout", "-q", "HEAD~1")
    assert tree.states() == [(FileState.OLDER, "")]
    assert tree.publish(skill(2)).written


def test_a_tree_that_is_gone_has_deleted_nothing(tree: Tree, tmp_path: Path) -> None:
    tree.publish()
    tree.root.rename(tmp_path / "moved")
    assert tree.state() is FileState.ABSENT
    assert [one.removed for one in withdraw(tree.root, tree.receipts)] == [False]
    assert trees(tree.receipts) == []


def test_without_git_a_delete_is_seen_by_its_absence(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    publish(root, FOLDERS, skill(), NAME, tmp_path / "receipts")
    (root / ".claude/skills" / NAME / "SKILL.md").unlink()
    assert [one.state for one in observe(root, tmp_path / "receipts")] == [FileState.DELETED]


def test_where_git_cannot_run_another_head_is_no_delete(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.git("branch", "before")
    tree.publish()
    tree.commit("skill")
    observe(tree.root, tree.receipts)
    tree.git("checkout", "-q", "before")
    monkeypatch.setenv("PATH", "/nowhere")
    assert tree.state() is FileState.ABSENT


def test_no_program_that_a_repositorys_settings_name_is_run(tree: Tree, tmp_path: Path) -> None:
    ran, evil = tmp_path / "ran", tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\necho $0 >> {ran}\n")
    evil.chmod(0o755)
    tree.publish()
    tree.commit("skill")
    signed = tree.git("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    (tmp_path / "commit").write_text(signed + "\n")
    tree.git("update-ref", "HEAD", tree.git("hash-object", "-t", "commit", "-w", str(tmp_path / "commit")))
    tree.git("config", "log.showSignature", "true")
    for key in ("gpg.program", "core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv", "core.sshCommand"):
        tree.git("config", key, str(evil))
    (tree.root / ".git" / "info" / "attributes").write_text("* diff=x\n")
    assert tree.state() is FileState.UNCHANGED
    path = tree.file.relative_to(tree.root).as_posix()
    assert history.was_reverted(tree.root, path, history.blob_id(skill()))
    assert history.committed(tree.root, path) == skill()
    tree.file.unlink()
    assert tree.state() is FileState.DELETED
    assert not ran.exists()


def test_git_variables_of_the_caller_do_not_count(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.publish()
    tree.commit("skill")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert history.committed(tree.root, tree.file.relative_to(tree.root).as_posix()) == skill()


def test_the_head_of_a_worktree_names_its_commit(tree: Tree, tmp_path: Path) -> None:
    tree.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert tree.git("rev-parse", "HEAD") in history.head(tmp_path / "side")
    tree.git("pack-refs", "--all")
    assert "packed:" in history.head(tmp_path / "side")
