"""What a working tree's git history says about one file. Only asked when the file is not as we left it."""

import hashlib
import logging
import os
import subprocess
from pathlib import Path

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
"""The whole history of a large repository may have to be walked; past this we do without the answer."""
_OPTIONS = ("--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.pager=cat")
"""A repository's own settings must not run programs of its choice."""


def head(tree: Path) -> str:
    """What is checked out: branch and commit as far as plain files tell; "" without git."""
    try:
        folder = tree / ".git"
        if folder.is_file():
            folder = tree / folder.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
        said = (folder / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        if said.startswith("ref:"):
            ref = folder / said.removeprefix("ref:").strip()
            return (
                f"{said} {ref.read_text(encoding='utf-8', errors='replace').strip() if ref.is_file() else ''}".strip()
            )
    except (OSError, ValueError):
        return ""
    return said


def blob_id(text: str) -> str:
    """git's object id of `text` (in a repository of the usual SHA-1 kind)."""
    raw = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()


def was_deleted(tree: Path, path: str, head_then: str) -> bool:
    """Is the missing file `path` deleted by a person, rather than absent from what is checked out?

    Deleted: it was never committed (git does not take such files away), or HEAD still has it, or a commit in
    HEAD's own history removed it. Absent: only other branches or later commits have it.
    Where git cannot say, a file missing under another HEAD than `head_then` counts as absent.
    """
    if _git(tree, "rev-parse", "--verify", "-q", "HEAD") is None:
        return head(tree) == head_then
    if _git(tree, "cat-file", "-e", f"HEAD:./{path}") is not None:
        return True
    ever = _git(tree, "rev-list", "--all", "--reflog", "--full-history", "--max-count=1", "--", path)
    here = _git(tree, "rev-list", "--full-history", "--max-count=1", "HEAD", "--", path)
    if ever is None or here is None:
        return head(tree) == head_then
    return not ever or bool(here)


def was_reverted(tree: Path, path: str, blob: str) -> bool:
    """Did a commit of HEAD's history hold `blob` at `path`? Then what stands there now came after it."""
    return bool(_git(tree, "log", "--full-history", "-1", "--format=%H", f"--find-object={blob}", "HEAD", "--", path))


def _git(tree: Path, *arguments: str) -> str | None:
    """Its output; None where git is missing, refuses, or takes too long."""
    if not (tree / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=tree,
            env={**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        logger.info("git cannot be asked about %s: %s", tree, exc)
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
