"""Who and where we are: the login name, this machine's id and key, and workspaces kept for projects."""

import getpass
import json
import os
import secrets
import socket
from pathlib import Path

from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths
from hivemind_cli.pipeline.capture import Person

KEY_BYTES = 32


def machine_key(paths: Paths) -> bytes:
    """32 random bytes of this machine, made at first use."""
    try:
        key = paths.key.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    except FileNotFoundError:
        pass
    key = secrets.token_bytes(KEY_BYTES)
    write_private(paths.key, key)
    return paths.key.read_bytes()


def this_person() -> Person:
    """Login name and host name; the id of the machine is the host name, which a person recognises."""
    try:
        author = getpass.getuser()
    except (KeyError, OSError):
        author = str(os.getuid())
    return Person(machine_id=socket.gethostname() or "unknown", author=author)


def kept_workspaces(paths: Paths) -> dict[str, str]:
    """Project id -> workspace, as `HIVEMIND_WORKSPACE_ID=x hivemind install` kept it."""
    try:
        value = json.loads(paths.workspaces.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(name) for key, name in value.items()} if isinstance(value, dict) else {}


def keep_workspace(paths: Paths, project_id: str, workspace_id: str) -> None:
    """Remember the workspace of a project."""
    kept = {**kept_workspaces(paths), project_id: workspace_id}
    write_private(paths.workspaces, json.dumps(kept, indent=1, sort_keys=True).encode() + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """Write aside, then rename; 0600."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    aside.replace(path)
