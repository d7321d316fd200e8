"""The socket, as hooks, commands and strangers meet it."""

import json
import socket
import stat
import threading
import time

import pytest

from hivemind_cli.core.errors import ConfigError, HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import server
from hivemind_cli.daemon.client import Client
from tests.daemon.rig import Start, dial, noted, recall, received, until


def test_the_socket_is_its_owners_alone(paths: Paths, start: Start) -> None:
    start()
    assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o600
    until(paths.log.exists)
    assert stat.S_IMODE(paths.log.stat().st_mode) == 0o600


def test_a_recall_is_answered_by_length_and_bytes(paths: Paths, start: Start) -> None:
    start()
    body = b'{"for": "17-x"}\n'
    assert recall(paths, "17-x") == b"%d\n%b" % (len(body), body)
    assert recall(paths, "silent") == b"0\n"
    until(lambda: noted(paths, "answered") == ["17-x True", "silent True"])


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "x" * 300, "nul\0"])
def test_a_name_that_is_no_file_name_is_never_looked_up(paths: Paths, start: Start, name: str) -> None:
    start()
    assert recall(paths, name) == b""
    assert noted(paths, "answered") == []


def test_a_failed_recall_is_silence_and_a_report(paths: Paths, start: Start) -> None:
    start()
    assert recall(paths, "boom") == b"0\n"
    assert len(list(paths.crash.glob("*-recall.txt"))) == 1


def test_an_answer_the_hook_did_not_wait_for_is_known_to_be_lost(paths: Paths, start: Start) -> None:
    start(answer_s=0.2)
    with dial(paths) as connection:
        connection.sendall(b"recall late\n")
        time.sleep(0.05)
    until(lambda: noted(paths, "answered") == ["late False"])


def test_a_knock_without_a_word_does_no_harm(paths: Paths, start: Start, client: Client) -> None:
    start()
    dial(paths).close()
    assert client.alive()


def test_one_connection_may_ask_again_and_again(paths: Paths, start: Start) -> None:
    start()
    with dial(paths) as connection, connection.makefile("rwb") as stream:
        for number in range(3):
            stream.write(json.dumps({"call": "echo", "args": {"n": number}}).encode() + b"\n")
            stream.flush()
            assert json.loads(stream.readline()) == {"ok": {"n": number}}
        stream.write(b'{"call":"echo","args":{"n":7}}\n{"call":"echo","args":{"n":8}}\n')
        stream.flush()
        assert [json.loads(stream.readline())["ok"]["n"] for _ in range(2)] == [7, 8]


def test_who_hangs_up_in_the_middle_of_a_call_is_known_to_be_gone(paths: Paths, start: Start) -> None:
    start()
    with dial(paths) as connection:
        connection.sendall(b'{"call":"watch"}\n')
        until(lambda: len(noted(paths, "watched")) > 2)
        assert set(noted(paths, "watched")) == {"there"}
    until(lambda: noted(paths, "watched")[-1] == "gone")


def test_errors_arrive_as_they_were_raised(start: Start, client: Client) -> None:
    start()
    with pytest.raises(ConfigError) as refused:
        client.call("refuse")
    assert (refused.value.what, refused.value.why) == ("No such thing.", "It was never there.")
    assert refused.value.fix == "Ask for another."


def test_a_bug_is_reported_and_the_daemon_lives_on(paths: Paths, start: Start, client: Client) -> None:
    process = start()
    with pytest.raises(HivemindError, match="mistake of its own") as told:
        client.call("broken verb")
    (report,) = paths.crash.glob("*.txt")
    assert str(report) in told.value.why
    assert "broken verb is broken" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert client.call("echo", {"a": 1}) == {"a": 1}
    assert process.poll() is None


@pytest.mark.parametrize(
    "line", [b"{}", b"[1]", b'{"call": 7}', b'{"call": "echo", "args": []}', b"{", b"hello", b"\xff\xfe"]
)
def test_what_is_no_request_is_refused_in_words(paths: Paths, start: Start, line: bytes) -> None:
    start()
    with dial(paths) as connection:
        connection.sendall(line + b"\n")
        connection.shutdown(socket.SHUT_WR)
        assert json.loads(received(connection))["error"]["type"] == "DaemonError"


def test_deep_nesting_is_refused(paths: Paths, start: Start, client: Client) -> None:
    start()
    with dial(paths) as connection:
        connection.sendall(b'{"call":' + b"[" * 200_000 + b"\n")
        connection.shutdown(socket.SHUT_WR)
        assert b"DaemonError" in received(connection)
    assert client.alive()


def test_eight_clients_at_once_each_get_their_own_answers(paths: Paths, start: Start) -> None:
    start()
    wrong: list[str] = []

    def ask(who: int) -> None:
        own = Client(paths)
        for number in range(50):
            args = {"who": who, "number": number}
            if own.call("echo", args) != args:
                wrong.append(f"{who}/{number}")
            if f'"{who}-{number}"'.encode() not in recall(paths, f"{who}-{number}"):
                wrong.append(f"recall {who}/{number}")

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    until(lambda: len(noted(paths, "answered")) == 400)


@pytest.mark.thorough
def test_a_long_call_does_not_keep_others_waiting(paths: Paths, start: Start, client: Client) -> None:
    start()
    slow = threading.Thread(target=client.call, args=("sleep", {"s": 4}))
    slow.start()
    before = time.monotonic()
    client.call("echo")
    recall(paths, "quick")
    assert time.monotonic() - before < 4, "it did not wait for the long call"
    slow.join()


def test_a_hundred_megabytes_are_refused_and_not_kept(paths: Paths, start: Start, client: Client) -> None:
    start()
    for first in (b"{", b"recall ", b"\x00\xff"):
        with dial(paths) as connection:
            try:
                connection.sendall(first)
                for _ in range(100):
                    connection.sendall(b"x" * 2**20)
            except OSError:
                pass
            assert received(connection) == b""
    assert client.call("echo", {"a": "b" * 2**20})["a"] == "b" * 2**20


@pytest.mark.thorough
def test_half_a_line_is_cut_off_and_sixteen_of_them_lock_nobody_out_for_long(paths: Paths, start: Start) -> None:
    start()
    slow = [dial(paths, timeout_s=20) for _ in range(server.THREADS)]
    for connection in slow:
        connection.sendall(b'{"call": "ec')
    before = time.monotonic()
    assert recall(paths, "patient") == b'19\n{"for": "patient"}\n'
    assert time.monotonic() - before < server.LINE_WAIT_S + 2
    for connection in slow:
        with connection:
            assert received(connection) == b""


def test_a_flood_of_connections_ends_in_hanging_up_not_in_a_crash(paths: Paths, start: Start, client: Client) -> None:
    process = start()
    flood = []
    for _ in range(150):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(0.2)
        try:
            connection.connect(str(paths.socket))
        except OSError:
            connection.close()
            break
        flood.append(connection)
    for connection in flood:
        connection.close()
    until(client.alive)
    assert process.poll() is None
