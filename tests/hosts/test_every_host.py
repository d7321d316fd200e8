"""Install and uninstall of every host on files as people keep them: one suite, a folder of files for each format.

theirs/<host> is what stands in a person's home before; `mine-1` in it is what the person changes later.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import checking, installing, uninstalling
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.apply import diff
from hivemind_cli.hosts.base import Host
from hivemind_cli.hosts.command import hook_command

THEIRS = Path(__file__).parent / "theirs"
GOLDEN = Path(__file__).parent / "golden" / "every"
WRITE_GOLDEN = os.environ.get("HIVEMIND_TEST_GOLDEN") == "write"
EDITED = sorted(name for name in HOSTS if (THEIRS / name).is_dir())
NOW = datetime(2026, 1, 2, tzinfo=UTC)
GONE = Path("/nonexistent/python3")


@pytest.fixture
def paths(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A home whose name has blanks, a quote and letters of other scripts; no power fails there."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    home = own_home / "Zoë's home 家"
    home.mkdir()
    return Paths(home / ".hivemind", home)


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


@pytest.fixture(params=EDITED)
def theirs(request: pytest.FixtureRequest, paths: Paths) -> tuple[Host, Path]:
    """A host, and the person's file that it keeps its hooks in."""
    name = request.param
    shutil.copytree(THEIRS / name, paths.home, dirs_exist_ok=True)
    (file,) = (paths.home / path.relative_to(THEIRS / name) for path in (THEIRS / name).rglob("*") if path.is_file())
    return HOSTS[name], file


def install(paths: Paths, *hosts: Host) -> installing.Installed:
    plan = installing.plan(paths, hosts, {}, HOSTS)
    return installing.install(paths, Config(), plan, daemon=(), env={}, now=NOW, hosts=HOSTS)


def uninstall(paths: Paths, *hosts: Host) -> uninstalling.Uninstalled:
    return uninstalling.uninstall(paths, HOSTS, [host.NAME for host in hosts])


def files(paths: Paths) -> dict[str, bytes]:
    """What stands in the home, but hivemind's own."""
    found = (path for path in paths.home.rglob("*") if not path.is_relative_to(paths.root))
    return {str(path.relative_to(paths.home)): path.read_bytes() if path.is_file() else b"" for path in sorted(found)}


def commands(content: str) -> Iterator[str]:
    """Every command of ours in a JSON hook file."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (one for one in value.values() if isinstance(one, str) and "hivemind_hook.py" in one)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from walk(inner)

    yield from walk(json.loads(content))


def words(content: bytes) -> bytes:
    """Without the white space: a list of one line may have become one of several."""
    return b"".join(content.split())


def test_installed_in_a_home_of_any_name_its_hook_answers_and_leaves_no_record(host: Host, paths: Paths) -> None:
    assert not install(paths, host).problems
    assert checking.check(paths, [host], {"PATH": os.environ["PATH"]}) == [checking.Checked(host.NAME)]
    assert list(paths.spool_new.iterdir()) == []
    assert not paths.spool_checked.exists()


def test_twice_is_once_and_uninstall_leaves_nothing(host: Host, paths: Paths) -> None:
    before = files(paths)
    install(paths, host)
    once = files(paths)
    assert once != before
    assert not install(paths, host).problems
    assert files(paths) == once
    done = uninstall(paths)
    assert files(paths) == before
    assert all(one.proven for one in done.files[host.NAME]) and not done.problems


def test_an_upgrade_from_an_older_install_still_knows_how_it_was(
    host: Host, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(paths)
    with monkeypatch.context() as older:
        older.setattr(installing, "base_python", lambda: GONE)
        install(paths, host)
    receipt = paths.receipts / f"{host.NAME}.json"
    said = json.loads(receipt.read_bytes())
    for file in said["files"]:  # the fields that came later
        del file["replaced_sha256"], file["exact"]
    receipt.write_text(json.dumps(said))
    assert not host.wired(paths.home, installing.command_for(paths, host))
    assert not install(paths, host).problems
    assert host.wired(paths.home, installing.command_for(paths, host))
    uninstall(paths)
    assert files(paths) == before


def test_one_hosts_skills_are_shown_where_it_looks_and_go_with_it(host: Host, paths: Paths) -> None:
    install(paths, host)
    folders = [folder / "hivemind-memory" / "SKILL.md" for folder in host.skill_folders(paths.home)]
    assert any(file.is_file() for file in folders) or not folders
    other = HOSTS["codex" if host.NAME == "claude" else "claude"]
    install(paths, other)
    shown = list(paths.home.glob(".*/skills/hivemind-memory/SKILL.md"))
    assert len(shown) >= len({file.resolve() for file in shown}) == 1, "one folder, and links to it"
    uninstall(paths, host)
    assert list(paths.home.glob(".*/skills/hivemind-memory/SKILL.md"))
    uninstall(paths, other)
    assert list(paths.home.glob(".*/skills")) == []


def test_the_change_to_a_persons_file_is_the_golden_one(theirs: tuple[Host, Path], paths: Paths) -> None:
    host, _ = theirs
    command = hook_command(Path("/usr/bin/python3"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), host.HOOK_NAME)
    edits = [edit for edit in host.plan_install(paths.home, command) if edit.before is not None]
    found = diff(edits).replace(str(paths.home), "~")
    golden = GOLDEN / f"{host.NAME}.diff"
    if WRITE_GOLDEN:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()
    lost = [line for line in found.splitlines() if line.startswith("-") and not line.startswith("---")]
    kept = "".join(line for line in found.splitlines() if line.startswith("+"))
    assert all(word in kept for line in lost for word in line[1:].split("]")[0].split()), "nothing of theirs may go"


def test_a_persons_file_comes_back_byte_for_byte_with_its_mode(theirs: tuple[Host, Path], paths: Paths) -> None:
    host, file = theirs
    file.chmod(0o640)
    before = files(paths)
    assert not install(paths, host).problems
    assert files(paths) != before
    (restored,) = [one for one in uninstall(paths).files[host.NAME] if one.path == file]
    assert (restored.outcome, restored.proven) == ("restored", True)
    assert (files(paths), file.stat().st_mode & 0o777) == (before, 0o640)


def test_what_a_person_changed_meanwhile_stays_and_only_ours_goes(theirs: tuple[Host, Path], paths: Paths) -> None:
    host, file = theirs
    before = file.read_bytes()
    install(paths, host)
    file.write_bytes(file.read_bytes().replace(b"mine-1", b"mine-2"))
    install(paths, host)
    uninstall(paths)
    assert words(file.read_bytes()) == words(before.replace(b"mine-1", b"mine-2"))


def test_a_linked_file_is_changed_where_it_lies(theirs: tuple[Host, Path], paths: Paths) -> None:
    host, file = theirs
    dotfiles = paths.home / "dotfiles" / file.name
    dotfiles.parent.mkdir()
    file.rename(dotfiles)
    file.symlink_to(dotfiles)
    before = dotfiles.read_bytes()
    assert not install(paths, host).problems
    assert file.is_symlink() and dotfiles.read_bytes() != before
    uninstall(paths)
    assert file.is_symlink() and dotfiles.read_bytes() == before


@pytest.mark.parametrize("trouble", ["read-only", "damaged", "a folder"])
def test_a_file_we_would_not_dare_to_change_is_left_and_the_others_are_wired(
    theirs: tuple[Host, Path], paths: Paths, trouble: str
) -> None:
    host, file = theirs
    other = HOSTS["codex" if host.NAME == "claude" else "claude"]
    if trouble == "read-only":
        file.chmod(0o444)
    elif trouble == "damaged":
        file.write_bytes(b'{ "hooks": [ \x00\xff')
    else:
        file.unlink()
        file.mkdir()
    before = file.read_bytes() if file.is_file() else b""
    done = install(paths, host, other)
    assert list(done.problems) == [host.NAME]
    assert str(file) in str(done.problems[host.NAME])
    assert (file.read_bytes() if file.is_file() else b"") == before
    assert other.wired(paths.home, installing.command_for(paths, other))
    assert not host.wired(paths.home, installing.command_for(paths, host))


@pytest.mark.parametrize("name", [name for name in EDITED if name in ("claude", "codex", "cursor", "windsurf")])
@pytest.mark.parametrize("gone", ["nothing", "python", "hook"])
def test_every_command_in_the_file_runs_and_fails_open(
    name: str, gone: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HOSTS[name]
    if gone == "python":
        monkeypatch.setattr(installing, "base_python", lambda: GONE)
    (edit,) = host.plan_install(paths.home, installing.command_for(paths, host))
    install(paths, host)
    if gone == "hook":
        paths.hook.unlink()
    paths.hook_settings.write_bytes(b"capture=0\n")
    assert edit.after is not None
    written = sorted(set(commands(edit.after.decode())))
    assert [command.rpartition(" ")[2] for command in written] == sorted(host.EVENTS)
    for command in (written[0], written[-1]):
        done = subprocess.run(["/bin/sh", "-c", command], input=b"x" * 200_000, capture_output=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_two_hosts_that_share_a_file_keep_what_the_other_needs(paths: Paths) -> None:
    shutil.copytree(THEIRS / "claude", paths.home, dirs_exist_ok=True)
    before = files(paths)
    claude, vscode = HOSTS["claude"], HOSTS["vscode"]
    for first, second in ((claude, vscode), (vscode, claude)):
        assert not install(paths, claude, vscode).problems
        wired = paths.home.joinpath(".claude/settings.json").read_bytes()
        done = uninstall(paths, first)
        assert done.shared == {first.NAME: second.NAME}
        assert paths.home.joinpath(".claude/settings.json").read_bytes() == wired
        done = uninstall(paths, second)
        assert all(one.proven for one in done.files[second.NAME]) and not done.shared
        assert files(paths) == before
