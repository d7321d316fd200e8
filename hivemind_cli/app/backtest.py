"""Would holding a call have been right before? The corrected act, looked up in the person's own history."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, Event, EventKind
from hivemind_cli.index.base import Document
from hivemind_cli.index.matching import by_act
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.recall import Tried
from hivemind_cli.storage.base import Store

CALLS_BEFORE = 2_000
"""Of the project's tool calls before a correction, so many are looked at, the newest stored first."""
CALLS_MAX = 10_000
"""... but no more than this are read, however many came since."""
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class _Call:
    """A tool call of the project's history."""

    at: datetime
    act: Act
    turn: tuple[str, str, int]
    """host, session and turn in it."""


class Backtest:
    """Knows for each document how often its act was put right when it came up, and how often not."""

    def __init__(self, store: Store, pause: Callable[[], None] = lambda: None) -> None:
        """`pause` is called between reads: it may let others go first."""
        self._store = store
        self._pause = pause
        self._known: dict[tuple[str, int], Tried] = {}

    def warm(self, documents: Iterable[Document]) -> None:
        """Look up what a hold may be asked about, each project's history once. Not on a hook's time."""
        unknown: dict[tuple[str, str], list[Document]] = {}
        for document in documents:
            if document.holds and document.acts and (document.id, document.version) not in self._known:
                unknown.setdefault((document.workspace_id, document.project_id), []).append(document)
        for group in unknown.values():
            tried = look_up(self._store, group, self._pause)
            self._known |= {(one.id, one.version): tried[one.id] for one in group}

    def tried(self, document: Document) -> Tried | None:
        """What holding would have done; None until its history was looked up."""
        return self._known.get((document.id, document.version))


def look_up(store: Store, documents: Sequence[Document], pause: Callable[[], None] = lambda: None) -> dict[str, Tried]:
    """id -> what holding would have done, for documents of one project (or of none: then of the whole workspace).

    The history until the mistake was corrected counts, imported sessions too: a call is corrected if a correction of
    the document's own mistake follows in its turn, and clean if none does.
    """
    if not documents:
        return {}
    corrected_at = {one.id: _learned_at(one) for one in documents}
    calls = _calls(store, documents[0], min(corrected_at.values()), pause)
    found = {}
    for document in documents:
        pause()
        lesson = _lesson(store, document)
        turns = _turns(store, lesson)
        same = [one for one in calls if one.at <= corrected_at[document.id] and by_act(one.act, [document])]
        corrected = sum(one.turn in turns for one in same)
        reactions = len({one.reaction_event_id for one in lesson})  # at least one call each, seen or not
        found[document.id] = Tried(max(corrected, reactions, 1), len(same) - corrected)
    return found


def _lesson(store: Store, document: Document) -> list[Correction]:
    """The corrections it rests on, and others of the same mistake until then, as they count by now."""
    rows = store.find(Correction, id=list(document.origin)) if document.origin else []
    keys = [key for key in document.recurrence_keys if key]
    if keys:
        place: dict[str, Any] = {"project_id": document.project_id} if document.project_id else {}
        rows += store.find(Correction, recurrence_key=keys, workspace_id=document.workspace_id, **place)
    learned_at = _learned_at(document)
    known = {row.record.id: row.record for row in rows if row.record.occurred_at <= learned_at}
    return [one for one in judged.effective(store, list(known.values())) if judged.is_called(one)]


def _learned_at(document: Document) -> datetime:
    """Its time was cut to milliseconds: the whole of the last one belongs to it."""
    return datetime.fromtimestamp((document.occurred_at_ms + 1) / 1000, UTC)


def _turns(store: Store, corrections: Sequence[Correction]) -> set[tuple[str, str, int]]:
    """The turns whose acts they put right."""
    acts = sorted({one.act_event_id for one in corrections} - {""})
    rows = store.find(Event, id=acts) if acts else []
    return {(one.record.host, one.record.session_id, one.record.turn) for one in rows}


def _calls(store: Store, of: Document, since: datetime, pause: Callable[[], None]) -> list[_Call]:
    """The newest stored calls, until CALLS_BEFORE of them are from before `since`."""
    place: dict[str, Any] = {"project_id": of.project_id} if of.project_id else {}
    calls: list[_Call] = []
    until, read, earlier = None, 0, 0
    while read < CALLS_MAX and earlier < CALLS_BEFORE:
        pause()
        rows = store.find(
            Event,
            kind=EventKind.TOOL_CALL,
            workspace_id=of.workspace_id,
            newest_first=True,
            limit=_PAGE,
            until=until,
            **place,
        )
        for row in rows:
            one, act = row.record, row.record.payload.get("act")
            if isinstance(act, dict):
                calls.append(_Call(one.occurred_at, Act.of(act), (one.host, one.session_id, one.turn)))
                earlier += one.occurred_at <= since
        read += len(rows)
        if len(rows) < _PAGE:
            break
        until = rows[-1].seq - 1
    return calls
