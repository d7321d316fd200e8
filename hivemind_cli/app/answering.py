"""The hook's question, answered: read its delivery, catch up with its session, decide, reply, then write down.

Everything the agent waits for happens before the reply; what must be kept is kept after it.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from hivemind_cli.app.backtest import Backtest
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.clock import Clock
from hivemind_cli.core.config import Config
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.match import Weights
from hivemind_cli.core.paths import FILE_MODE, Paths
from hivemind_cli.core.project import identify, workspace_for
from hivemind_cli.core.records import Event, EventKind, Moment, Outcome, Recall, Verdict
from hivemind_cli.hosts.base import Answer, Host, Seen
from hivemind_cli.index.base import Scope
from hivemind_cli.pipeline.capture import Person
from hivemind_cli.pipeline.recall import Ask, Decision, decide, late, said_before
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.spool import Delivery, Spool, SpoolFault
from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

ASKED_KINDS = {
    Moment.SESSION_START: EventKind.SESSION_START,
    Moment.PROMPT: EventKind.PROMPT,
    Moment.TOOL_CALL: EventKind.TOOL_CALL,
    Moment.SUBAGENT: EventKind.SUBAGENT_START,
}
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
SUBAGENT_CALLS = 8
"""Newest calls of a session that are looked through for a subagent's task."""
QUERY_CHARS_MAX = 2000
"""Of the query, kept with the decision."""


@dataclass(frozen=True, slots=True)
class _Decided:
    recall: Recall
    given: tuple[str, ...]
    decision: Decision


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
        catch_up: Callable[[str, str, float], None],
        taken: Callable[[str], Delivery | None],
        announce: Callable[[Scope], str],
        clock: Clock,
        kept_workspaces: dict[str, str],
    ) -> None:
        """`catch_up(session_id, before, seconds)` captures and detects what the session delivered before a file.

        `taken(name)` is a delivery that was captured before the hook asked about it.
        """
        self._paths = paths
        self._config = config
        self._store = store
        self._sidecars, self._index = sidecars, sidecars.index
        self._hosts = hosts
        self._person = person
        self._backtest = backtest
        self._catch_up = catch_up
        self._taken = taken
        self._announce = announce
        self._clock = clock
        self._kept = kept_workspaces
        self._spool = Spool(paths)
        self._decided: dict[str, _Decided] = {}
        self._given_lock = threading.Lock()
        self.weights = Weights()
        """Replaced as the person's history grows."""
        self.book = ActBook()
        """Replaced whenever the index changes."""

    def answer(self, name: str) -> bytes:
        """What the hook is to print for its delivery `name`; b"" for silence."""
        started = time.perf_counter()
        try:
            delivery = self._read(name)
            host = self._hosts[delivery.host]
            moment = host.EVENTS[delivery.event]
            payload = json.loads(delivery.raw)
            seen = host.decode(delivery.event, payload)
        except (OSError, SpoolFault, KeyError, ValueError, TypeError, AttributeError, RecursionError):
            return b""  # capture says what is wrong with it
        one = next((each for each in seen if moment and each.kind is ASKED_KINDS[moment]), None)
        if moment is None or one is None or not self._config.recall.enabled:
            return b""
        deadline_ms = (
            self._config.recall.deadline_start_ms if moment is Moment.SESSION_START else self._config.recall.deadline_ms
        )
        self._catch_up(one.session_id, name, deadline_ms / 2000)
        if moment is Moment.SUBAGENT:
            one = self._with_task(host.NAME, one)
        scope = self._scope(delivery)
        with self._given_lock:
            decision = self._decide(moment, one, scope, host, delivery.id)
            if (time.perf_counter() - started) * 1000 > deadline_ms:
                decision = late(decision)
            if not self._remember(host.NAME, one.session_id, decision.given):
                decision = late(decision)  # what cannot be remembered would be said, or held, again and again
            self._keep(name, delivery, host, one, moment, scope, decision, started)
        notice = self._announce(scope) if moment is Moment.SESSION_START else ""
        if not decision.text and not notice:
            return b""
        return host.encode_answer(
            delivery.event, Answer(moment=moment, text=decision.text, hold=decision.held, notice=notice)
        )

    def after_answer(self, name: str, *, delivered: bool) -> Recall | None:
        """What was decided for `name`, once the hook has it (or has hung up); to be stored with its event."""
        decided = self._decided.pop(name, None)
        if decided is None:
            return None
        if delivered:
            return decided.recall
        with self._given_lock:
            self._take_back(decided)
        silent = late(decided.decision)
        return _with(decided.recall, silent)

    def ask(self, query: str, scope: Scope) -> Decision:
        """What a prompt would bring up now; nothing is given to anybody."""
        ask = Ask(moment=Moment.PROMPT, scope=scope, query=query)
        config = replace(self._config.recall, enabled=True)
        return decide(ask, self._index, config, self.weights, book=self.book, clean=self._backtest.clean)

    def _read(self, name: str) -> Delivery:
        """From the spool, or from memory if capture was faster than the hook's question. OSError, SpoolFault."""
        try:
            return self._spool.read(self._paths.spool_new / name)
        except FileNotFoundError:
            taken = self._taken(name)
            if taken is None:
                raise
            return taken

    def _decide(self, moment: Moment, one: Seen, scope: Scope, host: Host, event_id: str) -> Decision:
        given = self._given(host.NAME, one.session_id)
        if moment is Moment.SESSION_START:
            lost = one.payload.get("source") == "compact"
            return said_before(self._index, scope, given, self._config.recall) if lost else Decision()
        act = Act.of(one.payload["act"]) if moment is Moment.TOOL_CALL else None
        if act is None and moment is Moment.TOOL_CALL:
            return Decision()
        ask = Ask(
            moment=moment,
            scope=scope,
            query=self._query(one, act),
            act=act,
            event_id=event_id,
            may_hold=not one.payload.get("asks") and not one.payload.get("agent_id"),
            given=given,
            again=self._again(one.session_id) if given else (),
        )
        return decide(
            ask,
            self._index,
            self._config.recall,
            self.weights,
            book=self.book,
            clean=self._backtest.clean,
        )

    def _query(self, one: Seen, act: Act | None) -> str:
        if act is not None:
            return act.short
        return str(one.payload.get("text", ""))

    def _with_task(self, host: str, one: Seen) -> Seen:
        """A subagent's start names no task: it stands in the newest call that gave one a prompt."""
        rows = self._store.find(
            Event,
            host=host,
            session_id=one.session_id,
            kind=EventKind.TOOL_CALL,
            newest_first=True,
            limit=SUBAGENT_CALLS,
        )
        prompts = (row.record.payload.get("input", {}).get("prompt") for row in rows)
        task = next((prompt for prompt in prompts if isinstance(prompt, str)), "")
        return replace(one, payload={**one.payload, "text": task})

    def _kept_query(self, one: Seen) -> str:
        """The query as it may be stored: redacted before it is shortened."""
        act = Act.of(one.payload["act"]) if "act" in one.payload else None
        if act is None:
            return redact.cut(self._query(one, None), QUERY_CHARS_MAX)
        shown = (redact.cut(part, QUERY_CHARS_MAX) for part in (act.command, act.path, act.text))
        command, path, text = shown
        return replace(act, command=command, path=path, text=text).short

    def _again(self, session_id: str) -> set[str]:
        """What was given in this session and recurred all the same."""
        rows = self._store.find(Outcome, session_id=session_id, verdict=Verdict.RECURRED)
        return {row.record.subject_id for row in rows}

    def _scope(self, delivery: Delivery) -> Scope:
        identity = identify(delivery.cwd, self._paths.home)
        workspace = workspace_for(delivery.workspace, identity, self._kept, self._config.workspace)
        return Scope(workspace.id, identity.id)

    def _given(self, host: str, session_id: str) -> set[str]:
        try:
            return set(self._paths.session_file(host, session_id).read_text("utf-8").split("\n")) - {""}
        except (OSError, UnicodeDecodeError):
            return set()

    def _remember(self, host: str, session_id: str, given: tuple[str, ...]) -> bool:
        """Add to the session's list; False if it could not be written."""
        if not given:
            return True
        try:
            fd = os.open(self._paths.session_file(host, session_id), APPEND, FILE_MODE)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in given))
        except OSError as problem:
            logger.warning("recall stays silent: what it gives cannot be remembered: %s", problem)
            return False
        return True

    def _keep(
        self,
        name: str,
        delivery: Delivery,
        host: Host,
        one: Seen,
        moment: Moment,
        scope: Scope,
        decision: Decision,
        started: float,
    ) -> None:
        now = self._clock()
        recall = Recall(
            id=derived_id(now, "recall", delivery.id),
            workspace_id=scope.workspace_id,
            project_id=scope.project_id,
            machine_id=self._person.machine_id,
            author=self._person.author,
            host=host.NAME,
            session_id=one.session_id,
            occurred_at=now,
            moment=moment,
            event_id=delivery.id,
            query=self._kept_query(one),
            candidates=decision.candidates,
            text=decision.text,
            held=decision.held,
            latency_ms=round((time.perf_counter() - started) * 1000, 3),
        )
        self._decided[name] = _Decided(recall, decision.given, decision)

    def _take_back(self, decided: _Decided) -> None:
        """The agent never saw it: it may be given again."""
        if not decided.given:
            return
        path = self._paths.session_file(decided.recall.host, decided.recall.session_id)
        with suppress(OSError):
            lines = path.read_text("utf-8").splitlines()
            kept = [line for line in lines if line not in decided.given]
            aside = path.with_name(f"{path.name}.tmp")
            aside.write_text("".join(f"{line}\n" for line in kept), "utf-8")
            aside.replace(path)


def _with(recall: Recall, decision: Decision) -> Recall:
    return replace(recall, candidates=decision.candidates, text="", held=False)
