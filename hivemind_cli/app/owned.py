"""The owner: the one object that holds the store and the indexes, and turns the loop. Lives in the daemon."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

from hivemind_cli.app import given
from hivemind_cli.app.agent_memory import AgentMemory
from hivemind_cli.app.answering import Answering
from hivemind_cli.app.backtest import Backtest
from hivemind_cli.app.catching_up import CATCH_UP_EVENTS_MAX, CatchingUp
from hivemind_cli.app.due import codify_due
from hivemind_cli.app.installing import installed_dirs
from hivemind_cli.app.intake import ELSEWHERE, Intake
from hivemind_cli.app.machine import machine_key, this_person
from hivemind_cli.app.precedence import Precedence
from hivemind_cli.app.publishing import Publishing
from hivemind_cli.app.remembering import Remembering
from hivemind_cli.app.rules import RulesFiles
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.app.silent import Silent
from hivemind_cli.app.skill_tests import Retests
from hivemind_cli.app.verbs import Verbs
from hivemind_cli.core.child import stop_all
from hivemind_cli.core.clock import Clock, from_ns, system_clock
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import kept_workspaces
from hivemind_cli.core.records import DEFAULT_WORKSPACE, Event, Moment, Notice, Project
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.base import Host
from hivemind_cli.index import snapshot
from hivemind_cli.index.base import Document
from hivemind_cli.index.fresh import FreshFirst
from hivemind_cli.llm.base import Provider
from hivemind_cli.llm.kept import Answers
from hivemind_cli.llm.meter import Metered
from hivemind_cli.pipeline import indexing
from hivemind_cli.pipeline.capture import Capture, Person
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.codify.reconsider import Reconsider, Withdraw
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.feedback import Feedback
from hivemind_cli.pipeline.judging import Judge
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.runner import Stage, run_once
from hivemind_cli.pipeline.spool import Spool
from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

CHUNK = 256
"""Deliveries captured for one hold of the lock, and in one commit: some 60 ms. Of 64, two fifths was the commit."""
CHUNK_PAUSE_S = 0.05
"""Between two chunks, while questions are answered."""
FLOOD_EVENTS = 48
"""Stored events detected at once, some 20 ms: a question goes first, and while deliveries wait so do they."""
LET_IN_S = 0.001
"""Between two batches of a flood: who waits for the lock gets it, though the same thread would take it again."""
CLOSE_WAIT_S = 2.0
"""For a codification under way, before its model is stopped."""
RECEIPT_WAIT_S = 1.0
"""For a command's call that was stopped to be written down."""
CODIFY_AGAIN = timedelta(minutes=5)
"""After a failure."""
WEIGHTS_S = 300.0
"""Between two looks at what is rare in the person's prompts: what depends on it is then worked out anew."""


class OwnedHivemind:
    """Captures, detects, codifies, recalls. Fulfils the daemon's Owner protocol."""

    def __init__(
        self,
        *,
        paths: Paths,
        config: Config,
        store: Store,
        sidecars: Sidecars,
        provider: Provider | None = None,
        answers: Answers | None = None,
        hosts: dict[str, Host] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        paths.make()
        self.paths, self.config, self.store = paths, config, store
        self.sidecars, self.index = sidecars, sidecars.index
        embedder = sidecars.embedder
        self._hosts, self._clock = HOSTS if hosts is None else hosts, clock
        days = config.capture.quarantine_days
        self._spool = Spool(paths, quarantine_days=days)
        kept, person = kept_workspaces(paths), this_person()
        self._capture = Capture(
            paths, config, self._hosts, person, machine_key(paths), kept, installed_dirs(paths, self._hosts)
        )
        self.provider = provider
        """Who is asked, if anybody; metered."""
        self.answers = answers or Answers(paths.answers)
        """What it answered in a batch of codify that has not ended."""
        self.model = embedder.name if embedder else ""
        """The embedding model's name."""
        self._precedence = Precedence()
        self._codify, self._codify_history = (self._codifier(history=history) for history in (False, True))
        calls = config.llm.judge_calls_day_max
        self.judge = Judge(provider, calls_day_max=calls, clock=clock) if provider and calls else None
        self.detecting = Detect(embedder)
        self._backtest = Backtest(store, self._precedence.give_way)
        self._retests = self._retester()
        self._publishing = Publishing(paths, store, self.index, self._hosts, clock)
        self._intake = Intake(self._spool, self._capture, store, self._hosts, clock, quarantine_days=days)
        self._flooded = False
        """Were there more stored events than one turn of detection took?"""
        self._turning = threading.RLock()
        """Held while records move, so that two threads never take the same batch."""
        self._catching_up = CatchingUp(
            self._spool, self._intake, self._turning, detect=self._detect, flooded=lambda: self._flooded
        )
        self._answering = self._answerer(person, kept)
        self.memory = AgentMemory(paths, store, embedder, provider, config.llm.evaluate_calls_day_max)
        self.remembering = Remembering(store, self.memory, clock=clock, pause=self._precedence.give_way)
        self._verbs = Verbs(self, self._answering)
        self._codifying: Future[None] | None = None
        self._one_codifies = threading.Lock()
        self._codify_after, self._weighed_at = datetime.min.replace(tzinfo=UTC), 0.0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="codify")
        self._snapshot_stale, self._snapshot_lock = True, threading.Lock()
        self._cold: list[Document] = []
        """Documents whose act was not yet looked up in the person's history."""
        idle = timedelta(minutes=config.codify.idle_minutes)
        self._silent = Silent(store, idle=idle, pause=self._precedence.give_way)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """Know what a recall needs; what waits is worked on later."""
        self._refresh_weights()
        self._refresh_standing()
        self._flooded = self._backlog() > CATCH_UP_EVENTS_MAX
        if not self._index_new():
            self._index_changed()
        self.sidecars.follow(self.store, self._precedence.give_way)

    def _codifier(self, *, history: bool) -> Codify:
        return Codify(
            self.provider,
            publish=self.config.codify.publish,
            applies_min=self.config.recall.applies_min,
            embedding=self.model,
            rules=RulesFiles(self.store, self.paths).of_project,
            pause=self._precedence.give_way,
            history=history,
        )

    def _retester(self) -> Retests:
        pause, least = self._precedence.give_way, self.config.recall.applies_min
        return Retests(self.store, applies_min=least, model=self.model, clock=self._clock, pause=pause)

    def _answerer(self, person: Person, kept: dict[str, str]) -> Answering:
        return Answering(
            paths=self.paths,
            config=self.config,
            store=self.store,
            sidecars=self.sidecars,
            hosts=self._hosts,
            person=person,
            backtest=self._backtest,
            catch_up=self._catching_up.before_answer,
            taken=self._intake.recent.get,
            announce=self._publishing.announce,
            clock=self._clock,
            kept_workspaces=kept,
        )

    # The daemon's Owner protocol

    def drain(self, limit: int = 500) -> int:
        """Capture pending deliveries, a few for each hold of the lock, questions first; how many."""
        listed = taken = 0
        while listed < limit:
            with self._turning:
                files = self._spool.first(min(CHUNK, limit - listed))
                taken += self._catching_up.take(files, stop=self._precedence.asked)
            listed += len(files)
            if len(files) < CHUNK:
                break
            self._precedence.give_way(CHUNK_PAUSE_S)
        if taken:
            self.sidecars.wake()
        return taken

    def look(self, seconds: float) -> bool:
        """Capture and detect what was delivered until now, as far as that goes in so many seconds; was it all?"""
        until = time.monotonic() + seconds
        if not self._turning.acquire(timeout=seconds):  # an import's batch is being worked on
            return False
        try:
            while self.drain(CATCH_UP_EVENTS_MAX) or (self._detect(CATCH_UP_EVENTS_MAX) and self._flooded):
                if time.monotonic() >= until:
                    return False
            return True
        finally:
            self._turning.release()

    def work(self) -> int:
        """Detect, index, feed back, publish; start codifying if it is due. How many records moved.

        Of a flood one batch is detected, and the rest waits for the next call: the lock is never held for long.
        """
        with self._turning:
            moved, flooded = self._detect(FLOOD_EVENTS), self._flooded
            if not flooded:
                self._catching_up.looked()
                moved += run_once(Withdraw(), self.store) + run_once(Feedback(), self.store)
                self._refresh_standing()
                moved += self._publishing.run()
                cold, self._cold = self._cold, []
        if flooded:
            time.sleep(LET_IN_S)
            self._precedence.give_way(CHUNK_PAUSE_S)
            return moved
        if isinstance(self.index, FreshFirst):
            self.index.flush()
        self._backtest.warm(cold)  # reads much: neither locked, nor while a hook waits
        moved += self.remembering.run()
        self._start_codifying()
        return moved

    def answer(self, name: str) -> bytes:
        """What the hook prints for its delivery."""
        with self._precedence.question():
            return self._answering.answer(name)

    def after_answer(self, name: str, *, delivered: bool = True, later: bool = False) -> None:
        """Store what was decided, and the event it was decided at; `later`: with the next `drain`."""
        recall = self._answering.after_answer(name, delivered=delivered)
        self._catching_up.after_answer(name, recall, later=later)
        if recall and recall.moment is Moment.SESSION_START:
            with self._turning:
                begun = self.store.find(Event, id=recall.event_id, limit=1)
                self._publishing.sync(begun[0].record.cwd if begun else "")

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        """A command's request."""
        return self._verbs.call(verb, args)

    def busy(self) -> bool:
        """Is a codification under way or soon due, or is what is derived behind?"""
        codifying = self._codifying is not None and not self._codifying.done()
        running = codifying or self.sidecars.busy() or self.remembering.busy()
        due = codify_due(self.store, self.config, self._clock())
        return running or due.waiting or due.now or due.passing or self._judge_due()

    def next_due(self) -> float | None:
        """Seconds until there is something to codify or to judge."""
        now = self._clock()
        due = codify_due(self.store, self.config, now)
        at_once = due.now or due.passing or self._judge_due()
        return max((self._codify_after - now).total_seconds(), 1.0) if at_once else due.in_seconds

    def tick(self, now: datetime) -> None:
        """Chores: sweep the spool, notice edited skills, expire memos, publish the snapshot."""
        self._spool.sweep(now)
        self.answers.sweep()
        given.sweep(self.paths, now)
        with self._turning:
            self._publishing.observe()
            if indexing.expire_memos(self.store, self.index):
                self._index_changed()
            self._detect()
        self._silent.judge(now)
        if self._retests.run():
            with self._turning:
                self._index_new()
                self._publishing.run()
        if time.monotonic() - self._weighed_at >= WEIGHTS_S:
            self._refresh_weights()
        self._refresh_standing()
        self._publish_snapshot()

    def rest(self) -> None:
        """Tidy up, and give memory back, but in a flood."""
        if not self._spool.more_than(CHUNK):
            self.store.rest()
            self.memory.rest()

    def close(self) -> None:
        """Finish what is under way, publish the snapshot, release everything. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self.judge is not None:
            self.judge.leave()
        if self._codifying is not None:
            wait([self._codifying], timeout=CLOSE_WAIT_S)
        stop_all()  # a model that still thinks: its draft is made without it, and a command is told
        self._pool.shutdown(wait=True, cancel_futures=True)
        if isinstance(self.provider, Metered):
            self.provider.finish(RECEIPT_WAIT_S)
        try:
            self._publish_snapshot()
        except (HivemindError, OSError):
            logger.exception("the snapshot could not be published")
        self.sidecars.close()
        self.remembering.close()
        self.memory.close()
        self.store.close()

    # What commands ask of the owner, through verbs.py

    def codify(self, *, history: bool = False) -> None:
        """Judge what is unsure, turn new corrections into skills, and write those that are live.

        history  also those corrections that imports found
        """
        with self._one_codifies:  # else two would ask a model about the same corrections
            self._codify_all(history)
        with self._turning:
            self._index_new()
            self._publishing.run()
        self._publish_snapshot()

    def _codify_all(self, history: bool) -> None:
        if self.judge is not None:
            self.judge.run(self.store)
        reconsider = Reconsider(self._codify)
        for stage in (self._codify, self._codify_history) if history else (self._codify,):
            while self._codify_batch(stage):
                pass  # each batch may take a model's time: nothing is locked
        while self._codify_batch(reconsider):
            pass

    def _codify_batch(self, stage: Stage[Any]) -> int:
        with self.answers.batch():
            return run_once(stage, self.store, clock=self._clock)

    def read_all(self) -> None:
        """Capture and detect what was delivered until now. Nothing is codified."""
        while self.drain():
            pass
        moved = 1
        while moved:
            with self._turning:
                moved = self._detect()

    def settle(self, seconds: float | None = None) -> bool:
        """Capture and work until nothing is left, codification included, or for so long; is nothing left?"""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            while self.drain() or self.work():
                if until is not None and time.monotonic() >= until:
                    return False
            left = 600.0 if until is None else max(until - time.monotonic(), 0.0)
            running = self._codifying
            if running is None or running.done():
                return self.remembering.wait(left)
            if wait([running], timeout=left).not_done:
                return False

    def touched(self) -> None:
        """Somebody may have stored records past us."""
        self._intake.undetected[ELSEWHERE] = ELSEWHERE
        self.sidecars.wake()

    def reindex(self, *, texts: bool = True, vectors: bool = False) -> int:
        """Build the index anew from the store; how many documents it holds. The corpus follows in the background.

        texts    the corpus is begun anew, too: after a prune it needs not be
        vectors  these are begun anew, too
        """
        with self._turning:
            self._answering.standing.forget()
            indexing.rebuild(self.store, self.index)
            self._index_changed()
            count = len(self.index.all())
        if texts:
            self.sidecars.rebuild(vectors=vectors)
        return count

    @property
    def spool(self) -> Spool:
        """The deliveries that wait."""
        return self._spool

    @property
    def capture(self) -> Capture:
        """The capture stage, for imports."""
        return self._capture

    # Inside

    def _start_codifying(self) -> None:
        """If it is due, not under way, and did not fail a moment ago."""
        now = self._clock()
        if self._closed or now < self._codify_after or (self._codifying and not self._codifying.done()):
            return
        due = codify_due(self.store, self.config, now)
        while due.passing and run_once(self._codify, self.store, clock=self._clock):
            due = codify_due(self.store, self.config, now)
        if due.now:
            self._codifying = self._pool.submit(self._codify_guarded, self.codify)
        elif self._judge_due():  # no session has ended: what was put right in one that goes on is not codified yet
            self._codifying = self._pool.submit(self._codify_guarded, self._judge_alone)

    def _judge_due(self) -> bool:
        return self.judge is not None and self.judge.due()

    def _judge_alone(self) -> None:
        with self._one_codifies:
            if self.judge is not None:
                self.judge.run(self.store)

    def _codify_guarded(self, codify: Callable[[], None]) -> None:
        try:
            codify()
        except Exception:  # the thread's own boundary: it is logged, waited for, and tried again
            logger.exception("codifying failed; it is tried again in %s", CODIFY_AGAIN)
            now = self._clock()
            self._codify_after = now + CODIFY_AGAIN
            notice = Notice(
                id=derived_id(from_ns(0), "codify_failed", now.date().isoformat()),
                workspace_id=DEFAULT_WORKSPACE,
                occurred_at=now,
                about="codify_failed",
                text="Corrections could not be turned into skills today.",
                fix="They are kept, and tried again. `hivemind daemon log` says what went wrong.",
            )
            self.store.append([notice])

    def _detect(self, events_max: int | None = None) -> int:
        """Under the lock: detect a batch, and once none is left index what was stored since the last time."""
        before = tuple(self._intake.undetected)
        moved = run_once(self.detecting, self.store, limit=events_max)
        self._flooded = moved >= (events_max or self.detecting.batch_size)
        if self._flooded:
            return moved
        moved += self._index_new()
        for name in before:
            self._intake.undetected.pop(name, None)
        return moved

    def _backlog(self) -> int:
        """Stored events that are not detected yet."""
        newest = self.store.find(Event, newest_first=True, limit=1)
        return newest[0].seq - self.store.cursor(Detect.name) if newest else 0

    def _index_new(self) -> int:
        """Under the lock: index what is not yet; how many records that were."""
        indexed = 0
        while seen := indexing.refresh(self.store, self.index):
            indexed += seen
        if indexed:
            self._index_changed()
        return indexed

    def _index_changed(self) -> None:
        documents = self.index.all()
        self._answering.book = ActBook(documents)
        self._cold = documents
        self.sidecars.wake(documents=True)
        self._snapshot_stale = True

    def _refresh_weights(self) -> None:
        self._weighed_at = time.monotonic()
        self._answering.weights = indexing.weights(self.store)

    def _refresh_standing(self) -> None:
        if self._answering.standing.refresh():
            self._snapshot_stale = True

    def _publish_snapshot(self) -> None:
        with self._snapshot_lock:
            if self._snapshot_stale:
                self._snapshot_stale = False
                try:
                    self._write_snapshot()
                except BaseException:
                    self._snapshot_stale = True
                    raise

    def _write_snapshot(self) -> None:
        recall, roots = self.config.recall, [row.record for row in self.store.find(Project)]
        snapshot.publish(
            self.paths.snapshot,
            self.index.all(),
            roots,
            weights_rarity=dict(self._answering.weights.rarity),
            workspace=self.config.workspace or DEFAULT_WORKSPACE,
            applies_min=recall.applies_min,
            limit=recall.limit,
            tokens_max=recall.tokens_max,
            margin_min=recall.margin_min,
            shift=self._answering.shift,
        )
