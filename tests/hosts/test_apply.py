"""Edits, receipts and their undoing, also when the installer is killed in the middle."""

import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.apply import UndoResult, apply, diff, read_receipt, undo
from hivemind_cli.hosts.base import Edit


def none_left() -> list[Edit]:
    return []


def test_a_file_we_made_goes_with_the_folders_we_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "settings.json"
    apply([Edit(path, None, b"{}")], tmp_path / "receipts", "acme", "now")
    assert path.read_bytes() == b"{}"
    assert undo("acme", tmp_path / "receipts", none_left) == [UndoResult(path, "deleted")]
    assert not (tmp_path / "a").exists()


def test_a_folder_in_which_someone_else_lives_stays(tmp_path: Path) -> None:
    path = tmp_path / "a" / "settings.json"
    apply([Edit(path, None, b"{}")], tmp_path / "receipts", "acme", "now")
    (tmp_path / "a" / "theirs").touch()
    undo("acme", tmp_path / "receipts", none_left)
    assert (tmp_path / "a" / "theirs").exists()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_of_a_file_is_kept_both_ways(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")
    path.chmod(mode)
    apply([Edit(path, b"old", b"new")], tmp_path / "receipts", "acme", "now")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    undo("acme", tmp_path / "receipts", none_left)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"old", mode)


def test_the_receipt_is_for_its_owner_alone(tmp_path: Path) -> None:
    apply([Edit(tmp_path / "f", None, b"x")], tmp_path / "receipts", "acme", "now", config_dir="/moved")
    assert stat.S_IMODE((tmp_path / "receipts" / "acme.json").stat().st_mode) == 0o600
    receipt = read_receipt(tmp_path / "receipts", "acme")
    assert receipt is not None
    assert (receipt.host, receipt.stamp, receipt.config_dir) == ("acme", "now", "/moved")


def test_a_file_that_changed_since_the_plan_stops_everything(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_bytes(b"changed")
    with pytest.raises(HostError, match="changed just now"):
        apply([Edit(first, None, b"x"), Edit(second, b"old", b"new")], tmp_path / "receipts", "acme", "now")
    assert not first.exists()
    assert second.read_bytes() == b"changed"
    assert read_receipt(tmp_path / "receipts", "acme") is None


def test_a_second_install_still_goes_back_to_before_the_first(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"original")
    apply([Edit(path, b"original", b"ours 1")], tmp_path / "receipts", "acme", "1")
    apply([Edit(path, b"ours 1", b"ours 2")], tmp_path / "receipts", "acme", "2")
    assert undo("acme", tmp_path / "receipts", none_left) == [UndoResult(path, "restored")]
    assert path.read_bytes() == b"original"


def test_a_change_between_two_installs_is_never_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a\n")
    apply([Edit(path, b"a\n", b"a\nours\n")], tmp_path / "receipts", "acme", "1")
    path.write_bytes(b"a\nours\nb\n")
    apply([Edit(path, b"a\nours\nb\n", b"a\nOURS\nb\n")], tmp_path / "receipts", "acme", "2")
    results = undo("acme", tmp_path / "receipts", lambda: [Edit(path, path.read_bytes(), b"a\nb\n")])
    assert [(one.outcome, one.proven) for one in results] == [("cleaned", False)]
    assert path.read_bytes() == b"a\nb\n"


def test_a_file_the_person_removed_stays_removed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    apply([Edit(path, b"old", b"new")], tmp_path / "receipts", "acme", "now")
    path.unlink()
    assert undo("acme", tmp_path / "receipts", none_left) == [UndoResult(path, "untouched")]
    assert not path.exists()


def test_undo_without_an_install_does_nothing(tmp_path: Path) -> None:
    assert undo("acme", tmp_path / "receipts", none_left) == []


def test_a_file_we_removed_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    apply([Edit(path, b"old", None)], tmp_path / "receipts", "acme", "now")
    assert not path.exists()
    undo("acme", tmp_path / "receipts", none_left)
    assert path.read_bytes() == b"old"


def test_a_damaged_receipt_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "receipts").mkdir()
    (tmp_path / "receipts" / "acme.json").write_text("{")
    with pytest.raises(HostError, match="Move it away"):
        undo("acme", tmp_path / "receipts", none_left)


def test_a_file_that_no_longer_parses_keeps_the_receipt(tmp_path: Path) -> None:
    path = tmp_path / "f"
    apply([Edit(path, None, b"{}")], tmp_path / "receipts", "acme", "now")
    path.write_bytes(b"{ broken")

    def refuse() -> list[Edit]:
        raise HostError("f does not parse.")

    with pytest.raises(HostError):
        undo("acme", tmp_path / "receipts", refuse)
    assert read_receipt(tmp_path / "receipts", "acme") is not None
    assert path.read_bytes() == b"{ broken"


def test_what_cannot_be_written_is_told_and_leaves_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "file" / "f"
    (tmp_path / "file").write_bytes(b"no folder")
    with pytest.raises((HostError, NotADirectoryError)):
        apply([Edit(path, None, b"x")], tmp_path / "receipts", "acme", "now")


def test_the_diff_shows_every_byte_that_would_change(tmp_path: Path) -> None:
    edits = [
        Edit(Path("/f"), b"a\r\nb", b"a\r\nc\n"),
        Edit(Path("/new"), None, b"x\n"),
        Edit(Path("/old"), b"y\n", None),
    ]
    assert diff(edits) == (
        "--- /f\n+++ /f\n@@ -1,2 +1,2 @@\n a\r\n-b\n\\ No newline at end of file\n+c\n"
        "--- /dev/null\n+++ /new\n@@ -0,0 +1 @@\n+x\n"
        "--- /old\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n"
    )


INSTALLER = textwrap.dedent(
    """
    import sys, os
    from pathlib import Path
    from hivemind_cli.hosts import claude
    from hivemind_cli.hosts.apply import apply, undo
    home, command = Path(sys.argv[1]), sys.argv[2]
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(10_000):
        edits = claude.plan_install(home, command + " " * (turn % 2))
        apply(edits, home / "receipts", "claude", str(turn))
        if turn % 3 == 2:
            undo("claude", home / "receipts", lambda: claude.plan_uninstall(home, command))
    """
)


def _killed_rounds(home: Path, command: str, rounds: int) -> None:
    """Kill an installer that installs, reinstalls and uninstalls without end; then look, then uninstall."""
    from hivemind_cli.hosts import claude

    path = home / ".claude" / "settings.json"
    original = b'{\n\t"model": "opus",\n\t"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "bell"}]}]}\n}'
    chance = random.Random(rounds)
    for _ in range(rounds):
        fresh = chance.random() < 0.3
        path.parent.mkdir(exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(original)
        with subprocess.Popen(
            [sys.executable, "-c", INSTALLER, str(home), command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as installer:
            assert installer.stdin and installer.stdout
            installer.stdout.readline()
            installer.stdin.write(b"go\n")
            installer.stdin.flush()
            time.sleep(chance.random() * 0.08)
            os.kill(installer.pid, signal.SIGKILL)
        assert installer.returncode == -signal.SIGKILL
        if path.exists():
            claude.plan_uninstall(home, command)  # raises if the file is not whole
        undo("claude", home / "receipts", lambda: claude.plan_uninstall(home, command))
        assert (path.read_bytes() if path.exists() else None) == (None if fresh else original)
        left = [entry.name for entry in path.parent.iterdir()] if path.parent.exists() else []
        assert left == ([] if fresh else ["settings.json"])


@pytest.mark.parametrize(
    "rounds", [4, pytest.param(40, marks=pytest.mark.thorough), pytest.param(200, marks=pytest.mark.slow)]
)
def test_a_killed_installer_leaves_whole_files_and_uninstall_restores_them(
    own_home: Path, command: str, rounds: int
) -> None:
    _killed_rounds(own_home, command, rounds=rounds)


def test_two_installers_at_once_end_in_one_install(own_home: Path, command: str) -> None:
    from hivemind_cli.hosts import claude

    once = INSTALLER.replace("range(10_000)", "range(2)")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", once, str(own_home), command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]
    for one in running:
        one.communicate(b"go\n", timeout=60)
    assert 0 in [one.returncode for one in running]  # the others may have been told to try again
    undo("claude", own_home / "receipts", lambda: claude.plan_uninstall(own_home, command))
    assert not (own_home / ".claude").exists()
