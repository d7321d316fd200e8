"""Around an answer: what was delivered before it is known to it, and what was decided is stored after it.

Every commit costs the daemon milliseconds, so that those who come together share one: each leaves what it decided in a
queue, and whoever holds the lock first stores all of it with the deliveries that wait.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from hivemind_cli.app.intake import ELSEWHERE, Intake
from hivemind_cli.core.records import Moment, Recall
from hivemind_cli.pipeline.spool import Spool

CATCH_UP_ALL_MAX = 16
"""So few deliveries that wait are taken before a recall, whatever session they are of: another may know better."""
CATCH_UP_MAX = 200
"""Of more, those a recall looks through for its own session."""
CATCH_UP_EVENTS_MAX = 50
"""Stored events a recall has detected before it answers; of a flood (an import) it does not wait for the end."""
OTHERS_WAIT_S = 0.01
"""A recall's for the lock where only others' deliveries are at stake, or a flood, whose batches take longer than a
hook waits."""
LOOKED_S = 0.09
"""So long after a whole turn of the loop began a recall leaves it to the next one to read what others delivered."""
DECIDED_MAX = 64
"""So many decisions wait for a common commit."""
READ_MAX = 256
READ_BYTES_MAX = 1 << 14
"""Deliveries that wait are kept in memory, small ones, for every recall looks whether they are of its session."""


class CatchingUp:
    """Moves deliveries into the store for answers and for the loop. Threads may share it."""

    def __init__(
        self,
        spool: Spool,
        intake: Intake,
        turning: "threading.RLock",
        *,
        detect: Callable[[int], object],
        flooded: Callable[[], bool],
    ) -> None:
        """`turning` is the owner's lock, which `detect(events_max)` expects to be held."""
        self._spool, self._intake, self._turning = spool, intake, turning
        self._detect, self._flooded = detect, flooded
        self._decided: deque[Recall] = deque()
        self._looks_at = self._looked_at = 0.0
        self._read: dict[str, bytes] = {}

    def before_answer(self, session_id: str, before: str, seconds: float) -> bool:
        """What the session delivered before file `before` is captured and detected, so that recall knows it.

        False if that could not be done in so many seconds.
        """
        if self._spool.more_than(CATCH_UP_MAX + 1):  # the last of a session must not be stored before its first
            return False
        names = self._spool.pending()
        earlier = names[: next((n for n, path in enumerate(names) if path.name == before), len(names))]
        own = self._of_session(earlier, session_id)
        others = len(earlier) <= CATCH_UP_ALL_MAX and time.monotonic() - self._looked_at >= LOOKED_S
        must = bool(own) or self._unread(session_id, before, others=False)
        if not must and not (others and (earlier or self._unread(session_id, before, others=True))):
            return True  # what may be worked on now is this very delivery: its answer needs nothing of it
        wait_s = seconds if must and not self._flooded() else min(seconds, OTHERS_WAIT_S)
        if not self._turning.acquire(timeout=wait_s):  # held: what was delivered is being worked on
            return not must
        try:
            self._take(earlier if others else own, lambda: False)
            if self._intake.undetected and not self._flooded():
                self._detect(CATCH_UP_EVENTS_MAX)
        finally:
            self._turning.release()
        return True

    def after_answer(self, name: str, recall: Recall | None, *, later: bool) -> None:
        """Store the delivery `name` with those before it, and what was decided; `later`: by the next `take`."""
        if recall is not None:
            self._decided.append(recall)
        begins = recall is not None and recall.moment is Moment.SESSION_START  # its event is read at once
        if later and not begins and len(self._decided) < DECIDED_MAX:
            return
        with self._turning:
            self._take(self._until(name), lambda: False)

    def looked(self) -> None:
        """The loop has detected everything that it took."""
        self._looked_at = self._looks_at

    def take(self, files: list[Path], *, stop: Callable[[], bool] = lambda: False) -> int:
        """Under the lock: capture all that waits, and store what was decided meanwhile; how many were captured.

        Once `stop` says so, the rest goes back to the spool's list.
        """
        self._looks_at = time.monotonic()
        return self._take(files, stop)

    def _take(self, files: list[Path], stop: Callable[[], bool]) -> int:
        beside = [self._decided.popleft() for _ in range(len(self._decided))]
        try:
            return self._intake.take(files, beside=beside, stop=stop)
        except BaseException:
            self._decided.extendleft(reversed(beside))
            raise

    def _until(self, name: str) -> list[Path]:
        """All that waits with a delivery; none where that is too many at once, and `drain` takes them in order."""
        if not self._spool.waits(name) or self._spool.more_than(CATCH_UP_MAX):
            return []
        return self._spool.pending()

    def _unread(self, session_id: str, before: str, *, others: bool) -> bool:
        """Is anything stored, or about to be, that detect has not seen and this answer should know?"""
        return any(
            others or name == ELSEWHERE or session in ("", session_id)
            for name, session in tuple(self._intake.undetected.items())
            if name != before
        )

    def _of_session(self, files: list[Path], session_id: str) -> list[Path]:
        """Those that mention it."""
        mention = session_id.encode("utf-8", "surrogatepass")
        read = self._read
        found = [path for path in files if mention in (read.get(path.name) or self._content(path))]
        if len(read) > READ_MAX:
            self._read = {}
        return found

    def _content(self, path: Path) -> bytes:
        """Of a delivery that waits; b"" for one that is gone."""
        try:
            content = path.read_bytes()
        except OSError:
            return b""
        if len(content) <= READ_BYTES_MAX:
            self._read[path.name] = content
        return content
