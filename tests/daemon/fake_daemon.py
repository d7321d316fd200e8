"""A real daemon process around a small working owner: `python fake_daemon.py '{"idle_minutes": 1, ...}'`.

The owner captures by appending `<name> <time_ns>` to captured.txt and unlinking; records wait in memory for `work`.
"""

import json
import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from hivemind_cli.core.caller import caller_left
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ConfigError, StoreDamaged
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.log import open_log
from hivemind_cli.daemon.owner import Owner
from hivemind_cli.daemon.supervisor import Supervisor


class FakeOwner:
    """Captures, works and answers; fails where `options` say so."""

    def __init__(self, paths: Paths, options: dict[str, Any]) -> None:
        self._paths = paths
        self._options = options
        self._undone = 0
        self._failures = 0

    def drain(self, limit: int = 500) -> int:
        names = sorted(os.listdir(self._paths.spool_new))[:limit]
        for name in names:
            self._note("captured", f"{name} {time.time_ns()}")
            (self._paths.spool_new / name).unlink()
        self._undone += len(names)
        return len(names)

    def work(self) -> int:
        if self._options.get("work_fails") and self._failures < self._options["work_fails"]:
            self._failures += 1
            self._note("failures", str(time.time_ns()))
            raise RuntimeError("token ghp_abcdefghijklmnopqrstuvwxyz0123456789")
        done, self._undone = self._undone, 0
        if done:
            self._note("worked", str(done))
        return done

    def answer(self, name: str) -> bytes:
        if name == "boom":
            raise RuntimeError("no answer")
        time.sleep(self._options.get("answer_s", 0))
        return b"" if name == "silent" else json.dumps({"for": name}).encode() + b"\n"

    def after_answer(self, name: str, *, delivered: bool = True, later: bool = False) -> None:
        self._note("answered", f"{name} {delivered}")

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        if verb == "echo":
            return args
        if verb == "sleep":
            self._note("sleeping", str(args["s"]))
            time.sleep(args["s"])
            return args["s"]
        if verb == "watch":
            for _ in range(1000):
                self._note("watched", "gone" if caller_left() else "there")
                if caller_left():
                    break
                time.sleep(0.01)
            return None
        if verb == "refuse":
            raise ConfigError("No such thing.", why="It was never there.", fix="Ask for another.")
        raise RuntimeError(f"{verb} is broken")

    def busy(self) -> bool:
        return (self._paths.root / "busy").exists()

    def next_due(self) -> float | None:
        return None

    def tick(self, now: datetime) -> None:
        assert now.tzinfo is not None

    def rest(self) -> None:
        pass

    def close(self) -> None:
        if self._paths.root.exists():
            self._note("closed", str(os.getpid()))

    def _note(self, file: str, line: str) -> None:
        with (self._paths.root / f"{file}.txt").open("a") as out:
            out.write(line + "\n")


def main() -> None:
    options = json.loads(sys.argv[1])
    paths = Paths.from_env(os.environ)
    paths.make()
    open_log(paths)
    config = Config()
    config = replace(config, daemon=replace(config.daemon, idle_minutes=options.get("idle_minutes", 1)))

    def open_owner() -> Owner:
        time.sleep(options.get("open_s", 0))
        if options.get("damaged"):
            raise StoreDamaged("The database cannot be read.", fix="Move it away.")
        return FakeOwner(paths, options)

    Supervisor(open_owner, paths, config, poll_s=options.get("poll_s", 2.0)).run(once=options.get("once", False))


if __name__ == "__main__":
    main()
