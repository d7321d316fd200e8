"""The daemon's life: lock, listen, open the store, then capture and work until nobody needs it.

One thread drains the spool and works; others serve the socket and watch the spool, and wake it. What fails is
reported and tried again, and nothing that fails stops the rest.
"""

import contextlib
import gc
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import DaemonError, HivemindError, StoreLocked
from hivemind_cli.core.paths import FILE_MODE, Paths
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.chore import Chore
from hivemind_cli.daemon.crash import report_crash
from hivemind_cli.daemon.memory import Ceiling, few_heaps, give_back
from hivemind_cli.daemon.memory_server import MemoryServer
from hivemind_cli.daemon.owner import OpenOwner, Owner
from hivemind_cli.daemon.server import Server
from hivemind_cli.daemon.service import Service
from hivemind_cli.daemon.wake import Wake

logger = logging.getLogger(__name__)

POLL_S = 2.0
"""A look at the spool, the lock and the socket, woken or not."""
POLL_UNWATCHED_S = 1.0
"""The same where the system does not tell of new files."""
TICK_S = 30.0
DUE_MIN_S = 0.5
"""What is due and due again must not become a busy loop."""
DRAIN_FILES = 500
GATHER_S = 0.05
"""After a waking: what is delivered together shares a commit, which costs the daemon as much as ten answers."""
SWITCH_S = 0.0005
"""So long a thread that computes keeps the interpreter to itself: an answer stops for it at every file and search, and
waited 5 ms each time."""
FAREWELL_S = 5.0
"""For the last drain, before the store is closed."""
FORMER_OWNER_S = 10.0
"""How long a starting daemon waits for one that has stopped listening but not closed its store."""
_OPEN_FILES_MIN = 2048


class Supervisor:
    """Runs an Owner. `run` returns when it is idle, told to go, or its home is gone."""

    def __init__(
        self,
        open_owner: OpenOwner,
        paths: Paths,
        config: Config,
        clock: Clock = system_clock,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._open_owner = open_owner
        self._paths = paths
        self._config = config
        self._clock = clock
        self._poll_s = poll_s
        self._wake = Wake()
        self._stop = False
        self._woken = True
        self.home_lost = False
        """Was the home removed or replaced under us? Then nothing of it may be written any more."""
        self._owner: Owner | None = None
        self._last_active = time.monotonic()
        self._tick_at = 0.0
        self._due_at: float | None = None
        self._ceiling = Ceiling()
        self._service = Service(paths, on_activity=self._asked, on_shutdown=self.stop)
        self._service.failing = self.failing
        self._server = Server(paths, self._service)
        self._memory = MemoryServer(paths.memory_socket, self._service.call)
        self._watching: Callable[[], bool] = lambda: False
        self._opening = self._chore("open", self._open)
        self._draining = self._chore("drain", lambda: self._owned.drain(DRAIN_FILES))
        self._working = self._chore("work", lambda: self._owned.work())
        self._ticking = self._chore("tick", self._tick)
        self._resting = self._chore("rest", self._rest)

    def run(self, *, once: bool = False) -> None:
        """Until done. `once`: until nothing is left to capture or work on, whoever asks meanwhile is answered.

        StoreLocked: another daemon owns the store. HivemindError (`once` only): what could not be done.
        """
        self._paths.make()
        with _locked(self._paths) as held, self._signals():
            _limits()
            try:
                self._server.listen()
                self._memory.listen()
                with _pid_file(self._paths), self._watch(once=once):
                    logger.info("daemon %d listens", os.getpid())
                    self._loop(held, once=once)
            finally:
                self._farewell()
                gc.unfreeze()
        if once:
            self._raise_failure()

    def stop(self) -> None:
        """Ask `run` to return soon. Safe in a signal handler and on any thread."""
        self._stop = True
        self._wake.set()

    def failing(self) -> list[dict[str, Any]]:
        """The chores that wait after a failure: stage, failures, what, and seconds until the next try."""
        now = time.monotonic()
        return [
            {
                "stage": chore.name,
                "failures": chore.failures,
                "what": _told(chore.error),
                "retry_in_s": round(max(chore.retry_at - now, 0.0), 1),
            }
            for chore in self._chores
            if chore.error is not None
        ]

    def round(self, now: float) -> int:
        """Drain a batch, work a round, tick if it is time; how much moved. `now` in seconds, monotonic."""
        if self._owner is None:
            self._opening.attempt(now)
            if self._owner is None:
                return 0
        moved = self._draining.attempt(now) + self._working.attempt(now)
        if now >= self._tick_at:
            self._tick_at = now + TICK_S
            moved += self._ticking.attempt(now)
        if moved:
            self._last_active = now
        return moved

    def _loop(self, held: lock.Lock, *, once: bool) -> None:
        while not self._stop:
            if held.lost() or self._server.lost():
                self.home_lost = held.lost()
                logger.warning("the files of this daemon were removed; it leaves")
                return
            now = time.monotonic()
            if self._owner is not None and (self._ceiling.reached(now) or self._resting.error):
                self._resting.attempt(now)
            if self._must_look(now):
                if self.round(now):
                    self._woken = True  # there may be more
                    continue
                self._look_ahead(now)
            if once and not self._service.under_way:
                return
            if self._idle(now):
                logger.info("idle for %g minutes; it leaves", self._config.daemon.idle_minutes)
                return
            self._woken = self._wake.wait(self._patience(now))
            if self._woken and not self._stop:
                time.sleep(GATHER_S)

    def _must_look(self, now: float) -> bool:
        """Is there a reason for a round, or would it only read what it read before?"""
        due = self._due_at is not None and now >= self._due_at
        waiting = any(chore.error is not None and now >= chore.retry_at for chore in self._chores)
        return self._woken or due or waiting or now >= self._tick_at or self._spooled()

    def _look_ahead(self, now: float) -> None:
        """Ask the owner when it must work again. It may look into the store, so not at every poll."""
        self._due_at = None
        with contextlib.suppress(Exception):  # what it fails with, `work` will fail with, and report
            due_s = self._owner.next_due() if self._owner is not None else None
            self._due_at = None if due_s is None else now + max(due_s, DUE_MIN_S)

    def _patience(self, now: float) -> float:
        """Seconds to sleep unless woken."""
        moments = [self._due_at, *(chore.retry_at for chore in self._chores if chore.error is not None)]
        poll_s = self._poll_s if self._watching() else min(self._poll_s, POLL_UNWATCHED_S)
        return min([poll_s, *(max(at - now, 0.05) for at in moments if at is not None)])

    def _idle(self, now: float) -> bool:
        if now - self._last_active < self._config.daemon.idle_minutes * 60 or self._service.under_way:
            return False
        if self._owner is None or self._working.error is not None:
            return True  # what cannot be done is no reason to stay
        try:
            return self._due_at is None and not self._owner.busy()
        except Exception as exc:  # noqa: BLE001  an owner that cannot say so is not waited for
            report_crash(self._paths, "busy", exc)
            return True

    def _spooled(self) -> bool:
        """Does a delivery wait? Not while capture fails: it has its own time."""
        if self._draining.error is not None:
            return False
        try:
            with os.scandir(self._paths.spool_new) as files:
                return any(not file.name.startswith(".") for file in files)
        except OSError:
            return False

    def _asked(self) -> None:
        self._last_active = time.monotonic()
        self._wake.set()

    def _open(self) -> int:
        try:
            owner = self._open_owner()
        except HivemindError as exc:
            self._service.refuse_with(exc)
            raise
        except Exception as exc:
            what = f"The store could not be opened ({type(exc).__name__})."
            fix = f"See {self._paths.crash}, and run `hivemind doctor`."
            self._service.refuse_with(DaemonError(what, why="That is a mistake of hivemind's own.", fix=fix))
            raise
        self._owner = owner
        gc.freeze()  # what is loaded by now stays: each full collection would look through it, 40 ms in a recall's way
        self._service.open_with(owner)
        return 1

    def _tick(self) -> int:
        self._owned.tick(self._clock())
        return self._rest()

    def _rest(self) -> int:
        self._owned.rest()
        give_back(self._paths.root)
        self._ceiling.lowered()
        return 0

    @property
    def _owned(self) -> Owner:
        assert self._owner is not None  # all chores but `open` run only with an owner
        return self._owner

    @property
    def _chores(self) -> tuple[Chore, ...]:
        return (self._opening, self._draining, self._working, self._ticking, self._resting)

    def _chore(self, name: str, do: Callable[[], int]) -> Chore:
        return Chore(name, do, lambda where, exc: report_crash(self._paths, where, exc))

    @contextlib.contextmanager
    def _watch(self, *, once: bool) -> Iterator[None]:
        if once:
            yield
            return
        from hivemind_cli.daemon.watch import SpoolWatch  # 30 ms that clients of a new daemon need not wait for

        watch = SpoolWatch(self._paths.spool_new, self._wake.set)
        watch.start()
        self._watching = lambda: watch.watching
        try:
            yield
        finally:
            watch.stop()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT set a flag, SIGHUP (the terminal of a foreground run) means nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def flag(number: int, frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, flag) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _farewell(self) -> None:
        """Stop listening, capture what came last, close the store. Never raises."""
        with contextlib.suppress(OSError):
            self._memory.stop()
        with contextlib.suppress(OSError):
            self._server.stop()
        if self._owner is not None and not self.home_lost:  # closing writes: into what is a stranger's home by now
            self._close(self._owner)
        logger.info("daemon %d ends", os.getpid())

    def _close(self, owner: Owner) -> None:
        deadline = time.monotonic() + FAREWELL_S
        try:
            while time.monotonic() < deadline and owner.drain(DRAIN_FILES):
                pass
        except Exception as exc:  # noqa: BLE001  the files stay in the spool for the next daemon
            report_crash(self._paths, "last_drain", exc)
        try:
            owner.close()
        except Exception as exc:  # noqa: BLE001  the process ends anyway
            report_crash(self._paths, "close", exc)

    def _raise_failure(self) -> None:
        for chore in self._chores:
            if isinstance(chore.error, HivemindError):
                raise chore.error
            if chore.error is not None:
                raise DaemonError(
                    f"`{chore.name}` failed with {type(chore.error).__name__}.",
                    why="That is a mistake of hivemind's own; nothing captured is lost.",
                    fix=f"Please attach the newest file of {self._paths.crash} to an issue.",
                ) from chore.error


@contextlib.contextmanager
def _locked(paths: Paths) -> Iterator[lock.Lock]:
    """The lock; StoreLocked at once if its holder listens, else after the former owner had its time."""
    deadline = time.monotonic() + FORMER_OWNER_S
    while True:
        try:
            held = lock.acquire(paths)
            break
        except StoreLocked:
            if paths.socket.exists() or time.monotonic() >= deadline:
                raise
    with held:
        yield held


def _told(error: Exception) -> str:
    """In words where it is the world's fault; a bug by its type alone, for its message may quote anything."""
    if isinstance(error, HivemindError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return type(error).__name__


@contextlib.contextmanager
def _pid_file(paths: Paths) -> Iterator[None]:
    """run/daemon.pid, for people and service managers; hivemind itself goes by the lock."""
    path = paths.lock.with_name("daemon.pid")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    signed = f"{os.getpid()}\n"
    os.write(fd, signed.encode())
    os.close(fd)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == signed:
                path.unlink()


def _limits() -> None:
    """No core dumps (they would hold what redaction took out), files enough for the indexes, few heaps, short turns."""
    few_heaps()
    sys.setswitchinterval(SWITCH_S)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES_MIN:
        wanted = _OPEN_FILES_MIN if hard == resource.RLIM_INFINITY else min(_OPEN_FILES_MIN, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
