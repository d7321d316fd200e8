"""A hook's question goes first: who reads the whole history beside it stands still while one is answered.

And of several questions one is worked on at a time: side by side they only wait for the interpreter in turns, which
made eight of them slower than one after the other (measured: twice the processor time).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_S = 0.3
"""At most, of one pause: questions without end must not stop the work for good."""


class Precedence:
    """Counts the questions that are being answered. Any thread."""

    def __init__(self) -> None:
        self._answering = 0
        self._nobody_asks = threading.Condition()

    @contextmanager
    def question(self) -> Iterator[None]:
        """While one is answered."""
        with self._nobody_asks:
            self._answering += 1
        try:
            yield
        finally:
            with self._nobody_asks:
                self._answering -= 1
                self._nobody_asks.notify_all()

    def asked(self) -> bool:
        """Is a question being answered?"""
        return self._answering > 0

    def give_way(self, seconds: float = PAUSE_S) -> None:
        """Return once nobody asks, or after so many seconds. Costs nothing while nobody does."""
        if self._answering:
            with self._nobody_asks:
                self._nobody_asks.wait_for(lambda: not self._answering, seconds)


class OneAtATime:
    """`with` it: no other thread works here meanwhile, unless `waiting`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside: let another one work while this one waits for something else."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
