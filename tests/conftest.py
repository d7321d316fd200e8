"""Guards that never sleep: every test has its own home, and no test reaches the network. And the real model."""

import fcntl
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests import postgres_server as postgres
from tests.daemon_home import daemon_home, workspace

__all__ = ["daemon_home", "workspace"]

_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME and HIVEMIND_HOME; no HIVEMIND_* or host variable of the developer leaks in."""
    for name in list(os.environ):
        if name.startswith(("HIVEMIND_", "CLAUDE", "ANTHROPIC_", "CODEX_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HIVEMIND_HOME", str(home / ".hivemind"))
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting anywhere but loopback or a unix socket fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise OSError(f"tests may not reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


MODEL = "all-MiniLM-L6-v2"
MODEL_REQUIRED = bool(os.environ.get("HIVEMIND_MODEL_REQUIRED"))
"""Read before `own_home` takes it away."""


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The real sentence-embedding model, from the package of `.[dev,models]`; for tests marked `model`."""
    from hivemind_cli.embedding import export
    from hivemind_cli.embedding.found import find_model

    found = find_model(MODEL, {}, Path("/nowhere"))
    missing = export.missing() or ("" if found else f"{MODEL} is in no installed package")
    if missing or found is None:
        message = f"the real model is not here ({missing}): pip install -e '.[dev,models]'"
        if MODEL_REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found.path


@pytest.fixture(scope="session")
def exported_model(model_folder: Path) -> Path:
    """The real model, exported by the product; made once for all workers and runs that export the same way."""
    from hivemind_cli.embedding import export, onnx, sentence_transformers
    from hivemind_cli.embedding.found import ModelFolder

    sources = [Path(str(module.__file__)).read_bytes() for module in (export, onnx, sentence_transformers)]
    versions = [metadata.version(name) for name in ("onnxruntime", "torch", "sentence-transformers", "onnx")]
    key = hashlib.sha256(b"\0".join(sources) + repr((versions, str(model_folder))).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir(), f"hivemind-test-models-{os.getuid()}")
    kept.mkdir(mode=0o700, exist_ok=True)
    target = kept / key / MODEL
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "manifest.json").is_file():
            export.export(ModelFolder(MODEL, model_folder, "a test"), target, env=os.environ, work=kept / "work")
    return target


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A real PostgreSQL 16 with pgvector; started when a test first asks for it."""
    installed = postgres.binaries()
    if installed is None:
        pytest.skip("no PostgreSQL here: pip install -e '.[dev]'")
    server = postgres.PostgresServer(installed)
    try:
        server.run("CREATE DATABASE shared")
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """An empty database. Emptied afterwards: making one takes a second on a busy machine."""
    yield postgres_server.url("shared")
    postgres_server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "shared",
    )
    postgres_server.run("DROP SCHEMA IF EXISTS hivemind CASCADE", "shared")
