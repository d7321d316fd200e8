"""The real agent client: Claude Code from npm, one pinned version, kept outside the repository."""

import fcntl
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "2.1.329"
PACKAGE = f"@anthropic-ai/claude-code@{VERSION}"
_INSTALL_S = 600


class Unavailable(Exception):
    """This machine cannot run the end-to-end tests, and why."""


def claude_program(cache: Path) -> Path:
    """The client's own binary under `cache`, installed there if it is not yet. Unavailable: npm could not."""
    folder = cache / f"claude-code-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test runs install it once
        if not folder.exists():
            _install(folder)
        return _working_program(folder)


def namespaces() -> list[str]:
    """The `unshare` call that gives a fresh network, process and mount namespace. Unavailable: not here."""
    if platform.system() != "Linux" or shutil.which("unshare") is None:
        raise Unavailable("Linux namespaces (unshare, of util-linux) are needed to keep the client off the network.")
    common = ["--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    answers = []
    for extra in ([], ["--user", "--map-root-user"]):
        call = ["unshare", *extra, *common]
        done = subprocess.run([*call, "true"], capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return call
        answers.append(done.stderr.strip())
    raise Unavailable(f"unshare is not permitted here: {'; '.join(answers)}")


def require(*programs: str) -> None:
    """Unavailable, unless all of these are on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise Unavailable(f"{', '.join(missing)} must be installed.")


def _install(folder: Path) -> None:
    """By npm into a folder beside, then renamed: what is there is whole."""
    require("npm")
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        prefix = Path(aside) / "prefix"
        call = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", "--fetch-retries=1", PACKAGE]
        try:
            done = subprocess.run(call, cwd=aside, capture_output=True, text=True, timeout=_INSTALL_S)
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"npm did not install {PACKAGE} within {_INSTALL_S} s.") from late
        if done.returncode != 0:
            raise Unavailable(f"npm could not install {PACKAGE}: {done.stderr.strip()[:400]}")
        prefix.rename(folder)


def _working_program(folder: Path) -> Path:
    """npm may bring several builds (glibc, musl); the one that runs here is ours."""
    answers = []
    for program in sorted(folder.glob("node_modules/@anthropic-ai/claude-code-*/claude")):
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=120)
        if done.returncode == 0 and VERSION in done.stdout:
            return program
        answers.append(f"{program}: {done.stdout} {done.stderr}")
    raise Unavailable(f"no client in {folder} says it is {VERSION}; delete the folder to try again. {answers}")
