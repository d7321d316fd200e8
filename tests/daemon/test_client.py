"""Asking, starting and ending a daemon; those started here are the real `python -m hivemind_cli.daemon`."""

import os
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.daemon.client import Client
from tests.daemon.conftest import SCRIPT
from tests.daemon.rig import Start, noted, until


@pytest.fixture
def fake_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What clients start instead of the real daemon: detaches as that one does, then runs the fake owner."""
    script = tmp_path / "daemon.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        from hivemind_cli.daemon.spawn import detach
        detach()
        sys.argv = ["fake_daemon", "{{}}"]
        sys.path.insert(0, {str(SCRIPT.parent)!r})
        import fake_daemon
        fake_daemon.main()
        """)
    )
    monkeypatch.setattr(spawn, "command", lambda: [sys.executable, str(script)])
    return script


def test_nobody_answers_where_no_daemon_is(paths: Paths, client: Client) -> None:
    assert not client.alive()
    assert client.stop() is False
    assert not paths.socket.exists()


def test_a_call_starts_the_daemon_and_stop_ends_it(paths: Paths, client: Client, fake_command: Path) -> None:
    before = time.monotonic()
    assert client.call("echo", {"a": "ü"}) == {"a": "ü"}
    print(f"\na call without a daemon took {(time.monotonic() - before) * 1000:.0f} ms")
    pid = lock.holder(paths)
    assert pid
    assert client.stop() is True
    assert lock.holder(paths) is None
    until(lambda: not runs(pid))


def test_the_daemon_is_cut_loose_from_who_started_it(paths: Paths, fake_command: Path) -> None:
    env = {"HOME": str(paths.home), "PATH": "/usr/bin", "LANG": "C", "CLAUDECODE": "1", "MY_KEY": "k", "SECRET": "s"}
    client = Client(paths, env=env, key_names=["MY_KEY"])
    client.ensure()
    pid = lock.holder(paths)
    try:
        assert pid
        assert os.getsid(pid) != os.getsid(0)
        process = Path(f"/proc/{pid}")
        if not process.exists():
            pytest.skip("no /proc here")
        assert os.readlink(process / "cwd") == "/"
        assert {os.readlink(process / "fd" / str(fd)) for fd in (0, 1, 2)} == {"/dev/null"}

        def strangers() -> set[str]:
            """Files outside our folder that stay open over two looks: a module being imported is open for a moment."""
            looks = []
            for _ in range(2):
                looks.append({os.readlink(fd) for fd in (process / "fd").iterdir() if fd.exists()})
                time.sleep(0.05)
            ours = (str(paths.root), "/dev/null")
            return {name for name in looks[0] & looks[1] if name.startswith("/") and not name.startswith(ours)}

        until(lambda: not strangers())
        variables = dict(entry.split("=", 1) for entry in (process / "environ").read_text().split("\0") if entry)
        assert variables == {
            "HOME": str(paths.home),
            "PATH": "/usr/bin",
            "LANG": "C",
            "MY_KEY": "k",
            "HIVEMIND_HOME": str(paths.root),
        }
    finally:
        client.stop()


def test_many_starters_end_in_one_daemon(paths: Paths, fake_command: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    clients = [Client(paths) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda each: each.ensure(15), clients))
    pings = [each.ping() for each in clients]
    assert len({ping["pid"] for ping in pings if ping}) == 1
    clients[0].stop()


def test_a_daemon_of_another_version_is_replaced(
    paths: Paths, start: Start, client: Client, fake_command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = start()
    monkeypatch.setattr("hivemind_cli.daemon.client.__version__", "9.9")
    with pytest.raises(DaemonError):  # the new one is no 9.9 either: it is replaced until the time is up
        client.ensure(1.0)
    assert old.wait(5) == 0
    client.stop()


def test_a_daemon_that_cannot_start_is_explained(paths: Paths, client: Client, fake_command: Path) -> None:
    fake_command.write_text("raise SystemExit(3)")
    with pytest.raises(DaemonError) as told:
        client.ensure(0.5)
    assert str(spawn.command()[0]) in told.value.why
    fake_command.write_text("import time")
    paths.log.write_text("one\ntwo: the disk is full\n")
    with pytest.raises(DaemonError) as told:
        client.ensure(0.5)
    assert "the disk is full" in told.value.why
    assert told.value.fix


def test_a_daemon_killed_while_it_answers_is_told_as_such(paths: Paths, start: Start, client: Client) -> None:
    process = start()

    def kill() -> None:
        until(lambda: noted(paths, "sleeping"))
        process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DaemonError, match="ended while it answered 'sleep'"):
        client.call("sleep", {"s": 60})
    killer.join()


def test_an_answer_that_takes_too_long_is_given_up(start: Start, client: Client) -> None:
    start()
    with pytest.raises(DaemonError, match=r"within 0\.2 s"):
        client.call("sleep", {"s": 1}, timeout_s=0.2)


def test_a_home_too_deep_for_a_socket_address_works(paths: Paths, fake_command: Path) -> None:
    deep = replace(paths, root=paths.root / ("d" * 60) / ("e" * 60))
    client = Client(deep)
    assert client.call("echo", {"deep": True}) == {"deep": True}
    assert client.stop() is True


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
