"""What an import taught: sessions by host, corrections by kind, and what recurs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hivemind_cli.app.imported import Imported
from hivemind_cli.app.recurring import Recurring, recurring
from hivemind_cli.core.records import Correction, CorrectionKind
from hivemind_cli.pipeline import judged
from hivemind_cli.storage.base import Store

RECURRING_MAX = 10


@dataclass(frozen=True, slots=True)
class OfHost:
    """One agent's part."""

    host: str
    sessions: int
    prompts: int
    new: int
    """Records stored by this import."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """Corrections of one kind, by how sure the detector is."""

    kind: CorrectionKind
    clear: int
    """Shown to a person without being asked for."""
    likely: int
    candidates: int
    """Turns that a model may judge."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The report of an import."""

    hosts: tuple[OfHost, ...]
    first_at: datetime | None
    last_at: datetime | None
    unchanged: int
    """Sessions that were read before, and not again."""
    new: int
    kinds: tuple[OfKind, ...]
    retries: int
    """Errors and what then worked: no corrections by a person."""
    recurring: tuple[Recurring, ...]
    left_out: Mapping[str, int]
    """Why -> sessions."""
    unread: tuple[tuple[str, str], ...]
    """(path, why) of sessions that could not be read to their end."""
    torn: tuple[tuple[str, str], ...]
    """(path, what) of sessions of which lines were passed over."""
    strangers: int
    """Files that are no host's."""


def learned(
    done: Sequence[Imported],
    store: Store | None,
    *,
    strangers: int = 0,
    faults: Sequence[str] = (),
) -> Learned:
    """The report on `done`. With no store (a dry run) nothing was learned, only counted."""
    counting = [one for one in done if not one.left_out]
    sessions = {(one.host, one.session_id) for one in counting}
    corrections: list[Correction] = []
    if store:
        found = (row.record for row in store.find(Correction))
        corrections = judged.effective(store, [one for one in found if (one.host, one.session_id) in sessions])
    kinds = [one for one in corrections if one.kind is not CorrectionKind.TOOL_RETRY]
    return Learned(
        hosts=_hosts(counting),
        first_at=min((one.first_at for one in counting if one.first_at), default=None),
        last_at=max((one.last_at for one in counting if one.last_at), default=None),
        unchanged=sum(one.unchanged for one in counting),
        new=sum(one.new for one in done),
        kinds=_kinds(kinds),
        retries=len(corrections) - len(kinds),
        recurring=_lessons(store) if store else (),
        left_out=dict(Counter(one.left_out for one in done if one.left_out)),
        unread=(
            *((place, why) for place, _, why in (fault.partition(": ") for fault in faults)),
            *((str(one.path), one.fault) for one in done if one.unread),
        ),
        torn=tuple((str(one.path), one.fault) for one in done if one.fault and not one.unread),
        strangers=strangers,
    )


def _lessons(store: Store) -> tuple[Recurring, ...]:
    found = recurring(store, now=datetime.now(UTC))
    return tuple(one for one in found if not one.retry)[:RECURRING_MAX]


def _hosts(counting: Sequence[Imported]) -> tuple[OfHost, ...]:
    by_host: dict[str, list[Imported]] = {}
    for one in counting:
        by_host.setdefault(one.host, []).append(one)
    found = [
        OfHost(host, len(group), sum(one.prompts for one in group), sum(one.new for one in group))
        for host, group in by_host.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.sessions, one.host)))


def _kinds(corrections: Sequence[Correction]) -> tuple[OfKind, ...]:
    found = []
    for kind in CorrectionKind:
        sure = [one.confidence for one in corrections if one.kind is kind and one.confidence >= judged.PASS_MIN]
        if sure:
            clear = sum(one >= judged.SHOWN_MIN for one in sure)
            likely = sum(judged.CORRECTION_MIN <= one < judged.SHOWN_MIN for one in sure)
            found.append(OfKind(kind, clear, likely, len(sure) - clear - likely))
    return tuple(sorted(found, key=lambda one: -(one.clear + one.likely)))
