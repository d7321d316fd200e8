"""Who and where we are: the login name, and this machine's id and key."""

import getpass
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


def write_private(path: Path, content: bytes) -> None:
    """Write aside, then rename; 0600."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    aside.replace(path)
