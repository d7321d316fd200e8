"""Writers in line: who comes while another one commits shares the next commit, for the commit takes the time."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Work = TypeVar("Work", bound=Callable[..., Any])

SHARED_MAX = 64
"""Works that share one commit, at most."""


class _Write(Generic[Work]):
    """One caller's work, and what came of it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None


class SharedCommits(Generic[Work]):
    """`commit` does several works in one transaction and gives their results in order, or raises and did nothing."""

    def __init__(self, commit: Callable[[Sequence[Work]], Sequence[Any]]) -> None:
        self._commit_all = commit
        self._waiting: list[_Write[Work]] = []
        self._queue_lock = threading.Lock()
        self._write_lock = threading.Lock()

    def write(self, work: Work) -> Any:
        """The work's result once it is committed, or its error."""
        mine = _Write(work)
        with self._queue_lock:
            self._waiting.append(mine)
        with self._write_lock:
            while not mine.done:
                with self._queue_lock:
                    together, self._waiting = self._waiting[:SHARED_MAX], self._waiting[SHARED_MAX:]
                self._commit(together)
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _commit(self, together: Sequence[_Write[Work]]) -> None:
        """All in one transaction; each in its own where one of several fails."""
        try:
            results = self._commit_all([one.work for one in together])
        except BaseException as exc:
            if len(together) > 1 and isinstance(exc, Exception):
                for one in together:
                    self._commit([one])
                return
            for one in together:
                one.error, one.done = exc, True
            if not isinstance(exc, Exception):
                raise
            return
        for one, result in zip(together, results, strict=True):
            one.result, one.done = result, True
