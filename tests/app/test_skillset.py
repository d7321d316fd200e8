"""A person's hand on skills: each undo goes further back, and says what it did."""

from datetime import UTC, datetime

import pytest

from hivemind_cli.app.reading import current_skills
from hivemind_cli.app.skillset import accept, retire, undo
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import Scope, SkillLine, SkillRevision, SkillState
from hivemind_cli.storage.inmemory import InMemoryStore

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def history(*texts: str) -> InMemoryStore:
    """A skill with a live version for each of `texts`."""
    store = InMemoryStore()
    store.append([version(n, text) for n, text in enumerate(texts, 1)])
    return store


def version(number: int, text: str, state: SkillState = SkillState.LIVE, *ids: str) -> SkillRevision:
    return SkillRevision(
        id=f"v{number}",
        workspace_id="default",
        project_id="p1",
        machine_id="m",
        author="ada",
        skill_id="sk_1",
        name="deploy",
        title="",
        version=number,
        scope=Scope.PROJECT,
        state=state,
        trigger="",
        lines=(SkillLine(section="do", text=text, correction_ids=ids),),
        occurred_at=NOW,
    )


def undone(store: InMemoryStore) -> tuple[str, SkillState]:
    after = undo(store, current_skills(store)[0], NOW)
    return after.lines[0].text, after.state


def test_undo_walks_back_and_then_retires() -> None:
    store = history("A", "B", "C")
    assert undone(store) == ("B", SkillState.LIVE)
    assert undone(store) == ("A", SkillState.LIVE)
    assert undone(store) == ("A", SkillState.RETIRED)
    with pytest.raises(HivemindError, match="nothing before it was live"):
        undone(store)


def test_a_change_after_an_undo_is_undone_to_what_the_undo_brought_back() -> None:
    store = history("A", "B")
    undone(store)
    store.append([version(4, "C")])
    assert undone(store) == ("A", SkillState.LIVE)
    assert undone(store) == ("A", SkillState.RETIRED)


def test_a_way_back_that_a_person_wrote_is_undone_like_any_change() -> None:
    store = history("A", "B", "A")
    assert undone(store) == ("B", SkillState.LIVE)
    assert undone(store) == ("A", SkillState.LIVE)


def test_undo_takes_a_retirement_back() -> None:
    store = history("A")
    retire(store, current_skills(store)[0], NOW)
    assert undone(store) == ("A", SkillState.LIVE)


def test_a_version_whose_corrections_are_gone_is_refused() -> None:
    store = InMemoryStore()
    store.append([version(1, "A", SkillState.LIVE, "gone"), version(2, "B", SkillState.REVIEW, "gone")])
    for change in (undo, accept):
        with pytest.raises(HivemindError, match="cannot come back") as caught:
            change(store, current_skills(store)[0], NOW)
        assert caught.value.fix
    assert store.count(SkillRevision) == 2
