"""The real agent clients from npm, one pinned version each, kept outside the repository."""

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "2.1.329"
_INSTALL_S = 600


@dataclass(frozen=True, slots=True)
class Package:
    """One client on npm, and where its program stands in what npm brings."""

    name: str
    version: str
    programs: str
    """Glob below the package's prefix; npm may bring several builds (glibc, musl), and the one that runs is taken."""


CLAUDE = Package("@anthropic-ai/claude-code", VERSION, "node_modules/@anthropic-ai/claude-code-*/claude")
CODEX = Package("@openai/codex", "0.169.0", "node_modules/@openai/codex-*/vendor/*/bin/codex")
GEMINI = Package("@google/gemini-cli", "0.61.0", "node_modules/.bin/gemini")
PI = Package("@mariozechner/pi-coding-agent", "0.73.1", "node_modules/.bin/pi")
OPENCODE = Package("opencode-ai", "1.18.33", "node_modules/opencode-*/bin/opencode")
COPILOT = Package("@github/copilot", "1.0.102", "node_modules/@github/copilot-*/copilot")
PACKAGES = {
    "claude": CLAUDE,
    "codex": CODEX,
    "gemini": GEMINI,
    "pi": PI,
    "opencode": OPENCODE,
    "copilot": COPILOT,
}
"""Host id -> its client."""


class Unavailable(Exception):
    """This machine cannot run the end-to-end tests, and why."""


def program(cache: Path, package: Package) -> Path:
    """The client's own program under `cache`, installed there if it is not yet. Unavailable: npm could not."""
    folder = cache / f"{package.name.rpartition('/')[2]}-{package.version}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test runs install it once
        if not folder.exists():
            _install(package, folder)
        return _working_program(package, folder)


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


def _install(package: Package, folder: Path) -> None:
    """By npm into a folder beside, then renamed: what is there is whole."""
    require("npm")
    named = f"{package.name}@{package.version}"
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        prefix = Path(aside) / "prefix"
        call = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", "--fetch-retries=1", named]
        try:
            done = subprocess.run(call, cwd=aside, capture_output=True, text=True, timeout=_INSTALL_S)
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"npm did not install {named} within {_INSTALL_S} s.") from late
        if done.returncode != 0:
            raise Unavailable(f"npm could not install {named}: {done.stderr.strip()[:400]}")
        prefix.rename(folder)


def _working_program(package: Package, folder: Path) -> Path:
    answers = []
    for found in sorted(folder.glob(package.programs)):
        with tempfile.TemporaryDirectory() as home:  # asked for its version, a client may already write there
            env = {**os.environ, "HOME": home}
            done = subprocess.run([str(found), "--version"], env=env, capture_output=True, text=True, timeout=120)
        if done.returncode == 0 and package.version in f"{done.stdout}{done.stderr}":
            return found
        answers.append(f"{found}: {done.stdout} {done.stderr}")
    raise Unavailable(f"no client in {folder} says it is {package.version}; delete the folder to try again. {answers}")
