"""Coding sessions feed the agents' memory: what detect has seen becomes Experiences, and these rows of the workspaces.

    events ─Remember─▶ Experience (store) ─▶ experiences, debugging (tables of the workspace they belong to)

The second step is done at least once: a row is named by its event, and told anew it takes the old one's place.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hivemind_cli.app.agent_memory import AgentMemory
from hivemind_cli.core.clock import Clock
from hivemind_cli.core.errors import ConfigError, CursorMoved, HivemindError, TablesError
from hivemind_cli.core.records import Experience, ExperienceKind
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.experience import NAME, Reconsider, Remember
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    from hivemind_cli.tables.workspace import Workspace

logger = logging.getLogger(__name__)

STAGE = "experience_tables"
"""Cursor over Experiences: up to where they stand in the tables."""
ROWS = 200
"""Given at once."""
AGAIN_S = 30.0
"""After the tables could not be written, or the embedding model is not there yet."""


class Remembering:
    """Any thread may run it; one at a time does each of the two steps, the second on a thread of its own."""

    def __init__(
        self, store: Store, memory: AgentMemory, *, clock: Clock, pause: Callable[[], object] = lambda: None
    ) -> None:
        """`pause` returns once no hook asks."""
        self._store, self._memory = store, memory
        self._clock, self._pause = clock, pause
        self._stage, self._again = Remember(), Reconsider()
        self._remembering, self._feeding = threading.Lock(), threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="remember")
        self._under_way: Future[None] | None = None
        self._told, self._fed = 1, 0
        """How often there may have been new Experiences, written by `run`; and up to which of it the tables have them,
        written by the thread that feeds them."""
        self._retry_at = 0.0
        """Monotonic."""
        self._closed = False

    def run(self) -> int:
        """One batch of events, as far as detect has seen them; how many. The tables follow by themselves."""
        with self._remembering:
            moved = self._remember()
            self._told += moved > 0
            if self._wanting() and not self.busy():
                self._under_way = self._pool.submit(self._feed_all)
            return moved

    def busy(self) -> bool:
        """Are the tables being fed?"""
        return self._under_way is not None and not self._under_way.done()

    def wait(self, seconds: float | None = None) -> bool:
        """Until they are, as far as they can be, or for so long; are they?"""
        running = self._under_way
        if running is not None and wait([running], timeout=seconds).not_done:
            return False
        if self._wanting():  # told of while the last feeding came to its end
            self._feed_all()
        return True

    def _wanting(self) -> bool:
        return self._told > self._fed and not self._closed and time.monotonic() >= self._retry_at

    def close(self) -> None:
        """Finish the batch under way, and no more. Idempotent."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def forgetting(self, host: str, session_id: str) -> Iterator[None]:
        """While the store lets go of a session: its rows are gone before, and none comes back meanwhile."""
        with self._remembering, self._feeding:
            if self._store.cursor(STAGE):
                self._forget(host, session_id)
            yield

    def _remember(self) -> int:
        ahead = self._store.cursor(Detect.name) - self._store.cursor(NAME)
        if ahead <= 0:
            return run_once(self._again, self._store, clock=self._clock)
        self._pause()
        return run_once(self._stage, self._store, clock=self._clock, limit=min(ahead, self._stage.batch_size))

    def _feed_all(self) -> None:
        try:
            while self._wanting():
                self._pause()
                told = self._told  # what is stored after this is looked for again
                with self._feeding:
                    self._fed = self._fed if self._feed() else told
        except Exception:  # the thread's own boundary: the loop goes on, and it is tried again
            logger.exception("experiences wait for %.0f s", AGAIN_S)
            self._retry_at = time.monotonic() + AGAIN_S

    def _feed(self) -> bool:
        """Give the next rows to the tables; may there be more?"""
        start = self._store.cursor(STAGE)
        rows = self._store.find(Experience, after=start, limit=ROWS)
        if not rows:
            return False
        newest = {(row.record.workspace_id, row.record.kind, row.record.event_id): row.record for row in rows}
        told: dict[str, list[Experience]] = {}
        for one in newest.values():
            told.setdefault(one.workspace_id, []).append(one)
        try:
            for workspace, found in told.items():
                self._give(workspace, found)
            self._store.commit(STAGE, [], cursor_from=start, cursor_to=rows[-1].seq)
        except CursorMoved:
            return True
        except ConfigError:  # this store has no tables beside it
            return False
        except HivemindError as exc:
            logger.warning("experiences wait for %.0f s: %s", AGAIN_S, exc)
            self._retry_at = time.monotonic() + AGAIN_S
            return True
        return len(rows) == ROWS

    def _give(self, name: str, found: Sequence[Experience]) -> None:
        from hivemind_cli.tables import debugging, experiences

        attempts = [_attempt(one) for one in found if one.kind is ExperienceKind.ATTEMPT]
        fixes = [_fix(one) for one in found if one.kind is ExperienceKind.FIX]
        try:
            workspace = self._memory.opened().workspace(name)
            _put(workspace, experiences.NAME, experiences.COLUMNS, attempts)
            _put(workspace, debugging.NAME, debugging.COLUMNS, fixes)
        except TablesError as exc:  # a table of the person's own has the name: theirs stays, ours is not made
            logger.warning("what sessions told is not kept in the workspace %s: %s", name, exc)

    def _forget(self, host: str, session_id: str) -> None:
        from hivemind_cli.core.records import DEFAULT_WORKSPACE
        from hivemind_cli.tables.forgetting import forget_session

        workspace = self._memory.opened().workspace(DEFAULT_WORKSPACE)
        for table in forget_session(workspace.engine, host, session_id):
            workspace.sidecars.forget(table)


def _put(workspace: "Workspace", name: str, columns: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        workspace.own_table(name, columns, ("id",))
        given = {column: [_without_nul(row[column]) for row in rows] for column in rows[0]}
        workspace.insert_own(name, given, instead=("id", given["id"]))


def _attempt(one: Experience) -> dict[str, Any]:
    return {
        **_both(one),
        "task": one.task,
        "approach": one.approach,
        "tools_used": list(one.tools_used),
        "outcome": one.outcome.value,
        "score": one.score,
        "lessons": one.lessons,
        "duration_s": one.duration_s,
        "tokens": one.tokens or None,
    }


def _fix(one: Experience) -> dict[str, Any]:
    from hivemind_cli.tables.debugging import about

    task = one.task or one.error_trace.partition("\n")[0]
    return {
        **_both(one),
        "task": task,
        "outcome": one.approach,
        "tools_used": ", ".join(one.tools_used),
        "sure": one.score,
        "about": about(task, one.error_trace, one.approach),
    }


def _both(one: Experience) -> dict[str, Any]:
    return {
        "id": one.event_id,
        "error_trace": one.error_trace,
        "metadata": {**one.metadata, "experience_id": one.id},
        "occurred_at": one.occurred_at,
        "host": one.host,
        "session_id": one.session_id,
        "project_id": one.project_id,
        "author": one.author,
    }


def _without_nul(value: Any) -> Any:
    """No text of a table holds a NUL; what a program printed may."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(inner) for key, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, (list, tuple)) else value
