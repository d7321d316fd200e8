"""What is dear follows the store on a thread of its own: vectors of documents, the corpus, then vectors of texts.

Small steps, and before each it gives way to hooks. What fails is logged and tried again; what was done stays done.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.pipeline import meanings, texts
from hivemind_cli.pipeline.meanings import Documents

if TYPE_CHECKING:
    from hivemind_cli.app.sidecars import Sidecars
    from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

GATHER_S = 1.0
"""From the first record to the step that takes it: events come one after another, and a commit costs 20 ms. Who
searches catches up first."""
GATHER_LOOK_S = 0.05
LOOK_S = 30.0
"""Unwoken, it looks again after so long."""
LOADING_S = 0.1
"""Between two looks at a model that is being loaded."""
AGAIN_S, AGAIN_MAX_S = 1.0, 300.0
"""After a failure; twice as long after the next."""
FEW_TEXTS = 200
"""Records that wait: so few are embedded where queries are, and no process is started for them."""
RECORDS = 500
"""Of the store, indexed in one commit."""
WORDS_PAUSE_S = 0.05
"""Within a commit, for a question: they may come without end."""
SETTLE_LOOK_S = 0.02
CLOSE_WAIT_S = 5.0


class Step(Enum):
    """What came of a small piece of work."""

    DONE = "done"
    NO_MODEL = "no model"
    """It is still being loaded, or does not come up."""


@dataclass(slots=True)
class Progress:
    """How far everything derived is."""

    documents: Documents = field(default_factory=Documents)
    words_behind: int = 0
    """Records that the corpus has not read."""
    meaning_behind: int = 0
    """... and the texts' vectors."""
    fault: str = ""
    """What stands in the way, in words for the person; "" if nothing."""


class Follower:
    """Keeps a Sidecars' corpus and vectors up to its store, until closed."""

    def __init__(self, sidecars: "Sidecars", store: "Store", pause: Callable[..., object]) -> None:
        self.progress = Progress()
        self._sidecars, self._store, self._pause = sidecars, store, pause
        self._woken = threading.Event()
        self._stop = False
        self._stale_documents = True
        self._stale_texts = True
        self._clear: set[str] = set()
        self._working = False
        self._failures = 0
        self._corpus_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def wake(self, *, documents: bool = False) -> None:
        """Records were stored; `documents`: the index changed. Any thread, costs nothing."""
        self._stale_texts = True
        if documents:
            self._stale_documents = True
        self._woken.set()

    def rebuild(self, *, vectors: bool) -> None:
        """Begin the corpus anew, and with `vectors` them, too. Returns at once."""
        self._clear |= {"corpus", "vectors"} if vectors else {"corpus"}
        self.wake(documents=True)

    def busy(self) -> bool:
        """Is there work, and does it get on?"""
        return not self._stop and not self.progress.fault and self.waiting()

    def waiting(self) -> bool:
        """Is there work, under way or not?"""
        return bool(self._clear or self._stale_documents or self._stale_texts or self._working)

    def catch_up(self, within_s: float) -> bool:
        """Bring the corpus up to the store in this thread; False if that takes longer."""
        until = time.monotonic() + within_s
        if not self._corpus_lock.acquire(timeout=within_s):
            return False
        try:
            while self._words():
                if time.monotonic() >= until:
                    return False
            return True
        finally:
            self._corpus_lock.release()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is left to do; False if that takes longer or fails."""
        until = time.monotonic() + seconds
        self.wake(documents=True)
        while self.waiting():
            if time.monotonic() >= until or self._stop:
                return False
            time.sleep(SETTLE_LOOK_S)
        return True

    def close(self) -> None:
        """Stop after the step under way. Idempotent."""
        self._stop = True
        self._woken.set()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        while not self._stop:
            try:
                again_s = self._round()
                if self._failures:
                    logger.info("what is derived follows again after %d failures", self._failures)
                self._failures = 0
            except Exception as exc:  # the thread's own boundary: it is logged, and tried again
                again_s = min(AGAIN_S * 2.0**self._failures, AGAIN_MAX_S)
                self._failures += 1
                self._told(str(exc) if isinstance(exc, HivemindError) else type(exc).__name__)
                if not self._stop and not isinstance(exc, HivemindError | OSError):
                    logger.exception("following failed")
            finally:
                self._working = False
            self._wait(again_s)

    def _told(self, fault: str) -> None:
        if fault and fault != self.progress.fault and not self._stop:
            logger.warning("what is derived does not follow, it is tried again: %s", fault)
        self.progress.fault = fault

    def _wait(self, seconds: float) -> None:
        """So long, or until woken; after a failure no wake counts. More is gathered, unless a document waits."""
        until = time.monotonic() + seconds
        while not self._stop and (left := until - time.monotonic()) > 0:
            if self._woken.wait(min(left, 1.0)):
                self._woken.clear()
                if not self._failures:
                    self._gather()
                    return

    def _gather(self) -> None:
        """Let more come, unless a document waits."""
        until = time.monotonic() + GATHER_S
        while not self._stop and not self._stale_documents and time.monotonic() < until:
            time.sleep(GATHER_LOOK_S)

    def _round(self) -> float:
        """All that waits, in small steps; seconds until the next look."""
        self._working = True
        self._cleared()
        fault, loading = "", False
        for step in self._steps():
            if self._stop or self._clear:
                return 0.0
            if step is Step.NO_MODEL:
                fault = self._sidecars.embedder.fault if self._sidecars.embedder else ""
                loading = not fault
            self._pause()
        self._told(fault)
        return LOADING_S if loading else LOOK_S

    def _steps(self) -> Iterator[Step]:
        """One small piece of work each time it is asked.

        Skills and memos go before texts, also in the middle of these: what was just said is to be known at once.
        """
        yield from self._documents()
        if not self._stale_texts:
            return
        self._stale_texts = False
        more = True
        while more:
            more = self._corpus_step() >= RECORDS  # fewer: what came since has woken us again
            yield Step.DONE
            yield from self._documents()
        for step in self._texts():
            yield step
            if step is not Step.NO_MODEL:
                yield from self._documents()

    def _documents(self) -> Iterator[Step]:
        sidecars = self._sidecars
        if sidecars.vectors is None or sidecars.embedder is None:
            self._stale_documents = False
            return
        while self._stale_documents:
            if not self._loaded():
                yield Step.NO_MODEL
                return
            self._stale_documents = False
            try:
                for self.progress.documents in meanings.documents(
                    sidecars.index, sidecars.vectors, sidecars.embedder.embed
                ):
                    yield Step.DONE
                sidecars.vectors.maintain()
            except BaseException:
                self._stale_documents = True
                raise

    def _texts(self) -> Iterator[Step]:
        sidecars = self._sidecars
        if sidecars.text_vectors is None or sidecars.embedder is None:
            return
        try:
            while behind := texts.behind(self._store, sidecars.text_vectors.cursor()):
                self.progress.meaning_behind = behind
                if not self._loaded():
                    self._stale_texts = True
                    yield Step.NO_MODEL
                    return
                embed = sidecars.embedder.embed if behind <= FEW_TEXTS else sidecars.embedder.in_bulk
                moved = False
                for _ in meanings.follow_texts(self._store, sidecars.text_vectors, embed):
                    moved = True
                    yield Step.DONE
                if not moved:
                    break
            self.progress.meaning_behind = 0
            sidecars.text_vectors.maintain()
        except BaseException:
            self._stale_texts = True
            raise

    def _corpus_step(self) -> int:
        with self._corpus_lock:
            try:
                return self._words(lambda: self._pause(WORDS_PAUSE_S))
            except BaseException:
                self._stale_texts = True
                raise

    def _words(self, pause: Callable[[], object] = lambda: None) -> int:
        """Under the corpus' lock: index the store's next records; how many."""
        corpus = self._sidecars.corpus
        if corpus is None:
            return 0
        read = texts.refresh(self._store, corpus, limit=RECORDS, pause=pause)
        self.progress.words_behind = texts.behind(self._store, corpus.cursor()) if read else 0
        return read

    def _loaded(self) -> bool:
        """Is the model? If not, it is being loaded, unless that failed a moment ago."""
        embedder = self._sidecars.embedder
        if embedder is None:
            return False
        if not embedder.ready():
            embedder.warm()
        return embedder.ready()

    def _cleared(self) -> None:
        """Begin anew what was asked to be."""
        sidecars, clear = self._sidecars, set(self._clear)
        if "corpus" in clear and sidecars.corpus is not None:
            with self._corpus_lock:
                sidecars.corpus.clear()
        if "vectors" in clear:
            for vectors in (sidecars.vectors, sidecars.text_vectors):
                if vectors is not None:
                    vectors.clear()
            self.progress.documents = Documents(self.progress.documents.documents)
        self._clear -= clear
