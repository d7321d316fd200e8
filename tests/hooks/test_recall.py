"""Where a host waits, the hook asks the daemon; late or odd means silent; no daemon means start one."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hivemind_cli.core.hook_settings import write
from tests.hooks.rig import WAITING, Rig, fake_daemon, framed, wait_for

ANSWER = b'{"hookSpecificOutput": {}}\n'
DAEMON = """
import os, sys, time
with open(sys.argv[1] + ".aside", "w") as file:
    print(os.getpid(), os.getsid(0), os.getcwd(), *sorted(os.listdir("/proc/self/fd")), file=file)
    print(*sorted(os.environ), os.environ["HIVEMIND_HOME"], file=file)
os.rename(sys.argv[1] + ".aside", sys.argv[1])
time.sleep(60)
"""


@pytest.fixture
def told(rig: Rig) -> Iterator[Path]:
    """Settings whose daemon writes what it was given into this file and lives on."""
    told = rig.root / "told"
    script = rig.root / "daemon.py"
    script.write_text(DAEMON)
    argv = (sys.executable, "-I", "-S", str(script), str(told))
    write(rig.paths.hook_settings, replace(WAITING, daemon=argv, env=("ASKED_KEY",)))
    yield told
    if told.exists():
        os.kill(int(told.read_text().split()[0]), signal.SIGKILL)


@pytest.fixture
def waiting(rig: Rig) -> Rig:
    write(rig.paths.hook_settings, WAITING)
    return rig


def test_the_daemons_answer_is_the_hooks(waiting: Rig) -> None:
    with fake_daemon(waiting, lambda _: framed(ANSWER)) as requests:
        assert waiting.run("UserPromptSubmit") == ANSWER
        assert requests == [b"recall " + waiting.delivery().name.encode() + b"\n"]


def test_the_delivery_stands_before_the_daemon_is_asked(waiting: Rig) -> None:
    def answer(line: bytes) -> bytes:
        assert (waiting.paths.spool_new / line.split()[1].decode()).is_file()
        return framed(ANSWER)

    with fake_daemon(waiting, answer):
        assert waiting.run("UserPromptSubmit") == ANSWER


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        framed(b""),
        b"28\n" + ANSWER,
        b"26\n" + ANSWER,
        b"27",
        ANSWER,
        b"-1\n",
        b"x\n" + ANSWER,
        framed(b"no JSON\n"),
        framed(ANSWER + ANSWER),
        framed(b"{" * (2 << 20)),
    ],
)
def test_an_odd_reply_is_silence(waiting: Rig, reply: bytes) -> None:
    with fake_daemon(waiting, lambda _: reply):
        assert waiting.run("UserPromptSubmit") == b""


def test_a_long_answer_comes_whole(waiting: Rig) -> None:
    long = b'{"x": "' + b"a" * 200_000 + b'"}\n'
    with fake_daemon(waiting, lambda _: framed(long)):
        assert waiting.run("UserPromptSubmit") == long


def test_late_is_silent_and_in_time(rig: Rig) -> None:
    write(rig.paths.hook_settings, replace(WAITING, deadline_ms=150))

    gone = threading.Event()

    def answer(_: bytes) -> bytes:
        assert gone.wait(30), "it waits for the answer"
        return framed(ANSWER)

    with fake_daemon(rig, answer):
        start = time.monotonic()
        assert rig.run("UserPromptSubmit") == b""
        gone.set()
        assert 0.15 <= time.monotonic() - start < 30, "it left before the answer came"


def test_a_daemon_that_does_not_accept_is_not_waited_for(rig: Rig) -> None:
    write(rig.paths.hook_settings, replace(WAITING, deadline_ms=150, daemon=("/bin/false",)))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(rig.paths.socket))
        server.listen(0)
        start = time.monotonic()
        for _ in range(3):  # the third finds the queue full
            assert rig.run("UserPromptSubmit") == b""
        assert time.monotonic() - start < 15
    assert not (rig.root / "run" / "spawned").exists()


def test_only_events_that_wait_ask(waiting: Rig) -> None:
    with fake_daemon(waiting, lambda _: framed(ANSWER)) as requests:
        for event in ("PostToolUse", "UserPromptSubmi", "UserPromptSubmitX", ""):
            assert waiting.run(event) == b""
        assert waiting.run("UserPromptSubmit", host="acme") == b""
        assert requests == []


def test_recall_off_asks_nobody(rig: Rig) -> None:
    write(rig.paths.hook_settings, replace(WAITING, recall=False))
    with fake_daemon(rig, lambda _: framed(ANSWER)) as requests:
        assert rig.run("UserPromptSubmit") == b""
    assert requests == []
    assert rig.delivery().raw


@pytest.mark.parametrize("keep", [0, 10, 16, 17, 500, -1])
def test_a_torn_compiled_copy_is_replaced(waiting: Rig, keep: int) -> None:
    with fake_daemon(waiting, lambda _: framed(ANSWER)):
        waiting.run("UserPromptSubmit")
        (cached,) = (waiting.root / "bin" / "__pycache__").iterdir()
        cached.write_bytes(cached.read_bytes()[:keep])
        waiting.run("UserPromptSubmit")
        assert waiting.run("UserPromptSubmit") == ANSWER
    assert len(waiting.spool.pending()) == 3


# Starting the daemon


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_daemon_it_starts_holds_nothing_of_the_hosts(rig: Rig, told: Path) -> None:
    session = {"CLAUDE_SECRET": "x", "HIVEMIND_WORKSPACE_ID": "w", "ASKED_KEY": "k", "HIVEMIND_DEBUG": "1"}
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    hook = subprocess.Popen(
        rig.argv("UserPromptSubmit"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**rig.env, **session, "HIVEMIND_HOME": "/elsewhere", "LC_ALL": "C.UTF-8"},
        close_fds=False,
    )
    os.close(writer)
    assert hook.communicate(b'{"session_id": "s"}', timeout=10) == (b"", b"")  # EOF of both pipes
    assert hook.returncode == 0
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert wait_for(told.exists)
    first, second = told.read_text().splitlines()
    pid, sid, cwd, *fds = first.split()
    assert (os.getsid(int(pid)), cwd, fds) == (int(sid), "/", ["0", "1", "2", "3", "4"])  # 3, 4: its own
    assert int(sid) != os.getsid(0)
    *names, home = second.split()
    assert names == sorted(["ASKED_KEY", "HIVEMIND_DEBUG", "HIVEMIND_HOME", "HOME", "LC_ALL", "PATH"])
    assert home == str(rig.root)
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def test_pipes_end_at_once_while_the_daemon_lives_on(rig: Rig, told: Path) -> None:
    for event in ("UserPromptSubmit", "PreToolUse", "Stop"):
        start = time.monotonic()
        rig.run(event)
        assert time.monotonic() - start < 15.0  # the daemon lives on for much longer
    assert wait_for(told.exists)
    os.kill(int(told.read_text().split()[0]), 0)


def test_many_hooks_at_once_start_one_daemon(rig: Rig) -> None:
    script = f'echo x >> "{rig.root}/started"'
    write(rig.paths.hook_settings, replace(WAITING, daemon=("/bin/sh", "-c", script)))
    hooks = [
        subprocess.Popen(rig.argv("Stop"), stdin=subprocess.DEVNULL, env=rig.env, start_new_session=True)
        for _ in range(8)
    ]
    assert [hook.wait(timeout=30) for hook in hooks] == [0] * 8
    assert wait_for((rig.root / "started").exists)
    time.sleep(0.2)
    assert (rig.root / "started").read_text() == "x\n"


@pytest.mark.parametrize("age_s", [10, -3600])
def test_an_old_or_future_mark_is_no_obstacle(rig: Rig, told: Path, age_s: int) -> None:
    mark = rig.root / "run" / "spawned"
    mark.write_text("1")
    os.utime(mark, (time.time() - age_s, time.time() - age_s))
    rig.run("Stop")
    assert wait_for(told.exists)
    assert abs(mark.stat().st_mtime - time.time()) < 10


def test_a_daemon_that_runs_is_not_started_again(rig: Rig, told: Path) -> None:
    with fake_daemon(rig, lambda _: framed(ANSWER)) as requests:
        assert rig.run("Stop") == b""
        assert wait_for(lambda: bool(requests))
        assert requests == [b""]
    assert not (rig.root / "run" / "spawned").exists()
    assert not told.exists()


def test_events_that_only_capture_start_nothing(rig: Rig, told: Path) -> None:
    for event in ("PostToolUse", "Sto", "StopFailur"):
        rig.run(event)
    assert not (rig.root / "run" / "spawned").exists()
    assert not told.exists()


def test_a_socket_nobody_listens_on_means_no_daemon(rig: Rig, told: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(rig.paths.socket))
    rig.run("Stop")
    assert wait_for(told.exists)


def test_a_missing_run_folder_is_made(rig: Rig, told: Path) -> None:
    (rig.root / "run").rmdir()
    rig.run("Stop")
    assert wait_for(told.exists)


@pytest.mark.parametrize("argv", [(), ("relative",), ("/nowhere/at/all",)])
def test_a_daemon_that_cannot_start_is_no_error(rig: Rig, argv: tuple[str, ...]) -> None:
    write(rig.paths.hook_settings, replace(WAITING, daemon=argv))
    assert rig.run("UserPromptSubmit") == b""
