"""What Codex itself says of our hooks, through its `app-server`; and the person's consent, written by it.

JSON-RPC, a line each way: `initialize`, then `hooks/list`, or `config/batchWrite`, which is what its own `/hooks`
screen does. No model is asked.
Source: 0.169.0. Consent is only ever written for hooks that a person was shown, and only while they stand as shown.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from hivemind_cli.core import child
from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import values
from hivemind_cli.hosts.codex.trust import Consent, HookTrust, trust

TIMEOUT_S = 20.0
_LINE_BYTES_MAX = 16_000_000
_FIX = "Run `codex` and type `/hooks`: it shows each hook and whether you agreed to it."


def hooks_list(
    program: str, folder: Path, env: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> list[dict[str, Any]]:
    """Every hook that Codex knows of in `folder` and above, as it tells them: `key`, `command`, `trustStatus`, ...

    program   the `codex` to ask
    HostError: it does not answer in time, or not as 0.169.0 does.
    """
    with _Server(program, folder, env, timeout_s) as server:
        return _listed(server, folder)


def asked_trust(program: str, folder: Path, env: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> list[HookTrust]:
    """As `trust`, in Codex's own words; a hook of ours it does not list is `unknown` to it. HostError: as above."""
    told = _by_key(hooks_list(program, folder, env, timeout_s=timeout_s))
    return [_as_told(hook, told.get(hook.key)) for hook in trust(folder)]


def write_trust(
    program: str, folder: Path, env: Mapping[str, str], shown: Sequence[HookTrust], *, timeout_s: float = TIMEOUT_S
) -> list[HookTrust]:
    """Tell Codex that the person agreed to the hooks `shown`; how all of ours stand afterwards.

    Call it only once a person has said yes to exactly these commands. HostError, and nothing is written: one of them
    is not as it was shown, or Codex does not know it, or does not answer.
    """
    with _Server(program, folder, env, timeout_s) as server:
        told = _by_key(_listed(server, folder))
        for hook in shown:
            one = told.get(hook.key, {})
            if (one.get("command"), one.get("currentHash")) != (hook.command, hook.digest):
                raise HostError(
                    f"Codex does not have the hook for {hook.event} as it was shown.",
                    why=f"{folder / 'hooks.json'} was changed meanwhile, or this Codex reads it differently.",
                    fix=f"Nothing was written. {_FIX}",
                )
        agreed = {hook.key: {"trusted_hash": hook.digest} for hook in shown}
        if agreed:
            edit = {"keyPath": "hooks.state", "value": agreed, "mergeStrategy": "upsert"}
            server.call("config/batchWrite", {"edits": [edit]})
        told = _by_key(_listed(server, folder))
    return [_as_told(hook, told.get(hook.key)) for hook in trust(folder)]


def _listed(server: "_Server", folder: Path) -> list[dict[str, Any]]:
    """Every hook that Codex knows of, besides those of projects."""
    data = server.call("hooks/list", {"cwds": [str(folder)]}).get("data")
    hooks = data[0].get("hooks") if isinstance(data, list) and data and isinstance(data[0], dict) else None
    if not isinstance(hooks, list):
        raise HostError("Codex did not list its hooks.", why="Its `app-server` answers in another form.", fix=_FIX)
    return [one for one in hooks if isinstance(one, dict)]


def _by_key(listed: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {values.text(one.get("key")): one for one in listed}


def _as_told(hook: HookTrust, told: Mapping[str, Any] | None) -> HookTrust:
    if told is None or told.get("command") != hook.command:
        return replace(hook, consent=Consent.UNKNOWN)
    status = values.text(told.get("trustStatus"))
    known = {Consent.TRUSTED.value, Consent.UNTRUSTED.value, Consent.MODIFIED.value}
    consent = Consent(status) if status in known else Consent.UNKNOWN
    if status == "managed":
        consent = Consent.TRUSTED
    off = consent is Consent.TRUSTED and told.get("enabled") is False
    digest = values.text(told.get("currentHash")) or hook.digest
    return replace(hook, consent=Consent.DISABLED if off else consent, digest=digest)


class _Server:
    """One `codex app-server`, gone with all it started when the block ends."""

    def __init__(self, program: str, folder: Path, env: Mapping[str, str], timeout_s: float) -> None:
        self._argv = [program, "app-server"]
        self._folder, self._timeout_s = folder, timeout_s
        self._env = {**env, "CODEX_HOME": str(folder)}
        self._count = 0

    def __enter__(self) -> "_Server":
        try:
            self._child = child.start(self._argv, env=self._env, cwd=self._folder, nice=0)
        except (OSError, ValueError) as exc:
            raise HostError(f"{self._argv[0]} could not be started.", why=f"{exc}.", fix=_FIX) from exc
        self._late = threading.Timer(self._timeout_s, child.kill, [self._child])
        self._late.daemon = True
        self._late.start()
        assert self._child.stderr is not None
        threading.Thread(target=self._child.stderr.read, daemon=True).start()  # a full pipe would stop it
        try:
            self.call("initialize", {"clientInfo": {"name": "hivemind", "title": "hivemind", "version": "1"}})
            self._send({"method": "initialized"})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._late.cancel()
        child.end(self._child)

    def call(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What it answers. HostError: nothing in time, or no."""
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            said = self._line(method)
            if said.get("id") == self._count and "method" not in said:
                break
        if "result" not in said:
            why = values.text(values.mapping(said.get("error")).get("message")) or "It gave no reason"
            raise HostError(f"Codex refused `{method}`.", why=f"{why.rstrip('.')}.", fix=_FIX)
        return values.mapping(said["result"])

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:  # it is gone: the next line to be read says so
            pass

    def _line(self, method: str) -> Mapping[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline(_LINE_BYTES_MAX)
        if not line:
            why = f"`codex app-server` ended, or was silent for {self._timeout_s:g} s, at `{method}`."
            raise HostError("Codex does not say which hooks it runs.", why=why, fix=_FIX)
        try:
            return values.mapping(json.loads(line))
        except ValueError:
            return {}
