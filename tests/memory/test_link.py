"""Connections that stay open: between calls, over forks, and past the end of the daemon they were made to."""

import json
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hivemind_cli.core.errors import DaemonError, StoreError, WrongValue
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.memory_server import MemoryServer
from hivemind_cli.memory.link import Link
from hivemind_cli.storage.wire import error_to_json

Script = Callable[[socket.socket], None]


@pytest.fixture
def paths() -> Paths:
    paths = Paths.from_env(os.environ)
    paths.make()
    return paths


@pytest.fixture
def link(paths: Paths) -> Iterator[Link]:
    link = Link(paths, wait_s=60)
    yield link
    link.close()


def echo(line: bytes) -> bytes:
    asked = json.loads(line)
    if asked["call"] == "memory.refuse":
        return json.dumps({"error": error_to_json(WrongValue("No."))}).encode()
    return json.dumps({"ok": asked}).encode()


@pytest.fixture
def server(paths: Paths) -> Iterator[MemoryServer]:
    server = MemoryServer(paths.memory_socket, echo)
    server.listen()
    yield server
    server.stop()


@pytest.fixture
def scripted(paths: Paths) -> Iterator[Callable[..., list[int]]]:
    """scripted(*scripts): a daemon that does to each connection in turn what its script says."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    threads = []
    came: list[int] = []

    def begin(*scripts: Script) -> list[int]:
        listener.bind(str(paths.memory_socket))
        listener.listen(16)

        def serve() -> None:
            for number, script in enumerate(scripts):
                connection, _ = listener.accept()
                came.append(number)
                with connection:
                    script(connection)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[0].start()
        return came

    yield begin
    listener.close()
    for thread in threads:
        thread.join(20)


def read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(65536)
    return line


def answer(connection: socket.socket) -> None:
    read_line(connection)
    connection.sendall(b'{"ok":"done"}\n')


def die(connection: socket.socket) -> None:
    read_line(connection)


def die_in_the_middle(connection: socket.socket) -> None:
    read_line(connection)
    connection.sendall(b'{"ok":')


def hang_up(connection: socket.socket) -> None:
    connection.recv(1, socket.MSG_PEEK)  # it has come, and stays unread


def test_a_call_crosses_and_its_error_is_raised_here(server: MemoryServer, link: Link) -> None:
    assert link.ask("x", {"a": "ü\ud800"}) == {"call": "memory.x", "args": {"a": "ü\ud800"}}
    with pytest.raises(WrongValue, match="No"):
        link.ask("refuse", {})


def test_calls_one_after_the_other_share_a_connection(link: Link, scripted: Any) -> None:
    def thrice(connection: socket.socket) -> None:
        for _ in range(3):
            answer(connection)

    came = scripted(thrice)
    assert [link.ask("x", {}) for _ in range(3)] == ["done"] * 3
    assert came == [0]


def test_threads_do_not_share_one_at_the_same_time(server: MemoryServer, link: Link) -> None:
    found: list[bool] = []

    def ask(number: int) -> None:
        found.extend(link.ask("x", {"n": [number, time]})["args"]["n"] == [number, time] for time in range(50))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 600


def test_a_line_of_many_megabytes_crosses(server: MemoryServer, link: Link) -> None:
    text = "x" * 20_000_000
    assert link.ask("x", {"t": text})["args"]["t"] == text


def test_a_daemon_that_ended_between_two_calls_is_not_noticed(paths: Paths, link: Link) -> None:
    for _ in range(2):
        server = MemoryServer(paths.memory_socket, echo)
        server.listen()
        assert link.ask("x", {}, reads=False)["call"] == "memory.x"
        server.stop()


def test_a_request_that_nobody_read_is_asked_again_also_a_write(link: Link, scripted: Any) -> None:
    came = scripted(hang_up, hang_up, answer)
    assert link.ask("x", {}, reads=False) == "done"
    assert came == [0, 1, 2]


@pytest.mark.parametrize("how", [die, die_in_the_middle])
def test_a_write_over_which_the_daemon_died_is_not_asked_again(link: Link, scripted: Any, how: Script) -> None:
    came = scripted(how, answer)
    with pytest.raises(DaemonError, match="may have been done"):
        link.ask("x", {}, reads=False)
    assert came == [0]
    assert link.ask("x", {}, reads=False) == "done"


def test_a_read_over_which_the_daemon_died_is_asked_once_more(link: Link, scripted: Any) -> None:
    came = scripted(die, answer, die, die)
    assert link.ask("x", {}) == "done"
    with pytest.raises(DaemonError, match="twice"):
        link.ask("x", {})
    assert came == [0, 1, 2, 3]


def test_no_answer_in_time_is_a_daemon_error(paths: Paths, scripted: Any) -> None:
    silent = threading.Event()
    scripted(lambda connection: (read_line(connection), silent.wait(60)))
    link = Link(paths, wait_s=0.05)
    with pytest.raises(DaemonError, match=r"within 0\.05 s"):
        link.ask("x", {})
    silent.set()
    link.close()


def test_a_child_after_a_fork_has_connections_of_its_own(server: MemoryServer, link: Link) -> None:
    assert link.ask("x", {"n": 1})["args"] == {"n": 1}
    mine, childs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on: there are threads
        pid = os.fork()
    if pid == 0:
        try:
            os.write(childs, json.dumps(link.ask("x", {"n": 2})["args"]).encode())
        finally:
            os._exit(0)
    assert link.ask("x", {"n": 3})["args"] == {"n": 3}
    os.waitpid(pid, 0)
    assert os.read(mine, 100) == b'{"n": 2}'
    os.close(mine)
    os.close(childs)


def test_a_closed_link_says_so_and_closing_twice_is_fine(server: MemoryServer, link: Link) -> None:
    link.ask("x", {})
    link.close()
    link.close()
    with pytest.raises(StoreError, match="closed"):
        link.ask("x", {})
