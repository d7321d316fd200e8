"""kill -9 of the hook at any moment: what stands in `spool/new` is whole, and stands there once."""

import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hooks.rig import WAITING, Rig, wait_for

SEED = 20261120


@pytest.fixture
def rig() -> Iterator[Rig]:
    root = Path(tempfile.mkdtemp(prefix="hm"))
    yield Rig(root).install(WAITING)
    shutil.rmtree(root, ignore_errors=True)


def payload(n: int) -> bytes:
    return json.dumps({"n": n, "session_id": "s", "filler": "x" * (n % 7) * 30_000}).encode()


def start(rig: Rig, raw: bytes, event: str) -> subprocess.Popen[bytes]:
    """The hook with its payload in a file, so that it alone sets the pace."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(raw)
        stdin.seek(0)
        return subprocess.Popen(rig.argv(event), stdin=stdin, stdout=subprocess.PIPE, env=rig.env)


def usual_seconds(rig: Rig) -> float:
    begin = time.monotonic()
    for n in range(5):
        with start(rig, payload(n), "PostToolUse") as hook:
            hook.wait()
    for path in rig.spool.pending():
        rig.spool.done(path)
    return (time.monotonic() - begin) / 5


def kill_at_random(rig: Rig, rounds: int) -> tuple[int, int]:
    """(how many were killed, how many were delivered), having checked every claim."""
    chance = random.Random(SEED)
    span = usual_seconds(rig) * 1.3
    finished = set()
    killed = 0
    for n in range(rounds):
        with start(rig, payload(n), chance.choice(["PostToolUse", "UserPromptSubmit"])) as hook:
            time.sleep(chance.random() * span)
            hook.kill()
            if hook.wait() == 0:
                finished.add(n)
            else:
                killed += 1
    delivered = [json.loads(delivery.raw)["n"] for delivery in rig.deliveries()]  # a torn one would not parse
    for delivery in rig.deliveries():
        assert delivery.raw == payload(json.loads(delivery.raw)["n"])
    assert len(delivered) == len(set(delivered))
    assert finished <= set(delivered)
    return killed, len(delivered)


def check(rig: Rig, rounds: int) -> None:
    killed, delivered = kill_at_random(rig, rounds)
    assert killed > rounds / 10, "the hooks were too fast: nothing was tried"
    assert delivered > 0, "the hooks were too slow: nothing was tried"


def test_forty_kills_tear_and_double_nothing(rig: Rig) -> None:
    check(rig, 40)


@pytest.mark.slow
def test_three_hundred_kills_tear_and_double_nothing(rig: Rig) -> None:
    check(rig, 300)


def test_eight_sessions_at_once_lose_nothing(rig: Rig) -> None:
    running = [(n, start(rig, payload(n), "PostToolUse")) for n in range(8)]
    for n in range(8, 80):
        done, hook = running.pop(0)
        with hook:
            assert hook.wait(timeout=60) == 0, done
        running.append((n, start(rig, payload(n), "PostToolUse")))
    for _, hook in running:
        with hook:
            assert hook.wait(timeout=60) == 0
    assert sorted(json.loads(delivery.raw)["n"] for delivery in rig.deliveries()) == list(range(80))


def test_a_reader_beside_many_hooks_sees_only_whole_files(rig: Rig) -> None:
    seen: dict[str, int] = {}

    def read_all() -> bool:
        for path in rig.spool.pending():
            delivery = rig.spool.read(path)
            assert delivery.id not in seen
            seen[delivery.id] = json.loads(delivery.raw)["n"]
            rig.spool.done(path)
        return len(seen) == 40

    hooks = []
    for n in range(40):
        hooks.append(start(rig, payload(n), "PostToolUse"))
        read_all()
    assert wait_for(read_all, 30)
    for hook in hooks:
        with hook:
            assert hook.wait(timeout=60) == 0
    assert sorted(seen.values()) == list(range(40))
