"""Every engine under the one suite; the daemon's behind a real unix socket that speaks line JSON."""

import itertools
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hivemind_cli.storage.base import Store
from hivemind_cli.storage.daemon import DaemonStore
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.inmemory import InMemoryStore
from hivemind_cli.storage.wire import error_from_json, error_to_json, handle
from tests import databases

NAMES = ("inmemory", "duckdb", "daemon")


@contextmanager
def opened(name: str) -> Iterator[Store]:
    """An empty store of the engine `name`, closed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "daemon":
            with InMemoryStore() as owned, _served(owned, Path(folder) / "s") as path, DaemonStore(_Caller(path)) as db:
                yield db
        elif name == "duckdb":
            with DuckDBStore(databases.place(Path(folder) / "db" / "x.duckdb"), memory_mb=64) as store:
                yield store
        else:
            with InMemoryStore() as store:
                yield store


class _Caller:
    """One connection a request, as separate processes would."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, method: str, args: dict[str, Any]) -> Any:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self._path))
            with peer.makefile("rwb") as stream:
                stream.write(json.dumps({"method": method, "args": args}, ensure_ascii=False).encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.readline())
        if "error" in answer:
            raise error_from_json(answer["error"])
        return answer["result"]


@contextmanager
def _served(store: Store, path: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        threads: list[threading.Thread] = []
        acceptor = threading.Thread(target=_accept, args=(listener, store, threads))
        acceptor.start()
        try:
            yield path
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
                last.sendall(b"stop\n")
            acceptor.join()
            for thread in threads:
                thread.join()
            os.unlink(path)


def _accept(listener: socket.socket, store: Store, threads: list[threading.Thread]) -> None:
    for _ in itertools.count():
        peer, _address = listener.accept()
        stream = peer.makefile("rwb")
        line = stream.readline()
        if line == b"stop\n":
            stream.close()
            peer.close()
            return
        threads.append(threading.Thread(target=_answer, args=(peer, stream, line, store)))
        threads[-1].start()


def _answer(peer: socket.socket, stream: Any, line: bytes, store: Store) -> None:
    with peer, stream:
        try:
            request = json.loads(line)
            answer = {"result": handle(store, request["method"], request["args"])}
        except Exception as exc:  # noqa: BLE001 - the other side is told of bugs, too
            answer = {"error": error_to_json(exc)}
        stream.write(json.dumps(answer).encode() + b"\n")
