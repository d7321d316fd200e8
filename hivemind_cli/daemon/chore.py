"""One thing the daemon does again and again, with patience when it fails."""

import logging
from collections.abc import Callable

from hivemind_cli.core.errors import HivemindError

logger = logging.getLogger(__name__)

_WAIT_FIRST_S = 1.0
WAIT_MAX_S = 300.0


class Chore:
    """`do`, and what came of it. A failure is reported and tried again after 1, 2, 4 ... 300 seconds."""

    def __init__(self, name: str, do: Callable[[], int], report: Callable[[str, Exception], object]) -> None:
        self.name = name
        self.error: Exception | None = None
        """What it failed with, until it works again."""
        self.failures = 0
        self.retry_at = 0.0
        self._do = do
        self._report = report

    def attempt(self, now: float) -> int:
        """Do it if it is not waiting; how much moved. `now` in seconds, monotonic. Never raises."""
        if now < self.retry_at:
            return 0
        try:
            moved = self._do()
        except Exception as exc:  # noqa: BLE001  one failing part must not end the others
            self._failed(exc, now)
            return 0
        if self.failures:
            logger.info("%s works again after %d failures", self.name, self.failures)
        self.error, self.failures, self.retry_at = None, 0, 0.0
        return moved

    def _failed(self, exc: Exception, now: float) -> None:
        wait_s = min(_WAIT_FIRST_S * 2.0**self.failures, WAIT_MAX_S)
        self.error, self.failures, self.retry_at = exc, self.failures + 1, now + wait_s
        if isinstance(exc, HivemindError):
            logger.warning("%s failed, next try in %.0f s: %s", self.name, wait_s, exc)
        else:
            self._report(self.name, exc)
