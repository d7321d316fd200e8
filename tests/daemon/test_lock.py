import os
import subprocess
import sys

import pytest

from hivemind_cli.core.errors import StoreLocked
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock

HOLD = """
import os, sys, time
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import lock
held = lock.acquire(Paths.from_env(os.environ))
print("held", flush=True)
time.sleep(60)
"""


def test_the_lock_names_its_holder_and_excludes_others(paths: Paths) -> None:
    assert lock.holder(paths) is None
    with lock.acquire(paths):
        assert lock.holder(paths) == os.getpid()
        with pytest.raises(StoreLocked) as refused:
            lock.acquire(paths)
    assert str(os.getpid()) in refused.value.why
    assert refused.value.fix
    assert lock.holder(paths) is None


def test_a_killed_holder_leaves_nothing_behind(paths: Paths) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert lock.holder(paths) == process.pid
        process.kill()
        process.wait()
    assert paths.lock.read_text() == f"{process.pid}\n"
    assert lock.holder(paths) is None
    lock.acquire(paths).release()


def test_a_waiting_owner_gets_the_lock_when_the_former_one_ends(paths: Paths) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD.replace("60", "0.3")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lock.acquire(paths, wait_s=10).release()


def test_a_removed_lock_file_is_noticed(paths: Paths) -> None:
    with lock.acquire(paths) as held:
        assert not held.lost()
        paths.lock.unlink()
        assert held.lost()
        with lock.acquire(paths) as successor:
            assert held.lost()
            assert not successor.lost()


def test_asking_who_holds_the_lock_does_not_disturb_who_takes_it(paths: Paths) -> None:
    asking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os\nfrom hivemind_cli.core.paths import Paths\nfrom hivemind_cli.daemon import lock\n"
            "paths = Paths.from_env(os.environ)\nprint('asking', flush=True)\nwhile True: lock.holder(paths)",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert asking.stdout is not None
        asking.stdout.readline()
        for _ in range(50):
            lock.acquire(paths).release()
    finally:
        asking.kill()
        asking.communicate()
