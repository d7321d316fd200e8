"""Skills as the store holds them, in a few words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hivemind_cli.core.records import Correction, Scope, SkillLine, SkillRevision, SkillState
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import correction_

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def revision(number: int = 1, *texts: str, name: str = "deploy", days: float = 0, **changes: Any) -> SkillRevision:
    """Version `number`, live, made `days` before NOW; a line for each of `texts`, `TEXT@ID` with its correction."""
    parts = (one.partition("@") for one in texts or ("Deploy with make.",))
    made = SkillRevision(
        id=f"{name}-{number}",
        workspace_id="default",
        project_id="p",
        machine_id="m",
        author="ada",
        skill_id=f"sk_{name}",
        name=name,
        title=f"About {name}",
        version=number,
        scope=Scope.PROJECT,
        state=SkillState.LIVE,
        trigger=f"Use when you {name}.",
        lines=tuple(SkillLine(section="do", text=text, correction_ids=(id,) if id else ()) for text, _, id in parts),
        occurred_at=NOW - timedelta(days=days),
    )
    return replace(made, **changes)


def store_of(*records: SkillRevision | Correction) -> InMemoryStore:
    """A store that holds `records`, and the corrections that they cite."""
    store = InMemoryStore()
    cited = {
        one for each in records if isinstance(each, SkillRevision) for line in each.lines for one in line.correction_ids
    }
    given = {one.id for one in records}
    store.append([*(correction_(n, id=id) for n, id in enumerate(sorted(cited - given), 1)), *records])
    return store
