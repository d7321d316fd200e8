"""A host's own program as a provider: `hosts` says how it is called, this file calls it."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.headless import PROMPT, HeadlessCommand
from hivemind_cli.core.records import JSON
from hivemind_cli.llm.base import BadAnswer, Reply, Request
from hivemind_cli.llm.child import Finished, run
from hivemind_cli.llm.schema import checked, parse_answer

_OWN_FOLDERS = (
    ".local/bin",
    ".claude/local",
    ".npm-global/bin",
    ".bun/bin",
    ".volta/bin",
    ".nvm/versions/node/*/bin",
)
"""Where programs stand that a process without a login shell does not have on its PATH."""
_SYSTEM_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin")


def find_program(name: str, env: Mapping[str, str]) -> str:
    """The path of program `name`: on PATH, else where installers put it; "" if it is nowhere."""
    folders = [Path(folder) for folder in env.get("PATH", "").split(":") if folder]
    if env.get("HOME"):
        for own in _OWN_FOLDERS:
            folders += sorted(Path(env["HOME"]).glob(own), reverse=True)
    folders += [Path(folder) for folder in _SYSTEM_FOLDERS]
    for folder in folders:
        path = folder / name
        if path.is_file() and path.stat().st_mode & 0o111:
            return str(path)
    return ""


class Headless:
    """Asks a program that is on the machine and signed in already."""

    def __init__(
        self, name: str, command: HeadlessCommand, *, env: Mapping[str, str], work: Path, timeout_s: float = 90.0
    ) -> None:
        self.name = name
        self._command = command
        self._env = dict(env)
        self._work = work
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return f"Headless({self.name!r}, model={self._command.model!r})"

    def available(self) -> str:
        """ "" if the program is there."""
        program = self._command.argv[0]
        return "" if Path(program).is_file() else f"{program} is not there"

    def complete(self, request: Request) -> Reply:
        """Ask once, in the neutral folder, with the program's tools, hooks and history off."""
        command = self._command
        schema = json.dumps(request.schema, ensure_ascii=False)
        started = time.monotonic()
        done = run(
            command.arguments(system=request.system, schema=schema, prompt=request.prompt),
            stdin=request.prompt.encode("utf-8", "replace") if command.stdin == PROMPT else b"",
            env=child_env(command, self._env),
            cwd=self._work,
            timeout_s=self._timeout_s,
        )
        said = self._object(done)
        spent = Reply(
            value={},
            model=command.model,
            tokens_in=_count(said, command.tokens_in),
            tokens_out=_count(said, command.tokens_out),
            cost_usd=_number(said.get(command.cost_usd)),
            latency_ms=(time.monotonic() - started) * 1000,
        )
        try:
            self._raise_if_failed(said, done.code)
            return replace(spent, value=self._answer(said, request))
        except ProviderUnavailable:
            raise
        except ProviderError as exc:
            raise BadAnswer(exc.what, why=exc.why, fix=exc.fix, spent=spent) from exc

    def _object(self, done: Finished) -> dict[str, Any]:
        try:
            said = json.loads(done.stdout)
        except (ValueError, RecursionError) as exc:
            why = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-300:]
            raise ProviderError(
                f"{self.name} did not answer in JSON (exit code {done.code}).",
                why=why,
                fix=f"Run `{Path(self._command.argv[0]).name}` once by hand: is it signed in and up to date?",
            ) from exc
        if not isinstance(said, dict):
            raise ProviderError(f"{self.name} did not answer with a JSON object.")
        return said

    def _raise_if_failed(self, said: JSON, code: int) -> None:
        if code or (self._command.failed and said.get(self._command.failed)):
            why = str(said.get(self._command.message, ""))[:300]
            error = ProviderUnavailable if _may_succeed_later(why) else ProviderError
            raise error(f"{self.name} failed (exit code {code}).", why=why)

    def _answer(self, said: JSON, request: Request) -> dict[str, Any]:
        found = next((said[key] for key in self._command.answer if said.get(key) not in (None, "")), None)
        if isinstance(found, str):
            return parse_answer(found, request.schema)
        return checked(found, request.schema)


def child_env(command: HeadlessCommand, env: Mapping[str, str]) -> dict[str, str]:
    """`env` without the marks of a session around us, with the program's folder on PATH (its interpreter is there)."""

    def dropped(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in command.env_drop) and name not in command.env_keep

    kept = {name: value for name, value in env.items() if not dropped(name)}
    folder = str(Path(command.argv[0]).parent)
    path = kept.get("PATH", "/usr/bin:/bin")
    kept["PATH"] = path if folder in path.split(":") else f"{folder}:{path}"
    return {**kept, **command.env}


_LATER = ("429", "500", "502", "503", "504", "529", "overloaded", "rate limit", "timed out", "connection")


def _may_succeed_later(why: str) -> bool:
    said = why.casefold()
    return any(mark in said for mark in _LATER)


def _count(said: JSON, keys: tuple[str, ...]) -> int:
    return sum(int(_number(_at(said, key))) for key in keys)


def _at(value: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
