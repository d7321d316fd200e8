"""The daemon's life, as a real process around a small owner."""

import itertools
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import StoreDamaged, StoreLocked
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.client import Client
from hivemind_cli.daemon.supervisor import Supervisor
from tests.daemon.fake_daemon import FakeOwner
from tests.daemon.rig import Start, drop, noted, recall, until


def captured(paths: Paths) -> list[str]:
    return [line.split()[0] for line in noted(paths, "captured")]


def in_process(paths: Paths, **options: Any) -> Supervisor:
    """A Supervisor of this process, for what needs no process of its own."""
    return Supervisor(lambda: FakeOwner(paths, options), paths, Config())


def test_it_listens_before_the_store_is_open_and_calls_wait_for_it(paths: Paths, start: Start, client: Client) -> None:
    begun = time.monotonic()
    start(open_s=3.0)
    listening_s = time.monotonic() - begun
    assert client.ping() == {"pid": lock.holder(paths), "version": "0.1.0", "ready": False}
    assert recall(paths, "early") == b"", "a hook is not kept waiting for the store"
    assert client.call("echo", {"x": 1}) == {"x": 1}
    assert time.monotonic() - begun >= 3.0
    print(f"\nfrom exec to the first answer {listening_s * 1000:.0f} ms")


def test_what_waited_in_the_spool_is_captured_at_the_start(paths: Paths, start: Start) -> None:
    for number in range(1200):
        drop(paths, f"{number:04}")
    start()
    until(lambda: len(captured(paths)) == 1200)
    assert captured(paths) == sorted(captured(paths))
    until(lambda: sum(map(int, noted(paths, "worked"))) == 1200)


def test_a_delivery_is_captured_at_once(paths: Paths, start: Start) -> None:
    start(poll_s=60.0)
    until(lambda: "listens" in paths.log.read_text() if paths.log.exists() else False)
    waits_ms = []
    for number in range(40):
        time.sleep(0.02)
        before = time.time_ns()
        drop(paths, f"{number:04}")
        while len(noted(paths, "captured")) <= number:
            time.sleep(0.002)
        waits_ms.append((int(noted(paths, "captured")[-1].split()[1]) - before) / 1e6)
    p95 = statistics.quantiles(waits_ms, n=20)[-1]
    print(f"\nfrom drop to drained: median {statistics.median(waits_ms):.1f} ms, p95 {p95:.1f} ms")
    assert max(waits_ms) < 20_000, "the watch woke it: the poll comes after 60 s"


def test_a_spool_that_cannot_be_watched_is_polled(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OSError("no watches left")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.start", refuse)
    supervisor = in_process(paths)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        until(Client(paths).alive)
        time.sleep(0.3)
        drop(paths, "polled")
        until(lambda: captured(paths) == ["polled"], within_s=60)
    finally:
        supervisor.stop()
        thread.join()


def test_it_leaves_when_idle_and_takes_its_files_along(paths: Paths, start: Start) -> None:
    process = start(idle_minutes=2 / 60, poll_s=0.1)
    assert process.wait(60) == 0
    assert sorted(path.name for path in paths.socket.parent.iterdir()) == ["daemon.lock"]
    assert noted(paths, "closed") == [str(process.pid)]
    assert lock.holder(paths) is None


def test_a_busy_owner_is_not_left(paths: Paths, start: Start) -> None:
    (paths.root / "busy").touch()
    process = start(idle_minutes=0.2 / 60, poll_s=0.1)
    time.sleep(1.0)
    assert process.poll() is None
    (paths.root / "busy").unlink()
    assert process.wait(60) == 0


@pytest.mark.thorough
def test_calls_and_deliveries_keep_it_awake(paths: Paths, start: Start, client: Client) -> None:
    process = start(idle_minutes=3 / 60, poll_s=0.1)
    for keep_awake in (lambda: drop(paths, "a"), lambda: client.call("echo"), lambda: drop(paths, "b")):
        time.sleep(1.6)  # any two of them are longer than it stays by itself
        keep_awake()
    assert process.poll() is None
    assert process.wait(60) == 0


def test_a_second_one_is_refused_at_once(paths: Paths, start: Start, client: Client) -> None:
    first = start()
    second = start(wait=False)
    assert second.wait(30) != 0
    with pytest.raises(StoreLocked):
        in_process(paths).run()
    there = client.ping()
    assert there is not None
    assert there["pid"] == first.pid


def test_after_a_kill_the_next_one_takes_over(paths: Paths, start: Start, client: Client) -> None:
    first = start()
    first.kill()
    first.wait()
    assert paths.socket.exists(), "a stale socket, as a power cut leaves it"
    assert not client.alive()
    drop(paths, "meanwhile")
    second = start()
    until(lambda: captured(paths) == ["meanwhile"])
    there = client.ping()
    assert there is not None
    assert there["pid"] == second.pid == lock.holder(paths)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_then_ends_it(paths: Paths, start: Start, number: signal.Signals) -> None:
    process = start()
    for name in range(2000):
        drop(paths, f"{name:04}")
    process.send_signal(number)
    assert process.wait(60) == 0
    assert len(captured(paths)) == 2000
    assert not list(paths.spool_new.iterdir())
    assert noted(paths, "closed") == [str(process.pid)]
    assert not paths.socket.exists()


def test_a_closed_terminal_means_nothing(start: Start, client: Client) -> None:
    process = start()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert client.alive()
    assert process.poll() is None


def test_a_call_under_way_is_answered_before_the_end(paths: Paths, start: Start, client: Client) -> None:
    process = start()
    slept: list[float] = []
    caller = threading.Thread(target=lambda: slept.append(client.call("sleep", {"s": 0.7})))
    caller.start()
    until(lambda: noted(paths, "sleeping"))
    process.terminate()
    caller.join()
    assert slept == [0.7]
    assert process.wait(60) == 0


def test_a_failing_stage_is_tried_again_and_does_not_stop_capture(paths: Paths, start: Start, client: Client) -> None:
    process = start(work_fails=2)
    drop(paths, "0")
    until(lambda: captured(paths) == ["0"])
    (failing,) = client.call("daemon")["failing"]
    assert failing["stage"] == "work"
    drop(paths, "1")
    until(lambda: captured(paths) == ["0", "1"])
    until(lambda: noted(paths, "worked") == ["2"])
    tries = [int(line) / 1e9 for line in noted(paths, "failures")]
    assert len(tries) == 2
    assert [round(later - earlier) for earlier, later in itertools.pairwise(tries)] == [1]
    assert client.call("daemon")["failing"] == []
    assert len(list(paths.crash.glob("*-work.txt"))) == 2
    assert process.poll() is None
    written = "".join(path.read_text() for path in [*paths.crash.iterdir(), paths.log])
    assert "RuntimeError" in written
    assert "ghp_" not in written


def test_a_store_that_does_not_open_is_told_to_callers_and_loses_nothing(
    paths: Paths, start: Start, client: Client
) -> None:
    process = start(damaged=True)
    drop(paths, "kept")
    with pytest.raises(StoreDamaged, match="Move it away"):
        client.call("echo")
    assert client.call("daemon")["refusal"]["type"] == "StoreDamaged"
    assert recall(paths, "kept") == b""
    assert process.poll() is None
    process.terminate()
    assert process.wait(60) == 0
    assert [path.name for path in paths.spool_new.iterdir()] == ["kept"]


def test_a_home_removed_underneath_ends_it_and_stays_removed(paths: Paths, start: Start) -> None:
    process = start()
    shutil.rmtree(paths.root)
    assert process.wait(60) == 0
    assert not paths.root.exists()


def test_a_home_replaced_underneath_belongs_to_the_next_daemon(paths: Paths, start: Start, client: Client) -> None:
    first = start()
    shutil.rmtree(paths.root)
    paths.make()
    second = start()
    assert first.wait(10) == 0
    there = client.ping()
    assert there is not None
    assert there["pid"] == second.pid
    assert (paths.socket.parent / "daemon.pid").read_text() == f"{second.pid}\n"
    drop(paths, "new")
    until(lambda: captured(paths) == ["new"])
    assert noted(paths, "closed") == [], "the first wrote nothing into the new home"


def test_once_runs_to_the_end_of_the_spool(paths: Paths) -> None:
    for number in range(700):
        drop(paths, f"{number:04}")
    here = Path.cwd()
    in_process(paths).run(once=True)
    assert len(captured(paths)) == 700
    assert sum(map(int, noted(paths, "worked"))) == 700
    assert not paths.socket.exists()
    assert lock.holder(paths) is None
    assert Path.cwd() == here


def test_once_says_what_it_could_not_do(paths: Paths) -> None:
    def damaged() -> FakeOwner:
        raise StoreDamaged("The database cannot be read.")

    with pytest.raises(StoreDamaged):
        Supervisor(damaged, paths, Config()).run(once=True)


@pytest.mark.thorough
def test_an_idle_daemon_is_small_and_does_next_to_nothing(start: Start) -> None:
    process = start()
    time.sleep(0.5)
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    rss_mb = next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmRSS" in line) / 1024
    before = cpu_s(process)
    time.sleep(3)
    used = cpu_s(process) - before
    print(f"\nidle: {rss_mb:.0f} MB, {used * 1000 / 3:.1f} ms CPU a second")
    assert rss_mb < 80
    assert used < 0.1


def cpu_s(process: "subprocess.Popen[bytes]") -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
