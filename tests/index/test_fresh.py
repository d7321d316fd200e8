"""What is new is found at once and written later; it is the same index, wherever a document stands just now."""

import threading
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.fresh import PENDING_MAX, FreshFirst
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.tantivy import TantivyIndex
from tests.index.test_index import document, found, matched

HERE = Scope("default", "p1")
WORDS = ("migration", "branch", "archive")
IDS = st.sampled_from(["a", "b", "c", "d"])
PUTS = st.lists(st.builds(document, IDS, st.just(""), st.sampled_from(WORDS)), max_size=3, unique_by=lambda one: one.id)
STEPS = st.lists(st.one_of(st.just("flush"), st.tuples(PUTS, st.lists(IDS, max_size=2))), max_size=8)


@given(STEPS)
def test_it_holds_what_an_index_holds(steps: list[str | tuple[list[Document], list[str]]]) -> None:
    plain, fresh = InMemoryIndex(), FreshFirst(InMemoryIndex())
    for cursor, step in enumerate(steps, start=1):
        if isinstance(step, tuple):
            for index in (plain, fresh):
                index.update(*step, cursor=cursor)
        else:
            fresh.flush()
        assert fresh.cursor() == plain.cursor()
        assert sorted(fresh.all(), key=lambda one: one.id) == sorted(plain.all(), key=lambda one: one.id)
        for word in WORDS:
            assert sorted(found(fresh, word)) == sorted(found(plain, word))
            assert set(matched(fresh, word)) == set(matched(plain, word))


class Slow(InMemoryIndex):
    """A disk that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_end = threading.Event(), threading.Event()

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        self.began.set()
        assert self.may_end.wait(10)
        super().update(put, drop, cursor=cursor)


def test_nobody_waits_for_the_disk() -> None:
    disk = Slow()
    fresh = FreshFirst(disk)
    fresh.update([document("a", "", "migration")], [], cursor=1)
    writing = threading.Thread(target=fresh.flush)
    writing.start()
    assert disk.began.wait(10)
    fresh.update([document("b", "", "migration")], ["a"], cursor=2)
    assert found(fresh, "migration") == ["b"]
    disk.may_end.set()
    writing.join()
    assert (disk.cursor(), found(fresh, "migration"), fresh.cursor()) == (1, ["b"], 2)
    fresh.flush()
    assert (disk.cursor(), [one.id for one in disk.all()]) == (2, ["b"])


def test_what_was_not_written_is_asked_for_again_and_a_close_writes_it(tmp_path: Path) -> None:
    killed = FreshFirst(TantivyIndex(tmp_path / "ix"))
    killed.update([document("a", "", "migration")], [], cursor=1)
    killed.flush()
    killed.update([document("b", "", "migration")], [], cursor=2)
    other = TantivyIndex(tmp_path / "ix")
    assert (other.cursor(), found(other, "migration")) == (1, ["a"])
    other.close()
    killed.close()
    killed.close()
    again = TantivyIndex(tmp_path / "ix")
    assert (again.cursor(), sorted(found(again, "migration"))) == (2, ["a", "b"])
    again.close()


def test_a_damaged_disk_wants_everything_again(tmp_path: Path) -> None:
    fresh = FreshFirst(TantivyIndex(tmp_path / "ix"))
    fresh.update([document("a", "", "migration")], [], cursor=1)
    fresh.flush()
    for file in (tmp_path / "ix").iterdir():
        if file.is_file():
            file.unlink()
    fresh.update([document("b", "", "migration")], [], cursor=2)
    fresh.flush()
    assert fresh.cursor() == 0
    fresh.update([document(id, "", "migration") for id in "ab"], [], cursor=2)
    fresh.flush()
    assert (fresh.cursor(), sorted(found(fresh, "migration"))) == (2, ["a", "b"])
    fresh.close()


def test_many_are_written_at_once() -> None:
    disk = InMemoryIndex()
    fresh = FreshFirst(disk)
    fresh.update([document(f"sk{n}", "", "migration") for n in range(PENDING_MAX + 1)], [], cursor=9)
    assert (len(disk.all()), disk.cursor()) == (PENDING_MAX + 1, 9)
