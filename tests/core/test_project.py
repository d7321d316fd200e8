"""Which project a folder is: as git sees it, without git."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core import project
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import identify, normal_remote, workspace_for
from hivemind_cli.core.records import NO_PROJECT


@pytest.fixture(autouse=True)
def fresh() -> None:
    project.forget()


def git(folder: Path, *args: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ("-c", "user.name=t", "-c", "user.email=t@x.example", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *who, *args], cwd=folder, env=env, check=True, capture_output=True)


def repository(folder: Path, remote: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    if remote:
        git(folder, "remote", "add", "origin", remote)
    return folder


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:acme/shop.git",
        "git@GitHub.com:acme/shop",
        "github.com:acme/shop.git",
        "https://github.com/acme/shop.git",
        "https://bob:pa55@github.com/acme/shop",
        "https://github.com:443/acme/shop/",
        "ssh://git@github.com:22/acme/shop.git",
        "git://github.com//acme/shop.git",
        " git+ssh://git@github.com/acme/shop.git ",
    ],
)
def test_spellings_of_one_remote_are_one(url: str) -> None:
    assert normal_remote(url) == "github.com/acme/shop"


def test_other_remotes_stay_apart() -> None:
    assert normal_remote("https://github.com/acme/Shop") != normal_remote("https://github.com/acme/shop")
    assert normal_remote("ssh://h:2222/a/b") == "h:2222/a/b"
    assert normal_remote("file:///srv/git/x.git") == normal_remote("/srv/git//x.git") == "/srv/git/x"
    assert normal_remote("file:///srv/my%20git/x") == "/srv/my git/x"


def test_clones_worktrees_and_subfolders_are_one_project(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one", "git@github.com:acme/shop.git")
    two = repository(tmp_path / "two", "https://github.com/acme/shop")
    git(one, "commit", "-q", "--allow-empty", "-m", "x")
    git(one, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "b")
    (one / "src" / "deep").mkdir(parents=True)
    found = [identify(str(p), own_home) for p in (one, two, tmp_path / "tree", one / "src" / "deep", one / ".git")]
    assert len({identity.id for identity in found}) == 1
    assert found[0].name == "shop"
    assert found[0].remote == "github.com/acme/shop"
    assert found[3].root == str(one)
    assert found[2].root == str(tmp_path / "tree")
    assert found[2].common_dir == str(one / ".git")


def test_without_a_remote_the_git_folder_tells(tmp_path: Path, own_home: Path) -> None:
    one, two = repository(tmp_path / "one"), repository(tmp_path / "two")
    git(one, "commit", "-q", "--allow-empty", "-m", "x")
    git(one, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "b")
    assert identify(str(one), own_home).id == identify(str(tmp_path / "tree"), own_home).id
    assert identify(str(one), own_home).id != identify(str(two), own_home).id
    assert identify(str(tmp_path / "tree"), own_home).name == "one"


def test_a_submodule_is_its_own_project(tmp_path: Path, own_home: Path) -> None:
    inner = repository(tmp_path / "inner")
    git(inner, "commit", "-q", "--allow-empty", "-m", "x")
    outer = repository(tmp_path / "outer", "https://h.example/outer")
    git(outer, "submodule", "--quiet", "add", str(inner), "sub")
    found = identify(str(outer / "sub"), own_home)
    assert found.remote == str(inner)
    assert found.id != identify(str(outer), own_home).id


def test_a_clone_of_a_local_bare_repository_is_known_by_its_path(tmp_path: Path, own_home: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "up.git")
    git(tmp_path, "clone", "-q", "up.git", "a")
    git(tmp_path, "clone", "-q", "file://" + str(tmp_path / "up.git"), "b")
    assert identify(str(tmp_path / "a"), own_home).id == identify(str(tmp_path / "b"), own_home).id
    git(tmp_path / "a", "remote", "set-url", "origin", "../up.git")
    project.forget()
    assert identify(str(tmp_path / "a"), own_home).remote == str(tmp_path / "up")


def test_the_first_remote_speaks_where_origin_is_missing(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one")
    git(one, "remote", "add", "upstream", "https://h.example/up.git")
    git(one, "remote", "add", "fork", "https://h.example/fork.git")
    assert identify(str(one), own_home).remote == "h.example/up"


def test_home_root_and_temporary_folders_are_no_project(tmp_path: Path, own_home: Path) -> None:
    repository(own_home)  # dotfiles under git make no project of everything at home
    for folder in (str(own_home), "/", "/tmp", "/var/tmp", "", "relative/path", "/tmp/nothing-here-hm"):
        assert identify(folder, own_home).id == NO_PROJECT, folder
    assert identify(str(tmp_path), own_home).id == NO_PROJECT  # no git, inside a temporary folder
    work = own_home / "work"
    work.mkdir()
    assert identify(str(repository(work / "r")), own_home).id


def test_a_plain_folder_is_known_by_its_path(own_home: Path) -> None:
    found = identify("/usr/lib", own_home)
    assert found.id
    assert found.root == os.path.realpath("/usr/lib")
    assert found.remote == found.common_dir == ""


def test_links_lead_to_the_same_project(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one")
    (tmp_path / "link").symlink_to(one)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert identify(str(tmp_path / "link"), own_home).id == identify(str(one), own_home).id
    identify(str(tmp_path / "circle"), own_home)


def test_a_vanished_folder_belongs_to_its_repository(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one")
    assert identify(str(one / "gone" / "deeper"), own_home).id == identify(str(one), own_home).id


def test_a_damaged_git_folder_is_no_error(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one")
    (one / ".git" / "config").write_bytes(b'\xff[remote "origin\n url = \x00\n[remote "x"]\nurl')
    assert identify(str(one), own_home).id
    two = tmp_path / "two"
    two.mkdir()
    (two / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert identify(str(two), own_home).id
    (tmp_path / "three" / ".git").mkdir(parents=True)
    assert identify(str(tmp_path / "three"), own_home).id == NO_PROJECT


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_name_raises(tmp_path: Path, own_home: Path, name: str, url: str) -> None:
    identify(name, own_home)
    identify(f"{tmp_path}/{name}", own_home)
    normal = normal_remote(url)
    assert isinstance(normal, str)


def test_a_change_is_seen_after_the_cache(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = repository(tmp_path / "one")
    before = identify(str(one), own_home)
    git(one, "remote", "add", "origin", "https://h.example/a")
    assert identify(str(one), own_home) == before
    monkeypatch.setattr(project, "CACHE_SECONDS", 0.0)
    assert identify(str(one), own_home).remote == "h.example/a"


def test_a_warm_answer_takes_no_time(tmp_path: Path, own_home: Path) -> None:
    one = repository(tmp_path / "one")
    identify(str(one), own_home)
    start = time.process_time()
    for _ in range(1000):
        identify(str(one), own_home)
    assert (time.process_time() - start) / 1000 < 0.0002


class TestWorkspace:
    def test_the_first_that_speaks_wins(self, tmp_path: Path, own_home: Path) -> None:
        one = repository(tmp_path / "one")
        found = identify(str(one), own_home)
        assert workspace_for("", found, {}).id == "default"
        assert workspace_for("", found, {}, "mine").id == "mine"
        assert workspace_for("", found, {found.root: "by-root"}).id == "by-root"
        assert workspace_for("", found, {found.id: "by-id", found.root: "by-root"}).id == "by-id"
        (one / ".hivemind.toml").write_text('workspace = "filed"\n')
        assert workspace_for("", found, {found.id: "by-id"}).id == "filed"
        assert workspace_for("said", found, {found.id: "by-id"}) == ("said", "")

    @pytest.mark.parametrize("name", ["Team", "a b", "../x", "-a", "a" * 65, "ä", "a\n", "."])
    def test_a_bad_name_falls_to_default_with_a_reason(self, name: str) -> None:
        found = workspace_for(name, project.NOWHERE, {})
        assert found.id == "default"
        assert "workspace name" in found.reason

    def test_a_bad_project_file_falls_to_default_with_a_reason(self, tmp_path: Path, own_home: Path) -> None:
        one = repository(tmp_path / "one")
        (one / ".hivemind.toml").write_text('workspace = "Bad Name"\n')
        found = workspace_for("", identify(str(one), own_home), {})
        assert found.id == "default"
        assert ".hivemind.toml:1" in found.reason

    def test_no_project_has_no_kept_workspace(self) -> None:
        assert workspace_for("", project.NOWHERE, {"": "x"}).id == "default"

    def test_what_install_keeps_is_read_again(self, own_home: Path) -> None:
        paths = Paths.from_env(os.environ)
        assert project.kept_workspaces(paths) == {}
        project.keep_workspace(paths, "abc", "team")
        project.keep_workspace(paths, "/x", "other")
        assert project.kept_workspaces(paths) == {"abc": "team", "/x": "other"}
        assert paths.workspaces.stat().st_mode & 0o777 == 0o600
        project.keep_workspace(paths, "abc", "")
        assert project.kept_workspaces(paths) == {"/x": "other"}
        with pytest.raises(ConfigError):
            project.keep_workspace(paths, "abc", "Not a name")
        paths.workspaces.write_text("[1")
        assert project.kept_workspaces(paths) == {}


def test_a_folder_that_a_repository_made_look_bare_is_no_project_of_its_own(tmp_path: Path, own_home: Path) -> None:
    clone = repository(tmp_path / "clone", "https://h.example/theirs.git")
    trap = clone / "docs"
    for folder in ("objects", "refs"):
        (trap / folder).mkdir(parents=True)
    (trap / "HEAD").write_text("ref: refs/heads/main\n")
    (trap / "config").write_text('[remote "origin"]\n url = git@h.example:ours/secret.git\n')
    seen = identify(str(trap / "objects"), own_home)
    assert (seen.remote, seen.root) == ("h.example/theirs", str(clone))


def test_a_bare_repository_is_a_project_and_none_inside_it_is(tmp_path: Path, own_home: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "up.git")
    git(tmp_path / "up.git", "init", "-q", "--bare", "inner")
    git(tmp_path / "up.git" / "inner", "remote", "add", "origin", "https://h.example/other.git")
    assert identify(str(tmp_path / "up.git" / "inner"), own_home).id == identify(str(tmp_path / "up.git"), own_home).id
    assert identify(str(tmp_path / "up.git"), own_home).name == "up"
