"""The tantivy folder: reopened, killed, damaged, from another version, unwritable."""

import logging
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.tantivy import TantivyIndex, postings

HERE = Scope("default", "p1")


def document(id: str, trigger: str = "spelling") -> Document:
    return Document(
        id=id, kind="skill", version=1, name=id, workspace_id="default", project_id="p1", trigger=trigger, text="body"
    )


def filled(folder: Path, count: int = 30) -> None:
    index = TantivyIndex(folder)
    for i in range(0, count, 10):
        index.update([document(str(j)) for j in range(i, i + 10)], ["0"], cursor=i + 10)
    index.close()


def test_documents_and_cursor_are_there_after_reopening(tmp_path: Path) -> None:
    filled(tmp_path / "ix")
    index = TantivyIndex(tmp_path / "ix")
    assert index.cursor() == 30
    assert len(index.match("spelling", HERE, limit=100)) == 29
    index.close()
    index.close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    filled(tmp_path / "ix")
    assert (tmp_path / "ix").stat().st_mode & 0o777 == 0o700
    assert {path.name for path in (tmp_path / "ix").iterdir() if path.stat().st_mode & 0o077} == set()


@pytest.mark.thorough
def test_many_updates_leave_few_segments(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "ix")
    for i in range(120):
        index.update([document(str(i % 20))], [], cursor=i)
    assert len(list((tmp_path / "ix").iterdir())) < 200
    assert len(index.all()) == 20
    index.close()


CHILD = """
import sys
from pathlib import Path
from hivemind_cli.index.base import Document
from hivemind_cli.index.tantivy import TantivyIndex, postings
index = TantivyIndex(Path(sys.argv[1]))
n = index.cursor()
print("ready", flush=True)
while True:
    n += 1
    fields = dict(kind="memo", version=1, name="", workspace_id="w", project_id="", trigger="spelling", text="")
    put = [Document(id=f"{n}-{i}", **fields) for i in range(3)]
    index.update(put, [], cursor=n)
"""


@pytest.mark.thorough
def test_kill_9_in_mid_update_leaves_whole_commits_and_no_lock(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ix"
    rng = random.Random(5)
    for _ in range(20):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE)
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 0.08))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        index = TantivyIndex(folder)
        index.update([document("probe")], [], cursor=index.cursor())
        assert len(index.all(Scope("w"))) == 3 * index.cursor()
        index.close()
    assert not caplog.records


@pytest.mark.parametrize("when", ["opened", "open"])
def test_what_a_writer_left_that_died_just_before_its_commit_stops_no_other(tmp_path: Path, when: str) -> None:
    folder = tmp_path / "ix"
    filled(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    index = TantivyIndex(folder)
    index.update([], ["7"], cursor=40)
    index.close()
    left = [path for path in folder.glob("*.del") if path.name not in before]
    assert left
    for name, data in before.items():  # the last step of the commit never came
        (folder / name).write_bytes(data)
    index = TantivyIndex(folder)
    if when == "open":  # the disk was full for a moment
        for path in left:
            path.write_bytes(b"half")
        with pytest.raises(HivemindError, match="could not be written"):
            index.update([], ["7"], cursor=40)
    assert index.cursor() == 30
    index.update([], ["7"], cursor=40)
    assert index.cursor() == 40
    assert len(index.all()) == 28
    index.close()


def test_a_second_owner_is_told_so(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "ix")], stdout=subprocess.PIPE)
    assert child.stdout
    try:
        child.stdout.readline()
        time.sleep(0.1)
        index = TantivyIndex(tmp_path / "ix")
        with pytest.raises(HivemindError, match=r"could not be written"):
            index.update([document("a")], [], cursor=1)
        index.close()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


DAMAGE = ["meta.json", "version", "term", "idx", "store", "fieldnorm", "all"]


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
@pytest.mark.parametrize("which", DAMAGE)
def test_a_damaged_folder_is_begun_anew(tmp_path: Path, which: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "ix"
    filled(folder)
    for path in list(folder.iterdir()):
        if which in ("all", path.name, path.suffix[1:]) and path.stat().st_size:
            data = bytearray(path.read_bytes())
            if how == "gone":
                path.unlink()
                continue
            data[len(data) // 3] ^= 0xFF
            path.write_bytes({"flipped": bytes(data), "cut": bytes(data[: len(data) // 2]), "empty": b""}[how])
    with caplog.at_level(logging.WARNING):
        index = TantivyIndex(folder)
    assert index.cursor() == 0
    assert index.all() == []
    index.update([document("a")], [], cursor=4)
    assert len(index.match("spelling", HERE, limit=5)) == 1
    index.close()
    assert "is rebuilt" in caplog.text


def test_a_folder_of_another_version_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path / "ix")
    (tmp_path / "ix" / "version").write_text("0 tantivy 0.1")
    index = TantivyIndex(tmp_path / "ix")
    assert index.cursor() == 0
    assert "another version" in caplog.text
    index.close()


def test_a_file_where_the_folder_should_be_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "ix").write_text("not a folder")
    index = TantivyIndex(tmp_path / "ix")
    index.update([document("a")], [], cursor=1)
    assert len(index.all()) == 1
    index.close()


def test_a_folder_removed_while_open_is_begun_anew(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "ix")
    index.update([document("a")], [], cursor=1)
    shutil.rmtree(tmp_path / "ix")
    index.update([document("b")], [], cursor=2)
    assert index.cursor() == 0
    index.update([document("a"), document("b")], [], cursor=2)
    assert len(index.match("spelling", HERE, limit=5)) == 2
    assert index.cursor() == 2
    index.close()


def test_a_full_disk_keeps_the_last_commit_and_says_what_to_do(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    rng = random.Random(1)
    index = TantivyIndex(tmp_path / "ix")
    index.update([document("a")], [], cursor=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # writes past it fail as on a full disk
    try:
        with pytest.raises(HivemindError) as caught:
            index.update([document(str(i), rng.randbytes(2000).hex(" ", 4)) for i in range(200)], [], cursor=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free disk space" in caught.value.fix
    assert index.cursor() == 1
    assert [d.id for d in index.all()] == ["a"]
    index.update([document("b")], [], cursor=2)
    assert len(index.match("spelling", HERE, limit=5)) == 2
    index.close()


def test_a_place_that_cannot_be_made_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HivemindError) as caught:
        TantivyIndex(tmp_path / "file" / "ix")
    assert caught.value.fix


def test_a_closed_index_says_so(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "ix")
    index.close()
    with pytest.raises(HivemindError, match="closed"):
        index.all()
    with pytest.raises(HivemindError, match="closed"):
        index.update([], [], cursor=1)


def test_a_commit_that_overtakes_a_search_is_seen_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = TantivyIndex(tmp_path / "ix")
    index.update([document("a"), document("b", "before")], [], cursor=1)
    read = index._folder.read
    changes = [lambda: index.update([document("b", "after")], ["a"], cursor=2)]

    def overtaken(work: Callable[[Any], Any], otherwise: Any) -> Any:
        def late(searcher: Any) -> Any:
            while changes:
                changes.pop()()
            return work(searcher)

        return read(late, otherwise)

    monkeypatch.setattr(index._folder, "read", overtaken)
    assert len(index.all()) == 2  # as of the commit before
    assert [one.trigger for one in index.all()] == ["after"]
    index.update([document("c")], [], cursor=3)
    assert {one.trigger for one in index.all()} == {"after", "spelling"}
    index.close()


def test_what_is_remembered_of_terms_is_bounded_and_forgotten_with_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postings, "ROWS_MAX", 3)
    index = TantivyIndex(tmp_path / "ix")
    for cursor in (1, 2):
        index.update([document(f"{cursor}{n}", f"spelling of word{n}") for n in range(4)], [], cursor=cursor)
        for _ in range(2):
            found = index.match("spelling of word3", HERE, limit=100)
            best = max(found, key=lambda one: one.words)
            assert len(found) == 4 * cursor
            assert best.document.trigger == "spelling of word3"
            assert best.covered == pytest.approx(1.0)
    index.close()
