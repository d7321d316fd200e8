"""Windsurf (Devin Desktop), its agent Cascade: hooks in `hooks.json`, which tell it nothing: capture only.

Source: its documentation of 2026; not run by us. A hook is told of what was done, not of whether it went well.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.core.records import CorrectionKind, Moment
from hivemind_cli.hosts import calls, values
from hivemind_cli.hosts.base import Answer, Edit, Seen, Verified
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.hookfile import Entry, HookFile
from hivemind_cli.hosts.hooksonly import find_sessions, read_tail, read_transcript, sessions_in, transcript_of
from hivemind_cli.hosts.telling import Teller, uncounted

NAME = "windsurf"
LABEL = "Windsurf"
CONFIG_ENV = ""
PROGRAM = ""
KNOWN_GOOD = "2026"
VERIFIED = Verified.DOCS
LIMITS: tuple[str, ...] = (
    "Capture only: no hook can give text to the model, and where it looks for skills is not known.",
    "No hook tells what a command printed, nor of a refusal or an interrupt.",
    "Its past sessions are not read.",
)
CORRECTIONS = frozenset({CorrectionKind.SAID})
HOOK_NAME = NAME
AFTER_INSTALL = "Start Windsurf anew."
TEXT_CHARS_MAX = 0

EVENTS: dict[str, Moment | None] = {
    "pre_user_prompt": None,
    "post_write_code": None,
    "post_run_command": None,
    "post_mcp_tool_use": None,
    "post_cascade_response": None,
}
ENDS: tuple[str, ...] = ("post_cascade_response",)
DENIES: frozenset[str] = frozenset()
TOOLS = calls.Tools(shells=frozenset({"run_command"}), edits=frozenset({"write_code"}))
_FILE = HookFile(label="Windsurf", grouped=False)

Payload = Mapping[str, Any]


def _hooks_file(home: Path, config_dir: Path | None) -> Path:
    return (config_dir or home / ".codeium" / "windsurf") / "hooks.json"


def installed(home: Path, *, config_dir: Path | None = None) -> bool:
    """Is Windsurf here, by its own folder?"""
    return (config_dir or home / ".codeium" / "windsurf").is_dir()


def wired(home: Path, command: str, *, config_dir: Path | None = None) -> bool:
    """Does every event run `command`? False too if the file cannot be read."""
    try:
        return not plan_install(home, command, config_dir=config_dir)
    except HostError:
        return False


def notices(home: Path, *, config_dir: Path | None = None) -> list[str]:
    """Nothing is known that would keep our hooks from running."""
    return []


def plan_install(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit of hooks.json, or none if all stands as it should. HostError: we would not dare."""
    entries = [Entry(event, {"command": f"{command} {event}", "show_output": False}) for event in EVENTS]
    return _FILE.plan(_hooks_file(home, config_dir), entries)


def plan_uninstall(home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
    """One edit that cuts every entry of ours, whatever hivemind wrote it, and what is empty by that."""
    return _FILE.plan_removal(_hooks_file(home, config_dir))


def encode_answer(event: str, answer: Answer) -> bytes:
    """b"": it takes no text."""
    return b""


def skill_folders(tree: Path) -> list[Path]:
    """None is known for sure."""
    return []


def decode(event: str, payload: dict[str, Any]) -> list[Seen]:
    """What the payload shows; [] for what we do not use. KeyError, TypeError: a fault worth seeing.

    A call is told once it is over, and has no id: its turn, its time and what it did name it.
    """
    decoder = _DECODERS.get(event)
    if decoder is None:
        return []
    info = payload["tool_info"]
    if not isinstance(info, dict):
        raise TypeError(f"tool_info is {type(info).__name__}, not an object")
    cwd = values.string(info, "cwd") or values.string(payload, "cwd")
    tell = Teller(values.required(payload, "trajectory_id"), cwd=cwd, turns=False)
    moment = f"{values.string(payload, 'execution_id')}:{values.string(payload, 'timestamp')}"
    return [uncounted(seen) for seen in decoder({**info, "moment": moment}, tell)]


def _prompt(info: Payload, tell: Teller) -> list[Seen]:
    said = persons_words(values.required(info, "user_prompt"))
    return tell.prompt(said) if said else []


def _reply(info: Payload, tell: Teller) -> list[Seen]:
    tell.reply(values.required(info, "response"))
    return tell.flush()


def _done(info: Payload, tell: Teller, tool: str, tool_input: Mapping[str, Any], output: str = "") -> list[Seen]:
    """The call and its end: no hook of ours stands before it."""
    call_id = f"{info['moment']}:{tell.call_id(tool, tool_input)}"
    call = tell.call(call_id, tool, TOOLS.act(tool, tool_input, tell.cwd), tool_input)
    return [call, tell.result(call_id, output, wrote=TOOLS.wrote(tool, tool_input, tell.cwd))]


def _write(info: Payload, tell: Teller) -> list[Seen]:
    edits = info.get("edits")
    tool_input = {"file_path": values.required(info, "file_path"), "edits": edits if isinstance(edits, list) else []}
    return _done(info, tell, "write_code", tool_input)


def _command(info: Payload, tell: Teller) -> list[Seen]:
    return _done(info, tell, "run_command", {"command": values.required(info, "command_line")})


def _mcp(info: Payload, tell: Teller) -> list[Seen]:
    server, name = values.string(info, "mcp_server_name"), values.required(info, "mcp_tool_name")
    tool_input = values.mapping(info.get("mcp_tool_arguments"))
    return _done(info, tell, f"mcp__{server}__{name}", tool_input, calls.blocks_text(info.get("mcp_result")))


_DECODERS: dict[str, Callable[[Payload, Teller], list[Seen]]] = {
    "pre_user_prompt": _prompt,
    "post_write_code": _write,
    "post_run_command": _command,
    "post_mcp_tool_use": _mcp,
    "post_cascade_response": _reply,
}

__all__ = [
    "AFTER_INSTALL",
    "CONFIG_ENV",
    "CORRECTIONS",
    "DENIES",
    "ENDS",
    "EVENTS",
    "HOOK_NAME",
    "KNOWN_GOOD",
    "LABEL",
    "LIMITS",
    "NAME",
    "PROGRAM",
    "TEXT_CHARS_MAX",
    "VERIFIED",
    "decode",
    "encode_answer",
    "find_sessions",
    "installed",
    "notices",
    "plan_install",
    "plan_uninstall",
    "read_tail",
    "read_transcript",
    "sessions_in",
    "skill_folders",
    "transcript_of",
    "wired",
]
