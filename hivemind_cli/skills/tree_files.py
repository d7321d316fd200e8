"""One SKILL.md in a working tree: read, written in one rename, linked; and the folders around it.

Nothing here knows whose a file is: disk.py does. No link that leads out of the tree is followed.
"""

import logging
import os
import stat
from pathlib import Path

from hivemind_cli.core.errors import HivemindError

logger = logging.getLogger(__name__)

FILE = "SKILL.md"
_BYTES_MAX = 1 << 20
"""More is no skill; what follows is not read."""


def rmdir(folder: Path) -> bool:
    """True if it is no more."""
    if folder.is_symlink():
        return False
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # not empty, or not ours to remove
        return False
    return True


def make_folders(tree: Path, folder: Path) -> None:
    """With the tree's own permissions: they are files of the project, not of hivemind."""
    mode = stat.S_IMODE(tree.stat().st_mode) & 0o2775
    for above in reversed((folder, *folder.parents)):
        if above != tree and above.is_relative_to(tree) and not above.is_dir():
            above.mkdir()
            above.chmod(mode)


def write(tree: Path, path: Path, text: str) -> None:
    """Aside, then in one rename."""
    make_folders(tree, path.parent)
    sweep(path.parent)
    aside = path.with_name(f".{FILE}.{os.getpid()}.aside")
    try:
        with aside.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(stat.S_IMODE(tree.stat().st_mode) & 0o664)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a killed writer left."""
    for left in folder.iterdir() if folder.is_dir() else ():
        if is_aside(left):
            left.unlink(missing_ok=True)


def is_aside(path: Path) -> bool:
    """Is it what `write` puts beside a file, before it renames it?"""
    return path.name.startswith(f".{FILE}.") and path.name.endswith(".aside")


def read(path: Path) -> str | None:
    """The text of a regular file; None if it is missing, something else, or unreadable."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            return file.read(_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return None


def relative(tree: Path, path: Path) -> str:
    """As receipts have it, with plain slashes."""
    return path.relative_to(tree).as_posix()


def is_inside(tree: Path, path: Path) -> bool:
    """Does `path`, its links followed, lie in `tree` (a real path), and not in its .git?"""
    real = Path(os.path.realpath(path))
    return real.is_relative_to(tree) and ".git" not in real.relative_to(tree).parts


def inside(tree: Path, folder: Path) -> Path:
    """`folder` with its links resolved; HivemindError if they lead out of `tree` (a real path) or into .git."""
    real = Path(os.path.realpath(tree / folder))
    if not is_inside(tree, real):
        raise HivemindError(
            f"{folder} is not written to.",
            why=f"It leads to {real}, outside the working tree {tree}.",
            fix="Replace the link with a folder of the project.",
        )
    return real


def link(place: Path, folder: Path) -> bool:
    """False where links are not allowed."""
    try:
        place.symlink_to(os.path.relpath(folder, place.parent), target_is_directory=True)
    except (OSError, NotImplementedError) as exc:
        logger.info("no link at %s, so a copy: %s", place, exc)
        return False
    return True


def points_to(place: Path, folder: Path) -> bool:
    """Is `place` a link to `folder`?"""
    return place.is_symlink() and os.path.realpath(place) == os.path.realpath(folder)
