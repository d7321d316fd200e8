"""Notices deliveries in spool/new as they come."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

logger = logging.getLogger(__name__)


class SpoolWatch(FileSystemEventHandler):
    """Calls `wake` when a file arrives in `folder`; `watching` says whether the system still tells us."""

    def __init__(self, folder: Path, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Begin to watch. Failing (no inotify watches left, a file system without events) is logged, not raised."""
        try:
            observer = Observer()
            # Only arrivals: our own deletions after capture must not wake us.
            observer.schedule(self, str(self._folder), event_filter=[FileCreatedEvent, FileMovedEvent])
            observer.start()
        except Exception as exc:  # noqa: BLE001  whatever the system says, the poll takes over
            logger.warning("the spool cannot be watched (%s), so it is polled", type(exc).__name__)
            return
        self._observer = observer

    @property
    def watching(self) -> bool:
        """False: poll more often."""
        observer = self._observer
        return observer is not None and observer.is_alive() and all(e.is_alive() for e in observer.emitters)

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._wake()

    def stop(self) -> None:
        """End the watching threads. Idempotent."""
        observer, self._observer = self._observer, None
        if observer is None:
            return
        with contextlib.suppress(Exception):  # a watch on a removed folder cannot be taken back
            observer.stop()
            observer.join(timeout=2)
