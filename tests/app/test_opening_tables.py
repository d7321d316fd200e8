"""Databases of agents' tables are opened beside each other: one that does not answer holds up its own callers alone."""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.memory import EMBEDDED, Memory
from hivemind_cli.core.errors import StoreError
from hivemind_cli.storage.duckdb import DuckDBStore
from tests import databases

pytest.importorskip("psycopg")
DEADLINE_S = 60


class Unused:
    """Nothing is embedded here."""

    model, dim = "unused", 1

    def __call__(self, texts: Sequence[str]) -> Any:
        raise AssertionError


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with DuckDBStore(databases.place(tmp_path / "db" / "hivemind.duckdb")) as store:
        made = Memory(
            store.tables,
            index=tmp_path / "index",
            handed_over=tmp_path / "handed",
            embedding=Unused(),
        )
        yield made
        made.close()


def asked(memory: Memory, url: str) -> Any:
    args = {"url": url, "workspace": "w", "branch": "main", "sql": "SELECT 1 AS one", "params": None}
    return memory.call("query", args)


def test_a_database_that_does_not_answer_makes_only_its_own_callers_wait(memory: Memory) -> None:
    came, silent = threading.Semaphore(0), []
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(5) as pool:
        url = f"postgresql://me@127.0.0.1:{listener.getsockname()[1]}/db?sslmode=disable&connect_timeout=600"

        def accept() -> None:
            silent.append(listener.accept()[0])
            came.release()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        waiting = [pool.submit(asked, memory, url) for _ in range(4)]
        assert came.acquire(timeout=DEADLINE_S)
        assert asked(memory, EMBEDDED)["page"]
        assert not any(one.done() for one in waiting)
        silent[0].close()
        acceptor.join(DEADLINE_S)
        listener.close()  # whoever came too late to be told with the first is refused
        for one in waiting:
            with pytest.raises(StoreError, match="does not answer"):
                one.result(DEADLINE_S)
