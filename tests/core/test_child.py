"""Children die with us, whatever we die of: real processes, and a `kill -9` of their parent."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hivemind_cli.core import child
from hivemind_cli.llm.child import run

_STARTS = """
import os, sys, threading
from pathlib import Path
from hivemind_cli.core.child import end, start
seconds, cwd = sys.argv[1], Path(sys.argv[2])
def begin(last):
    one = start(["/bin/sh", "-c", "trap '' HUP INT TERM; sleep " + seconds + " & sleep " + seconds], env={}, cwd=cwd)
    if not last:
        end(one)
threads = [threading.Thread(target=begin, args=(n % 2,)) for n in range(6)]
for thread in threads:
    thread.start()
print(flush=True)
for thread in threads:
    thread.join()
print(flush=True)
threading.Event().wait()
"""
"""A parent whose threads start children and end some; the threads end, the parent stays."""


def seconds() -> str:
    """For `sleep`: long, and different each time, so that whoever sleeps for so long is ours."""
    return f"60.{random.randrange(10**9):09}"


def command_lines() -> list[str]:
    """Of all that run; zombies have none."""
    if Path("/proc/self").is_dir():
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue
        return found
    return subprocess.run(["/bin/ps", "-Ao", "args="], capture_output=True, text=True, check=True).stdout.splitlines()


def running(mark: str) -> list[str]:
    return [line for line in command_lines() if mark in line and str(Path(__file__).parent) not in line]


def gone(mark: str, within_s: float = 30.0) -> bool:
    until = time.monotonic() + within_s
    while running(mark):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def ended(pid: int, within_s: float = 30.0) -> bool:
    """Does the process no longer run? A zombie does not: in a container nobody may reap it."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if (
                Path("/proc/self").is_dir()
                and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            ):
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.005)
    return False


def parent(mark: str, cwd: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _STARTS, mark, str(cwd)], stdout=subprocess.PIPE)


def killed(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def rounds(times: int, cwd: Path) -> None:
    chance, mark = random.Random(times), seconds()
    for _ in range(times):
        with parent(mark, cwd) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))
            killed(process)
    assert gone(mark), running(mark)


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    rounds(4, tmp_path)


@pytest.mark.slow
def test_no_child_outlives_a_parent_that_is_killed_at_any_moment(tmp_path: Path) -> None:
    rounds(300, tmp_path)


def test_children_stay_while_their_parent_lives_and_the_thread_that_started_them_does_not(tmp_path: Path) -> None:
    mark = seconds()
    with parent(mark, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()  # its threads have ended
        time.sleep(0.1)
        shells = [line for line in running(mark) if "trap" in line and sys.executable not in line]
        assert len(shells) == 3
        killed(process)
    assert gone(mark)


def test_a_child_that_ends_by_itself_leaves_nobody(tmp_path: Path) -> None:
    one = child.start(["/bin/sh", "-c", "exit 7"], env={}, cwd=tmp_path)
    group = os.getpgid(child._live[one].pid)
    assert one.wait(5) == 7
    assert not ended(group, within_s=0.02)  # its group stays ours until it is ended
    child.end(one)
    child.end(one)
    assert ended(group)
    assert one.returncode == 7
    assert one not in child._live


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV])
def test_the_signal_that_ended_a_child_is_told(number: signal.Signals, tmp_path: Path) -> None:
    done = run(["/bin/sh", "-c", f"kill -s {number.name[3:]} $$"], stdin=b"", env={}, cwd=tmp_path, timeout_s=5)
    assert done.code == -number


def test_a_child_that_cannot_be_started_leaves_nobody(tmp_path: Path) -> None:
    tries = """
import os, sys
from pathlib import Path
from hivemind_cli.core import child
for argv in (["/nowhere/program"], ["/"], ["/bin/echo", chr(0)]):
    try:
        child.start(argv, env={}, cwd=Path(sys.argv[1]))
    except (OSError, ValueError):
        pass
    else:
        sys.exit(1)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    sys.exit(bool(child._live))
sys.exit(2)
"""
    assert subprocess.run([sys.executable, "-c", tries, str(tmp_path)], check=False).returncode == 0


def test_the_keeper_stays_when_a_child_ends_its_own_group(tmp_path: Path) -> None:
    one = child.start(["/bin/sh", "-c", "kill -s TERM 0"], env={}, cwd=tmp_path)
    keeper = child._live[one].pid
    one.wait(5)
    assert not ended(keeper, within_s=0.05)
    child.end(one)
    assert ended(keeper)


def test_the_child_is_given_its_pipes_and_nothing_else(tmp_path: Path) -> None:
    says = "import os, sys; sys.stdin.close(); os.write(1, b'x' * 1_900_000); os.write(2, b'words')"
    done = run([sys.executable, "-IS", "-c", says], stdin=b"y" * 3_000_000, env={}, cwd=tmp_path, timeout_s=20)
    assert (done.code, len(done.stdout), done.stderr) == (0, 1_900_000, b"words")
    before = threading.active_count()
    done = run(["/bin/sh", "-c", "exec 0<&-; exit 3"], stdin=b"y" * 3_000_000, env={}, cwd=tmp_path, timeout_s=5)
    assert (done.code, done.stdout) == (3, b"")
    assert threading.active_count() == before


@pytest.mark.slow
def test_the_limits_of_a_child_are_its_own(tmp_path: Path) -> None:
    spends = "from hivemind_cli.core.child import bound; bound(None, 1)\nwhile True: pass"
    env = {"PYTHONPATH": str(Path(child.__file__).parents[2])}
    started = time.monotonic()
    done = run([sys.executable, "-S", "-c", spends], stdin=b"", env=env, cwd=tmp_path, timeout_s=30)
    assert done.code in (-signal.SIGXCPU, -signal.SIGKILL)
    assert time.monotonic() - started < 25
