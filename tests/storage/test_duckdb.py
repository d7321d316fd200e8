"""What only the file has: it outlives processes, crashes, versions and full disks."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from hivemind_cli.core.errors import StoreDamaged, StoreError, StoreLocked
from hivemind_cli.core.records import RECORD_TYPES, Event, LLMCall, Outcome, Recall, Tombstone, Verdict
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.duckdb import store as duckdb_store
from hivemind_cli.storage.migrate import Migration, migrate, migrations
from hivemind_cli.storage.schema import table_of
from hivemind_cli.storage.sql import SQL_TYPES
from tests.storage.samples import START, event, outcome, recall, tombstone
from tests.storage.writer import BATCH


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db" / "hivemind.duckdb"


def opened(path: Path) -> DuckDBStore:
    return DuckDBStore(path, memory_mb=64)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# the file


def test_reopening_keeps_everything(path: Path) -> None:
    with opened(path) as store:
        store.commit("detect", [event(1), event(2, session_id="s2"), recall(1)], cursor_from=0, cursor_to=7)
        store.prune("claude", "s2", tombstone("s2"))
        before: list[list[Row[Event]] | list[Row[Recall]]] = [store.find(Event), store.find(Recall)]
    with opened(path) as store:
        assert [store.find(Event), store.find(Recall)] == before
        assert store.cursor("detect") == 7
        assert store.append([event(1), event(2, session_id="s2"), recall(1)]) == 0
        assert store.count(Tombstone) == 1
        store.append([event(3)])
        assert [row.seq for row in store.find(Event)] == [1, 3]


def test_files_and_folders_are_private(path: Path) -> None:
    with opened(path) as store:
        store.append([event(1)])
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
        assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".wal"]
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_creation_left_is_swept(path: Path) -> None:
    path.parent.mkdir()
    left = path.parent / f".{path.name}.999999.new"
    left.write_bytes(b"half")
    opened(path).close()
    assert not left.exists()
    assert path.exists()


def test_one_process_opens_a_file_once(path: Path) -> None:
    with opened(path), pytest.raises(StoreLocked, match="this process"):
        opened(path)
    opened(path).close()


def test_a_second_process_is_told_who_has_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hivemind_cli.storage.duckdb import DuckDBStore\n"
        "store = DuckDBStore(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout and child.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"process {child.pid}") as caught:
            opened(path)
        assert caught.value.fix
        child.communicate()
    opened(path).close()


@pytest.mark.parametrize("content", [b"", b"x", b"no database " * 1000], ids=["empty", "tiny", "text"])
def test_what_is_no_database_is_named_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="hivemind import --all"):
        opened(path)
    assert bytes_of(path.parent) == {path.name: content}


@pytest.mark.parametrize("cut", ["half", "header", "middle", "log"])
def test_a_damaged_database_is_named_and_left_alone(path: Path, cut: str) -> None:
    with opened(path) as store:
        store.append([event(n) for n in range(3000)])
        store.append([event(n, session_id="s2") for n in range(10)])
        if cut == "log":
            whole = bytes_of(path.parent)
    if cut == "log":
        path.write_bytes(whole[path.name])
        log = bytearray(whole[path.name + ".wal"])
        log[200:260] = os.urandom(60)
        path.with_name(path.name + ".wal").write_bytes(log)
    else:
        data = bytearray(path.read_bytes())
        if cut == "half":
            del data[len(data) // 2 :]
        elif cut == "header":
            data[0:12288] = os.urandom(12288)
        else:
            data[12288:] = os.urandom(len(data) - 12288)
        path.write_bytes(data)
    before = bytes_of(path.parent)
    with pytest.raises(StoreDamaged, match="hivemind import --all"), opened(path) as store:
        store.find(Event)
    assert bytes_of(path.parent) == before


def test_a_place_that_cannot_hold_a_database_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        opened(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be used"):
        opened(tmp_path / "file" / "x.duckdb")


# versions


class Raw:
    """A plain connection, as the migration runner sees one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(path)

    def execute(self, sql: str, parameters: object = (), /) -> None:
        self.connection.execute(sql, list(parameters)) if parameters else self.connection.execute(sql)  # type: ignore[call-overload]

    def applied(self) -> set[int]:
        return {row[0] for row in self.connection.execute("SELECT number FROM migrations").fetchall()}

    def transaction(self, work: object) -> None:
        self.connection.begin()
        try:
            work()  # type: ignore[operator]
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise


def clock() -> datetime:
    return START


@pytest.mark.parametrize("steps", range(len(migrations("duckdb")) + 1))
def test_every_older_database_is_brought_up_to_date(path: Path, steps: int) -> None:
    raw = Raw(path)
    assert migrate(raw, migrations("duckdb")[:steps], clock) == steps
    raw.connection.close()
    with opened(path) as store:
        assert store.append([event(1)]) == 1
    raw = Raw(path)
    assert raw.applied() == {migration.number for migration in migrations("duckdb")}
    assert raw.connection.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    raw.connection.close()


def test_a_migration_that_fails_leaves_nothing_of_itself(path: Path) -> None:
    raw = Raw(path)
    broken = Migration(2, "broken", "CREATE TABLE half (x INTEGER); SELECT * FROM nowhere;")
    with pytest.raises(duckdb.Error):
        migrate(raw, [Migration(1, "good", "CREATE TABLE good (x INTEGER)"), broken], clock)
    assert raw.applied() == {1}
    tables = {row[0] for row in raw.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    assert tables == {"good", "migrations"}
    raw.connection.close()


def test_a_newer_database_is_refused_with_advice_and_left_alone(path: Path) -> None:
    opened(path).close()
    raw = Raw(path)
    raw.connection.execute("INSERT INTO migrations VALUES (9999, 'future', ?)", [START.replace(tzinfo=None)])
    raw.connection.close()
    before = bytes_of(path.parent)
    with pytest.raises(StoreError, match="newer hivemind") as caught:
        opened(path)
    assert "Update hivemind" in caught.value.fix
    assert bytes_of(path.parent) == before


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [migration.number for migration in migrations("duckdb")] == list(range(1, len(migrations("duckdb")) + 1))


def test_the_tables_are_what_the_records_say(path: Path) -> None:
    opened(path).close()
    raw = Raw(path)
    for kind in RECORD_TYPES:
        table = table_of(kind)
        described = raw.connection.execute(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = ?",
            [table.name],
        ).fetchall()
        wanted = {
            (name, SQL_TYPES[column.type], "YES" if column.nullable else "NO") for name, column in table.columns.items()
        }
        wanted.add(("seq", "BIGINT", "NO"))
        if kind is Event:
            wanted.add(("native_hash", "BIGINT", "NO"))
        assert set(described) == wanted, table.name
        assert described[0][0] == "workspace_id"
    raw.connection.close()


def test_the_views_tell_what_happened(path: Path) -> None:
    with opened(path) as store:
        store.append([event(1), event(2), event(1, session_id="s2"), recall(1)])
        store.append([outcome(1, recall(1).id)])
        call = LLMCall(id="l1", workspace_id="default", occurred_at=START, purpose="draft", provider="p", model="m")
        store.append([call])
    raw = Raw(path)
    ask = raw.connection.execute
    assert ask("SELECT session_id, events, prompts, corrections FROM sessions ORDER BY 1").fetchall() == [
        ("s1", 2, 2, 0),
        ("s2", 1, 1, 0),
    ]
    assert ask("SELECT verdict FROM outcomes").fetchall() == [(Verdict.HELD.value,)]
    assert ask('SELECT calls, "day" FROM costs').fetchall() == [(1, START.date())]
    assert ask("SELECT moment FROM recalls").fetchall() == [("prompt",)]
    assert ask("SELECT count(*) FROM skills").fetchall() == [(0,)]
    assert ask("SELECT count(*) FROM corrections").fetchall() == [(0,)]
    assert ask("SELECT payload->>'text' FROM event ORDER BY seq LIMIT 1").fetchall() == [("words 1",)]
    raw.connection.close()


# crashes


def _kill_rounds(path: Path, rounds: int) -> None:
    """Kill a committing child at a random moment, `rounds` times; what it acknowledged is whole each time."""
    done = 0
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.writer", str(path), str(done)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        with child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(random.random() * 0.1)
            child.kill()
            acknowledged = child.stdout.read().split()
        with opened(path) as store:
            at = store.cursor("capture")
            # The last commit may have been on disk before its acknowledgement was written.
            assert not acknowledged or at in (int(acknowledged[-1]), int(acknowledged[-1]) + 1)
            assert at > done
            assert [row.seq for row in store.find(Recall)] == list(range(1, at + 1))
            assert [row.record.id for row in store.find(Event)] == [event(n).id for n in range(at * BATCH)]
            done = at


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(20, marks=pytest.mark.thorough), pytest.param(100, marks=pytest.mark.slow)]
)
def test_kill_minus_nine_loses_nothing_acknowledged(path: Path, rounds: int) -> None:
    _kill_rounds(path, rounds)


@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.thorough)])
def test_a_kill_while_the_database_is_made_leaves_none_or_a_whole_one(path: Path, rounds: int) -> None:
    for _ in range(rounds):
        code = "import sys; from tests.storage.writer import main; print('ready', flush=True); main()"
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path), "0"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        with child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(random.random() * 0.04)
            child.kill()
        with opened(path) as store:
            assert store.count(Event) == store.cursor("capture") * BATCH
        for file in path.parent.iterdir():
            file.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine does not allow mounts")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "db" / "x.duckdb"
    stored = 0
    with opened(path) as store:
        with pytest.raises(StoreError, match="disk is full") as caught:
            for n in range(10_000):
                batch = [event(n * 10 + k, payload={"text": os.urandom(2000).hex()}) for k in range(10)]
                stored += store.append(batch)
        assert caught.value.fix
        assert stored
        assert store.count(Event) == stored
        subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
        assert store.append([event(n, session_id="later") for n in range(100)]) == 100
        assert store.count(Event) == stored + 100
    with opened(path) as store:
        assert store.count(Event) == stored + 100


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    with opened(path) as store:
        store.append([event(1)])
        began, done = threading.Event(), threading.Event()

        def write() -> None:
            def work(tx: object) -> None:
                began.set()
                assert done.wait(10)

            store._write(work)

        writer = threading.Thread(target=write)
        writer.start()
        began.wait(10)
        assert store.count(Event) == 1
        assert len(store.find(Event)) == 1
        done.set()
        writer.join()


def test_at_rest_a_long_log_is_moved_into_the_file_while_others_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = path.with_name(path.name + ".wal")
    monkeypatch.setattr(duckdb_store, "_LOG_BYTES", 10_000)
    with opened(path) as store:
        store.append([event(1)])
        store.rest()
        assert 0 < log.stat().st_size < 10_000  # too short to be worth it
        store.append([event(n) for n in range(2, 100)])
        before = store.find(Event, source="hook")
        reader = store._opened().cursor().execute("SELECT seq FROM event ORDER BY seq")
        assert reader.fetchone() == (1,)
        store.rest()
        assert not log.exists()
        assert len(reader.fetchall()) == 98
        assert store.find(Event, source="hook") == before


def test_at_rest_a_transaction_under_way_keeps_the_log_for_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = path.with_name(path.name + ".wal")
    monkeypatch.setattr(duckdb_store, "_LOG_BYTES", 10_000)
    with opened(path) as store:
        store.append([event(n) for n in range(100)])
        busy = store._opened().cursor()
        busy.execute("BEGIN").execute("CREATE TABLE other (n INTEGER)")
        store.rest()
        assert log.stat().st_size >= 10_000
        busy.execute("ROLLBACK")
        store.rest()
        assert not log.exists()


def test_at_rest_blocks_of_the_file_leave_memory_while_others_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_CACHED_MB", 1)
    with opened(path) as store:
        store.append([event(n, payload={"output": os.urandom(4096).hex()}) for n in range(1, 400)])
    with opened(path) as store:
        before = store.find(Event)
        assert (cached := _memory_bytes(store)) > 2_000_000
        store.rest()
        assert _memory_bytes(store) < cached / 2
        assert store._read("SELECT current_setting('memory_limit')", ()) == [("61.0 MiB",)]
        reader = store._opened().cursor().execute("SELECT seq, payload FROM event ORDER BY seq")
        assert reader.fetchone()
        store.rest()
        assert len(reader.fetchall()) == 398
        assert store.find(Event) == before


def _memory_bytes(store: DuckDBStore) -> int:
    return int(store._read("SELECT sum(memory_usage_bytes) FROM duckdb_memory()", ())[0][0])


def test_after_a_fatal_error_the_database_is_opened_again(path: Path) -> None:
    with opened(path) as store:
        store.append([event(1)])
        tries = []

        def work(tx: object) -> str:
            tries.append(tx)
            if len(tries) == 1:
                raise duckdb.FatalException("FATAL Error: database has been invalidated")
            return "done"

        assert store._write(work) == "done"
        assert store.append([event(1), event(2)]) == 1


def test_times_are_stored_in_utc(path: Path) -> None:
    with opened(path) as store:
        store.append([event(0)])
    raw = Raw(path)
    (stored,) = raw.connection.execute("SELECT occurred_at FROM event").fetchall()
    assert stored == (START.astimezone(UTC).replace(tzinfo=None),)
    raw.connection.close()


def test_outcomes_of_a_pruned_session_are_gone_from_the_file_too(path: Path) -> None:
    with opened(path) as store:
        store.append([recall(1), outcome(1, recall(1).id)])
        assert store.prune("claude", "s1", tombstone()) == 2
    with opened(path) as store:
        assert store.count(Outcome) == 0


@pytest.mark.thorough
def test_a_transaction_larger_than_the_memory_limit_is_stored_and_read(path: Path) -> None:
    payload = {"text": os.urandom(30_000).hex()}
    events = [event(n, payload={**payload, "n": n}) for n in range(1500)]
    with DuckDBStore(path, memory_mb=32) as store:
        assert store.append(events) == 1500
        assert [row.record.payload["n"] for row in store.find(Event, session_id="s1")] == list(range(1500))
        assert store.append([event(1, session_id="s2")]) == 1
