"""Imports that end badly, of files that are bad or big: nothing is lost, doubled or held in memory."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.importing import find, import_sessions
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Event, ImportMark, Project
from hivemind_cli.daemon.client import Client
from hivemind_cli.hosts import READERS
from hivemind_cli.storage.daemon import DaemonStore
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.synthetic import claude_session, codex_session, corrected_session, machine

CLI_RSS_MB_MAX = 120
DAEMON_RSS_MB_MAX = 260
"""200 at rest is the daemon's budget; an import may hold a batch or two besides."""


def hivemind(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hivemind_cli", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=check, env=dict(os.environ))


def stored(paths: Paths) -> dict[str, list[Any]]:
    """What the daemon's store holds, whatever its order of storing says."""
    store = DaemonStore(Client(paths).call)
    kinds = (Event, Correction, Project)
    return {kind.__name__: [row.record for row in store.find(kind)] for kind in kinds}


def stop(paths: Paths) -> None:
    Client(paths).stop()


@pytest.fixture
def daemon(paths: Paths) -> Any:
    yield
    stop(paths)


# Bad files

PROMPT = {"type": "user", "uuid": "u1", "sessionId": "s1", "promptId": "p1", "cwd": "/w", "message": {"content": "hi"}}


def session(path: Path, *lines: bytes) -> Path:
    """A session whose first line is a prompt; `lines` stand between it and another."""
    first, last = (json.dumps({**PROMPT, "uuid": u, "promptId": u}).encode() + b"\n" for u in ("u1", "u2"))
    path.write_bytes(first + b"".join(lines) + last)
    return path


@pytest.mark.parametrize(
    ("name", "lines", "fault"),
    [
        ("half", [json.dumps(PROMPT).encode()[:40] + b"\n"], True),
        ("nul", [b"\0" * 4096 + b"\n"], None),
        ("latin", ['{"type": "user", "uuid": "u3", "message": {"content": "h\xe9"}}\n'.encode("latin-1")], None),
        ("list", [b"[1, 2]\n"], True),
        ("number", [json.dumps({**PROMPT, "uuid": "u4", "message": 7}).encode() + b"\n"], True),
        ("deep", [b'{"type": "user", "message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"], True),
        (
            "time",
            [json.dumps({**PROMPT, "uuid": "u5", "timestamp": "9999-12-31T23:59:59-12:00"}).encode() + b"\n"],
            False,
        ),
        ("year", [json.dumps({**PROMPT, "uuid": "u6", "timestamp": "0001-01-01T00:00:00Z"}).encode() + b"\n"], False),
        ("utf16", ["a line of another encoding\n".encode("utf-16")], None),
        ("crlf", [b"\r\n\r\n"], False),
    ],
)
def test_a_bad_line_costs_itself_alone(
    paths: Paths, tmp_path: Path, name: str, lines: list[bytes], fault: bool | None
) -> None:
    """`fault`: is it told? None: that is the reader's own affair."""
    file = session(tmp_path / f"{name}.jsonl", *lines)
    store = InMemoryStore()
    (done,) = import_sessions(find(paths, READERS, file), paths=paths, config=Config(), store=store)
    assert {row.record.native_key.partition(":")[0] for row in store.find(Event)} >= {"u1", "u2"}
    assert not done.unread
    assert fault is None or bool(done.fault) is fault
    assert "\n" not in done.fault
    assert store.count(ImportMark) == 1


def test_a_line_of_50_mb_is_passed_over(paths: Paths, tmp_path: Path) -> None:
    huge = json.dumps({**PROMPT, "uuid": "u9", "message": {"content": "x" * 50_000_000}}).encode() + b"\n"
    file = session(tmp_path / "huge.jsonl", huge)
    (done,) = import_sessions(find(paths, READERS, file), paths=paths, config=Config(), store=InMemoryStore())
    assert (done.prompts, done.fault) == (2, "1 line too long")


def test_what_is_passed_over_is_counted_in_words(paths: Paths, tmp_path: Path) -> None:
    told = []
    for name, lines in (("one", [b"{\n"]), ("more", [b"{\n", b"[1]\n"])):
        file = session(tmp_path / f"{name}.jsonl", *lines)
        (done,) = import_sessions(find(paths, READERS, file), paths=paths, config=Config(), store=None)
        told.append(done.fault)
    assert told == ["1 line torn or strange", "2 lines torn or strange"]


# The command


def test_the_command_stores_tells_and_does_it_once(paths: Paths, daemon: None) -> None:
    corrected_session(paths.home, "/home/dev/app", id="s1")
    rollout = paths.home / ".codex/sessions/2026/02/01/rollout-2026-02-01T09-00-00-c.jsonl"
    codex_session(rollout, 30_000, cwd="/home/dev/app", seed=5)
    *lines, last = (json.loads(line) for line in hivemind("import", "--all", "--json").stdout.splitlines())
    assert [(one["host"], one["fault"], one["new"] > 0) for one in lines] == [("claude", "", True), ("codex", "", True)]
    report = last["report"]
    assert report["new"] == sum(one["new"] for one in lines)
    assert {one["host"]: one["prompts"] for one in report["hosts"]} == {one["host"]: one["prompts"] for one in lines}
    assert sum(kind["clear"] + kind["likely"] for kind in report["kinds"]) > 0
    before = stored(paths)
    assert before["Correction"]
    told = hivemind("import", "--all").stdout
    assert "2 sessions" in told
    assert "hivemind skillify run" in told
    assert stored(paths) == before


def test_of_what_was_pruned_the_command_says_only_that(paths: Paths, daemon: None) -> None:
    file = corrected_session(paths.home, "/home/dev/app", id="s1")
    hivemind("import", str(file))
    hivemind("sessions", "prune", "--yes", "s1")
    assert hivemind("import", str(file)).stdout == "Left out: 1 file: pruned.\n"


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.slow)])
def test_an_import_that_is_killed_goes_on_to_the_same_end(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, daemon: None, rounds: int
) -> None:
    """kill -9 at any moment; every other time to the daemon, too."""
    machine(paths.home, 400_000 * rounds, session_bytes=200_000)
    argv = [sys.executable, "-m", "hivemind_cli", "import", "--all"]
    for n in range(rounds):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
        time.sleep(0.5 + 0.17 * (n % 5))
        process.kill()
        process.wait()
        if n % 2 and (there := Client(paths).ping()):
            os.kill(there["pid"], signal.SIGKILL)
    hivemind("import", "--all")
    ended = stored(paths)
    stop(paths)
    monkeypatch.setenv("HIVEMIND_HOME", str(tmp_path / "other"))
    whole = Paths.from_env(os.environ)
    hivemind("import", "--all")
    try:
        expected = stored(whole)
    finally:
        stop(whole)
    for kind in ended:
        assert [_told(one) for one in ended[kind]] == [_told(one) for one in expected[kind]], kind


def _told(record: Any) -> dict[str, Any]:
    """Without what belongs to the home it is stored in."""
    return {name: getattr(record, name) for name in record.__slots__ if name not in ("machine_id", "payload")}


# Big ones


class Measured:
    """An import by the command, with the most memory that it and the daemon held."""

    def __init__(self, paths: Paths) -> None:
        argv = [sys.executable, "-m", "hivemind_cli", "import", "--all"]
        begun = time.monotonic()
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ)) as process:
            assert process.stdout
            self.told = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - begun
        self.exit = process.returncode
        scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
        self.cli_mb = usage.ru_maxrss / scale
        self.daemon_mb = Client(paths).call("daemon")["rss_max_mb"]


@pytest.mark.slow
def test_a_big_history_is_imported_in_bounded_memory(paths: Paths, daemon: None) -> None:
    machine(paths.home, 100_000_000)
    measured = Measured(paths)
    print(f"{measured.seconds:.0f} s, command {measured.cli_mb:.0f} MB, daemon {measured.daemon_mb:.0f} MB")
    assert measured.exit == 0, measured.told
    assert measured.cli_mb < CLI_RSS_MB_MAX
    assert measured.daemon_mb < DAEMON_RSS_MB_MAX


@pytest.mark.slow
def test_one_session_of_200_mb_is_imported_in_bounded_memory(paths: Paths, daemon: None) -> None:
    prompts = claude_session(paths.home / ".claude/projects/p/s1.jsonl", 270_000_000, cwd="/home/dev/app", seed=2)
    assert (paths.home / ".claude/projects/p/s1.jsonl").stat().st_size > 200_000_000
    measured = Measured(paths)
    print(f"{measured.seconds:.0f} s, command {measured.cli_mb:.0f} MB, daemon {measured.daemon_mb:.0f} MB")
    assert measured.exit == 0, measured.told
    assert f"{prompts:,} prompts" in measured.told
    assert measured.cli_mb < CLI_RSS_MB_MAX
    assert measured.daemon_mb < DAEMON_RSS_MB_MAX
