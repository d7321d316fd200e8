"""The real hook as a host starts it, in a hivemind root of its own, and a daemon small enough to read."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hivemind_cli.app.sayings import sayings
from hivemind_cli.core.assets import asset
from hivemind_cli.core.hook_settings import HookSettings, write
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Moment
from hivemind_cli.hosts import claude
from hivemind_cli.pipeline.spool import Delivery, Spool

FILES = ("hivemind_hook.py", "hivemind_hook_recall.py", "hivemind_hook_snapshot.py")
PYTHON = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
WAITING = HookSettings(
    recall=True,
    deadline_ms=5000,
    deadline_start_ms=5000,
    wait=(
        ("claude", "UserPromptSubmit", Moment.PROMPT),
        ("claude", "PreToolUse", Moment.TOOL_CALL),
        ("claude", "SessionStart", Moment.SESSION_START),
        ("acme", "before_prompt", Moment.PROMPT),
    ),
    wake=(("claude", "StopFailure"), ("claude", "Stop")),
    say=sayings([claude]),
)
"""Deadlines that a busy test machine meets."""


def load(name: str) -> ModuleType:
    """A hook file as a module, from where it is shipped."""
    spec = importlib.util.spec_from_file_location(name, asset("hooks", f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Rig:
    """One installed hook. `root` is short enough for a socket's name."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"]})

    @property
    def paths(self) -> Paths:
        return Paths(root=self.root, home=Path(self.env["HOME"]))

    @property
    def spool(self) -> Spool:
        return Spool(self.paths)

    def install(self, settings: HookSettings | None = None) -> "Rig":
        self.paths.make()
        for name in FILES:
            shutil.copy(asset("hooks", name), self.paths.hook.with_name(name))
        if settings is not None:
            write(self.paths.hook_settings, settings)
        return self

    def argv(self, event: str, host: str = "claude") -> list[str]:
        return [PYTHON, "-I", "-S", str(self.paths.hook), host, event]

    def run(
        self,
        event: str,
        raw: bytes | dict[str, Any] = b'{"session_id": "s"}',
        *,
        host: str = "claude",
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        shell: str = "",
    ) -> bytes:
        """Run the hook; its stdout. It must end with 0 and say nothing on stderr. `shell` runs before it."""
        argv = self.argv(event, host)
        if shell:
            argv = ["/bin/sh", "-c", f'{shell}\nexec "$@"', "sh", *argv]
        done = subprocess.run(
            argv,
            input=raw if isinstance(raw, bytes) else json.dumps(raw).encode(),
            capture_output=True,
            env={**self.env, **(env or {})},
            cwd=cwd,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    def modules(self, event: str, raw: bytes = b"{}") -> set[str]:
        """The modules a run of the hook has loaded at its end."""
        listing = self.root / "modules"
        wrapper = (
            "import sys, posix\n"
            "leave, sys.argv = posix._exit, sys.argv[1:]\n"
            "def tell(code):\n"
            f"    open({str(listing)!r}, 'w').write(' '.join(sys.modules))\n"
            "    leave(code)\n"
            "posix._exit = tell\n"
            "exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'), {'__name__': '__main__'})\n"
        )
        argv = [PYTHON, "-I", "-S", "-c", wrapper, *self.argv(event)[3:]]
        subprocess.run(argv, input=raw, env=self.env, check=True, capture_output=True, timeout=60)
        return set(listing.read_text().split())

    def deliveries(self) -> list[Delivery]:
        return [self.spool.read(path) for path in self.spool.pending()]

    def delivery(self) -> Delivery:
        """The only one."""
        (delivery,) = self.deliveries()
        return delivery


def framed(text: bytes) -> bytes:
    return b"%d\n%s" % (len(text), text)


@contextlib.contextmanager
def fake_daemon(rig: Rig, answer: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """Listens on the daemon's socket; answers each request line with `answer(line)`. Yields the requests."""
    requests: list[bytes] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(rig.paths.socket))
    server.listen(16)
    server.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    line = connection.makefile("rb").readline()
                    requests.append(line)
                    connection.sendall(answer(line))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield requests
    finally:
        stop.set()
        thread.join()
        server.close()


def wait_for(claim: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether `claim` became true in time."""
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
