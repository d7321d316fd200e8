"""Would holding a call have been right before? The corrected act, looked up in the person's own history."""

from collections.abc import Iterable
from datetime import UTC, datetime

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.index.base import Document
from hivemind_cli.pipeline.recall.score import by_act
from hivemind_cli.storage.base import Store

EVENTS_MAX = 3000
"""Of the project's newest tool calls before the correction."""
CORRECTED_SHARE_MIN = 0.5
"""An act that went uncorrected more often than that is a habit of the person, not a mistake."""


class Backtest:
    """Knows for each document whether its act was mostly corrected when it came up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, int], bool] = {}

    def warm(self, documents: Iterable[Document]) -> None:
        """Look up, before a hook waits for it, what a hold may be asked about."""
        for document in documents:
            if document.acts:
                self.clean(document)

    def clean(self, document: Document) -> bool:
        """May a call be held for `document`?"""
        key = (document.id, document.version)
        if key not in self._known:
            self._known[key] = self._look_up(document)
        return self._known[key]

    def _look_up(self, document: Document) -> bool:
        corrected_at = datetime.fromtimestamp(document.occurred_at_ms / 1000, UTC)
        rows = self._store.find(
            Event,
            kind=EventKind.TOOL_CALL,
            workspace_id=document.workspace_id,
            project_id=document.project_id,
            newest_first=True,
            limit=EVENTS_MAX,
        )
        same = 0
        for row in rows:
            value = row.record.payload.get("act")
            if row.record.occurred_at > corrected_at or not isinstance(value, dict):
                continue
            same += bool(by_act(Act.of(value), [document]))
        corrected = max(len(document.recurrence_keys), 1)
        return same == 0 or corrected / same >= CORRECTED_SHARE_MIN
