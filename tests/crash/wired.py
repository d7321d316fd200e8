"""A home wired as `hivemind install` wires it, and the host's side of it: its commands, run through /bin/sh -c."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hivemind_cli.app import installing
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Record
from hivemind_cli.core.settings import load
from hivemind_cli.daemon.client import Client
from hivemind_cli.daemon.spawn import command
from hivemind_cli.hosts import HOSTS
from hivemind_cli.storage.base import Row
from hivemind_cli.storage.daemon import DaemonStore

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Told:
    """What one hook left with its host."""

    code: int
    out: bytes
    err: bytes

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON on its stdout; {} for silence. Checks what every host is promised."""
        assert (self.code, self.err) == (0, b"")
        if not self.out:
            return {}
        assert self.out.count(b"\n") == 1
        assert self.out.endswith(b"\n")
        return dict(json.loads(self.out))

    @property
    def text(self) -> str:
        """What reaches the model, or the reason of a refusal."""
        told = self.answer.get("hookSpecificOutput", {})
        return str(told.get("additionalContext") or told.get("permissionDecisionReason") or "")


@dataclass(frozen=True)
class Wired:
    """One person's home with Claude Code in it, wired."""

    paths: Paths
    commands: dict[str, str]
    """Event -> the command in settings.json, word for word."""
    env: dict[str, str] = field(default_factory=lambda: {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"]})

    @classmethod
    def install(cls, paths: Paths | None = None) -> "Wired":
        """As `hivemind install` does it."""
        paths = paths or Paths.from_env(os.environ)
        settings = paths.home / ".claude" / "settings.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        plan = installing.plan(paths, [HOSTS["claude"]], {}, HOSTS)
        config = load(paths, os.environ).config if paths.config.exists() else Config()
        installing.install(paths, config, plan, daemon=command(), env={}, now=datetime.now(UTC), hosts=HOSTS)
        wired = json.loads(settings.read_bytes())["hooks"]
        return cls(paths, {event: groups[-1]["hooks"][0]["command"] for event, groups in wired.items()})

    @property
    def client(self) -> Client:
        return Client(self.paths)

    def hook(
        self,
        event: str,
        raw: bytes | Mapping[str, Any],
        *,
        cwd: Path | bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Told:
        """Run it to its end."""
        done = subprocess.run(
            ["/bin/sh", "-c", self.commands.get(event) or f"{self.commands['Stop'].rpartition(' ')[0]} {event}"],
            input=raw if isinstance(raw, bytes) else json.dumps(raw).encode(),
            capture_output=True,
            cwd=cwd or self.paths.home,
            env={**self.env, **(env or {})},
            timeout=60,
            check=False,
        )
        return Told(done.returncode, done.stdout, done.stderr)

    def find(self, of: type[R], **where: Any) -> list[Row[R]]:
        """From the store, through the daemon."""
        return list(DaemonStore(self.client.call).find(of, **where))

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`hivemind ...` as a person runs it."""
        return subprocess.run(
            [sys.executable, "-m", "hivemind_cli", *words],
            capture_output=True,
            text=True,
            cwd=self.paths.home,
            env={**self.env, "HIVEMIND_HOME": str(self.paths.root), "COLUMNS": "400"},
            timeout=60,
            check=False,
        )

    def doctor(self) -> list[str]:
        """What `hivemind doctor` has to say against this home: `level: what fix`, without what is well."""
        done = self.command("doctor", "--json")
        found = json.loads(done.stdout)
        assert done.returncode == any(one["level"] == "bad" for one in found)
        return [f"{one['level']}: {one['what']} {one['fix']}" for one in found if one["level"] != "ok"]

    def drained(self, within_s: float = 60.0) -> None:
        """Wait until the daemon, started if absent, has taken all that waits."""
        client = self.client
        client.ensure(30)
        deadline = time.monotonic() + within_s
        while any(self.paths.spool_new.iterdir()):
            assert time.monotonic() < deadline, f"the spool is not drained: {client.call('daemon')}"
            time.sleep(0.05)
