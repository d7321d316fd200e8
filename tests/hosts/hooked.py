"""Hooks and readers of one host held against each other, and hook commands run as hosts run them."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hivemind_cli.hosts.base import Host, Seen

PAYLOADS = Path(__file__).parent / "payloads"


def payload(host: str, name: str) -> dict[str, Any]:
    """One payload in our own words, in the shape that the host documents."""
    value: dict[str, Any] = json.loads((PAYLOADS / host / f"{name}.json").read_text(encoding="utf-8"))
    return value


def names(host: str) -> list[str]:
    return sorted(path.stem for path in (PAYLOADS / host).glob("*.json"))


def event_of(name: str) -> str:
    return name.partition("-")[0]


def shown(host: Host, name: str, **fields: Any) -> Seen:
    """What a payload shows: one thing."""
    (seen,) = host.decode(event_of(name), {**payload(host.NAME, name), **fields})
    return seen


def told(host: Host, events: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Seen]:
    """Seen by key, `#?` resolved as capture does: the count of equal keys delivered before."""
    found: dict[str, Seen] = {}
    nth: Counter[str] = Counter()
    for event, fields in events:
        for seen in host.decode(event, fields):
            key = seen.native_key
            if key.endswith("#?"):
                nth[key] += 1
                key = f"{key[:-1]}{nth[key] - 1}"
            found[key] = seen
    return found


def run(argv: list[str], stdin: bytes, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """A hook's process as a host would start it: nothing of our environment, thirty seconds at most."""
    return subprocess.run(argv, input=stdin, capture_output=True, cwd=cwd, env={"PATH": "/usr/bin:/bin"}, timeout=30)
