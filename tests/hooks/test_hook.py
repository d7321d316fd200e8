"""The hook delivers: whatever a host sends, exit 0, silence, and the bytes in the spool."""

import ast
import os
import stat
import subprocess
from pathlib import Path

import pytest

from hivemind_cli.core.assets import asset
from hivemind_cli.core.hook_settings import HookSettings, write
from hivemind_cli.pipeline.spool import SpoolFault
from tests.hooks.rig import FILES, WAITING, Rig

AS_ROOT = os.geteuid() == 0


@pytest.mark.parametrize("name", FILES)
def test_it_is_python_38(name: str) -> None:
    ast.parse(asset("hooks", name).read_bytes(), feature_version=(3, 8))


def test_a_payload_is_delivered_with_what_the_hook_knows(rig: Rig, tmp_path: Path) -> None:
    env = {"CLAUDE_CODE_ENTRYPOINT": "cli", "HIVEMIND_WORKSPACE_ID": "team"}
    assert rig.run("PostToolUse", b'{"a": 1}\n\n\r\n', env=env, cwd=tmp_path) == b""
    delivery = rig.delivery()
    assert delivery.raw == b'{"a": 1}\n\n\r\n'
    assert (delivery.host, delivery.event, delivery.cwd) == ("claude", "PostToolUse", str(tmp_path.resolve()))
    assert (delivery.entrypoint, delivery.workspace) == ("cli", "team")
    assert delivery.name.endswith(delivery.id)
    assert list(rig.paths.spool_tmp.iterdir()) == []


def test_who_may_run_anothers_hooks_is_noted_with_the_session_that_claude_code_named(rig: Rig) -> None:
    own = {"CLAUDE_CODE_SESSION_ID": "s1"}
    for env in ({}, own, {"COPILOT_CLI": "1"}, {"COPILOT_CLI": "1", **own}, {"DEVIN_PROJECT_DIR": "/x y", **own}):
        rig.run("Stop", b'{"session_id": "s1"}', env=env)
    marks = [delivery.mark for delivery in rig.deliveries()]
    assert marks == ["", "", "copilot claude:", "copilot claude:s1", "devin claude:s1"]


def test_deliveries_stand_in_the_order_of_the_hooks(rig: Rig) -> None:
    for n in range(5):
        rig.run("PostToolUse", b'{"n": %d}' % n)
    assert [delivery.raw for delivery in rig.deliveries()] == [b'{"n": %d}' % n for n in range(5)]
    assert len({delivery.id for delivery in rig.deliveries()}) == 5


@pytest.mark.parametrize("umask", ["000", "777"])
def test_only_the_person_can_read_it(rig: Rig, umask: str) -> None:
    rig.run("PostToolUse", shell=f"umask {umask}")
    (path,) = rig.spool.pending()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "raw", [b"", b"not JSON", bytes(range(256)), b"\xff\xfe", b'{"session_id": "../../\x00x"}', b"[" * 100_000]
)
@pytest.mark.parametrize("event", ["UserPromptSubmit", "PostToolUse", "NeverHeardOf"])
def test_any_bytes_are_delivered_untouched(rig: Rig, raw: bytes, event: str) -> None:
    write(rig.paths.hook_settings, WAITING)
    assert rig.run(event, raw) == b""
    (path,) = rig.spool.pending()
    assert path.read_bytes().partition(b"\n\n")[2] == raw
    if not raw:
        with pytest.raises(SpoolFault, match="empty"):
            rig.spool.read(path)


def test_a_hostile_event_name_stays_in_its_line(rig: Rig) -> None:
    rig.run("x\ny=1\\n\r../../z", host="a/../b")
    assert (rig.delivery().host, rig.delivery().event) == ("a/../b", "x\ny=1\\n\r../../z")


def test_a_folder_with_a_line_end_is_a_folder(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "a\nb\\n=c"
    folder.mkdir()
    rig.run("PostToolUse", cwd=folder)
    assert rig.delivery().cwd == str(folder.resolve())


def test_a_folder_whose_name_is_no_text_is_readable_text(rig: Rig, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(folder)
    rig.run("PostToolUse", cwd=os.fsdecode(folder))
    assert rig.delivery().cwd.encode("utf-8")


def test_a_deleted_folder_is_no_obstacle(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    rig.run("PostToolUse", cwd=folder, shell='rmdir "$PWD"')
    assert rig.delivery().cwd == ""


def test_a_start_by_relative_name_finds_the_root(rig: Rig) -> None:
    argv = [*rig.argv("PostToolUse")[:3], "bin/hivemind_hook.py", "claude", "Stop"]
    subprocess.run(argv, input=b"{}", env=rig.env, cwd=rig.root, check=True, timeout=60)
    assert rig.delivery().event == "Stop"


def test_missing_folders_are_made_private(rig: Rig) -> None:
    for folder in (rig.paths.spool_new, rig.paths.spool_tmp, rig.paths.quarantine, rig.paths.spool):
        folder.rmdir()
    rig.run("PostToolUse")
    assert rig.delivery().raw
    assert stat.S_IMODE(rig.paths.spool.stat().st_mode) == 0o700


def test_only_the_new_folder_missing_is_mended_too(rig: Rig) -> None:
    rig.paths.spool_new.rmdir()
    rig.run("PostToolUse")
    assert rig.delivery().raw


@pytest.mark.slow
def test_fifty_megabytes_are_streamed(rig: Rig) -> None:
    raw = b'{"x": "' + b"a" * (50 << 20) + b'"}'
    write(rig.paths.hook_settings, WAITING)
    assert rig.run("UserPromptSubmit", raw, shell="ulimit -v 60000") == b""
    assert rig.delivery().raw == raw


def test_two_megabytes_are_whole(rig: Rig) -> None:
    raw = os.urandom(2 << 20)
    rig.run("PostToolUse", raw)
    assert rig.delivery().raw == raw


# When it cannot deliver


def test_a_full_disk_leaves_nothing_torn_and_one_line_for_the_doctor(rig: Rig) -> None:
    rig.run("PostToolUse", b"x" * 300_000, shell="ulimit -f 1")
    assert rig.spool.pending() == []
    assert list(rig.paths.spool_tmp.iterdir()) == []
    (line,) = rig.spool.hook_errors()
    assert line.split()[1:] == ["claude:PostToolUse", "errno=27"]


def test_the_line_for_the_doctor_is_bounded(rig: Rig) -> None:
    errors = rig.paths.spool / "hook.errors"
    errors.write_bytes(b"x" * 70_000)
    rig.paths.spool_tmp.rmdir()
    rig.paths.spool_tmp.write_text("in the way")
    rig.run("PostToolUse")
    assert errors.stat().st_size == 70_000


def test_a_file_where_a_folder_should_be_fails_in_silence(rig: Rig) -> None:
    for folder in (rig.paths.spool_new, rig.paths.spool_tmp, rig.paths.quarantine, rig.paths.spool):
        folder.rmdir()
    rig.paths.spool.write_text("in the way")
    assert rig.run("PostToolUse", b"x" * 300_000) == b""


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere: run as an ordinary user to see a read-only spool")
def test_a_read_only_spool_fails_in_silence(rig: Rig) -> None:
    rig.paths.spool_tmp.chmod(0o500)
    assert rig.run("PostToolUse", b"x" * 300_000) == b""
    assert rig.spool.pending() == []
    assert rig.spool.hook_errors()[0].endswith("errno=13")


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_is_never_taken_for_a_file(rig: Rig, closed: str) -> None:
    write(rig.paths.hook_settings, WAITING)
    script = f'exec {closed}\n"$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *rig.argv("UserPromptSubmit")],
        input=b'{"prompt": "x"}',
        capture_output=True,
        env=rig.env,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (path,) = rig.spool.pending()
    assert path.read_bytes().partition(b"\n\n")[2] == (b"" if "0<" in closed else b'{"prompt": "x"}')


# When it shall not deliver


@pytest.mark.parametrize(
    "env",
    [
        {"HIVEMIND_INTERNAL": "1"},
        {"HIVEMIND_CAPTURE": "false"},
        {"HIVEMIND_CAPTURE": "False"},
        {"HIVEMIND_CAPTURE": "0"},
        {"HIVEMIND_CAPTURE": "off"},
        {"HIVEMIND_CAPTURE_ONLY_CLI": "true", "CLAUDE_CODE_ENTRYPOINT": "sdk-cli"},
    ],
)
def test_the_environment_turns_capture_off(rig: Rig, env: dict[str, str]) -> None:
    write(rig.paths.hook_settings, WAITING)
    assert rig.run("UserPromptSubmit", b"x" * 300_000, env=env) == b""
    assert rig.spool.pending() == []
    assert not (rig.root / "run" / "spawned").exists()


@pytest.mark.parametrize(
    "env",
    [
        {"HIVEMIND_INTERNAL": "", "HIVEMIND_CAPTURE": "true"},
        {"HIVEMIND_CAPTURE_ONLY_CLI": "1", "CLAUDE_CODE_ENTRYPOINT": "cli"},
        {"HIVEMIND_CAPTURE_ONLY_CLI": "1"},
        {"HIVEMIND_CAPTURE_ONLY_CLI": "false", "CLAUDE_CODE_ENTRYPOINT": "sdk-cli"},
    ],
)
def test_the_environment_leaves_capture_on(rig: Rig, env: dict[str, str]) -> None:
    rig.run("UserPromptSubmit", env=env)
    assert rig.delivery().raw


@pytest.mark.parametrize(
    ("settings", "entrypoint", "delivered"),
    [
        (HookSettings(capture=False), "cli", 0),
        (HookSettings(only_cli=True), "sdk-py", 0),
        (HookSettings(only_cli=True), "cli", 1),
        (HookSettings(), "sdk-py", 1),
    ],
)
def test_the_settings_turn_capture_off(rig: Rig, settings: HookSettings, entrypoint: str, delivered: int) -> None:
    write(rig.paths.hook_settings, settings)
    rig.run("PostToolUse", env={"CLAUDE_CODE_ENTRYPOINT": entrypoint})
    assert len(rig.spool.pending()) == delivered


@pytest.mark.parametrize("raw", [b"", b"\xff\x00\n=\n==\nrecall\n", b"capture=yes\nrecall=2\nwait=,,:::\n"])
def test_damaged_settings_mean_capture_only(rig: Rig, raw: bytes) -> None:
    rig.paths.hook_settings.write_bytes(raw)
    assert rig.run("UserPromptSubmit") == b""
    assert rig.delivery().raw


def test_our_own_work_folder_is_no_session(rig: Rig) -> None:
    below = rig.paths.work / "a"
    below.mkdir()
    for folder in (rig.paths.work, below):
        rig.run("UserPromptSubmit", cwd=folder)
    assert rig.spool.pending() == []


def test_our_work_folder_is_known_through_a_link(rig: Rig, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(rig.root)
    argv = [*rig.argv("Stop")[:3], str(link / "bin" / "hivemind_hook.py"), "claude", "Stop"]
    subprocess.run(argv, input=b"{}", env=rig.env, cwd=rig.paths.work, check=True, timeout=60)
    assert rig.spool.pending() == []


def test_a_work_folder_of_the_persons_is_a_session(rig: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    rig.run("PostToolUse", cwd=folder)
    assert rig.delivery().cwd.endswith("/work")


# What it costs


def test_capture_loads_nothing_dear(rig: Rig) -> None:
    write(rig.paths.hook_settings, WAITING)
    dear = {"os", "json", "_json", "socket", "_socket", "re", "sqlite3", "_sqlite3", "pathlib", "subprocess", "logging"}
    assert rig.modules("PostToolUse") & (dear | {"hivemind_hook_recall"}) == set()


def test_recall_loads_neither_parser_nor_database(rig: Rig) -> None:
    write(rig.paths.hook_settings, WAITING)
    loaded = rig.modules("SessionStart")
    assert "hivemind_hook_recall" in loaded
    assert "hivemind_hook_snapshot" not in loaded
    assert loaded & {"os", "json", "_json", "socket", "re", "sqlite3", "_sqlite3", "subprocess"} == set()


@pytest.mark.parametrize("name", FILES[1:])
def test_without_a_file_beside_it_still_delivers(rig: Rig, name: str) -> None:
    write(rig.paths.hook_settings, WAITING)
    (rig.paths.hook.parent / name).unlink()
    assert rig.run("UserPromptSubmit") == b""
    assert rig.delivery().raw
