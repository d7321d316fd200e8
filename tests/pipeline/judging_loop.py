"""What tests of judgements share: saying what a turn is."""

from datetime import timedelta
from typing import Any

from hivemind_cli.core.records import Correction, Judgement, SaidKind
from hivemind_cli.pipeline.judged import PERSON


def judgement_(about: Correction, said: SaidKind = SaidKind.CORRECTION, n: int = 1, **changes: Any) -> Judgement:
    """The `n`-th thing said of a correction, minutes after it."""
    fields: dict[str, Any] = {
        "id": f"j{about.id}{n}",
        "workspace_id": about.workspace_id,
        "project_id": about.project_id,
        "host": about.host,
        "session_id": about.session_id,
        "occurred_at": about.occurred_at + timedelta(minutes=n),
        "event_id": about.reaction_event_id,
        "correction_id": about.id,
        "by": PERSON,
        "said": said,
    }
    return Judgement(**{**fields, **changes})
