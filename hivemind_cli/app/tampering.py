"""Whether an agent may have changed a skill's file: what was captured of its tools tells."""

import json
from datetime import datetime
from pathlib import Path, PureWindowsPath

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.storage.base import Store

_PAGE = 500
_TOOLS = (EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE)
_READERS = frozenset({"cat", "head", "tail", "ls", "wc", "grep"})
_SWEEPERS = frozenset({"git clean", "git stash", "git reset", "git checkout", "git rm"})
"""Take files away without naming them."""


def touched_by_agent(store: Store, path: Path, name: str, since: datetime, *, deleted: bool) -> bool:
    """Did an agent's tool write, or may one have written, the skill `name` at `path` after `since`?

    Of a tool we know nothing about, and of a shell command, it is enough that it names the file or its folders.
    `deleted`: the file is gone, so commands count that remove what they do not name.
    """
    after = 0
    while rows := store.find(Event, kind=_TOOLS, since=since, after=after, limit=_PAGE):
        if any(_touched(row.record, path, name, deleted) for row in rows):
            return True
        after = rows[-1].seq
    return False


def _touched(event: Event, path: Path, name: str, deleted: bool) -> bool:
    told = event.payload.get("act")
    act = Act.of(told if isinstance(told, dict) else {})
    if act.kind == READ:
        return False
    if act.kind == EDIT and act.path:
        # Some file systems take any case for the same file.
        return PureWindowsPath(act.path.casefold()).parts[-2:] == (name, path.name.casefold())
    said = f"{act.path} {act.command or act.text} {json.dumps(event.payload.get('input', ''), default=str)}"
    if act.kind == SHELL and _only_reads(act):
        return False
    skills = path.parent.parent
    words = (name, path.name, f"{skills.parent.name}/{skills.name}")
    if any(word in said for word in words):
        return True
    return deleted and act.kind == SHELL and (skills.parent.name in said or bool(_SWEEPERS.intersection(act.heads)))


def _only_reads(act: Act) -> bool:
    programs = {head.split(" ")[0] for head in act.heads}
    return bool(programs) and programs <= _READERS and not any(mark in act.command for mark in (">", "$(", "`"))
