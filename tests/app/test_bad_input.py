"""Whatever comes in or stands in the way: the hook ends well, nothing is lost, and the doctor says what to do."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.daemon import lock
from hivemind_cli.pipeline import indexing
from tests.app.conftest import make_tree
from tests.app.talk import Talk
from tests.crash.lesson import ASKED, RULE, correct, payload, published
from tests.crash.wired import Told, Wired

SILENCE = Told(0, b"", b"")
PROMPT = "UserPromptSubmit"


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired.install()
    yield wired
    wired.client.stop(30)
    assert lock.holder(wired.paths) is None


def prompt(n: int = 1, **over: Any) -> dict[str, Any]:
    common = {"session_id": "s", "hook_event_name": PROMPT, "cwd": "/nowhere", "prompt_id": f"p{n}"}
    return {**common, "prompt": f"prompt {n}", **over}


def raw(**over: Any) -> bytes:
    return json.dumps(prompt(**over)).encode()


def prompts(wired: Wired) -> list[str]:
    wired.drained()
    return [str(row.record.payload["text"]) for row in wired.find(Event, kind=EventKind.PROMPT)]


def reasons(wired: Wired) -> list[str]:
    return [path.read_text().strip() for path in sorted(wired.paths.quarantine.glob("*.why"))]


# payloads

SET_ASIDE = {
    "not JSON": (b"{nope", "not JSON"),
    "nothing": (b"", "empty"),
    "binary": (bytes(range(256)) * 64, "not UTF-8"),
    "no object": (b"[1, 2]", "a JSON list"),
    "cut off": (raw()[:-9], "not JSON"),
    "deep": (b'{"session_id": "s", "prompt": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
    "a number with 5,000 digits": (b'{"session_id": "s", "prompt": "x", "n": ' + b"9" * 5000 + b"}", "digits"),
    "no session": (b'{"prompt": "x"}', "session"),
    "session id: empty": (raw(session_id=""), "session_id is no text"),
    "session id: a number": (raw(session_id=7), "session_id is no text"),
    "session id: null": (raw(session_id=None), "session_id is no text"),
    "prompt: a number": (raw(prompt=7), "prompt is int"),
}
STORED = {
    "session id: a path": raw(session_id="../../../x"),
    "session id: lines": raw(session_id="a\nb\r\n\0"),
    "session id: 100 KB": raw(session_id="s" * 100_000),
    "session id: of any script": raw(session_id="セッション \u202e😀"),
    "session id: half a character": raw(session_id="\ud800"),
    "cwd: lines": raw(cwd="/a\n/b\r/c"),
    "cwd: upwards": raw(cwd="../../../etc"),
    "cwd: NUL": raw(cwd="/a\0b"),
    "cwd: 5,000 characters": raw(cwd="/x" * 2500),
    "cwd: a number": raw(cwd=7),
    "transcript: a name too long": raw(transcript_path=f"{{home}}/.claude/projects/{'a' * 5000}.jsonl"),
    "transcript: a path too long": raw(transcript_path=f"{{home}}/.claude/projects/{'a/' * 5000}x.jsonl"),
    "transcript: a folder": raw(transcript_path="{home}/.claude/projects/folder.jsonl"),
    "transcript: upwards": raw(transcript_path="{home}/.claude/projects/../../../etc/passwd.jsonl"),
    "transcript: not to be read": raw(transcript_path="{home}/.claude/projects/p/loop.jsonl"),
}


def test_an_odd_payload_is_stored_or_set_aside_and_never_in_the_way(wired: Wired, own_home: Path) -> None:
    projects = own_home / ".claude" / "projects"
    (projects / "folder.jsonl").mkdir(parents=True)
    (projects / "p").mkdir()
    (projects / "p" / "loop.jsonl").symlink_to("loop.jsonl")
    for name, (content, _) in SET_ASIDE.items():
        assert wired.hook(PROMPT, content) == SILENCE, name
    for name, content in STORED.items():
        assert wired.hook(PROMPT, content.replace(b"{home}", os.fsencode(own_home))) == SILENCE, name
    assert wired.hook("Mystery", prompt(hook_event_name="Mystery")) == SILENCE
    assert wired.hook(PROMPT, prompt(99)) == SILENCE
    stored = prompts(wired)
    assert stored[-1] == "prompt 99"
    assert len(stored) == len(STORED) + 1
    for (name, (_, says)), reason in zip(SET_ASIDE.items(), reasons(wired), strict=True):
        assert says in reason, name
    assert wired.client.call("daemon")["failing"] == []
    assert not wired.paths.crash.exists()
    assert sorted(path.name for path in own_home.iterdir()) == [".agents", ".claude", ".hivemind"]
    said = "\n".join(wired.doctor())
    assert "A delivery was set aside" in said
    assert str(wired.paths.quarantine) in said
    assert "Mystery" in said


@pytest.mark.slow
def test_fifty_megabytes_are_stored_cut_and_cost_little_memory(wired: Wired) -> None:
    assert wired.hook(PROMPT, raw(prompt="word " * 10_000_000)) == SILENCE
    assert wired.hook("PostToolUse", b"\xff" * 50_000_000) == SILENCE
    (text,) = prompts(wired)
    assert 1000 < len(text) < 70_000
    assert "not UTF-8" in reasons(wired)[0]
    print(wired.client.call("daemon"))
    assert wired.client.call("daemon")["rss_max_mb"] < 1200


@pytest.mark.parametrize("name", [b"a\nb", b"\xff\xfe", b"..x", "日本 \u202e".encode(), b"'\"$(x)`"])
def test_a_hostile_folder_is_only_a_folder(wired: Wired, own_home: Path, name: bytes) -> None:
    folder = os.fsencode(own_home) + b"/" + name
    os.mkdir(folder)
    told = json.dumps({**prompt(), "cwd": os.fsdecode(folder)}).encode()
    assert wired.hook(PROMPT, told, cwd=folder) == SILENCE
    assert prompts(wired) == ["prompt 1"]
    assert reasons(wired) == []


def test_a_clock_that_goes_back_changes_no_order_and_is_told(wired: Wired, own_home: Path) -> None:
    talk = Talk(wired.paths, make_tree(own_home / "app"))
    now = datetime.now(UTC)
    for n, back in enumerate((0, 3600, 7200)):
        talk.says(f"{n}", at=now - timedelta(seconds=back))
    assert prompts(wired) == ["0", "1", "2"]
    assert any("clock went back by 3600 s" in one and "order" in one for one in wired.doctor())


def test_a_tampered_spool_file_is_set_aside_with_its_bytes(wired: Wired) -> None:
    assert wired.hook(PROMPT, prompt()) == SILENCE
    prompts(wired)
    for name, content in (("x", b"rubbish"), (".hidden", b"v=1\n\n{}"), ("0" * 200, b"\0" * 9000), ("none", b"")):
        (wired.paths.spool_new / name).write_bytes(content)
    assert wired.hook(PROMPT, prompt(2)) == SILENCE
    assert prompts(wired) == ["prompt 1", "prompt 2"]
    assert sorted(reasons(wired)) == ["empty", "header", "header", "header"]
    assert (wired.paths.quarantine / "x").read_bytes() == b"rubbish"
    assert sum("A delivery was set aside" in one for one in wired.doctor()) == 4


# files of the host


def _broken(path: Path) -> None:
    path.write_bytes(b'{"model": "opus",')


def _array(path: Path) -> None:
    path.write_bytes(b"[]")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def _to_folder(path: Path) -> None:
    path.unlink()
    (path.parent / "folder").mkdir()
    path.symlink_to(path.parent / "folder")


def _read_only(path: Path) -> None:
    path.write_bytes(b'{"model": "opus"}')
    path.chmod(0o444)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (_broken, "Correct the file"),
        pytest.param(_array, "Correct the file", marks=pytest.mark.thorough),
        pytest.param(_dangling, "Point the link at a file of your own", marks=pytest.mark.thorough),
        pytest.param(_to_folder, "Point the link at a file of your own", marks=pytest.mark.thorough),
        (_read_only, "chmod u+w"),
    ],
)
def test_settings_that_cannot_be_edited_are_left_alone(
    own_home: Path, break_it: Callable[[Path], None], says: str
) -> None:
    wired = Wired.install()
    settings = own_home / ".claude" / "settings.json"
    wired.command("uninstall")
    settings.write_bytes(b"{}")
    break_it(settings)
    before = state(settings)
    done = wired.command("install", "-y")
    assert (done.returncode, state(settings)) == (3, before), done.stderr
    assert says in done.stdout + done.stderr
    assert any(says in one for one in wired.doctor())
    wired.client.stop(30)


def test_settings_broken_after_the_install_are_left_alone_and_the_receipt_kept(own_home: Path) -> None:
    wired = Wired.install()
    settings = own_home / ".claude" / "settings.json"
    settings.write_bytes(settings.read_bytes()[:-5])
    before = settings.read_bytes()
    done = wired.command("uninstall")
    assert (done.returncode, settings.read_bytes()) == (3, before)
    assert "Correct the file" in done.stdout + done.stderr
    assert any("Correct the file" in one for one in wired.doctor())
    assert (wired.paths.receipts / "claude.json").exists()
    wired.client.stop(30)


def test_settings_that_are_a_link_stay_one(own_home: Path) -> None:
    real = own_home / "dotfiles.json"
    real.write_bytes(b'{\n  "model": "opus"\n}\n')
    (own_home / ".claude").mkdir()
    (own_home / ".claude" / "settings.json").symlink_to(real)
    wired = Wired.install()
    assert wired.hook(PROMPT, prompt()) == SILENCE
    assert prompts(wired) == ["prompt 1"]
    assert wired.command("uninstall").returncode == 0
    assert (own_home / ".claude" / "settings.json").is_symlink()
    assert real.read_bytes() == b'{\n  "model": "opus"\n}\n'


def state(path: Path) -> tuple[str, bytes, int]:
    """Where a link leads, what a file holds, and its mode."""
    link = os.readlink(path) if path.is_symlink() else ""
    return link, path.read_bytes() if path.is_file() else b"", path.lstat().st_mode


# our own files


def test_a_broken_config_is_told_by_line_and_loses_nothing(wired: Wired) -> None:
    wired.paths.config.write_text("[recall]\nlimit = \n")
    assert wired.hook(PROMPT, prompt()) == SILENCE
    time.sleep(0.5)
    assert len(list(wired.paths.spool_new.iterdir())) == 1
    assert any("config.toml" in one and "line 2" in one and "Correct" in one for one in wired.doctor())
    assert wired.command("install", "-y").returncode == 2
    wired.paths.config.unlink()
    assert prompts(wired) == ["prompt 1"]


def test_a_misspelt_setting_is_told_with_the_right_one(wired: Wired) -> None:
    wired.paths.config.write_text("[recall]\nlimmit = 3\n")
    assert wired.hook(PROMPT, prompt()) == SILENCE
    assert any("limit" in one and one.startswith("bad") for one in wired.doctor())


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(200_000))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("damage", [_garbage, _truncated, _empty])
def test_a_damaged_database_is_left_alone_and_the_advice_mends_it(
    wired: Wired, own_home: Path, damage: Callable[[Path], None]
) -> None:
    tree = make_tree(own_home / "app")
    correct(wired, tree)
    skill = published(tree)
    wired.client.stop(30)
    damage(wired.paths.database)
    before = wired.paths.database.read_bytes()
    assert wired.hook(PROMPT, prompt(7)).code == 0
    (said,) = [one for one in wired.doctor() if one.startswith("bad")]
    assert f"{wired.paths.database} cannot be read" in said
    assert "hivemind import --all" in said
    assert wired.paths.database.read_bytes() == before
    assert len(list(wired.paths.spool_new.iterdir())) == 1
    assert wired.command("status").returncode == 4
    wired.client.stop(30)
    wired.paths.database.rename(own_home / "damaged")
    wired.paths.database.with_name("hivemind.duckdb.wal").unlink(missing_ok=True)
    assert prompts(wired) == ["prompt 7"]
    assert skill.exists()
    other = make_tree(own_home / "other")
    correct(wired, other)
    published(other)
    told = payload(other, "later", prompt=ASKED, prompt_id="q")
    assert RULE in wired.hook(PROMPT, told, cwd=other).text  # the index followed the new store
    assert not [one for one in wired.doctor() if one.startswith("bad")]


@pytest.mark.thorough
def test_a_database_that_another_process_holds_is_waited_for(wired: Wired) -> None:
    assert wired.hook(PROMPT, prompt(1)) == SILENCE
    prompts(wired)
    wired.client.stop(30)
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    hold = [sys.executable, "-c", code, str(wired.paths.database)]
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin and other.stdout
        other.stdout.readline()
        assert wired.hook(PROMPT, prompt(2)) == SILENCE
        said = "\n".join(wired.doctor())
        assert f"in use by process {other.pid}" in said
        assert "End that process" in said
        assert len(list(wired.paths.spool_new.iterdir())) == 1
        other.stdin.close()
    assert prompts(wired) == ["prompt 1", "prompt 2"]


def _index(paths: Paths) -> None:
    for path in (paths.index / "skills").iterdir():
        path.write_bytes(os.urandom(300))


def _snapshot(paths: Paths) -> None:
    paths.snapshot.write_bytes(os.urandom(5000))


def _key(paths: Paths) -> None:
    paths.key.write_bytes(b"short")


@pytest.mark.parametrize("damage", [_index, _snapshot, _key])
def test_what_can_be_made_anew_is_made_anew(wired: Wired, own_home: Path, damage: Callable[[Paths], None]) -> None:
    tree = make_tree(own_home / "app")
    correct(wired, tree)
    published(tree)
    wired.client.stop(30)
    damage(wired.paths)
    told = wired.hook(PROMPT, payload(tree, "later", prompt=ASKED, prompt_id="q"), cwd=tree)
    assert told.answer is not None
    wired.drained()
    told = wired.hook(PROMPT, payload(tree, "still later", prompt=ASKED, prompt_id="r"), cwd=tree)
    assert RULE in told.text
    assert len(wired.paths.key.read_bytes()) == 32
    assert not [one for one in wired.doctor() if one.startswith("bad")]


@pytest.mark.thorough
def test_a_damaged_snapshot_is_told_while_no_daemon_mends_it(wired: Wired, own_home: Path) -> None:
    tree = make_tree(own_home / "app")
    correct(wired, tree)
    published(tree)
    wired.client.stop(30)
    _snapshot(wired.paths)
    assert any("snapshot" in one and "hivemind daemon restart" in one for one in wired.doctor())
    assert wired.command("daemon", "restart").returncode == 0
    wired.client.stop(30)
    assert not any("snapshot" in one for one in wired.doctor())


SOME = [pytest.param(content, marks=pytest.mark.thorough) for content in (b"", b"recall=1\nwait=claude")]


@pytest.mark.parametrize("content", [b"\xff\0" * 300, *SOME])
def test_damaged_hook_settings_mean_capture_and_a_loud_doctor(wired: Wired, content: bytes) -> None:
    wired.paths.hook_settings.write_bytes(content)
    assert wired.hook(PROMPT, prompt()) == SILENCE
    assert any(str(wired.paths.hook_settings) in one and "hivemind install" in one for one in wired.doctor())
    assert wired.command("install", "-y").returncode == 0
    assert not any(str(wired.paths.hook_settings) in one for one in wired.doctor())
    assert prompts(wired) == ["prompt 1"]


def test_a_broken_file_of_an_agent_never_wired_does_not_stop_a_purge(wired: Wired, own_home: Path) -> None:
    broken = own_home / ".gemini" / "settings.json"
    broken.parent.mkdir()
    broken.write_bytes(b'{"hooks": {')
    refused = wired.command("uninstall", "--only", "gemini")
    assert refused.returncode == 3 and str(broken) in refused.stderr
    done = wired.command("uninstall", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Gemini CLI was left alone" in done.stderr and broken.read_bytes() == b'{"hooks": {'
    assert not wired.paths.root.exists()


def test_a_damaged_receipt_is_told_and_uninstall_refuses(wired: Wired, own_home: Path) -> None:
    receipt = wired.paths.receipts / "claude.json"
    receipt.write_bytes(b"{")
    settings = (own_home / ".claude" / "settings.json").read_bytes()
    assert wired.hook(PROMPT, prompt()) == SILENCE
    assert any(str(receipt) in one and "Move it away" in one for one in wired.doctor())
    done = wired.command("uninstall")
    assert done.returncode == 3
    assert "Move it away" in done.stdout + done.stderr
    assert (own_home / ".claude" / "settings.json").read_bytes() == settings
    receipt.unlink()
    assert wired.command("uninstall").returncode == 0
    assert b"hivemind" not in (own_home / ".claude" / "settings.json").read_bytes()


def test_an_opening_that_failed_once_is_done_again(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(indexing, "begin", lambda store, index: 1 / 0)
        with pytest.raises(ZeroDivisionError) as kept:  # the daemon keeps the error, and so its frames
            Hivemind.own(paths, Config(), env={})
    Hivemind.own(paths, Config(), env={}).close()
    assert kept.value is not None


# full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """12 MB of its own."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine does not allow mounts")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(folder: Path) -> None:
    """To the last byte."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as exc:
            assert exc.errno == errno.ENOSPC


def test_a_full_disk_is_told_and_only_what_found_no_room_is_missing(small_disk: Path, own_home: Path) -> None:
    wired = Wired.install(Paths(root=small_disk / "hm", home=own_home))
    try:
        assert wired.hook(PROMPT, prompt(1)) == SILENCE
        assert prompts(wired) == ["prompt 1"]
        (wired.paths.spool / "hook.errors").touch()
        fill(small_disk)
        os.truncate(small_disk / "ballast", (small_disk / "ballast").stat().st_size - 40_000)
        kept = 0
        for n in range(2, 20):
            assert wired.hook(PROMPT, prompt(n, prompt=f"prompt {n} " + "x" * 20_000)) == SILENCE
        kept = len(list(wired.paths.spool_new.iterdir()))
        said = "\n".join(wired.doctor())
        assert "Only 0 MB are free" in said
        assert "Free some" in said
        assert "could not be written" in said
        (small_disk / "ballast").unlink()
        stored = prompts(wired)
        assert len(stored) >= kept
        assert stored == sorted(stored, key=lambda text: int(text.split()[1]))
        assert len(stored) == len(set(stored))
        assert not list(wired.paths.spool_tmp.iterdir())
        assert wired.hook(PROMPT, prompt(99)) == SILENCE
        assert prompts(wired)[-1] == "prompt 99"
    finally:
        wired.client.stop(30)


def test_a_full_working_tree_gets_its_skill_when_there_is_room(small_disk: Path, own_home: Path, wired: Wired) -> None:
    tree = make_tree(own_home / "app")
    subprocess.run(["mount", "--bind", str(small_disk), str(tree)], check=True)
    try:
        make_tree(tree / "inside")
        fill(small_disk)
        correct(wired, tree / "inside")
        wired.drained()
        deadline = time.monotonic() + 30
        while not any("could not be written" in one and "Free" in one for one in wired.doctor()):
            assert time.monotonic() < deadline, wired.doctor()
        assert not list((tree / "inside").glob(".claude/skills/*/SKILL.md"))
        (small_disk / "ballast").unlink()
        told = payload(tree / "inside", "next", source="startup")
        assert wired.hook("SessionStart", told, cwd=tree / "inside").code == 0
        published(tree / "inside")
    finally:
        subprocess.run(["umount", "-l", str(tree)], check=True)
