"""What a working tree's git history says about one file. Only asked when the file is not as we left it."""

import hashlib
import logging
import os
import subprocess
from pathlib import Path

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
"""The whole history of a large repository may have to be walked; past this we do without the answer."""
_COMMITS_MAX = 500
"""Of one file, looked at for an earlier text."""
_SETTINGS = (
    "log.showSignature=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "diff.external=",
    "safe.bareRepository=explicit",
    "protocol.allow=never",
)
_OPTIONS = (
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    *(word for setting in _SETTINGS for word in ("-c", setting)),
)
"""A repository's own settings must not run programs of its choice. Only plumbing is called, for the same reason."""
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
}
_INHERITED = ("PATH", "HOME", "LANG")


def head(tree: Path) -> str:
    """What is checked out: branch and commit as far as plain files tell; "" without git.

    Where the commit stands among the packed refs, their file's age stands for it.
    """
    try:
        folder = tree / ".git"
        if folder.is_file():
            folder = tree / folder.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
        said = (folder / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        if said.startswith("ref:"):
            shared = folder / "commondir"
            common = folder / shared.read_text(encoding="utf-8").strip() if shared.is_file() else folder
            ref, packed = common / said.removeprefix("ref:").strip(), common / "packed-refs"
            if ref.is_file():
                return f"{said} {ref.read_text(encoding='utf-8', errors='replace').strip()}"
            return f"{said} packed:{packed.stat().st_mtime_ns}" if packed.is_file() else said
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
    commits = _git(tree, "rev-list", "--full-history", f"--max-count={_COMMITS_MAX}", "HEAD", "--", path)
    if not commits or "\n" in path:
        return False
    asked = "".join(f"{commit}:./{path}\n" for commit in commits.split())
    held = _git(tree, "cat-file", "--batch-check=%(objectname)", stdin=asked)
    return blob in (held or "").split()


def committed(tree: Path, path: str) -> str | None:
    """The text that HEAD holds at `path`, with plain line ends; None if it holds none, or git cannot say."""
    text = _git(tree, "cat-file", "blob", f"HEAD:./{path}", strip=False)
    return text if text is None else text.replace("\r\n", "\n")


def _git(tree: Path, *arguments: str, stdin: str = "", strip: bool = True) -> str | None:
    """Its output; None where git is missing, refuses, or takes too long."""
    if not (tree / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=tree,
            env={**{name: os.environ[name] for name in _INHERITED if name in os.environ}, **_ENVIRONMENT},
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        logger.info("git cannot be asked about %s: %s", tree, exc)
        return None
    if done.returncode:
        return None
    said = done.stdout.decode("utf-8", "replace")
    return said.strip() if strip else said
