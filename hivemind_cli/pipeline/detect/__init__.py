"""Detect: Events become Corrections. Structural kinds are facts; `said` is judged by rules.

Each rule looks back over the session from one event; the correction's id is derived from what it joins,
so looking twice finds the same record.
"""

from collections.abc import Sequence

from hivemind_cli.core.acts import Act
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind, Event, Record
from hivemind_cli.core.terms import weight
from hivemind_cli.pipeline.detect.finding import Finding, History
from hivemind_cli.pipeline.detect.structural import RULES
from hivemind_cli.storage.base import Row, Store

LOOK_BACK = 400
"""Events of the session before the one looked at that the rules may see, however they were batched."""


class Detect:
    """The stage. Stateless."""

    name = "detect"
    reads = Event
    batch_size = 500

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        """The corrections that the events of `batch` complete."""
        sessions: dict[tuple[str, str], list[Row[Event]]] = {}
        for row in batch:
            sessions.setdefault((row.record.host, row.record.session_id), []).append(row)
        found: dict[str, Record] = {}
        for (host, session_id), rows in sessions.items():
            before = store.find(
                Event,
                host=host,
                session_id=session_id,
                until=rows[-1].seq,
                newest_first=True,
                limit=LOOK_BACK + len(rows),
            )
            events = [row.record for row in reversed(before)]
            places = {event.id: n for n, event in enumerate(events)}
            for row in rows:
                if row.record.id not in places:  # pruned meanwhile
                    continue
                place = places[row.record.id]
                history = History(events[max(place - LOOK_BACK, 0) : place])
                for finding in _strongest([f for rule in RULES for f in rule(row.record, history)]):
                    correction = _correction(finding, row.record)
                    found[correction.id] = correction
        return list(found.values())


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
        quote=finding.quote,
        task=finding.task,
        act=act.as_json() if act else {},
        before=finding.before or (act.short if act else ""),
        after=finding.after,
        confidence=finding.confidence,
        durable=finding.durable,
        cause=finding.cause,
        recurrence_key=recurrence_key(finding.kind, act, finding.quote, finding.mentions),
        language=finding.language,
    )


def recurrence_key(kind: CorrectionKind, act: Act | None, quote: str, mentions: Sequence[str]) -> str:
    """What joins the same mistake in other words: the act's signature, and what the words are about.

    What they are about: the terms they share with the act, else their heaviest three terms.
    """
    signature = act.signature if act else ""
    about = list(mentions)[:3] or sorted(content(quote), key=lambda term: (-weight(term), term))[:3]
    lesson = "retry" if kind is CorrectionKind.TOOL_RETRY else "lesson"
    return "|".join((lesson, signature, " ".join(sorted(about))))
