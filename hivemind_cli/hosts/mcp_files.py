"""Where each host lists the MCP servers that it starts, and our entry there; all other text stays byte for byte.

Sources: the hosts' documentation of 2026. A host whose list is its own state has no file here, but a sentence of what
a person does instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.gemini import settings as gemini_settings
from hivemind_cli.hosts.hookfile import may_write, own_file, read_text
from hivemind_cli.hosts.jsontext import Dialect
from hivemind_cli.hosts.keyed import Format, Json, Toml, Yaml, member

SERVER = "hivemind"
_BOM = "\ufeff"
_FIX = "Correct the file, then run this again; nothing was changed."


@dataclass(frozen=True, slots=True)
class Command:
    """What a host is to start."""

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def _split(command: Command) -> dict[str, Any]:
    env = {"env": dict(command.env)} if command.env else {}
    return {"command": command.words[0], "args": list(command.words[1:]), **env}


def _copilot(command: Command) -> dict[str, Any]:
    return {"type": "local", **_split(command), "tools": ["*"]}


def _opencode(command: Command) -> dict[str, Any]:
    env = {"environment": dict(command.env)} if command.env else {}
    return {"type": "local", "command": list(command.words), "enabled": True, **env}


@dataclass(frozen=True, slots=True)
class ServerFile:
    """One host's list of servers."""

    label: str
    """Of the host, for people."""
    config_env: str
    """The variable that moves the host's folder; "" if it has none."""
    folder: tuple[str, ...]
    """Below the home; a moved folder stands for all of it but `inner`."""
    files: tuple[str, ...]
    """Names in that folder; the first that is there counts, else the first."""
    text: Format
    keys: tuple[str, ...] = ("mcpServers", SERVER)
    entry: Callable[[Command], dict[str, Any]] = _split
    inner: tuple[str, ...] = ()
    """Below the folder that `config_env` names."""
    found: Callable[[Path, Path | None], Path] | None = None
    """The file itself, where the host's own module knows better."""

    def path(self, home: Path, config_dir: Path | None = None) -> Path:
        """The file that lists its servers."""
        if self.found:
            return self.found(home, config_dir)
        folder = (config_dir or home.joinpath(*self.folder)).joinpath(*self.inner)
        there = (folder / name for name in self.files if (folder / name).exists())
        return next(there, folder / self.files[0])

    def installed(self, home: Path, config_dir: Path | None = None) -> bool:
        """Is the host here, by its folder?"""
        return self.path(home, config_dir).parent.is_dir()

    def plan(self, home: Path, command: Command, *, config_dir: Path | None = None) -> list[Edit]:
        """One edit, or none if our entry stands there as it should. HostError: we would not dare."""
        path, before, text = self._read(home, config_dir)
        wanted = self.entry(command)
        there = self._member(path, text)
        if there == wanted:
            return []
        if there is not None and not is_ours(there):
            raise HostError(
                f"{self.label} has another server called {SERVER!r}, in {path}.",
                why="It does not run `hivemind mcp`.",
                fix="Give it another name, then run this again.",
            )
        return self._edit(path, before, text, lambda body: self.text.put(body, self.keys, wanted))

    def plan_removal(self, home: Path, *, config_dir: Path | None = None) -> list[Edit]:
        """One edit that cuts our entry, whichever hivemind wrote it; none if it is not there."""
        path, before, text = self._read(home, config_dir)
        if before is None or not is_ours(self._member(path, text)):
            return []
        return self._edit(path, before, text, lambda body: self.text.cut(body, self.keys))

    def registered(self, home: Path, config_dir: Path | None = None) -> bool:
        """Does an entry of ours stand there? False too if the file cannot be read."""
        try:
            path, _, text = self._read(home, config_dir)
            return is_ours(self._member(path, text))
        except HostError:
            return False

    def _read(self, home: Path, config_dir: Path | None) -> tuple[Path, bytes | None, str]:
        path = own_file(self.path(home, config_dir))
        return (path, *read_text(path))

    def _member(self, path: Path, text: str) -> object:
        return member(self._said(path, text), self.keys)

    def _said(self, path: Path, text: str) -> dict[str, Any]:
        try:
            return self.text.read(text.removeprefix(_BOM))
        except (ValueError, RecursionError) as exc:
            raise HostError(f"{path} is not as hivemind can edit it.", why=f"{exc}.", fix=_FIX) from exc

    def _edit(self, path: Path, before: bytes | None, text: str, change: Callable[[str], str]) -> list[Edit]:
        mark = _BOM if text.startswith(_BOM) else ""
        try:
            after = mark + change(text.removeprefix(_BOM))
        except (ValueError, RecursionError) as exc:
            raise HostError(f"{path} was not edited.", why=f"Because {exc}.", fix=_FIX) from exc
        if _without(self._said(path, after), self.keys) != _without(self._said(path, text), self.keys):
            raise HostError(
                f"{path} could not be edited safely.",
                why="The edit would have changed settings that are not ours.",
                fix="Please report this, with the file if it holds nothing private.",
            )
        may_write(path)
        return [Edit(path=path, before=before, after=after.encode("utf-8"))] if after != text else []


def is_ours(entry: object) -> bool:
    """Does this entry run `hivemind mcp`, from wherever?"""
    if not isinstance(entry, dict):
        return False
    command, args = entry.get("command"), entry.get("args") or []
    words = command if isinstance(command, list) else [command, *args] if isinstance(args, list) else []
    if not all(isinstance(word, str) for word in words):
        return False
    return words[-1:] == ["mcp"] and any(PurePath(word).name in ("hivemind", "hivemind_cli") for word in words[:-1])


def _without(said: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """What is not ours: without the member at `keys`, and what is empty by that."""
    left = dict(said)
    inner = left.get(keys[0])
    if len(keys) == 1 or not isinstance(inner, dict):
        left.pop(keys[0], None)
        return left
    left[keys[0]] = _without(inner, keys[1:])
    return left if left[keys[0]] else {key: value for key, value in left.items() if key != keys[0]}


_JSONC = Json(Dialect.JSONC)
SERVER_FILES: dict[str, ServerFile] = {
    "codex": ServerFile("Codex CLI", "CODEX_HOME", (".codex",), ("config.toml",), Toml(), ("mcp_servers", SERVER)),
    "cursor": ServerFile("Cursor", "", (".cursor",), ("mcp.json",), _JSONC),
    "gemini": ServerFile(
        "Gemini CLI", "GEMINI_CLI_HOME", (".gemini",), ("settings.json",), _JSONC, found=gemini_settings.settings_file
    ),
    "opencode": ServerFile(
        "OpenCode",
        "XDG_CONFIG_HOME",
        (".config",),
        ("opencode.json", "opencode.jsonc"),
        _JSONC,
        ("mcp", SERVER),
        _opencode,
        ("opencode",),
    ),
    "kilo": ServerFile(
        "Kilo Code",
        "XDG_CONFIG_HOME",
        (".config",),
        ("kilo.json", "kilo.jsonc"),
        _JSONC,
        ("mcp", SERVER),
        _opencode,
        ("kilo",),
    ),
    "copilot": ServerFile("Copilot CLI", "COPILOT_HOME", (".copilot",), ("mcp-config.json",), _JSONC, entry=_copilot),
    "hermes": ServerFile(
        "Hermes Agent", "HERMES_HOME", (".hermes",), ("config.yaml",), Yaml(), ("mcp_servers", SERVER)
    ),
    "pi": ServerFile("pi", "PI_CODING_AGENT_DIR", (".pi", "agent"), ("mcp.json",), _JSONC),
    "openclaw": ServerFile(
        "OpenClaw",
        "OPENCLAW_STATE_DIR",
        (".openclaw",),
        ("openclaw.json",),
        Json(Dialect.JSON5),
        ("mcp", "servers", SERVER),
    ),
    "windsurf": ServerFile("Windsurf", "", (".codeium", "windsurf"), ("mcp_config.json",), _JSONC),
}
"""Hosts whose list of servers is a file of the person's."""
BY_HAND: dict[str, str] = {
    "claude": "claude mcp add --scope user --transport stdio {env}hivemind -- {words}",
}
"""Hosts whose list of servers is their own state: what a person runs instead."""
