"""Detect: Events become Corrections. Structural kinds are facts; `said` is judged by rules.

Each rule looks back over the session from one event; the correction's id is derived from what it joins,
so looking twice finds the same record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import NO_PROJECT, Correction, CorrectionKind, Event, EventKind, Record
from hivemind_cli.pipeline.detect.finding import Finding, History
from hivemind_cli.pipeline.detect.model import Meaning, embed_pairs, load
from hivemind_cli.pipeline.detect.recurrence import Keys
from hivemind_cli.pipeline.detect.said import Judged
from hivemind_cli.pipeline.detect.structural import RULES, words_of
from hivemind_cli.pipeline.detect.windows import Windows
from hivemind_cli.pipeline.judged import CORRECTION_MIN
from hivemind_cli.storage.base import Row, Store

if TYPE_CHECKING:
    from hivemind_cli.embedding.base import Embedder

CANDIDATE_CHARS_MAX = 2000
"""Of each text that a mere candidate keeps; the events hold it all. Codify takes none so long for something said."""
LOOK_BACK = 400
"""Events of the session before the one looked at that the rules may see, however they were batched."""


class Detect:
    """The stage. Keeps no state but a memory of the store's newest records, which spares reading them again.

    With an `embedder` words are judged, and the same mistake is known again, by meaning, too.
    """

    name = "detect"
    reads = Event
    batch_size = 500

    def __init__(self, embedder: "Embedder | None" = None) -> None:
        self._keys = Keys(embedder)
        self._embedder = embedder
        self._windows = Windows(LOOK_BACK)

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        """The corrections that the events of `batch` complete."""
        self._windows.follow(batch)
        sessions: dict[tuple[str, str], list[Row[Event]]] = {}
        for row in batch:
            sessions.setdefault((row.record.host, row.record.session_id), []).append(row)
        found: dict[str, tuple[int, Correction]] = {}
        for (host, session_id), rows in sessions.items():
            events = self._windows.of(host, session_id, rows, store)
            places = {event.id: n for n, event in enumerate(events)}
            for row in rows:
                if row.record.id not in places:  # pruned meanwhile
                    continue
                place = places[row.record.id]
                meaning = _by_words if row.record.source == "import" else self._meaning
                history = History(events[max(place - LOOK_BACK, 0) : place], partial(_elsewhere, store), meaning)
                for finding in _strongest([f for rule in RULES for f in rule(row.record, history)]):
                    correction = _correction(finding, row.record)
                    found[correction.id] = (row.seq, correction)
        in_order = [correction for _, correction in sorted(found.values(), key=lambda one: one[0])]
        return list(self.keyed(in_order, store))

    def _meaning(self, words: str, before: str) -> Meaning | None:
        if self._embedder is None or not load().fits(self._embedder):
            return None
        try:
            return embed_pairs([(words, before)], self._embedder)[0]
        except ModelError:  # still loading, or gone: words alone decide
            return None

    def keyed(self, corrections: Sequence[Correction], store: Store) -> list[Correction]:
        """`corrections` with their recurrence keys."""
        return self._keys.give(corrections, store)

    def forget(self) -> None:
        """Drop the memory of the store's records: a session was pruned."""
        self._keys.forget()
        self._windows.forget()


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a person as the detector sees it, whether or not it finds a correction there."""

    event: Event
    history: History
    read: Correction
    """Its words as a correction, with the detector's confidence; without a recurrence key."""
    judged: Judged


def turn_at(event_id: str, store: Store) -> Turn | None:
    """The turn that event is; None if it is gone, says nothing, or nothing came before it."""
    found = store.find(Event, id=event_id, limit=1)
    if not found:
        return None
    event, until = found[0].record, found[0].seq - 1
    before = store.find(
        Event, host=event.host, session_id=event.session_id, until=until, newest_first=True, limit=LOOK_BACK
    )
    history = History([row.record for row in reversed(before)])
    words = words_of(event, history)
    return Turn(event, history, _correction(words[0], event), words[1]) if words else None


def _by_words(words: str, before: str) -> None:
    """A history's thousands of turns, 15 ms each, would keep live recall waiting for next to no gain."""
    return


def _elsewhere(store: Store, event: Event, within: timedelta) -> list[Event]:
    """Prompts of the project's other sessions that were answered before `event`, the newest first."""
    if event.project_id == NO_PROJECT:
        return []
    rows = store.find(
        Event,
        workspace_id=event.workspace_id,
        project_id=event.project_id,
        kind=(EventKind.PROMPT, EventKind.REPLY),
        since=event.occurred_at - within,
        newest_first=True,
        limit=LOOK_BACK,
    )
    found: list[Event] = []
    answered: set[str] = set()
    for row in rows:
        other = row.record
        if other.session_id == event.session_id or other.occurred_at >= event.occurred_at:
            continue
        if other.kind is EventKind.REPLY:
            answered.add(other.session_id)
        elif other.session_id in answered:
            found.append(other)
    return found


def _strongest(findings: list[Finding]) -> list[Finding]:
    """The same words count once, in the first finding that quotes them, since rules stand strongest first.

    A silent one stands beside them: what the hand did and what the mouth said are two pieces of evidence.
    """
    kept: list[Finding] = []
    spoken: set[str] = set()
    silent: set[tuple[str, str]] = set()
    for finding in findings:
        pair = (finding.act_event.id if finding.act_event else "", finding.reaction.id)
        if finding.quote:
            if finding.reaction.id not in spoken:
                kept.append(finding)
            spoken.add(finding.reaction.id)
        elif pair not in silent:
            kept.append(finding)
            silent.add(pair)
    return kept


def _correction(finding: Finding, event: Event) -> Correction:
    act = finding.act
    reaction = finding.reaction
    quote, task = finding.quote, finding.task
    if finding.kind is CorrectionKind.SAID and finding.confidence < CORRECTION_MIN:
        quote, task = quote[:CANDIDATE_CHARS_MAX], task[:CANDIDATE_CHARS_MAX]
        act = act and replace(act, command=act.command[:CANDIDATE_CHARS_MAX], text=act.text[:CANDIDATE_CHARS_MAX])
    act_id = finding.act_event.id if finding.act_event else ""
    return Correction(
        id=derived_id(reaction.occurred_at, "correction", finding.kind, act_id, reaction.id),
        workspace_id=reaction.workspace_id,
        project_id=reaction.project_id,
        machine_id=reaction.machine_id,
        author=reaction.author,
        host=reaction.host,
        session_id=reaction.session_id,
        kind=finding.kind,
        occurred_at=reaction.occurred_at,
        act_event_id=act_id,
        reaction_event_id=reaction.id,
        quote=quote,
        task=task,
        act=act.as_json() if act else {},
        before=finding.before or (act.short if act else ""),
        after=finding.after,
        confidence=finding.confidence,
        durable=finding.durable,
        cause=finding.cause,
        language=finding.language,
    )
