"""Starting the daemon so that nobody waits for it: what to run, with which environment, cut loose from whom.

The hook does the same by itself (it may import nothing of ours); tests/daemon/test_spawn.py holds
the two against each other.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping

from hivemind_cli.core.paths import Paths

KEPT = frozenset(
    (
        *("HOME", "PATH", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SHELL", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("HF_HOME", "HF_HUB_CACHE", "CUDA_VISIBLE_DEVICES"),  # where models stand, and what runs them
    )
)
"""Variables the daemon keeps, besides those of KEPT_STARTS and the one [llm] key_env names."""
KEPT_STARTS = ("LC_", "XDG_", "HIVEMIND_")
DROPPED = frozenset({"HIVEMIND_WORKSPACE_ID", "HIVEMIND_INTERNAL"})
"""One session's own."""

DETACH = "--detach"
_DETACHED_WITHIN_S = 10
_OPEN_MAX_GUESS = 65536
"""Where the system sets no limit on open files."""


def command() -> list[str]:
    """What runs the daemon in the foreground of whoever starts it. -P: the current folder is no source of code."""
    return [sys.executable, "-P", "-m", "hivemind_cli.daemon"]


def environment(paths: Paths, env: Mapping[str, str], *, key_names: Iterable[str] = ()) -> dict[str, str]:
    """The allowed part of `env`, and where hivemind lives."""
    allowed = KEPT.union(key_names)
    kept = {
        name: value
        for name, value in env.items()
        if (name in allowed or name.startswith(KEPT_STARTS)) and name not in DROPPED
    }
    return {**kept, "HOME": str(paths.home), "HIVEMIND_HOME": str(paths.root)}


def spawn(paths: Paths, env: Mapping[str, str], *, key_names: Iterable[str] = ()) -> None:
    """Start the daemon, detached, and return before it is ready. OSError, SubprocessError: it cannot be run."""
    subprocess.run(
        [*command(), DETACH],
        env=environment(paths, env, key_names=key_names),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_DETACHED_WITHIN_S,
        check=True,
    )


def detach() -> None:
    """Leave the starter: two forks, an own session, no terminal, no inherited file. Before any thread is started."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    cut_loose()


def cut_loose() -> None:
    """stdin, stdout and stderr on /dev/null, everything else closed, in the root folder."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    open_max = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, open_max if open_max > 0 else _OPEN_MAX_GUESS)
    os.chdir("/")
