"""How good the detector is on a person's own labels: shares with intervals, on the turns drawn at random."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hivemind_cli.app.labelling import Scope, labelled
from hivemind_cli.core.intervals import bootstrap, tally, wilson
from hivemind_cli.core.records import PUSHBACK, Correction, CorrectionKind, Judgement, SaidKind
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect import Turn
from hivemind_cli.storage.base import Store

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """k of n, and where the true share lies in 95 of 100 such samples (Wilson)."""

    k: int
    n: int
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What the detector is worth for one question."""

    precision: Share
    """Of what it said yes to, what was."""
    recall: Share
    """Of what was, what it said yes to."""
    f1: float | None
    f1_interval: Interval | None
    """Bootstrap over sessions; None without a hit: drawing again from none says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The turns to which it gave a confidence in [low, high), and how many of them were corrections."""

    low: float
    high: float
    mean: float | None
    """Of the confidences: what the share should be."""
    were: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFigures:
    """The numbers of `hivemind corrections label --report`."""

    n: int
    """Turns drawn at random and labelled: all figures are of these."""
    chosen: int
    """Labelled, but not drawn: of no figure."""
    strict: Figure
    """Corrections alone."""
    pushback: Figure
    """Corrections, failure reports and interrupts."""
    durable: Figure
    """Lasting corrections; without those of which nothing was said."""
    calibration: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    session: str
    label: SaidKind
    durable: bool | None
    confidence: float
    kind: SaidKind
    lasting: bool


def own_figures(store: Store, scope: Scope) -> OwnFigures:
    """The shipped detector, run again over the turns a person has labelled."""
    rows: list[_Row] = []
    chosen = 0
    for turn, said, sampled in labelled(store, scope):  # one at a time: each holds hundreds of events
        chosen += not sampled
        rows += [_row(turn, said, store)] if sampled else []
    known = [row for row in rows if row.label is not SaidKind.CORRECTION or row.durable is not None]
    return OwnFigures(
        n=len(rows),
        chosen=chosen,
        strict=_figure(rows, lambda row: (_called(row), row.label is SaidKind.CORRECTION)),
        pushback=_figure(rows, lambda row: (_called(row) or row.kind in PUSHBACK, row.label in PUSHBACK)),
        durable=_figure(known, lambda row: (row.lasting, row.durable is True)),
        calibration=tuple(
            _bin(rows, low, high)
            for low, high in (
                (0.0, judged.CORRECTION_MIN),
                (judged.CORRECTION_MIN, judged.SHOWN_MIN),
                (judged.SHOWN_MIN, 1.0),
            )
        ),
    )


def _row(turn: Turn, said: Judgement, store: Store) -> _Row:
    """What the detector makes of the turn: of its words as they are read today, and of facts as they were noticed."""
    noticed = [row.record for row in store.find(Correction, reaction_event_id=turn.event.id)]
    facts = [one for one in noticed if one.kind is not CorrectionKind.SAID and one.quote.strip()]
    best = max((turn.read, *facts), key=lambda one: one.confidence)
    called = judged.is_called(best)
    return _Row(
        session=turn.event.session_id,
        label=said.said,
        durable=said.durable,
        confidence=best.confidence,
        kind=turn.judged.kind,
        lasting=called and best.durable is True,
    )


def _called(row: _Row) -> bool:
    return row.confidence >= judged.CORRECTION_MIN


def _figure(rows: Sequence[_Row], ask: Callable[[_Row], tuple[bool, bool]]) -> Figure:
    """`ask` gives (the detector said yes, it was)."""
    pairs = [ask(row) for row in rows]
    found = tally(pairs)
    sessions = [row.session for row in rows]
    return Figure(
        precision=_share(found.hits, found.hits + found.false_alarms),
        recall=_share(found.hits, found.hits + found.misses),
        f1=found.f1,
        f1_interval=bootstrap(pairs, lambda sample: tally(sample).f1, groups=sessions) if found.hits else None,
    )


def _bin(rows: Sequence[_Row], low: float, high: float) -> Bin:
    inside = [row for row in rows if low <= row.confidence < high or (high == 1.0 and row.confidence == 1.0)]
    mean = sum(row.confidence for row in inside) / len(inside) if inside else None
    were = _share(sum(row.label is SaidKind.CORRECTION for row in inside), len(inside))
    return Bin(low=low, high=high, mean=mean, were=were)


def _share(k: int, n: int) -> Share:
    return Share(k=k, n=n, interval=wilson(k, n))
