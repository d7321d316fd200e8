"""The hook's question, answered: read its delivery, catch up with its session, decide, reply, then write down.

Everything the agent waits for happens before the reply; what must be kept is kept after it.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from hivemind_cli.app.backtest import Backtest
from hivemind_cli.app.given import Given, context_of
from hivemind_cli.app.precedence import OneAtATime
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.app.subagents import task_of_call, task_of_start
from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.clock import Clock, from_ns
from hivemind_cli.core.config import Config
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.match import Weights
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import identify, workspace_for
from hivemind_cli.core.records import Event, EventKind, Moment, Outcome, Recall, Verdict
from hivemind_cli.embedding.base import QUERY_TOKENS_MAX
from hivemind_cli.hosts.base import Answer, Host, Seen
from hivemind_cli.hosts.running import Deciding
from hivemind_cli.index.base import Document, Scope
from hivemind_cli.pipeline.capture import Person
from hivemind_cli.pipeline.recall import Ask, Decision, Found, decide, late, said_before, unsayable
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.recall.brief import LATELY, brief, named_at
from hivemind_cli.pipeline.recall.finding import find
from hivemind_cli.pipeline.recall.standing import Standing, shift
from hivemind_cli.pipeline.spool import Delivery, Spool, SpoolFault
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

ASKED_KINDS = {
    Moment.SESSION_START: (EventKind.SESSION_START,),
    Moment.PROMPT: (EventKind.PROMPT,),
    Moment.TOOL_CALL: (EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE),
    Moment.SUBAGENT: (EventKind.SUBAGENT_START,),
}
"""A host that takes no text before a call may take it with the call's result."""
READ_KINDS = (
    EventKind.TOOL_RESULT,
    EventKind.TOOL_FAILURE,
    EventKind.TOOL_DENIED,
    EventKind.REPLY,
    EventKind.PROMPT,
    EventKind.STEER,
)
"""What comes after a batch of calls is over: until then the agent has read none of their results."""
BRIEFED_SOURCES = ("startup", "new", "clear")
"""Starts at which the agent knows nothing yet."""
QUERY_CHARS_MAX = 2000
"""Of the query, kept with the decision."""
MEANING_SHARE = 0.4
"""Of a moment's deadline, that the query's vector may take; later, the words alone decide."""
MEANING_LEFT_MS = 30.0
"""Of the deadline, that must be left when the vector is there."""
BATCH_EVENT = "PostToolBatch"
"""A host with this event tells when the agent has read why a call was denied. Of others it is known by the same call
that comes once more."""


@dataclass(frozen=True, slots=True)
class _Decided:
    recall: Recall
    context: str
    given: tuple[str, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Question:
    """One hook's, read and understood."""

    name: str
    delivery: Delivery
    host: Host
    moment: Moment
    seen: Seen
    scope: Scope
    started: float
    deadline_ms: int
    caught_up: bool

    @property
    def context(self) -> str:
        return context_of(self.seen.session_id, str(self.seen.payload.get("agent_id", "")))

    @property
    def at(self) -> datetime:
        return from_ns(self.delivery.time_ns)

    @property
    def call(self) -> str:
        """The tool call, in full."""
        return json.dumps([self.seen.tool, self.seen.payload.get("input")], sort_keys=True, default=str)

    def left_ms(self) -> float:
        """Until the host goes on without us."""
        return self.deadline_ms - (time.perf_counter() - self.started) * 1000


class Answering:
    """Answers hooks on any thread."""

    def __init__(
        self,
        *,
        paths: Paths,
        config: Config,
        store: Store,
        sidecars: Sidecars,
        hosts: dict[str, Host],
        person: Person,
        backtest: Backtest,
        catch_up: Callable[[str, str, float], bool],
        taken: Callable[[str], Delivery | None],
        announce: Callable[[Scope], str],
        clock: Clock,
        kept_workspaces: dict[str, str],
    ) -> None:
        """`catch_up(session_id, before, seconds)` captures and detects what the session delivered before a file.

        It tells whether that could be done in time. `taken(name)` is a delivery that was captured before the hook
        asked about it.
        """
        self._paths = paths
        self._config = config
        self._store = store
        self._sidecars, self._index = sidecars, sidecars.index
        self._deciding = Deciding(hosts, paths.receipts)
        self._person = person
        self._backtest = backtest
        self._catch_up = catch_up
        self._taken = taken
        self._announce = announce
        self._clock = clock
        self._kept = kept_workspaces
        self._spool = Spool(paths)
        self._decided: dict[str, _Decided] = {}
        self._given = Given(paths)
        self._one_at_a_time = OneAtATime()
        self.standing = Standing(store)
        """What came of each skill before."""
        self.weights = Weights()
        """Replaced as the person's history grows."""
        self.book = ActBook()
        """Replaced whenever the index changes."""

    def answer(self, name: str) -> bytes:
        """What the hook is to print for its delivery `name`; b"" for silence."""
        asked = self._understood(name)
        if asked is None:
            return b""
        ask = self._ask(asked)
        with self._one_at_a_time:
            found = self._find(asked, ask)
            with self._given.lock(asked.host.NAME, asked.context):
                decision = self._decide(asked, ask, found)
                if asked.left_ms() < 0:
                    decision = late(decision)
                if decision.text and not _encoded(asked, decision):
                    decision = unsayable(decision)
                call = asked.call if decision.held else ""
                if not self._given.add(asked.host.NAME, asked.context, decision.given, asked.at, call=call):
                    decision = late(decision)  # what cannot be remembered would be said, or held, again and again
                self._keep(asked, ask, decision)
        notice = self._announce(asked.scope) if _tells_people(asked) else ""
        return _encoded(asked, decision, notice) if decision.text or notice else b""

    def after_answer(self, name: str, *, delivered: bool) -> Recall | None:
        """What was decided for `name`, once the hook has it (or has hung up); to be stored with its event."""
        decided = self._decided.pop(name, None)
        if decided is None:
            return None
        if delivered:
            return decided.recall
        host = decided.recall.host
        with self._given.lock(host, decided.context):
            self._given.take_back(host, decided.context, decided.given)
        silent = late(decided.decision)
        return replace(decided.recall, candidates=silent.candidates, text="", held=False)

    def ask(self, query: str, scope: Scope, act: Act | None = None, *, within_s: float = 2.0) -> Decision:
        """What a prompt, or a call, would bring up now; nothing is given to anybody."""
        moment = Moment.PROMPT if act is None else Moment.TOOL_CALL
        ask = Ask(moment=moment, scope=scope, query=query, act=act, may_hold=act is not None)
        config = replace(self._config.recall, enabled=True)
        found = self._found(ask, partial(self._meaning, within_s=within_s))
        return decide(ask, found, config, book=self.book, tried=self._backtest.tried)

    def shift(self, document: Document) -> float:
        """What moves the log odds of `document` now: what came of it, its scope, its age."""
        now = self._clock()
        told = self.standing.of(document, int(now.timestamp() * 1000))
        return sum(shift(document, told, now).values())

    def _understood(self, name: str) -> _Question | None:
        """The question in the delivery `name`, its session caught up; None where nobody is asked anything."""
        started = time.perf_counter()
        try:
            delivery = self._read(name)
            run = self._deciding.running(
                delivery.host, delivery.event, json.loads(delivery.raw), mark=delivery.mark, cwd=delivery.cwd
            )
            if run is None:
                return None
            host, delivery = run.host, replace(delivery, event=run.event, cwd=run.cwd)
            moment = host.EVENTS[run.event]
            seen = host.decode(run.event, run.payload)
        except (OSError, SpoolFault, KeyError, ValueError, TypeError, AttributeError, RecursionError):
            return None  # capture says what is wrong with it
        one = next((each for each in seen if moment and each.kind in ASKED_KINDS[moment]), None)
        config = self._config.recall
        if moment is None or one is None or not config.enabled:
            return None
        deadline_ms = config.deadline_start_ms if moment is Moment.SESSION_START else config.deadline_ms
        scope = self._scope(delivery)
        if moment is Moment.PROMPT and self.book.speaks_in(scope):
            words = str(
                one.payload.get("text", "")
            ).strip()  # what finding.py will ask for; meanwhile there is other work
            self._sidecars.expect(words, tokens_max=QUERY_TOKENS_MAX)
        caught_up = self._catch_up(one.session_id, name, deadline_ms / 2000)
        if moment is Moment.SUBAGENT:
            one = replace(one, payload={**one.payload, "text": task_of_start(self._store, host.NAME, one)})
        return _Question(name, delivery, host, moment, one, scope, started, deadline_ms, caught_up)

    def _read(self, name: str) -> Delivery:
        """From the spool, or from memory if capture was faster than the hook's question. OSError, SpoolFault."""
        try:
            return self._spool.read(self._paths.spool_new / name)
        except FileNotFoundError:
            taken = self._taken(name)
            if taken is None:
                raise
            return taken

    def _ask(self, asked: _Question) -> Ask:
        """What recall is asked, but for what the agent was given."""
        payload = asked.seen.payload
        act = Act.of(payload["act"]) if asked.moment is Moment.TOOL_CALL else None
        return Ask(
            moment=asked.moment,
            scope=asked.scope,
            query=act.short if act else str(payload.get("text", "")),
            act=act,
            task=task_of_call(asked.seen.tool, payload) if act else "",
            event_id=asked.delivery.id,
            may_hold=_may_hold(asked),
            chars_max=asked.host.TEXT_CHARS_MAX,
        )

    def _find(self, asked: _Question, ask: Ask) -> Found:
        if asked.moment is Moment.SESSION_START:
            return Found()
        within_s = min(MEANING_SHARE * asked.deadline_ms, asked.left_ms() - MEANING_LEFT_MS) / 1000

        def meaning(words: str) -> "NDArray[np.float32] | None":
            with self._one_at_a_time.waiting():
                return self._meaning(words, within_s)

        return self._found(ask, meaning if within_s > 0 else None)

    def _meaning(self, words: str, within_s: float) -> "NDArray[np.float32] | None":
        return self._sidecars.meaning(words, within_s, tokens_max=QUERY_TOKENS_MAX)

    def _found(self, ask: Ask, meaning: "Callable[[str], NDArray[np.float32] | None] | None") -> Found:
        now = self._clock()
        now_ms = int(now.timestamp() * 1000)
        return find(
            ask,
            self._sidecars.ranker,
            self.weights,
            book=self.book,
            meaning=meaning,
            told=lambda document: self.standing.of(document, now_ms),
            now=now,
        )

    def _decide(self, asked: _Question, ask: Ask, found: Found) -> Decision:
        """Under the agent's lock: two calls at once are not told, or held, as if each were alone."""
        given = self._given.read(asked.host.NAME, asked.context)
        if asked.moment is Moment.SESSION_START:
            return self._at_start(asked, given)
        again = self._again(asked.seen.session_id, given) if given else ()
        ask = replace(ask, given=given, again=again, unread=self._unread(asked))
        return decide(ask, found, self._config.recall, book=self.book, tried=self._backtest.tried)

    def _at_start(self, asked: _Question, given: Counter[str]) -> Decision:
        source = asked.seen.payload.get("source")
        if source == "compact":
            chars_max = asked.host.TEXT_CHARS_MAX
            return said_before(
                self._index, asked.scope, given, self._config.recall, book=self.book, chars_max=chars_max
            )
        if source not in BRIEFED_SOURCES or not asked.scope.project_id:
            return Decision()
        now = self._clock()
        starts = self._store.find(
            Recall,
            moment=Moment.SESSION_START,
            workspace_id=asked.scope.workspace_id,
            project_id=asked.scope.project_id,
            since=now - LATELY,
        )
        found = brief(self._index.all(asked.scope), named_at([row.record for row in starts]), now)
        return Decision(found.candidates, found.text)

    def _unread(self, asked: _Question) -> frozenset[str]:
        """What a call was held for in the batch that this one is of: the agent has not read why."""
        host, session_id = asked.host.NAME, asked.seen.session_id
        held = self._given.held_lately(host, asked.context)
        if held.at is None or not asked.caught_up:
            return frozenset()
        repeated = BATCH_EVENT not in asked.host.EVENTS and asked.call in held.calls
        if repeated or self._store.count(Event, host=host, session_id=session_id, kind=READ_KINDS, since=held.at):
            self._given.has_read(host, asked.context)
            return frozenset()
        return held.ids

    def _kept_query(self, ask: Ask) -> str:
        """The query as it may be stored: redacted before it is shortened."""
        if ask.act is None:
            return redact.cut(ask.query, QUERY_CHARS_MAX)
        act = ask.act
        shown = (redact.cut(part, QUERY_CHARS_MAX) for part in (act.command, act.path, act.text))
        command, path, text = shown
        return replace(act, command=command, path=path, text=text).short

    def _again(self, session_id: str, given: Counter[str]) -> set[str]:
        """What recurred in this session as often as it was given: each recurrence lets it be said once more."""
        rows = self._store.find(Outcome, session_id=session_id, verdict=Verdict.RECURRED)
        recurred = Counter(row.record.subject_id for row in rows)
        told: Counter[str] = Counter()
        for line, times in given.items():
            told[line.partition("@")[0]] += times
        return {subject for subject, times in recurred.items() if told[subject] <= times}

    def _scope(self, delivery: Delivery) -> Scope:
        identity = identify(delivery.cwd, self._paths.home)
        workspace = workspace_for(delivery.workspace, identity, self._kept, self._config.workspace)
        return Scope(workspace.id, identity.id)

    def _keep(self, asked: _Question, ask: Ask, decision: Decision) -> None:
        now = self._clock()
        recall = Recall(
            id=derived_id(now, "recall", asked.delivery.id),
            workspace_id=asked.scope.workspace_id,
            project_id=asked.scope.project_id,
            machine_id=self._person.machine_id,
            author=self._person.author,
            host=asked.host.NAME,
            session_id=asked.seen.session_id,
            occurred_at=now,
            moment=asked.moment,
            event_id=asked.delivery.id,
            query=self._kept_query(ask),
            candidates=decision.candidates,
            text=decision.text,
            held=decision.held,
            tier=decision.tier,
            latency_ms=round((time.perf_counter() - asked.started) * 1000, 3),
        )
        self._decided[asked.name] = _Decided(recall, asked.context, decision.given, decision)


def _may_hold(asked: _Question) -> bool:
    """Can the host deny the call it asks about, with no person asked and no subagent at work?"""
    payload = asked.seen.payload
    return (
        asked.seen.kind is EventKind.TOOL_CALL
        and asked.delivery.event in asked.host.DENIES
        and not payload.get("asks")
        and not payload.get("agent_id")
    )


def _tells_people(asked: _Question) -> bool:
    """Does a session start, on a host that takes a line for the person? What it has none for is told elsewhere."""
    told = Answer(moment=asked.moment, text="", notice="news")
    return asked.moment is Moment.SESSION_START and asked.host.encode_answer(asked.delivery.event, told) != b""


def _encoded(asked: _Question, decision: Decision, notice: str = "") -> bytes:
    answer = Answer(moment=asked.moment, text=decision.text, hold=decision.held, notice=notice)
    return asked.host.encode_answer(asked.delivery.event, answer)
