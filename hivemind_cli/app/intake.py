"""The intake: deliveries from the spool become stored Events; what cannot be read is set aside, and told."""

import errno
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hivemind_cli.core.clock import Clock, from_ns
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import DEFAULT_WORKSPACE, Notice, Record
from hivemind_cli.hosts.base import Host
from hivemind_cli.pipeline.capture import Capture
from hivemind_cli.pipeline.spool import CHECK_EVENT, Delivery, Spool, SpoolFault
from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

ELSEWHERE = ""
"""Stands among the undetected deliveries for records that came another way."""
RECENT_MAX = 64
RECENT_BYTES_MAX = 1 << 20
BATCH_BYTES_MAX = 16 << 20
"""Payload bytes captured in one commit."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""The machine's trouble, not the file's."""
_SESSION = re.compile(rb'"session_id"\s*:\s*"([^"\\]*)"')
"""Where nothing is inside a JSON string, whose quotes are escaped."""


class Intake:
    """Takes deliveries. Its caller holds the owner's lock: two threads never take the same file."""

    def __init__(
        self,
        spool: Spool,
        capture: Capture,
        store: Store,
        hosts: dict[str, Host],
        clock: Clock,
        *,
        quarantine_days: int,
    ) -> None:
        self.recent: OrderedDict[str, Delivery] = OrderedDict()
        """Deliveries captured just now, by file name: their hooks may still ask about them."""
        self.undetected = {ELSEWHERE: ELSEWHERE}
        """Deliveries that are stored, or about to be, and that detect and the index have not seen: name -> session, ""
        where that does not show."""
        self._spool = spool
        self._capture = capture
        self._store = store
        self._hosts = hosts
        self._clock = clock
        self._quarantine_days = quarantine_days

    def take(
        self, files: Iterable[Path], *, beside: Sequence[Record] = (), stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Capture these deliveries, in order, and store `beside` with them; how many were taken, or set aside.

        Once `stop` says so, what was captured is stored, and the rest of a batch goes back to the spool's list.
        """
        taken = 0
        batch: list[tuple[Path, Delivery]] = []
        size = 0
        for path in files:
            try:
                delivery = self._spool.read(path)
            except FileNotFoundError:
                continue
            except (OSError, SpoolFault) as fault:
                taken += self._unreadable(path, fault)
                continue
            if delivery.event == CHECK_EVENT:
                self._spool.answer_check(path)
                continue
            batch.append((path, delivery))
            size += len(delivery.raw)
            if size >= BATCH_BYTES_MAX:
                taken += self._commit(batch, beside, stop)
                batch, size, beside = [], 0, ()
        if batch:
            return taken + self._commit(batch, beside, stop)
        if beside:
            self._store.append(beside)
        return taken

    def _unreadable(self, path: Path, fault: OSError | SpoolFault) -> int:
        """Set a file aside that no delivery can be read from; 1 if that could be done. The others go on."""
        if isinstance(fault, OSError) and fault.errno in _FULL:
            self._spool.relist()
            raise fault
        reason = fault.reason if isinstance(fault, SpoolFault) else f"it cannot be read ({fault.strerror})"
        try:
            self._set_aside(path, reason, "")
        except OSError as problem:
            logger.warning("a delivery can neither be read nor set aside: %s", problem)
            return 0
        return 1

    def _commit(self, batch: list[tuple[Path, Delivery]], beside: Sequence[Record], stop: Callable[[], bool]) -> int:
        try:
            self.undetected.update((path.name, _session_of(delivery)) for path, delivery in batch)
            captured = self._capture.step([delivery for _, delivery in batch], self._store, stop=stop)
            done = len(batch) - captured.left
            self._spool.give_back([path for path, _ in batch[done:]])
            batch = batch[:done]
            start = self._store.cursor(Capture.name)
            outputs = [*captured.outputs, *beside]
            self._store.commit(Capture.name, outputs, cursor_from=start, cursor_to=start + len(batch))
        except BaseException:
            self._capture.reset()
            self._spool.relist()
            raise
        faults = {delivery.id: reason for delivery, reason in captured.faults}
        for path, delivery in batch:
            self._remember(delivery)
            if delivery.id in faults:
                self._set_aside(path, faults[delivery.id], delivery.host)
            else:
                self._spool.done(path)
        return len(batch)

    def _remember(self, delivery: Delivery) -> None:
        host = self._hosts.get(delivery.host)
        if host and host.EVENTS.get(delivery.event) and len(delivery.raw) <= RECENT_BYTES_MAX:
            self.recent[delivery.name] = delivery
            while len(self.recent) > RECENT_MAX:
                self.recent.popitem(last=False)

    def _set_aside(self, path: Path, reason: str, host: str) -> None:
        aside = self._spool.set_aside(path, reason)
        self._store.append(
            [
                Notice(
                    id=derived_id(from_ns(0), "quarantined", path.name),
                    workspace_id=DEFAULT_WORKSPACE,
                    occurred_at=self._clock(),
                    about="quarantined",
                    text=f"A delivery{f' of {host}' if host else ''} could not be used: {reason}.",
                    fix=f"It is kept in {aside} for {self._quarantine_days} days.",
                    subject=host,
                )
            ]
        )


def _session_of(delivery: Delivery) -> str:
    """As its payload names it, seen without reading all of it; "" where it names none."""
    found = _SESSION.search(delivery.raw)
    return found[1].decode("utf-8", "replace") if found else ""
