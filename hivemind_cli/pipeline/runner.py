"""Gives a stage its next batch and commits what comes of it: records and cursor in one transaction.

`run_once` moves the cursor of every Stage (detect, feedback, codify). Capture reads files, not records, and
publishing writes files: they commit cursors of their own. When to run whom, and how long a stage that failed waits,
the daemon decides.

After a crash a batch is done or done again, never half. One bad record never stops the loop: it is skipped
with a Notice, and stays stored.
"""

import logging
import traceback
from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol, TypeVar

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import CursorMoved, ProviderUnavailable, StoreError, VersionTaken
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import Notice, Record
from hivemind_cli.storage.base import Row, Store

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

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


def run_once(stage: Stage[R], store: Store, *, clock: Clock = system_clock, limit: int | None = None) -> int:
    """Give `stage` its next batch, or `limit` records. How many it took; 0: caught up, or another run was quicker.

    StoreError, ProviderUnavailable: nothing moved, the same batch comes again. A skill that somebody else changed
    meanwhile (VersionTaken) is such a failure only if that happens again and again: before, the stage reads anew.
    """
    start = store.cursor(stage.name)
    batch = store.find(stage.reads, after=start, limit=limit or stage.batch_size)
    if not batch:
        return 0
    for tried in (batch, batch):
        try:
            return _run(stage, tried, store, start, clock)
        except VersionTaken as taken:
            logger.info("stage=%s reads again: %s", stage.name, taken.what)
    return _run(stage, batch[:1], store, start, clock)  # what comes of one record cannot meet what comes of another


def _run(stage: Stage[R], batch: Sequence[Row[R]], store: Store, start: int, clock: Clock) -> int:
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
        fix="Please report it with what `hivemind daemon log` shows.",
        subject=first.id,
    )
