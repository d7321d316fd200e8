"""The worker process: killed, hung, idle, orphaned or stopped, its caller hears of it and nothing stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hivemind_cli.core.child import NICE, stop_all
from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.onnx import Onnx
from hivemind_cli.embedding.worker import InWorker
from tests.embedding import tiny

MakeWorker = Callable[..., InWorker]
TEXTS = ["one red", "two blue"]
LINUX_PROC = Path("/proc/self/fd").is_dir()
LINUX = pytest.mark.skipif(not LINUX_PROC, reason="reads /proc")


@pytest.fixture
def make(tiny_model: Path, tmp_path: Path) -> Iterator[MakeWorker]:
    """Makes workers of the tiny model, and closes them."""
    made: list[InWorker] = []

    def worker(env: dict[str, str] | None = None, folder: Path = tiny_model, **more: float) -> InWorker:
        one = InWorker(
            "onnx",
            folder=folder,
            model="tiny",
            name="tiny/onnx-int8",
            dim=tiny.DIM,
            env=os.environ if env is None else env,
            work=tmp_path / "work",
            **more,  # type: ignore[arg-type]
        )
        made.append(one)
        return one

    yield worker
    for one in made:
        one.close()


@pytest.fixture
def expected(tiny_model: Path) -> np.ndarray:
    """The vectors of TEXTS."""
    return Onnx(tiny_model).embed(TEXTS)


def _pid(worker: InWorker) -> int:
    assert worker._pipe is not None
    return worker._pipe.child.pid


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _gone(pid: int, within_s: float = 30.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            # In a container nobody may take up what our killed parent left: it is dead all the same.
            if LINUX_PROC and _state(pid) in "ZX":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


class Asking:
    """One `embed` in a thread of its own, begun and waiting for a child that is stopped (SIGSTOP)."""

    def __init__(self, worker: InWorker) -> None:
        self.found: np.ndarray | None = None
        self.error = ""
        self._worker = worker
        self._thread = threading.Thread(target=self._ask)
        os.kill(_pid(worker), signal.SIGSTOP)
        self._thread.start()
        time.sleep(0.1)
        assert self._thread.is_alive()

    def _ask(self) -> None:
        try:
            self.found = self._worker.embed(TEXTS)
        except ModelError as exc:
            self.error = str(exc)

    def end(self) -> "Asking":
        """Wait for what came of it."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self


def test_killed_in_mid_batch_it_starts_again_and_answers(make: MakeWorker, expected: np.ndarray) -> None:
    worker = make()
    worker.embed(TEXTS)
    first = _pid(worker)
    asking = Asking(worker)
    os.kill(first, signal.SIGKILL)
    assert np.allclose(asking.end().found, expected)  # type: ignore[arg-type]
    assert _pid(worker) != first and _gone(first)


def test_dying_twice_is_an_error_with_its_last_words(
    make: MakeWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/starts\necho 'no memory left' >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(ModelError, match=r"died twice. no memory left"):
        make().embed(TEXTS)
    assert (tmp_path / "starts").read_text() == "x\nx\n"


def test_a_hung_batch_is_ended_at_its_limit_and_the_next_is_answered(make: MakeWorker, expected: np.ndarray) -> None:
    worker = make(batch_s=0.5)
    worker.embed(TEXTS)
    hung = _pid(worker)
    assert "in time" in Asking(worker).end().error
    assert _gone(hung)
    assert np.allclose(worker.embed(TEXTS), expected)


def test_an_interrupted_caller_leaves_no_answer_for_the_next(
    make: MakeWorker, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make()
    worker.embed(TEXTS)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(worker._pipe, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.embed(["green"] * 2)
    assert np.allclose(worker.embed(TEXTS), expected)


def test_stopped_at_shutdown_it_does_not_start_again(make: MakeWorker) -> None:
    worker = make()
    worker.embed(TEXTS)
    asking = Asking(worker)
    stop_all()
    assert "was stopped" in asking.end().error
    assert not worker.ready()


def test_closed_in_mid_batch_its_caller_is_told_and_it_stays_closed(make: MakeWorker) -> None:
    worker = make()
    worker.embed(TEXTS)
    pid = _pid(worker)
    asking = Asking(worker)
    worker.close()
    assert "was stopped" in asking.end().error
    assert _gone(pid)
    with pytest.raises(ModelError, match="was closed"):
        worker.embed(TEXTS)


def test_idle_it_leaves_and_comes_back_when_asked(make: MakeWorker, expected: np.ndarray) -> None:
    worker = make(idle_s=0.1)
    worker.embed(TEXTS)
    assert worker._pipe is not None
    worker._pipe.child.wait(5)
    assert not worker.ready()
    assert np.allclose(worker.embed(TEXTS), expected)


def test_warming_returns_at_once_and_loads_the_model(make: MakeWorker) -> None:
    worker = make()
    assert not worker.ready()
    worker.warm()
    assert not worker.ready()  # a process has yet to start and load it
    until = time.monotonic() + 20
    while not worker.ready():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_model_that_cannot_be_loaded_is_told_as_it_is(make: MakeWorker, tmp_path: Path) -> None:
    worker = make(folder=tmp_path / "nothing")
    worker.warm()  # says nothing
    with pytest.raises(ModelError, match="holds no exported model") as told:
        worker.embed(TEXTS)
    assert "hivemind embeddings export" in told.value.fix


def test_another_model_in_the_folder_is_noticed(tiny_model: Path, tmp_path: Path) -> None:
    worker = InWorker("onnx", folder=tiny_model, model="m", name="m/onnx-int8", dim=8, env={}, work=tmp_path)
    with pytest.raises(ModelError, match="is another model"):
        worker.embed(TEXTS)
    worker.close()


def test_a_folder_may_be_given_from_where_we_stand(
    make: MakeWorker, tiny_model: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)
    assert np.allclose(make(folder=Path(tiny_model.name)).embed(TEXTS), expected)


def test_threads_share_it(make: MakeWorker, expected: np.ndarray) -> None:
    worker = make()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(worker.embed, [TEXTS * 40] * 20))
    assert all(np.allclose(vectors, np.tile(expected, (40, 1))) for vectors in found)


@LINUX
def test_it_inherits_no_file_no_key_and_is_niced(make: MakeWorker, tmp_path: Path) -> None:
    with (tmp_path / "database").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        worker = make(env={**os.environ, "ANTHROPIC_API_KEY": "key-for-tests-7f3a", "https_proxy": "http://x"})
        worker.embed(TEXTS)
        proc = Path("/proc", str(_pid(worker)))
        opened = {os.readlink(path) for path in (proc / "fd").iterdir()}
        environ = (proc / "environ").read_bytes()
    assert not any("database" in name or name.startswith("socket:") for name in opened)
    assert b"key-for-tests" not in environ and b"proxy" not in environ and b"HIVEMIND_INTERNAL=1" in environ
    assert os.getpriority(os.PRIO_PROCESS, _pid(worker)) >= NICE


def test_it_does_not_outlive_us(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from hivemind_cli.embedding.worker import InWorker\n"
        "w = InWorker('onnx', folder=Path(sys.argv[1]), model='t', name='tiny/onnx-int8', dim=8, env=os.environ,\n"
        "             work=Path(sys.argv[2]))\n"
        "w.embed(['red'])\n"
        "print(w._pipe.child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tiny_model), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    assert _gone(pid)
