"""A person's hand on skills: each undo goes further back, and says what it did."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app.reading import current_skills
from hivemind_cli.app.skillset import accept, edit, lost_edit, promote, retire, rollback, undo
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
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


def test_a_rollback_makes_any_version_live_again_and_can_be_undone() -> None:
    store = history("A", "B", "C")
    after = rollback(store, current_skills(store)[0], 1, NOW)
    assert (after.version, after.lines[0].text, after.state) == (4, "A", SkillState.LIVE)
    assert undone(store) == ("C", SkillState.LIVE)
    with pytest.raises(HivemindError, match="no version 9") as caught:
        rollback(store, current_skills(store)[0], 9, NOW)
    assert "1, 2, 3, 4, 5" in caught.value.why and "skillify log" in caught.value.fix


def test_a_rollback_to_what_is_live_is_refused() -> None:
    store = history("A", "B")
    with pytest.raises(HivemindError, match="live already"):
        rollback(store, current_skills(store)[0], 2, NOW)


def test_a_rollback_tells_of_the_edit_that_it_puts_aside() -> None:
    store = history("A")
    text = "---\nname: deploy\ndescription: Use when.\n---\n# T\n- mine\n"
    edit(store, current_skills(store)[0], text, NOW)
    current = current_skills(store)[0]
    assert (lost := lost_edit(store, current, 1)) and lost.version == 2
    after = rollback(store, current, 1, NOW)
    assert lost_edit(store, after, 2) is None and lost_edit(store, after, 1) is None


def test_a_promotion_is_for_every_project_and_undo_takes_it_back(own_home: Path) -> None:
    store, paths = history("A"), Paths.from_env(os.environ)
    after = promote(store, current_skills(store)[0], NOW, paths)
    assert (after.scope, after.state, after.project_id) == (Scope.USER, SkillState.LIVE, "p1")
    with pytest.raises(HivemindError, match="every project already"):
        promote(store, after, NOW, paths)
    back = undo(store, after, NOW)
    assert (back.scope, back.state) == (Scope.PROJECT, SkillState.LIVE)


def test_two_commands_at_once_do_not_make_one_version_twice() -> None:
    store = history("A")
    seen = current_skills(store)[0]
    retire(store, seen, NOW)
    with pytest.raises(HivemindError, match="changed meanwhile"):
        retire(store, seen, NOW)
    assert store.count(SkillRevision) == 2
