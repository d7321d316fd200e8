"""The judge: a model decides what the detector was unsure of. Asked in batches, capped, outside of the agent's turn.

    corrections in the band, never judged ─▶ one request for up to 20 turns ─▶ a Judgement for each answer that holds

A call that fails leaves no Judgement: it is neither a yes nor a no. New corrections come before old ones, and of the
old ones the newest first; two cursors remember how far it came in both directions, so that each turn is sent once.
What an import found in past sessions is sent only when a person says so (`run_on`): it may be years.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hivemind_cli.core.caller import caller_left
from hivemind_cli.core.clock import Clock, from_ns, system_clock
from hivemind_cli.core.errors import CursorMoved, HivemindError, ProviderError, ProviderUnavailable
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import DEFAULT_WORKSPACE, Correction, CorrectionKind, Judgement, LLMCall, Notice, Record
from hivemind_cli.llm.base import Provider
from hivemind_cli.llm.meter import CapReached, Resting
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.evidence import of_history
from hivemind_cli.pipeline.judge_prompt import PURPOSE, Asked, answers_in, asked, batches, request_for
from hivemind_cli.storage.base import Row, Store

logger = logging.getLogger(__name__)

FORWARD, BACK = "judge", "judge_back"
"""Cursors: up to where new corrections were judged; and down to where old ones were, that one included."""
CALLS_A_RUN_MAX = 5
"""Then codify has its turn."""
RETRY_FIRST, RETRY_MAX = timedelta(minutes=5), timedelta(hours=6)
_READ = 200
_WORDLESS = (CorrectionKind.TOOL_RETRY, CorrectionKind.RED_AFTER_DONE, CorrectionKind.REDO)
"""Their words, if any, are no rule whatever a model says."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    calls: int = 0
    turns: int = 0
    """Sent with an answer."""
    judged: int = 0
    """Judgements made; the others of `turns` got no answer that holds."""
    stopped: str = ""
    """Why it ended before all were sent, in words; "" if it did not."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Turns, and the cursor that moves once they were sent."""

    turns: list[Asked]
    stage: str
    cursor_from: int
    cursor_to: int


class Judge:
    """Asks `provider` (metered) about what lies in `band`, at most `calls_day_max` times a UTC day.

    band  probability [from, below) in which the detector is unsure
    One run at a time, whichever thread asks for it; none raises what a provider does.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        calls_day_max: int,
        band: tuple[float, float] = (judged.PASS_MIN, judged.SHOWN_MIN),
        clock: Clock = system_clock,
    ) -> None:
        self.provider = provider
        self._calls_day_max = calls_day_max
        self._band = band
        self._clock = clock
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._left = True
        """May there be turns that were never sent?"""
        self._failures = 0
        self._retry_at = from_ns(0)
        self._refused: _Batch | None = None
        """What got no usable answer the last time: the second time it is passed over."""

    def due(self) -> bool:
        """Is there, for all it knows, something that can be asked now?"""
        return self._left and self._clock() >= self._retry_at

    def leave(self) -> None:
        """Begin no further request: the process ends. What is stopped in its middle was no failure."""
        self._leaving.set()

    def run(self, store: Store, *, calls_max: int = CALLS_A_RUN_MAX) -> Ran:
        """Judge what was never sent, with at most `calls_max` requests."""
        with self._lock:
            ran = Ran()
            if self._clock() < self._retry_at:
                return replace(ran, stopped="the provider is asked again later")
            while ran.calls < calls_max and not self._leaving.is_set():
                batch = self._next(store)
                self._left = batch is not None
                if batch is None:
                    return ran
                try:
                    found = self._judgements(batch.turns, store)
                except ProviderError as exc:
                    self._failed(exc, batch, store)
                    return replace(ran, stopped=str(exc))
                self._failures, self._refused = 0, None
                if not _committed(store, batch, found):
                    return replace(ran, stopped="another run was quicker")
                ran = replace(
                    ran, calls=ran.calls + 1, turns=ran.turns + len(batch.turns), judged=ran.judged + len(found)
                )
            return ran

    def run_on(self, store: Store, turns: Sequence[Asked]) -> Ran:
        """Judge these now, whenever they were sent before; what was judged so far stays if it is stopped."""
        ran = Ran()
        with self._lock:
            for batch in batches(turns):
                if self._leaving.is_set():
                    return replace(ran, stopped="the daemon ends")
                if caller_left():
                    return replace(ran, stopped="nobody waits for it any more")
                said = judged.of_turns(store, {one.correction.reaction_event_id for one in batch})
                left = [one for one in batch if _is_open(one.correction, said)]
                if not left:  # another run asked while this one waited for it
                    continue
                try:
                    found = self._judgements(left, store)
                except ProviderError as exc:
                    return replace(ran, stopped=str(exc))
                store.append(found)
                ran = replace(ran, calls=ran.calls + 1, turns=ran.turns + len(left), judged=ran.judged + len(found))
        return ran

    def pending(self, store: Store, limit: int) -> list[Asked]:
        """The newest `limit` turns in the band that nobody has judged, sent before or not."""
        found: list[Asked] = []
        until: int | None = None
        while len(found) < limit:
            rows = store.find(Correction, until=until, newest_first=True, limit=_READ)
            if not rows or until == 0:
                break
            until = rows[-1].seq - 1
            unsure = self._unsure(rows, store)
            found += [turn for row in rows if row.seq in unsure and (turn := asked(row.record, store))]
        return found[:limit]

    def calls_left(self, store: Store) -> int:
        """Of today."""
        midnight = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        return max(self._calls_day_max - store.count(LLMCall, purpose=PURPOSE, since=midnight), 0)

    def _judgements(self, turns: list[Asked], store: Store) -> list[Judgement]:
        """What the model says of these turns. ProviderError: it was not asked, or said nothing that can be used."""
        if not self.calls_left(store):
            why = (
                f"{self._calls_day_max} calls of the judge were made today, the most `llm.judge_calls_day_max` allows."
            )
            raise CapReached("No model judges any more today.", why=why, fix="It goes on at 00:00 UTC.")
        request, marked = request_for(turns)
        try:
            reply = self.provider.complete(request)
        except HivemindError:
            raise
        except Exception as exc:  # a provider's own mistake must not keep codify from its turn
            logger.exception("the provider failed")
            raise ProviderError(f"The provider failed: {type(exc).__name__}.") from exc
        by = f"{self.provider.name}/{reply.model}"
        answers = answers_in(reply.value, marked)
        if not answers:
            raise ProviderError("The model's answer is about none of the turns it was asked about.")
        logger.info("judged turns=%d answers=%d by=%s cost_usd=%.4f", len(turns), len(answers), by, reply.cost_usd)
        now = self._clock()
        return [
            Judgement(
                id=derived_id(one.correction.occurred_at, "judgement", by, one.correction.id),
                workspace_id=one.correction.workspace_id,
                project_id=one.correction.project_id,
                host=one.correction.host,
                session_id=one.correction.session_id,
                occurred_at=now,
                event_id=one.correction.reaction_event_id,
                correction_id=one.correction.id,
                by=by,
                said=one.said,
                durable=one.durable,
                reason=one.reason,
            )
            for one in answers
        ]

    def _failed(self, exc: ProviderError, batch: _Batch, store: Store) -> None:
        """Wait; and pass over what has now twice got no usable answer, so that it does not block the rest."""
        if self._leaving.is_set():
            return
        now = self._clock()
        logger.warning("nothing was judged: %s", exc)
        if isinstance(exc, CapReached):
            self._retry_at = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            return
        if isinstance(exc, Resting):
            self._retry_at = exc.until
            return
        self._retry_at = now + min(RETRY_FIRST * 2**self._failures, RETRY_MAX)
        self._failures = min(self._failures + 1, 10)
        if isinstance(exc, ProviderUnavailable):
            return
        notice = Notice(
            id=derived_id(from_ns(0), "judge_failed", now.date().isoformat()),
            workspace_id=DEFAULT_WORKSPACE,
            occurred_at=now,
            about="judge_failed",
            text=f"A model was asked what some turns are, in vain. {exc.what} {exc.why}".strip(),
            fix=exc.fix or "Nothing was decided by it. `hivemind corrections judge` asks again.",
        )
        again = self._refused is not None and (self._refused.stage, self._refused.cursor_from) == (
            batch.stage,
            batch.cursor_from,
        )
        self._refused = None if again else batch
        if again:
            _committed(store, batch, [notice])
        else:
            store.append([notice])

    def _next(self, store: Store) -> _Batch | None:
        """The next turns that were never sent. What needs no judgement is passed over on the way."""
        if not self._begun(store):
            return None
        for stage in (FORWARD, BACK):
            while True:
                start = store.cursor(stage)
                if stage == FORWARD:
                    rows = store.find(Correction, after=start, limit=_READ)
                else:
                    rows = store.find(Correction, until=start - 1, newest_first=True, limit=_READ)
                if not rows:
                    break
                batch = self._first(rows, stage, start, store)
                if batch.turns:
                    return batch
                if not _committed(store, batch, []):
                    return None
        return None

    def _first(self, rows: Sequence[Row[Correction]], stage: str, start: int, store: Store) -> _Batch:
        """As many of `rows` as one request holds; the cursor goes behind the last that was looked at."""
        unsure = self._unsure(rows, store)
        past = of_history([row.record for row in rows if row.seq in unsure], store)
        unsure -= {row.seq for row in rows if row.record.id in past}
        turns: list[Asked] = []
        end = start
        for row in rows:
            turn = asked(row.record, store) if row.seq in unsure else None
            if turn and len(next(batches([*turns, turn]))) == len(turns):
                break
            turns += [turn] if turn else []
            end = row.seq
        return _Batch(turns, stage, start, end)

    def _begun(self, store: Store) -> bool:
        """Put the cursors where new and old meet, at the first run. False: there is nothing yet."""
        if store.cursor(BACK):
            return True
        newest = store.find(Correction, newest_first=True, limit=1)
        if not newest:
            return False
        start = store.cursor(FORWARD)
        store.commit(FORWARD, [], cursor_from=start, cursor_to=newest[0].seq)
        store.commit(BACK, [], cursor_from=0, cursor_to=newest[0].seq + 1)
        return True

    def _unsure(self, rows: Sequence[Row[Correction]], store: Store) -> set[int]:
        """The seqs of those in the band that nobody has judged."""
        lowest, below = self._band
        inside = [row for row in rows if lowest <= row.record.confidence < below and row.record.kind not in _WORDLESS]
        said = judged.of_turns(store, {row.record.reaction_event_id for row in inside})
        return {row.seq for row in inside if _is_open(row.record, said)}


def _is_open(correction: Correction, said: Mapping[str, Sequence[Judgement]]) -> bool:
    """Has no model judged it, nor a person known what it is?"""
    about = [one for one in said.get(correction.reaction_event_id, ()) if judged.about(one, correction)]
    return judged.counting(about) is None and all(one.by == judged.PERSON for one in about)


def _committed(store: Store, batch: _Batch, outputs: Sequence[Record]) -> bool:
    """Store `outputs` and move the batch's cursor; False if another run did meanwhile."""
    try:
        store.commit(batch.stage, outputs, cursor_from=batch.cursor_from, cursor_to=batch.cursor_to)
    except CursorMoved:
        return False
    return True
