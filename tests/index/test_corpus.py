"""What any corpus must do: one suite for tantivy and the reference; and tantivy's folder, killed and damaged."""

import logging
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.index.base import Corpus, Text, Where
from hivemind_cli.index.inmemory_corpus import InMemoryCorpus
from hivemind_cli.index.tantivy.texts import TantivyCorpus

CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "tantivy": lambda folder: TantivyCorpus(folder / "texts"),
    "inmemory": lambda folder: InMemoryCorpus(),
}
ALL = Where(workspace_id="w")


def text(id: str, said: str = "valve", **more: Any) -> Text:
    fields: dict[str, Any] = {"id": id, "kind": "prompt", "workspace_id": "w", "text": said}
    return Text(**{**fields, **more})


def ids(corpus: Corpus, query: str = "valve", where: Where = ALL, limit: int = 50) -> list[str]:
    return [one.text.id for one in corpus.search(query, where, limit=limit)]


@pytest.fixture(params=CORPORA)
def corpus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Corpus]:
    made = CORPORA[request.param](tmp_path)
    yield made
    made.close()


def test_a_reader_sees_its_own_writes_and_the_last_of_an_id(corpus: Corpus) -> None:
    corpus.update([text("a"), text("b"), text("b", "pump")], [], cursor=7)
    assert (ids(corpus), ids(corpus, "pump"), corpus.count(), corpus.cursor()) == (["a"], ["b"], 2, 7)
    corpus.update([text("a", "pump")], ["a", "b", "never"], cursor=8)
    assert (ids(corpus), ids(corpus, "pump"), corpus.count(), corpus.cursor()) == ([], ["a"], 1, 8)


def test_what_goes_in_comes_out_whatever_it_holds(corpus: Corpus) -> None:
    odd = text("a\ud800", "valve \udcff\0 \U0001f600", title="t\ud800", paths=("x\udcff.py",), number=-5, at_ms=1 << 62)
    corpus.update([odd, text("", "")], [], cursor=1)
    assert corpus.search("valve", ALL, limit=1)[0].text == odd
    assert corpus.get(["a\ud800", "", "never"], ALL) == {"a\ud800": odd, "": text("", "")}
    assert corpus.search("", ALL, limit=5) == corpus.search(" .. ", ALL, limit=5) == []
    assert ids(corpus, limit=0) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ModuleNotFoundError", "error"),
        ("module not found", "error"),
        ("src/app.py", "path"),
        ("app.py", "path"),
        ("--no-verify", "option"),
        ("buildIndex", "camel"),
        ("build_index", "camel"),
        ("2.10.4", "version"),
        ("4f9c2d17ab", "hash"),
        ("4f9c2d17ab0e6853" * 4, "digest"),
        ("环境变量", "chinese"),
        ("größe", "german"),
    ],
)
def test_what_is_written_as_one_word_is_found_by_it_and_by_its_parts(corpus: Corpus, query: str, expected: str) -> None:
    said = {
        "error": "it ended with ModuleNotFoundError: no such thing",
        "path": "see /home/me/src/app.py for it",
        "option": "git commit --no-verify again",
        "camel": "then buildIndex() ran",
        "version": "upgraded to v2.10.4 at last",
        "hash": "since commit 4f9c2d17ab",
        "digest": f"pulled sha256:{'4f9c2d17ab0e6853' * 4}",
        "chinese": "先设置环境变量再说",
        "german": "die Größe stimmt",
        "other": "the module app was found; no index, verify 4 or 10 py; error in src; build 2",
    }
    corpus.update([text(id, words) for id, words in said.items()], [], cursor=1)
    assert ids(corpus, query)[0] == expected


def test_side_by_side_counts_more_than_apart(corpus: Corpus) -> None:
    apart, together = (
        text("apart", "header that we parse, we parse the header"),
        text("together", "call parse_header now"),
    )
    corpus.update([apart, together, *(text(str(n), "else") for n in range(20))], [], cursor=1)
    assert ids(corpus, "parse_header")[0] == "together"


def test_a_title_counts_more_and_a_share_tells_how_much_of_the_query_is_there(corpus: Corpus) -> None:
    corpus.update([text("body", "pump\nvalve leaks"), text("title", "pump", title="valve leaks")], [], cursor=1)
    assert ids(corpus, "valve leaks")[0] == "title"
    whole, half = (corpus.search(query, ALL, limit=1)[0].share for query in ("valve leaks", "valve zebra"))
    assert 0 < half < whole


def test_all_of_a_session_goes_at_once(corpus: Corpus) -> None:
    mine = [text(str(n), host="h", session_id="s1") for n in range(3)]
    corpus.update([*mine, text("x", host="h", session_id="s2"), text("y", host="g", session_id="s1")], [], cursor=1)
    corpus.update([], [], cursor=2, gone=[("h", "s1")])
    assert sorted(ids(corpus)) == ["x", "y"]
    corpus.clear()
    assert (corpus.count(), corpus.cursor(), ids(corpus)) == (0, 0, [])


def test_the_newest_come_without_a_query(corpus: Corpus) -> None:
    corpus.update([text(str(n), at_ms=n % 4, kind="reply" if n % 2 else "prompt") for n in range(8)], [], cursor=1)
    assert [one.id for one in corpus.latest(Where(workspace_id="w", kinds=("reply",)), limit=3)] == ["3", "7", "1"]


def test_of_given_ids_only_these(corpus: Corpus) -> None:
    corpus.update([text(str(n)) for n in range(9)], [], cursor=1)
    found = corpus.search("valve", ALL, limit=9, ids=["3", "5", "never"])
    assert sorted(one.text.id for one in found) == ["3", "5"]
    assert corpus.search("valve", ALL, limit=9, ids=[]) == []


few = st.sampled_from(["", "a", "b"])
WORDS = ["valve", "pump", "parse_header", "KeyError", "src/app.py", "环境", "the"]
texts = st.builds(
    Text,
    id=st.integers(0, 30).map(str),
    kind=few,
    workspace_id=st.sampled_from(["w", "v"]),
    project_id=few,
    host=few,
    session_id=few,
    at_ms=st.integers(0, 6),
    number=st.integers(0, 6),
    title=st.sampled_from(["", *WORDS]),
    text=st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
    paths=st.lists(st.sampled_from(["src/app.py", "lib/app.py", "/x/src/app.py", "app.pyc"]), max_size=2).map(tuple),
)
some = st.lists(few, max_size=2).map(tuple)
bound = st.none() | st.integers(0, 6)
places = st.builds(
    Where,
    workspace_id=st.sampled_from(["w", "v", "u"]),
    project_ids=some,
    kinds=some,
    hosts=some,
    session_ids=some,
    since_ms=bound,
    until_ms=bound,
    before=bound,
    path=st.sampled_from(["", "", "app.py", "src/app.py", "./src/app.py", "pp.py", "/x/src/app.py"]),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Corpus, Corpus]]:
    engine = TantivyCorpus(tmp_path_factory.mktemp("both") / "texts")
    yield engine, InMemoryCorpus()
    engine.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(texts, max_size=30),
    st.lists(st.integers(0, 30).map(str), max_size=4),
    st.lists(st.tuples(few, few), max_size=1),
    st.lists(st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), places), max_size=12),
)
def test_tantivy_finds_what_the_reference_finds(
    both: tuple[Corpus, Corpus],
    put: list[Text],
    drop: list[str],
    gone: list[tuple[str, str]],
    asked: list[tuple[str, Where]],
) -> None:
    engine, reference = both
    for one in both:
        one.update(put, drop, cursor=1, gone=gone)
    assert engine.count() == reference.count()
    for query, where in asked:
        expected = {one.text.id: one.text for one in reference.search(query, where, limit=100)}
        assert {one.text.id: one.text for one in engine.search(query, where, limit=100)} == expected
        assert engine.latest(where, limit=100) == reference.latest(where, limit=100)
        assert engine.get([str(n) for n in range(31)], where) == reference.get([str(n) for n in range(31)], where)


def test_both_engines_score_alike(tmp_path: Path) -> None:
    rng = random.Random(3)
    put = [text(str(n), " ".join(rng.choices(WORDS, k=rng.randint(2, 30)))) for n in range(200)]
    engine, reference = TantivyCorpus(tmp_path / "texts"), InMemoryCorpus()
    for one in (engine, reference):
        one.update(put, [], cursor=1)
    for query in ("valve", "KeyError pump", "src/app.py valve\nparse_header"):
        found = {one.text.id: one for one in engine.search(query, ALL, limit=200)}
        for expected in reference.search(query, ALL, limit=200):
            # tantivy keeps lengths in steps, and its cursor is one more document
            assert found[expected.text.id].bm25 == pytest.approx(expected.bm25, rel=0.15, abs=0.1)
            assert found[expected.text.id].share == pytest.approx(expected.share, rel=0.15, abs=0.02)
    engine.close()


CHILD = """
import sys
from pathlib import Path
from hivemind_cli.index.base import Text
from hivemind_cli.index.tantivy.texts import TantivyCorpus
corpus = TantivyCorpus(Path(sys.argv[1]))
n = corpus.cursor()
print("ready", flush=True)
while True:
    n += 1
    fields = dict(kind="k", workspace_id="w", text=f"valve {n} " * 20, session_id=str(n))
    put = [Text(id=f"{n}-{i}", **fields) for i in range(40)]
    corpus.update(put, [f"{n - 1}-0"], cursor=n, gone=[("", str(n - 3))])
"""


@pytest.mark.thorough
def test_kill_9_in_mid_update_leaves_whole_commits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "texts"
    rng, commits = random.Random(5), 0
    for _ in range(20):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE)
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 0.4))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        corpus = TantivyCorpus(folder)
        corpus.update([text("probe")], [], cursor=corpus.cursor())
        n = corpus.cursor()
        expected = {f"{m}-{i}" for m in range(max(n - 2, 1), n + 1) for i in range(m < n, 40)}
        assert set(ids(corpus, limit=500)) == expected | {"probe"}
        corpus.close()
        commits = n
    assert commits > 3  # else nothing was interrupted
    assert not caplog.records


@pytest.mark.parametrize("which", ["meta.json", "version", "pos", "fast", "store"])
def test_a_damaged_folder_is_begun_anew(tmp_path: Path, which: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "texts"
    corpus = TantivyCorpus(folder)
    corpus.update([text(str(n)) for n in range(30)], [], cursor=3)
    corpus.close()
    for path in folder.iterdir():
        if which in (path.name, path.suffix[1:]):
            data = bytearray(path.read_bytes())
            data[len(data) // 3] ^= 0xFF
            path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        corpus = TantivyCorpus(folder)
    assert (corpus.cursor(), corpus.count(), ids(corpus)) == (0, 0, [])
    corpus.update([text("a")], [], cursor=1)
    assert ids(corpus) == ["a"]
    corpus.close()
    assert "is rebuilt" in caplog.text
