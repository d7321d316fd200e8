"""Within a session, events are stored in the order in which they were delivered, however busy the owner is."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.catching_up import CATCH_UP_MAX
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, Notice
from tests.app.talk import Talk


def texts(hive: OwnedHivemind) -> list[str]:
    return [str(row.record.payload["text"]) for row in hive.store.find(Event)]


def test_a_recall_that_could_not_wait_does_not_overtake_what_came_before(
    hive: OwnedHivemind, paths: Paths, tree: Path
) -> None:
    talk = Talk(paths, tree)
    talk.says("first")
    talk.replies("second")
    name = talk.says("third")
    taken, answered = threading.Event(), threading.Event()

    def be_busy() -> None:
        with hive._turning:
            taken.set()
            answered.wait(10)

    busy = threading.Thread(target=be_busy)
    busy.start()
    taken.wait(10)
    hive.answer(name)
    answered.set()
    busy.join()
    hive.after_answer(name)
    assert texts(hive) == ["first", "second", "third"]


def test_in_a_flood_the_drain_keeps_the_order(hive: OwnedHivemind, paths: Paths, tree: Path) -> None:
    talk = Talk(paths, tree)
    names = [talk.says(f"{n:04}") for n in range(CATCH_UP_MAX + 50)]
    hive.answer(names[-1])
    hive.after_answer(names[-1])
    while hive.drain():
        pass
    assert texts(hive) == [f"{n:04}" for n in range(CATCH_UP_MAX + 50)]


def test_what_a_killed_hook_left_comes_late_and_is_no_clock_that_went_back(
    hive: OwnedHivemind, paths: Paths, tree: Path
) -> None:
    talk = Talk(paths, tree)
    now = datetime.now(UTC)
    name = talk.says("killed", at=now - timedelta(hours=1))
    (paths.spool_new / name).rename(paths.spool_tmp / name)
    talk.says("later", at=now)
    hive.settle()
    hive.tick(now + timedelta(minutes=11))
    hive.settle()
    assert texts(hive) == ["later", "killed"]
    assert hive.store.count(Notice) == 0
