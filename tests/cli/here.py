"""Commands run in this process, over an owner in this process: what the daemon would answer, without its start."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.cli import main
from hivemind_cli.cli.door import Door
from hivemind_cli.core.config import Config, StorageConfig


class Here:
    """Stands where a door has the daemon's client."""

    def __init__(self, owner: OwnedHivemind) -> None:
        self.owner = owner

    def call(self, verb: str, args: dict[str, Any] | None = None, *, timeout_s: float = 0) -> Any:
        return json.loads(json.dumps(self.owner.call(verb, args or {})))

    def stop(self) -> None:
        self.owner.close()


def door_here() -> Door:
    """This environment's door, its records in memory."""
    door = Door.open()
    owner = Hivemind.own(door.paths, Config(storage=StorageConfig(engine="inmemory")), env={})
    door.__dict__["client"] = Here(owner)
    return door


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_here(*words: str) -> Done:
    """`hivemind WORDS`, as its `main` would run it."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["hivemind", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code = 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1 if exc.code else 0
    finally:
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())
