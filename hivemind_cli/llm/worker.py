"""One request in a short-lived child process: `python -m hivemind_cli.llm.worker`, JSON in, JSON out.

The daemon stays small and never loads a vendor's SDK; what leaks in one dies with the child. The key travels on
stdin: arguments and environments of a process can be read by others.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hivemind_cli.core.child import bound
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.llm.base import BadAnswer, Busy, Provider, Reply, Request, words_of
from hivemind_cli.llm.child import run
from hivemind_cli.llm.schema import checked

MEMORY_BYTES_MAX = 2 << 30
"""Address space, not RSS (Linux enforces no RSS limit): the SDK maps about 0.5 GB and uses 0.1."""
CPU_S_MAX = 60
START_S = 15.0
"""Allowed beyond the request's own limit, for the child to start and load its SDK."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_ENV = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *_PROXIES,
    *map(str.upper, _PROXIES),
)
"""All the child inherits."""


class InWorker:
    """The provider `name`, asked in a child process. `options` are its constructor's, the key among them."""

    def __init__(
        self, name: str, *, options: Mapping[str, Any], env: Mapping[str, str], work: Path, timeout_s: float = 90.0
    ) -> None:
        self.name = name
        self._options = {**options, "timeout_s": timeout_s}
        self._env = {variable: env[variable] for variable in _ENV if variable in env}
        self._work = work
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return f"InWorker({self.name!r})"

    def available(self) -> str:
        """What the provider says; its SDK is looked for, not loaded."""
        return _provider(self.name, self._options).available()

    def complete(self, request: Request) -> Reply:
        """Ask once, in a process of its own."""
        asked = {"provider": self.name, "options": self._options, "request": asdict(request)}
        done = run(
            [sys.executable, "-P", "-m", "hivemind_cli.llm.worker"],
            stdin=json.dumps(asked).encode(),
            env=self._env,
            cwd=self._work,
            timeout_s=self._timeout_s + START_S,
        )
        try:
            said = json.loads(done.stdout)
            spent = Reply(**said["spent"]) if said.get("spent") else None
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            why = words_of(done.stderr.decode("utf-8", "replace"), end=True)
            raise ProviderError(f"The {self.name} worker ended with code {done.code}.", why=why) from exc
        if said.get("error") is None and spent is not None:
            checked(spent.value, request.schema)
            return spent
        raise _error(said.get("error"), spent)


def main() -> None:
    """Answer the one request on stdin."""
    bound(MEMORY_BYTES_MAX, CPU_S_MAX)
    asked = json.load(sys.stdin)
    answers = os.dup(1)  # whatever an SDK prints must not spoil the answer
    os.dup2(2, 1)
    with os.fdopen(answers, "w") as out:
        json.dump(_ask(asked), out)


def _ask(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        reply = _provider(asked["provider"], asked["options"]).complete(Request(**asked["request"]))
    except ProviderError as exc:
        kind = "unavailable" if isinstance(exc, ProviderUnavailable) else "error"
        spent = asdict(exc.spent) if isinstance(exc, BadAnswer) else None
        error: dict[str, Any] = {"kind": kind, "what": exc.what, "why": exc.why, "fix": exc.fix}
        if isinstance(exc, Busy):
            error["retry_after_s"] = exc.retry_after_s
        return {"error": error, "spent": spent}
    return {"spent": asdict(reply)}


def _provider(name: str, options: Mapping[str, Any]) -> Provider:
    if name == "anthropic":
        from hivemind_cli.llm.anthropic import Anthropic

        return Anthropic(**options)
    raise ProviderError(f"No provider that runs in a worker is called {name!r}.")


def _error(error: Any, spent: Reply | None) -> ProviderError:
    words = error if isinstance(error, dict) else {}
    what, why, fix = (str(words.get(key, "")) for key in ("what", "why", "fix"))
    what = what or "The worker's answer has no form."
    if spent is not None:
        return BadAnswer(what, why=why, fix=fix, spent=spent)
    if isinstance(words.get("retry_after_s"), int | float):
        return Busy(what, why=why, fix=fix, retry_after_s=words["retry_after_s"])
    return (ProviderUnavailable if words.get("kind") == "unavailable" else ProviderError)(what, why=why, fix=fix)


if __name__ == "__main__":
    main()
