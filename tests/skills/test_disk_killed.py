"""Killed before any one of its changes to the disk, a writer of skills leaves nothing that is not found again."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hivemind_cli.skills.disk import observe, publish, withdraw
from tests.skills.working_tree import FOLDERS, NAME, skill

CHANGES = frozenset(
    ("os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree")
)

pytestmark = pytest.mark.thorough


class Place:
    """A folder without git, and the receipts beside it."""

    def __init__(self, root: Path) -> None:
        self.tree, self.receipts = root / "tree", root / "receipts"
        self.tree.mkdir(parents=True)
        self.receipts.mkdir()

    def publish(self, version: int) -> None:
        publish(self.tree, [self.tree / one for one in FOLDERS], skill(version), NAME, self.receipts)

    def withdraw(self) -> None:
        withdraw(self.tree, self.receipts)

    def left(self) -> list[str]:
        found = [*self.tree.rglob("*"), *self.receipts.rglob("*")]
        return [str(path) for path in found if path != self.receipts / "skills"]


def killed_at(nth: int, work: Callable[[], None]) -> bool:
    """Run `work` in a process that dies before its nth change; was there one?"""
    child = os.fork()
    if child:
        return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    counted = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal counted
        writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
        counted += writes or event in CHANGES
        if counted == nth:
            os._exit(9)

    sys.addaudithook(count)
    work()
    os._exit(0)


def deaths(begin: Callable[[Place], None], work: Callable[[Place], None], root: Path) -> Iterator[Place]:
    """The place after each possible death of `work`."""
    for nth in range(1, 200):
        shutil.rmtree(root, ignore_errors=True)
        place = Place(root)
        begin(place)
        if not killed_at(nth, lambda place=place: work(place)):  # type: ignore[misc]
            assert nth > 5
            return
        yield place
    pytest.fail("it never ends")


def nothing(place: Place) -> None:
    """Before the first publish."""


def published(place: Place) -> None:
    place.publish(1)


def text_in(place: Place) -> str:
    path = place.tree / FOLDERS[0] / NAME / "SKILL.md"
    return path.read_text() if path.exists() else ""


def test_a_first_publish(tmp_path: Path) -> None:
    for place in deaths(nothing, published, tmp_path / "x"):
        assert text_in(place) in ("", skill(1))
        place.withdraw()
        assert place.left() == []


def test_a_first_publish_that_is_done_again(tmp_path: Path) -> None:
    for place in deaths(nothing, published, tmp_path / "x"):
        assert {one.state.value for one in observe(place.tree, place.receipts)} <= {"unchanged", "absent"}
        place.publish(1)
        assert text_in(place) == skill(1)
        assert (place.tree / FOLDERS[1] / NAME / "SKILL.md").read_text() == skill(1)
        place.withdraw()
        assert place.left() == []


def test_a_second_version(tmp_path: Path) -> None:
    for place in deaths(published, lambda place: place.publish(2), tmp_path / "x"):
        assert text_in(place) in (skill(1), skill(2))
        assert {one.state.value for one in observe(place.tree, place.receipts)} <= {"unchanged", "older"}
        place.withdraw()
        assert place.left() == []


def test_a_withdrawal(tmp_path: Path) -> None:
    for place in deaths(published, Place.withdraw, tmp_path / "x"):
        assert text_in(place) in ("", skill(1))
        assert {one.state.value for one in observe(place.tree, place.receipts)} <= {"unchanged", "absent"}
        place.withdraw()
        assert place.left() == []
