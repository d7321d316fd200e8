"""People label their own history: which turns are asked about, what a label does, and what the labels measure.

Two kinds of turns are asked about. What the detector is unsure of teaches it most, but says nothing of how good it is;
figures are computed on turns drawn at random alone: the first so many in an order that no opinion of ours decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from itertools import chain, zip_longest
from typing import Any

from hivemind_cli.app.reading import project_names, projects_named
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Correction, Event, EventKind, Judgement, Record, SaidKind
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect import Detect, Turn, turn_at
from hivemind_cli.storage.base import Store

SAMPLED, PICKED = "drawn at random", "picked"
"""`reason` of a person's label: how its turn came to be asked about."""
QUEUE_MAX = 500
SAMPLE = 50
"""Turns drawn at random, unless a person wants more."""
ACTS_SHOWN = 3
REPLY_CHARS_MAX = 2000
SAID_CHARS_MAX = 6000
EXPORT_BEFORE_CHARS, EXPORT_SAID_CHARS = 600, 1500
"""As `hivemind bench detect` reads them."""
_PAGE = 1000
_CANDIDATE_MIN = 0.01
"""Confidence of a turn the detector saw nothing in: 0 would say that somebody judged it to be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which turns: "" and None are no bound."""

    project: str = ""
    """Its name or id."""
    session: str = ""
    """The beginning of its id."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A turn to be asked about, and whether it was drawn at random."""

    event_id: str
    sampled: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """What is asked about next, in this order, and how much was labelled in the scope so far."""

    turns: list[Waiting] = field(default_factory=list)
    labelled: int = 0
    sample: int = 0
    """How many of the scope's turns are drawn at random."""
    sample_left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One turn as a person is asked about it; nothing tells what the detector thinks of it."""

    event_id: str
    host: str
    session_id: str
    project: str
    occurred_at: datetime
    did: list[str]
    """The agent's last acts before, the newest last."""
    replied: str
    """The end of its last words."""
    said: str
    label: str = ""
    """What a person said of it so far."""


def queue(store: Store, scope: Scope, *, sample: int = SAMPLE, all_turns: bool = False, now: datetime) -> Queue:
    """What is asked about next: the unsure and the random by turns; `all_turns`: every one, in order.

    A turn that is drawn and was labelled already is not asked about again: that label counts for the sample, too.
    """
    natural = [(event.id, event.session_id) for event in _natural(store, scope)]
    labels = _labels(store)
    done = {event_id for event_id, said in labels.items() if said[-1].reason != judged.TAKEN_BACK}
    drawn = [] if all_turns else sorted((event_id for event_id, _ in natural), key=_order)[:sample]
    _count_for_sample(store, [labels[one][-1] for one in drawn if one in done and not _is_sampled(labels[one])], now)
    random = [Waiting(one, True) for one in drawn if one not in done]
    if all_turns:
        turns = [Waiting(one, False) for one, _ in natural if one not in done]
    else:
        left = {event_id for event_id, _ in natural} - done - {one.event_id for one in random}
        unsure = [Waiting(one, False) for one in _unsure(store) if one in left]
        turns = [one for one in chain.from_iterable(zip_longest(unsure, random)) if one]
    return Queue(turns[:QUEUE_MAX], sum(one in done for one, _ in natural), len(drawn), len(random))


def show(store: Store, event_id: str) -> Shown | None:
    """The turn; None if there is nothing to ask: it is gone, or nothing came before it."""
    turn = turn_at(event_id, store)
    if turn is None:
        return None
    said = _labels(store, event_id).get(event_id, [])
    counting = judged.counting(said)
    return Shown(
        event_id=event_id,
        host=turn.event.host,
        session_id=turn.event.session_id,
        project=project_names(store).get(turn.event.project_id, ""),
        occurred_at=turn.event.occurred_at,
        did=_did(turn)[-ACTS_SHOWN:],
        replied=turn.history.reply()[-REPLY_CHARS_MAX:],
        said=turn.read.quote[:SAID_CHARS_MAX],
        label=counting.said.value if counting else "",
    )


def label(
    store: Store, detect: Detect, event_id: str, said: SaidKind, *, durable: bool | None, reason: str, now: datetime
) -> Judgement:
    """What a person says that a turn is, stored. A correction that nobody had noticed there is one from now on."""
    turn = turn_at(event_id, store)
    if turn is None:
        raise HivemindError(
            f"There is no turn {event_id!r} to label.",
            why="Its session was pruned, or nothing came before it that could be right or wrong.",
            fix="`hivemind corrections label --json` lists the turns that can be.",
        )
    noticed = [row.record for row in store.find(Correction, reaction_event_id=event_id) if row.record.quote.strip()]
    records: list[Record] = []
    if said in judged.CORRECTIONS and not noticed:
        noticed = detect.keyed([_as_candidate(turn.read)], store)
        records += noticed
    judgement = Judgement(
        id=new_id(now),
        workspace_id=turn.event.workspace_id,
        project_id=turn.event.project_id,
        host=turn.event.host,
        session_id=turn.event.session_id,
        occurred_at=now,
        event_id=event_id,
        correction_id=noticed[0].id if noticed else "",
        by=judged.PERSON,
        said=said,
        durable=durable if said in judged.CORRECTIONS else None,
        reason=reason,
    )
    store.append([*records, judgement])
    return judgement


def labelled(store: Store, scope: Scope) -> Iterator[tuple[Turn, Judgement, bool]]:
    """(turn, the label that counts, was it drawn at random?) of what a person knew a label for, oldest first."""
    labels = _labels(store)
    for event in _natural(store, scope):
        said = labels.get(event.id, [])
        counting = judged.counting(said)
        turn = turn_at(event.id, store) if counting else None
        if counting and turn:
            yield turn, counting, _is_sampled(said)


def exported(store: Store, scope: Scope) -> list[dict[str, Any]]:
    """The labelled turns as `hivemind bench detect --labels` reads them; `sample` is natural if drawn at random."""
    found = []
    for turn, said, sampled in labelled(store, scope):
        before = "\n".join((*_did(turn), turn.history.reply())).strip()
        found.append(
            {
                "id": turn.event.id,
                "prev_assistant": before[-EXPORT_BEFORE_CHARS:],
                "user": turn.read.quote[:EXPORT_SAID_CHARS],
                "label": said.said.value,
                "durable": said.durable,
                "sample": "natural" if sampled else "chosen",
            }
        )
    return found


def _as_candidate(read: Correction) -> Correction:
    return replace(read, confidence=max(read.confidence, _CANDIDATE_MIN))


def _did(turn: Turn) -> list[str]:
    """The agent's acts since the turn before, in short."""
    return [f"{act.tool}: {act.short}" for _, act in turn.history.acts(turns=1) if act.short or act.tool]


def _natural(store: Store, scope: Scope) -> Iterator[Event]:
    """The turns in which a person answers an agent, in the order of storing: no first prompts of sessions."""
    equals: dict[str, Any] = {"project_id": sorted(projects_named(store, scope.project))} if scope.project else {}
    after = 0
    while rows := store.find(
        Event, kind=[EventKind.PROMPT, EventKind.STEER], since=scope.since, after=after, limit=_PAGE, **equals
    ):
        after = rows[-1].seq
        for event in (row.record for row in rows):
            answers = event.turn > 1 if event.kind is EventKind.PROMPT else not event.payload.get("ran")
            said = str(event.payload.get("text", "")).strip()
            if answers and said and event.session_id.startswith(scope.session):
                yield event


def _unsure(store: Store) -> list[str]:
    """The turns in the detector's band, the least sure first."""
    found: list[tuple[float, str]] = []
    until: int | None = None
    while rows := store.find(Correction, until=until, newest_first=True, limit=_PAGE):
        until = rows[-1].seq - 1
        found += [
            (abs(row.record.confidence - judged.CORRECTION_MIN), row.record.reaction_event_id)
            for row in rows
            if judged.PASS_MIN <= row.record.confidence < judged.SHOWN_MIN and row.record.quote.strip()
        ]
    return list(dict.fromkeys(event_id for _, event_id in sorted(found, key=lambda one: one[0])))


def _labels(store: Store, *event_ids: str) -> Mapping[str, list[Judgement]]:
    """What people said, by turn, oldest first; of these turns, or of all."""
    found: dict[str, list[Judgement]] = {}
    equals: dict[str, Any] = {"event_id": list(event_ids)} if event_ids else {}
    for row in store.find(Judgement, by=judged.PERSON, **equals):
        found.setdefault(row.record.event_id, []).append(row.record)
    for said in found.values():
        said.sort(key=lambda one: one.occurred_at)
    return found


def _is_sampled(said: Sequence[Judgement]) -> bool:
    return any(one.reason == SAMPLED for one in said)


def _count_for_sample(store: Store, said: Sequence[Judgement], now: datetime) -> None:
    store.append([replace(one, id=new_id(now), occurred_at=now, reason=SAMPLED) for one in said])


def _order(event_id: str) -> bytes:
    """A place in the random order: the same for every run, and nothing to do with what was said."""
    return blake2b(event_id.encode(), digest_size=8, person=b"label").digest()
