"""Vectors: those on disk find what the reference finds, whatever is filtered, replaced, dropped, killed or damaged."""

import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hivemind_cli.index import rows, usearch
from hivemind_cli.index.base import Place, Where
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.usearch import UsearchVectors

DIM = 8
Matrix = NDArray[np.float32]


def units(count: int, seed: int, dim: int = DIM) -> Matrix:
    drawn = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    halves: NDArray[np.float16] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
    return halves.astype(np.float32)


def place(id: str, part: str = "body", *, workspace: str = "w", number: int = 0) -> Place:
    """What it is of follows from `number`."""
    return Place(
        id=id,
        part=part,
        digest=f"{id}/{part}",
        workspace_id=workspace,
        project_id=("", "p", "q")[number % 3],
        kind=("prompt", "reply")[number % 2],
        host=("claude", "codex")[number // 2 % 2],
        session_id=f"s{number % 5}",
        at_ms=1000 * number,
        number=number,
    )


def on_disk(folder: Path, model: str = "m") -> UsearchVectors:
    return UsearchVectors(folder, model=model, dim=DIM)


def filled(folder: Path, count: int = 20) -> UsearchVectors:
    vectors = on_disk(folder)
    vectors.update([place(f"id{n}", number=n) for n in range(count)], units(count, 1), [], cursor=7)
    return vectors


wheres = st.builds(
    Where,
    workspace_id=st.sampled_from(["w", "w", "w", "v", "none"]),
    project_ids=st.sampled_from([(), ("",), ("", "p"), ("q", "unknown"), ("unknown",)]),
    kinds=st.sampled_from([(), ("prompt",), ("reply", "prompt"), ("unknown",)]),
    hosts=st.sampled_from([(), ("claude",)]),
    session_ids=st.sampled_from([(), ("s1",), ("s1", "s3")]),
    since_ms=st.sampled_from([None, 0, 5000]),
    until_ms=st.sampled_from([None, 12_000]),
    before=st.sampled_from([None, 3, 15]),
)
updates = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=12, unique_by=lambda one: one[0]),
        st.sets(st.integers(0, 30), max_size=4),
        st.sampled_from([(), (), (("claude", "s1"),), (("claude", "s2"), ("codex", "s3"), ("codex", "unknown"))]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=30, deadline=None)
@given(updates=updates, where=wheres, limit=st.integers(0, 9), among=st.none() | st.sets(st.integers(0, 35)))
@pytest.mark.parametrize("hot", [True, False], ids=["in memory", "from the files"])
def test_what_is_on_disk_finds_what_the_reference_finds(
    tmp_path_factory: pytest.TempPathFactory,
    hot: bool,
    updates: list[tuple[list[tuple[int, int]], set[int], tuple[tuple[str, str], ...]]],
    where: Where,
    limit: int,
    among: set[int] | None,
) -> None:
    folder = tmp_path_factory.mktemp("vectors")
    kept, reference = on_disk(folder), InMemoryVectors(model="m")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usearch, "HOT_MAX", 8192 if hot else 0)
        patch.setattr(usearch, "BLOCK", 5)
        for cursor, (put, drop, gone) in enumerate(updates, 1):
            places = [
                place(f"id{n}", ("body", "task")[part % 2], workspace="wv"[n % 7 == 0], number=n)
                for n, parts in put
                for part in range(parts)
            ]
            vectors = units(len(places), cursor)
            for one in (kept, reference):
                one.update(places, vectors, [f"id{n}" for n in drop], cursor=cursor, gone=gone)
        ids = None if among is None else {f"id{n}" for n in among}
        for vectors_of in (kept, on_disk(folder)):  # opened again, it is the same
            assert vectors_of.cursor() == reference.cursor()
            assert vectors_of.count() == reference.count()
            assert vectors_of.digests() == reference.digests()
            assert sorted(vectors_of.ids(where)) == sorted(reference.ids(where))
            wanted = units(1, 99)[0]
            found, expected = (one.near(wanted, where, limit=limit, ids=ids) for one in (vectors_of, reference))
            assert [id for id, _ in found] == [id for id, _ in expected]
            assert np.allclose([score for _, score in found], [score for _, score in expected], atol=1e-5)
            asked = ids or {"id1", "id2", "nobody"}
            assert {
                id: {part: round(score, 4) for part, score in parts.items()}
                for id, parts in vectors_of.parts(wanted, asked).items()
            } == {
                id: {part: round(score, 4) for part, score in parts.items()}
                for id, parts in reference.parts(wanted, asked).items()
            }
    shutil.rmtree(folder)


def test_vectors_of_another_model_are_begun_anew(tmp_path: Path) -> None:
    filled(tmp_path / "v").close()
    other = on_disk(tmp_path / "v", "another")
    assert (other.cursor(), other.count(), other.near(units(1, 1)[0], Where(workspace_id="w"), limit=3)) == (0, 0, [])
    other.close()
    assert on_disk(tmp_path / "v").cursor() == 0


def test_a_vector_of_another_length_is_near_nothing(tmp_path: Path) -> None:
    assert filled(tmp_path / "v").near(np.ones(3, np.float32), Where(workspace_id="w"), limit=3) == []


@pytest.mark.parametrize("hot", [8192, 0])
@pytest.mark.parametrize("kind", [*rows.KINDS, "manifest.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_what_is_damaged_is_begun_anew_and_never_an_error(
    tmp_path: Path, kind: str, harm: str, hot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usearch, "HOT_MAX", hot)
    vectors = filled(tmp_path / "v")
    vectors.update([], units(0, 1), ["id3"], cursor=8)
    (path,) = (tmp_path / "v").glob(f"{kind}*")
    data = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    again = on_disk(tmp_path / "v")
    found = again.near(units(1, 2)[0], Where(workspace_id="w"), limit=20)
    assert (found, again.cursor(), again.count()) == ([], 0, 0)
    again.update([place("id1")], units(1, 3), [], cursor=2)
    assert [id for id, _ in on_disk(tmp_path / "v").near(units(1, 2)[0], Where(workspace_id="w"), limit=5)] == ["id1"]


def test_what_was_appended_after_the_last_manifest_never_happened(tmp_path: Path) -> None:
    filled(tmp_path / "v").close()
    for kind in rows.KINDS:
        with next((tmp_path / "v").glob(f"{kind}*")).open("ab") as file:
            file.write(os.urandom(random.Random(1).randrange(1, 99)))
    again = on_disk(tmp_path / "v")
    assert (again.cursor(), again.count()) == (7, 20)
    again.update([place("later")], units(1, 5), [], cursor=8)
    assert on_disk(tmp_path / "v").near(units(1, 5)[0], Where(workspace_id="w"), limit=1)[0][0] == "later"


def test_a_folder_that_is_taken_away_is_begun_anew(tmp_path: Path) -> None:
    vectors = filled(tmp_path / "v")
    shutil.rmtree(tmp_path / "v")
    vectors.update([place("later")], units(1, 5), [], cursor=8)
    assert vectors.cursor() == 0
    vectors.update([place("later")], units(1, 5), [], cursor=8)
    assert (vectors.cursor(), vectors.count()) == (8, 1)


def test_what_was_replaced_leaves_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usearch, "DEAD_MIN", 10)
    vectors = filled(tmp_path / "v")
    for n in range(20, 40):
        vectors.update([place("id0", number=n)], units(1, n), [f"id{n - 20}"], cursor=n)
    before = vectors.near(units(1, 9)[0], Where(workspace_id="w"), limit=50)
    size = sum(path.stat().st_size for path in (tmp_path / "v").iterdir())
    vectors.maintain()
    assert sum(path.stat().st_size for path in (tmp_path / "v").iterdir()) < size / 2
    assert vectors.near(units(1, 9)[0], Where(workspace_id="w"), limit=50) == before
    assert (vectors.cursor(), vectors.count()) == (39, len(before))
    assert on_disk(tmp_path / "v").digests() == vectors.digests()


@pytest.mark.parametrize("kind", ["strings", "vectors"])
def test_damage_met_while_files_are_written_anew_begins_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("DEAD_MIN", "HOT_MAX"):
        monkeypatch.setattr(usearch, name, 0)
    vectors = filled(tmp_path / "v")
    vectors.update([], units(0, 1), [f"id{n}" for n in range(10)], cursor=8)
    (path,) = (tmp_path / "v").glob(f"{kind}.*")
    path.write_bytes(path.read_bytes()[:-20] + b"?" * 20)
    vectors.maintain()
    assert (vectors.cursor(), vectors.count()) == (0, 0)


def wait_for_graph(vectors: UsearchVectors) -> None:
    deadline = time.monotonic() + 30
    while vectors.maintain():
        assert time.monotonic() < deadline, "the graph is not built"
        time.sleep(0.02)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are many."""
    for name, value in {"HOT_MAX": 0, "EXACT_MAX": 50, "TAIL_MIN": 20}.items():
        monkeypatch.setattr(usearch, name, value)


@pytest.mark.usefixtures("few")
def test_a_graph_finds_what_is_near_honours_filters_and_knows_what_came_after_it(tmp_path: Path) -> None:
    vectors = UsearchVectors(tmp_path / "v", model="m", dim=DIM, env={"PATH": os.environ["PATH"]}, work=tmp_path)
    reference = InMemoryVectors(model="m")
    places = [place(f"id{n}", number=n) for n in range(400)]
    for one in (vectors, reference):
        one.update(places, units(400, 1), [], cursor=1)
    wait_for_graph(vectors)
    assert list((tmp_path / "v").glob("graph-400-*"))
    for one in (vectors, reference):
        one.update([place("id7", number=7), place("new")], units(2, 2), ["id5"], cursor=2)
    opened = UsearchVectors(tmp_path / "v", model="m", dim=DIM, env={"PATH": os.environ["PATH"]}, work=tmp_path)
    opened.maintain()
    for vectors_of in (vectors, opened):
        assert vectors_of._graph is not None
        for seed in range(20):
            for where in (
                Where(workspace_id="w"),
                Where(workspace_id="w", kinds=("prompt",)),
                Where(workspace_id="w", project_ids=("p",), since_ms=100_000),
                Where(workspace_id="w", session_ids=("s1",), kinds=("reply",), before=90),
            ):
                wanted = units(1, 100 + seed)[0]
                found, expected = (one.near(wanted, where, limit=10) for one in (vectors_of, reference))
                assert len({id for id, _ in found} & {id for id, _ in expected}) >= len(expected) - 1
                assert len(found) == len(expected)
                inside = set(reference.ids(where))
                assert {id for id, _ in found} <= inside
        vectors_of.close()


@pytest.mark.usefixtures("few")
def test_a_damaged_graph_is_built_anew(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    vectors = UsearchVectors(tmp_path / "v", model="m", dim=DIM, env=env, work=tmp_path)
    vectors.update([place(f"id{n}") for n in range(200)], units(200, 1), [], cursor=1)
    wait_for_graph(vectors)
    vectors.close()
    (path,) = (tmp_path / "v").glob("graph-*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)
    again = UsearchVectors(tmp_path / "v", model="m", dim=DIM, env=env, work=tmp_path)
    assert again.maintain()  # it is being built
    assert len(again.near(units(1, 3)[0], Where(workspace_id="w"), limit=10)) == 10
    wait_for_graph(again)
    (path,) = (tmp_path / "v").glob("graph-*")
    assert again._graph is not None
    again.close()
