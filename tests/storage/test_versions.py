"""A version of a skill is written once, whoever is quicker; every engine."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hivemind_cli.core.errors import VersionTaken
from hivemind_cli.core.records import Correction, CorrectionKind, Event, SkillRevision
from hivemind_cli.storage.base import Store
from tests.storage import engines
from tests.storage.samples import START, event, tombstone, version


@pytest.fixture(params=engines.NAMES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with engines.opened(str(request.param)) as opened:
        yield opened


def ids(rows: list[Any]) -> list[str]:
    return [row.record.id for row in rows]


def test_a_version_of_a_skill_is_stored_once(store: Store) -> None:
    first, second = version(1), version(2)
    assert store.append([first, second]) == 2
    with pytest.raises(VersionTaken, match="name-a"):
        store.append([event(1), replace(second, id="another")])
    assert store.count(Event) == 0, "all or nothing"
    assert store.append([second, version(3), version(2, skill="b")]) == 2, "the same id again is no news"
    with pytest.raises(VersionTaken):
        store.append([version(4), replace(version(4), id="another")])
    assert [(row.record.skill_id, row.record.version) for row in store.find(SkillRevision)] == [
        ("sk_a", 1),
        ("sk_a", 2),
        ("sk_a", 3),
        ("sk_b", 2),
    ]


def test_a_commit_of_a_taken_version_leaves_the_cursor(store: Store) -> None:
    store.append([event(1), version(1)])
    late = replace(version(1), id="another")
    with pytest.raises(VersionTaken):
        store.commit("codify", [late, event(2)], cursor_from=0, cursor_to=1)
    assert store.cursor("codify") == 0
    assert ids(store.find(Event)) == [event(1).id]
    assert store.commit("codify", [replace(late, version=2)], cursor_from=0, cursor_to=1) == 1


def test_of_eight_that_write_the_next_version_at_once_one_wins(store: Store) -> None:
    store.append([version(1)])
    won: list[str] = []

    def write(number: int) -> None:
        mine = replace(version(2), id=f"mine {number}")
        try:
            store.append([mine])
        except VersionTaken:
            return
        won.append(mine.id)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert ids(store.find(SkillRevision, version=2)) == won


def test_a_version_that_was_pruned_is_not_given_again(store: Store) -> None:
    corrected = Correction(
        id="c1",
        workspace_id="default",
        project_id="p1",
        machine_id="m1",
        author="ada",
        host="claude",
        session_id="s1",
        kind=CorrectionKind.SAID,
        occurred_at=START,
        act_event_id="",
        reaction_event_id="e1",
        quote="no",
        task="",
    )
    store.append([corrected, version(1), version(2, "c1")])
    store.prune("claude", "s1", tombstone())
    standing = store.find(SkillRevision, skill_id="sk_a", newest_first=True)[0].record
    assert standing.version == 3
    with pytest.raises(VersionTaken):
        store.append([replace(version(3), id="another")])
