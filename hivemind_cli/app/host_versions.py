"""Which version of each agent program is here, beside the one that our tests ran. Only `doctor` asks.

One that npm installed is not started: some write files at every start.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hivemind_cli.app.checkup import NOTE, OK, WARN, Finding
from hivemind_cli.hosts.base import Host

WAIT_S = 10.0
_AT_ONCE = 4
_VERSION = re.compile(r"\d+(?:\.\d+)+", re.ASCII)


def look_at_versions(hosts: Sequence[Host], env: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each host whose program is on the PATH, and what it does not allow."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        versions = list(pool.map(lambda host: version(host.PROGRAM, env), hosts))
    for host, found in zip(hosts, versions, strict=True):
        if found:
            yield _compared(host, found)
        if host.LIMITS:
            yield Finding(NOTE, f"What {host.LABEL} does not allow: {' '.join(host.LIMITS)}")


def version(program: str, env: Mapping[str, str]) -> str:
    """As its npm package or `program --version` says, the number alone; "" if it is not here, or does not say."""
    path = shutil.which(program, path=env.get("PATH", os.defpath)) if program else None
    if path is None:
        return ""
    packaged = _packaged(Path(path).resolve(), program)
    if packaged:
        return packaged
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_S,
            env={**env, "HIVEMIND_INTERNAL": "1"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.search(done.stdout.decode("utf-8", "replace"))
    return found[0] if found else ""


def _packaged(path: Path, program: str) -> str:
    """The version of the npm package that the program's file lies in; "" if it lies in none."""
    for folder in path.parents:
        try:
            said = json.loads((folder / "package.json").read_bytes())
            programs = said["bin"] if isinstance(said["bin"], dict) else {str(said["name"]).rpartition("/")[2]: ""}
            return str(said["version"]) if program in programs else ""
        except OSError:
            continue
        except (ValueError, KeyError, TypeError):
            return ""
    return ""


def _compared(host: Host, found: str) -> Finding:
    said = f"{host.LABEL} {found} is here; hivemind was tested with {host.KNOWN_GOOD} ({host.VERIFIED})."
    if _numbers(found) < _numbers(host.KNOWN_GOOD):
        return Finding(WARN, said, f"Should its hooks not work, bring it to {host.KNOWN_GOOD} or later.")
    return Finding(OK, said)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
