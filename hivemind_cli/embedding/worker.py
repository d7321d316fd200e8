"""Embedding in the background: a niced child (`python -m hivemind_cli.embedding.worker`) holds the model.

It inherits no file, socket or key of ours; it ends when we do, when its stdin closes, or after it idled.
"""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.child import NICE, bound, start, stops
from hivemind_cli.core.errors import ModelError
from hivemind_cli.embedding.base import TOKENS_MAX, Embedder, readable
from hivemind_cli.embedding.pipe import ChildEnd, Pipe, child_env

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEMORY_BYTES_MAX = 8 << 30
"""Address space, not RSS: torch maps far more than it uses."""
CPU_S_MAX = 600
"""For one batch."""
BATCH_TEXTS = 64
START_S = 180.0
"""For the model to load, on a cold disk."""
BATCH_S = 120.0
IDLE_S = 600.0
_GPU = Path("/dev/nvidiactl")
"""Where it stands the address space is not limited: the driver maps more than any limit."""


class InWorker:
    """An Embedder whose model lives in a child process, started when first used. Threads may share it."""

    def __init__(
        self,
        runtime: str,
        *,
        folder: Path,
        model: str,
        name: str,
        dim: int,
        env: Mapping[str, str],
        work: Path,
        threads: int = 1,
        batch_s: float = BATCH_S,
        idle_s: float = IDLE_S,
        nice: int = NICE,
    ) -> None:
        """`runtime`: onnx or sentence_transformers. `batch_s` and `idle_s`: seconds for 64 texts, and without any.

        `nice` 0: somebody waits for its answers.
        """
        self.fault: Exception | None = None
        """Why the last `warm` brought no model up."""
        self._nice = nice
        self.name, self.dim = name, dim
        self._opening = {
            "runtime": runtime,
            "folder": str(folder.absolute()),  # its folder is another
            "model": model,
            "threads": threads,
            "idle_s": idle_s,
        }
        self._env, self._work, self._batch_s = child_env(env), work, batch_s
        self._lock = threading.Lock()
        self._pipe: Pipe | None = None
        self._open = False
        self._closed = False

    def __repr__(self) -> str:
        return f"InWorker({self.name!r})"

    def twin(self, *, nice: int, idle_s: float) -> "InWorker":
        """Another process of the same model, not started yet."""
        twin = copy(self)
        twin._opening = {**self._opening, "idle_s": idle_s}
        twin._nice, twin._lock, twin._pipe, twin._open, twin._closed = nice, threading.Lock(), None, False, False
        return twin

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder. ModelError also: it was closed, gave no answer in time, or died twice."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), np.float32)
        for begin in range(0, len(texts), BATCH_TEXTS):
            batch = [readable(text, tokens_max) for text in texts[begin : begin + BATCH_TEXTS]]
            with self._lock:  # let go between batches: a single query need not wait for a thousand texts
                body = self._ask(batch, tokens_max)
            found = np.frombuffer(body, "<f4")
            if found.size != len(batch) * self.dim:
                raise ModelError(f"{self.name} gave {found.size} numbers for {len(batch)} texts.")
            vectors[begin : begin + len(batch)] = found.reshape(len(batch), self.dim)
        return vectors

    def warm(self) -> None:
        """Start the child in the background and return at once. What goes wrong is told by the first `embed`."""
        threading.Thread(target=self._warm, name="embedding-warm", daemon=True).start()

    def ready(self) -> bool:
        """Is the model loaded?"""
        pipe = self._pipe
        return self._open and pipe is not None and pipe.alive()

    def close(self) -> None:
        """End the child; an `embed` under way gets a ModelError. Idempotent."""
        self._closed = True
        pipe = self._pipe
        if pipe is not None:
            pipe.kill()
        with self._lock:
            self._drop()

    def _warm(self) -> None:
        with self._lock:
            try:
                self._running()
                self.fault = None
            except (ModelError, EOFError, TimeoutError) as exc:
                self.fault = exc
                self._drop()

    def _ask(self, texts: list[str], tokens_max: int) -> bytes:
        """The batch's vectors as bytes; a child that dies is started again once."""
        stops_before = stops()
        why = ""
        for _ in range(2):
            try:
                pipe = self._running()
                deadline = time.monotonic() + self._batch_s
                pipe.send({"texts": texts, "tokens_max": tokens_max}, deadline)
                said, body = pipe.receive(deadline)
            except TimeoutError as exc:
                self._drop()
                raise ModelError(f"{self.name} gave no vectors in time; its process was stopped.") from exc
            except EOFError:
                why = self._pipe.last_words() if self._pipe else ""
                self._drop()
                if self._closed or stops() != stops_before:
                    raise ModelError(f"{self.name} was stopped.") from None
                continue
            except BaseException:  # interrupted: the answer still to come would be taken for the next one's
                self._drop()
                raise
            if "error" in said:
                raise _error(said["error"])
            return body
        raise ModelError(f"The process of {self.name} died twice.", why=why)

    def _running(self) -> Pipe:
        """The child with its model loaded. ModelError, EOFError, TimeoutError."""
        if self._closed:
            raise ModelError(f"{self.name} was closed.")
        if self._pipe is not None and self._open and self._pipe.alive():
            return self._pipe
        self._drop()
        try:
            argv = [sys.executable, "-P", "-m", "hivemind_cli.embedding.worker"]
            child = start(argv, env=self._env, cwd=self._work, nice=self._nice)
        except (OSError, ValueError) as exc:
            raise ModelError(f"A process for {self.name} cannot be started.", why=str(exc)) from exc
        self._pipe = Pipe(child)
        if self._closed:  # since it was looked at above
            raise EOFError
        deadline = time.monotonic() + START_S
        self._pipe.send(self._opening, deadline)
        said, _ = self._pipe.receive(deadline)
        if "error" in said:
            self._drop()
            raise _error(said["error"])
        if (said.get("name"), said.get("dim")) != (self.name, self.dim):
            self._drop()
            raise ModelError(f"{self.name} is another model: {said.get('name')} of {said.get('dim')} numbers.")
        self._open = True
        return self._pipe

    def _drop(self) -> None:
        self._open = False
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def main() -> None:
    """Load the model that the first frame names, then answer batch after batch."""
    ends = ChildEnd()
    memory = None if _GPU.exists() else MEMORY_BYTES_MAX
    bound(memory, CPU_S_MAX)
    opening = ends.receive()
    if opening is None:
        return
    try:
        embedder = _load(opening[0])
    except Exception as exc:  # noqa: BLE001  the child's door: the parent tells the person
        ends.send({"error": _told(exc)})
        return
    ends.send({"name": embedder.name, "dim": embedder.dim})
    while (asked := ends.receive(float(opening[0]["idle_s"]))) is not None:
        bound(memory, CPU_S_MAX)
        try:
            vectors = embedder.embed(asked[0]["texts"], tokens_max=asked[0]["tokens_max"])
        except Exception as exc:  # noqa: BLE001  as above
            ends.send({"error": _told(exc)})
        else:
            ends.send({}, vectors.astype("<f4").tobytes())


def _load(opening: Mapping[str, Any]) -> Embedder:
    folder, threads = Path(opening["folder"]), int(opening["threads"])
    if opening["runtime"] == "onnx":
        from hivemind_cli.embedding.onnx import Onnx

        return Onnx(folder, threads=threads)
    from hivemind_cli.embedding.sentence_transformers import SentenceTransformers

    return SentenceTransformers(folder, name=str(opening["model"]), threads=threads)


def _told(exc: Exception) -> dict[str, str]:
    if isinstance(exc, ModelError):
        return {"what": exc.what, "why": exc.why, "fix": exc.fix}
    return {"what": "The model failed.", "why": f"{type(exc).__name__}: {str(exc)[:300]}", "fix": ""}


def _error(said: Any) -> ModelError:
    words = said if isinstance(said, dict) else {}
    return ModelError(**{key: str(words.get(key, "")) for key in ("what", "why", "fix")})


if __name__ == "__main__":
    main()
