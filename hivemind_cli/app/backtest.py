"""Would holding a call have been right before? The corrected act, looked up in the person's own history."""

from collections.abc import Iterable
from datetime import UTC, datetime

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, Event, EventKind
from hivemind_cli.index.base import Document
from hivemind_cli.index.matching import by_act
from hivemind_cli.storage.base import Store

EVENTS_MAX = 1000
"""Of the project's newest tool calls before the correction."""
CORRECTED_SHARE_MIN = 0.5
"""An act that went uncorrected more often than that is a habit of the person, not a mistake."""


class Backtest:
    """Knows for each document whether its act was mostly corrected when it came up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, int], bool] = {}

    def warm(self, documents: Iterable[Document]) -> None:
        """Look up what a hold may be asked about, each project's history once. Not on a hook's time."""
        unknown: dict[tuple[str, str], list[Document]] = {}
        for document in documents:
            if document.holds and document.acts and (document.id, document.version) not in self._known:
                unknown.setdefault((document.workspace_id, document.project_id), []).append(document)
        for (workspace_id, project_id), group in unknown.items():
            calls = self._calls(workspace_id, project_id)
            for document in group:
                self._known[document.id, document.version] = _mostly_corrected(document, self._turns(document), calls)

    def clean(self, document: Document) -> bool:
        """May a call be held for `document`? Not before its history was looked up."""
        return self._known.get((document.id, document.version), False)

    def _turns(self, document: Document) -> int:
        """In how many turns a person put right what the document rests on."""
        rows = self._store.find(Correction, id=list(document.origin))
        return len({row.record.reaction_event_id for row in rows})

    def _calls(self, workspace_id: str, project_id: str) -> list[tuple[datetime, Act]]:
        rows = self._store.find(
            Event,
            kind=EventKind.TOOL_CALL,
            workspace_id=workspace_id,
            project_id=project_id,
            newest_first=True,
            limit=EVENTS_MAX,
        )
        found = ((row.record.occurred_at, row.record.payload.get("act")) for row in rows)
        return [(at, Act.of(value)) for at, value in found if isinstance(value, dict)]


def _mostly_corrected(document: Document, corrected: int, calls: list[tuple[datetime, Act]]) -> bool:
    corrected_at = datetime.fromtimestamp(document.occurred_at_ms / 1000, UTC)
    same = sum(at <= corrected_at and bool(by_act(act, [document])) for at, act in calls)
    return same == 0 or max(corrected, 1) / same >= CORRECTED_SHARE_MIN
