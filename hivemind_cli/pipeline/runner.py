"""Gives each stage its next batch and commits what comes of it: the only place where cursors move.

After a crash a batch is done or done again, never half. One bad record never stops the loop: it is skipped
with a Notice, and stays stored.
"""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol, TypeVar

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import CursorMoved, ProviderUnavailable, StoreError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import Notice, Record
from hivemind_cli.storage.base import Row, Store

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

_WAIT_FIRST_S = 1.0
_WAIT_MAX_S = 300.0
_NOT_THE_BATCH = (StoreError, ProviderUnavailable, MemoryError)
"""Failures of the world, not of a record: the same batch may succeed later."""


class Stage(Protocol[R]):
    """Reads one kind of record and writes others. Stages never call each other; they meet in the store."""

    name: str
    reads: type[R]
    batch_size: int

    def step(self, batch: Sequence[Row[R]], store: Store) -> Sequence[Record]:
        """What comes of `batch`: never empty, in seq order. May be slow, may look back, never writes.

        Safe to repeat: the same batch gives records with the same ids. ProviderUnavailable: later.
        """


def run_once(stage: Stage[R], store: Store, *, clock: Clock = system_clock) -> int:
    """Give `stage` its next batch. How many records it took; 0: caught up, or another run was quicker.

    StoreError, ProviderUnavailable: nothing moved, the same batch comes again.
    """
    start = store.cursor(stage.name)
    batch = store.find(stage.reads, after=start, limit=stage.batch_size)
    if not batch:
        return 0
    try:
        outputs = stage.step(batch, store)
    except _NOT_THE_BATCH:
        raise
    except Exception:
        logger.exception("stage=%s failed on a batch of %d; it is given one by one", stage.name, len(batch))
        outputs = _one_by_one(stage, batch, store, clock)
    try:
        store.commit(stage.name, outputs, cursor_from=start, cursor_to=batch[-1].seq)
    except CursorMoved:
        logger.info("stage=%s was run by another meanwhile; its work is dropped here", stage.name)
        return 0
    return len(batch)


def run_all(stages: Sequence[Stage[Any]], store: Store, limit_rounds: int = 1, *, clock: Clock = system_clock) -> int:
    """Run `stages` in order, at most `limit_rounds` times, until all are caught up; how many records were taken.

    A stage that fails does not keep the others waiting; the first failure is raised when all had their turn.
    """
    total = 0
    for _ in range(limit_rounds):
        moved = 0
        failure: Exception | None = None
        for stage in stages:
            try:
                moved += run_once(stage, store, clock=clock)
            except Exception as exc:  # noqa: BLE001  raised below
                failure = failure or exc
        if failure is not None:
            raise failure
        total += moved
        if not moved:
            break
    return total


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stage that failed and is left alone for a while."""

    failures: int
    retry_at: float
    """Seconds, monotonic."""
    error: Exception


class Runner:
    """`run_all` for a process that stays: a stage that fails waits 1, 2, 4 ... 300 s, and the others go on."""

    def __init__(
        self,
        stages: Sequence[Stage[Any]],
        *,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages = tuple(stages)
        self._clock = clock
        self._monotonic = monotonic
        self.waiting: dict[str, Waiting] = {}
        """By stage name; empty while all is well."""

    def work(self, store: Store) -> int:
        """One batch for each stage that is not waiting; how many records were taken. Never raises for a stage."""
        moved = 0
        for stage in self._stages:
            waiting = self.waiting.get(stage.name)
            if waiting is not None and self._monotonic() < waiting.retry_at:
                continue
            try:
                moved += run_once(stage, store, clock=self._clock)
            except Exception as exc:  # noqa: BLE001  kept in `waiting`, for status
                self._postpone(stage.name, exc)
            else:
                self.waiting.pop(stage.name, None)
        return moved

    def next_due(self) -> float | None:
        """Seconds until a waiting stage is tried again; None: none waits."""
        if not self.waiting:
            return None
        return max(min(waiting.retry_at for waiting in self.waiting.values()) - self._monotonic(), 0.0)

    def _postpone(self, name: str, exc: Exception) -> None:
        before = self.waiting.get(name)
        failures = before.failures + 1 if before else 1
        wait_s = min(_WAIT_FIRST_S * 2.0 ** (failures - 1), _WAIT_MAX_S)
        self.waiting[name] = Waiting(failures, self._monotonic() + wait_s, exc)
        expected = isinstance(exc, _NOT_THE_BATCH)
        logger.warning("stage=%s waits %.0f s: %s", name, wait_s, exc, exc_info=None if expected else exc)


def _one_by_one(stage: Stage[R], batch: Sequence[Row[R]], store: Store, clock: Clock) -> list[Record]:
    """What comes of each record alone; one Notice for each fault among those that fail even so."""
    outputs: list[Record] = []
    faults: dict[str, list[Row[R]]] = {}
    for row in batch:
        try:
            outputs.extend(stage.step([row], store))
        except _NOT_THE_BATCH:
            raise
        except Exception as exc:  # noqa: BLE001  told by the Notice; the batch's own traceback is in the log
            faults.setdefault(_fault(exc), []).append(row)
    outputs.extend(_notice(stage.name, fault, rows, clock) for fault, rows in faults.items())
    return outputs


def _fault(exc: Exception) -> str:
    """Type and place, without the message: "KeyError at structural.py:120"."""
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(exc).__name__}{place}"


def _notice(stage: str, fault: str, rows: Sequence[Row[R]], clock: Clock) -> Notice:
    first = rows[0].record
    count = "1 record was" if len(rows) == 1 else f"{len(rows)} records were"
    return Notice(
        id=derived_id(first.occurred_at, "stage_failed", stage, fault, first.id),
        workspace_id=first.workspace_id,
        occurred_at=clock(),
        about="stage_failed",
        text=f"{count} skipped by {stage}: {fault}. Nothing is lost: they stay stored.",
        fix="Please report it with the daemon's log (`hivemind doctor` says where it is).",
        subject=first.id,
    )
