"""The command line a host runs for each event, and the interpreter in it."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from hivemind_cli.core.errors import HostError

_RUN = "; 2>/dev/null exec "
_OLD_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 8))"


def hook_command(python: Path, hook: Path, host: str) -> str:
    """POSIX sh to which a host's settings append the event as the last word.

    Fails open: with the interpreter or the hook gone it reads what the host sends, says nothing and exits 0.
    In the ordinary case it forks nothing: two builtin tests, then exec. What Python itself might print
    on stderr (a damaged standard library) is dropped, for the host would show it at every event.
    """
    python_word, hook_word = shlex.quote(str(python)), shlex.quote(str(hook))
    gone = "{ cat >/dev/null 2>&1; exit 0; }"
    run = f"{python_word} -I -S {hook_word} {shlex.quote(host)}"
    return f"[ -x {python_word} ] && [ -r {hook_word} ] || {gone}{_RUN}{run}"


def unfailing(command: str) -> str:
    """`command` as a host runs it that takes a failing hook for a refusal: exits 0, with nothing on stderr.

    Whatever becomes of the program: it cannot be run, crashes or is killed. Costs one fork.
    """
    return f"exec 2>/dev/null; ({command}); exit 0"


def without_shell(command: str) -> str:
    """What `hook_command` runs, for a host that splits it into words itself and starts no shell.

    Such a host must take it well that the program is gone.
    """
    return command.partition(_RUN)[2]


def base_python() -> Path:
    """A Python >= 3.8 that outlives upgrades of hivemind: the one our own environment was made from.

    Its path under `sys.base_prefix` is kept as it stands, links and all: where a package manager gives a
    stable link into a folder named by version (Homebrew), the link is what survives.
    """
    bin_folder = Path(sys.base_prefix) / "bin"
    major, minor = sys.version_info[:2]
    for name in (f"python{major}.{minor}", f"python{major}", "python"):
        if _usable(bin_folder / name):
            return bin_folder / name
    for found in (Path("/usr/bin/python3"), Path(shutil.which("python3") or "/nonexistent")):
        if _usable(found):
            return found
    raise HostError(
        "No Python was found that hooks could run with.",
        why=f"Neither {bin_folder} nor /usr/bin holds a Python 3.8 or newer outside a virtual environment.",
        fix="Install Python 3 with your system's package manager, then run `hivemind install` again.",
    )


def _usable(python: Path) -> bool:
    if not python.is_file() or (python.parent.parent / "pyvenv.cfg").exists():
        return False
    try:
        done = subprocess.run([str(python), "-I", "-S", "-c", _OLD_ENOUGH], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
