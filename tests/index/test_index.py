"""What any index must do: one suite for tantivy and the reference."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.index.base import Document, Index, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.tantivy import TantivyIndex

HERE = Scope("default", "p1")
ENGINES: dict[str, Callable[[Path], Index]] = {
    "inmemory": lambda _: InMemoryIndex(),
    "tantivy": lambda folder: TantivyIndex(folder / "tantivy"),
}


@pytest.fixture(params=ENGINES)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    made = ENGINES[request.param](tmp_path)
    yield made
    made.close()


def document(id: str, trigger: str = "", text: str = "", **changes: Any) -> Document:
    fields: dict[str, Any] = {
        "kind": "skill",
        "version": 1,
        "name": id,
        "workspace_id": "default",
        "project_id": "p1",
        **changes,
    }
    return Document(id=id, trigger=trigger, text=text, **fields)


def found(index: Index, query: str, scope: Scope = HERE, limit: int = 10) -> list[str]:
    """Ids of what matches, the best first."""
    matches = sorted(index.match(query, scope, limit=limit), key=lambda one: -(one.words + one.named + one.terms))
    return [one.document.id for one in matches]


def test_a_new_index_is_empty_at_cursor_0(index: Index) -> None:
    assert index.cursor() == 0
    assert index.all() == []
    assert found(index, "migration") == []


def test_what_was_put_is_found_at_once_and_whole(index: Index) -> None:
    put = document(
        "sk_1",
        "Use when writing a database migration",
        "- Write it reversible.",
        tasks=("add a migration for invoices", "schnell"),
        acts=({"kind": "shell", "tool": "Bash", "command": "alembic upgrade head"},),
        origin=("e1",),
        recurrence_keys=("shell:alembic",),
        occurred_at_ms=1_700_000_000_000,
    )
    index.update([put], [], cursor=7)
    [match] = index.match("one more migration please", HERE, limit=5)
    assert match.document == put
    assert match.words > 0 and match.named > 0
    assert index.cursor() == 7


def test_acts_and_body_count_as_text_but_not_as_trigger(index: Index) -> None:
    acts = ({"kind": "shell", "command": "terraform apply"}, {"kind": "edit", "path": "infra/network/main.tf"})
    index.update([document("a", "cloud", "keep subnets small", acts=acts), document("b", "cooking")], [], cursor=1)
    for query in ("terraform", "network", "subnets"):
        [match] = index.match(query, HERE, limit=5)
        assert (match.document.id, match.named, match.covered) == ("a", 0, 0)
        assert match.words > 0 and match.terms > 0


def test_a_later_version_replaces_the_earlier(index: Index) -> None:
    index.update([document("a", "spelling")], [], cursor=1)
    index.update([document("a", "grammar", version=2)], [], cursor=2)
    assert found(index, "spelling") == []
    assert [d.version for d in index.all()] == [2]
    assert found(index, "grammar") == ["a"]


def test_the_same_id_twice_in_one_update_counts_once(index: Index) -> None:
    index.update([document("a", "spelling"), document("a", "grammar")], [], cursor=1)
    assert [d.trigger for d in index.all()] == ["grammar"]


def test_what_is_dropped_is_gone_and_unknown_ids_do_not_matter(index: Index) -> None:
    index.update([document("a", "spelling"), document("b", "spelling")], [], cursor=1)
    index.update([], ["a", "never there"], cursor=2)
    assert found(index, "spelling") == ["b"]
    assert [d.id for d in index.all()] == ["b"]
    assert index.cursor() == 2


def test_dropped_and_put_at_once_is_there(index: Index) -> None:
    index.update([document("a", "spelling")], ["a"], cursor=1)
    assert found(index, "spelling") == ["a"]


def test_the_cursor_may_go_back(index: Index) -> None:
    index.update([document("a", "spelling")], [], cursor=9)
    index.update([], [], cursor=3)
    assert index.cursor() == 3
    assert len(index.all()) == 1


def test_documents_outside_the_scope_never_appear(index: Index) -> None:
    index.update(
        [
            document("here", "spelling"),
            document("everywhere", "spelling", project_id=""),
            document("other project", "spelling", project_id="p2"),
            document("other workspace", "spelling", workspace_id="w2"),
            document("other workspace, everywhere", "spelling", workspace_id="w2", project_id=""),
        ],
        [],
        cursor=1,
    )
    assert set(found(index, "spelling")) == {"here", "everywhere"}
    assert {d.id for d in index.all(HERE)} == {"here", "everywhere"}
    assert set(found(index, "spelling", Scope("default"))) == {"everywhere"}
    assert found(index, "spelling", Scope("w3", "p1")) == []
    assert len(index.all()) == 5


def test_the_better_match_comes_first_and_limit_cuts_the_rest(index: Index) -> None:
    filler = [document(f"f{i}", "weather report for sailors") for i in range(20)]
    index.update([*filler, document("x", "weather"), document("y", "weather station firmware")], [], cursor=1)
    assert found(index, "weather station firmware", limit=1) == ["y"]
    assert found(index, "weather", limit=1) == ["x"]
    assert len(found(index, "weather", limit=5)) == 5
    assert found(index, "weather", limit=0) == []


def test_a_match_of_the_trigger_beats_the_same_match_of_the_body(index: Index) -> None:
    index.update([document("a", "alpha", "release notes"), document("b", "release notes", "alpha")], [], cursor=1)
    assert found(index, "release notes") == ["b", "a"]


def test_words_match_in_other_forms_and_scripts(index: Index) -> None:
    index.update(
        [
            document("de", "Datenbankmigrationen anlegen"),
            document("ru", "писать миграции базы данных"),
            document("ja", "データベースの移行を書く"),
        ],
        [],
        cursor=1,
    )
    assert found(index, "eine DATENBANKMIGRATION") == ["de"]
    assert found(index, "миграция базы") == ["ru"]
    assert found(index, "移行スクリプト") == ["ja"]


def test_function_words_alone_find_nothing(index: Index) -> None:
    index.update([document("a", "when you are in the house")], [], cursor=1)
    assert found(index, "are you in the") == []


def test_a_pasted_log_still_finds_its_match(index: Index) -> None:
    index.update([document("a", "segmentation fault"), document("b", "spelling")], [], cursor=1)
    assert found(index, "segmentation fault " + " ".join(f"0x{i:08x}" for i in range(20_000))) == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "a AND (b OR",
        '"open',
        "field:value",
        "text:x^2",
        "*",
        "/re(/",
        "[a TO z]",
        "+-!~",
        "\\",
        "\x00",
        "\ud800x",
        "%",
        "💥",
        "",
    ],
)
def test_query_syntax_means_nothing(index: Index, query: str) -> None:
    index.update([document("a", "spelling")], [], cursor=1)
    assert found(index, query) == []
    assert found(index, f"{query} spelling") == ["a"]


@given(query=st.text(max_size=60), text=st.text(max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_refused(index: Index, query: str, text: str) -> None:
    put = document("a", text, text, workspace_id="w", project_id="", tasks=(text,))
    index.update([put], [], cursor=1)
    index.match(query, Scope("w", query), limit=3)
    assert index.all() == [put]


def test_lone_surrogates_in_ids_and_scopes_are_kept(index: Index) -> None:
    put = document("a\udcff", "spelling", "\udcff", project_id="p\udcfe")
    index.update([put], [], cursor=1)
    assert [one.document for one in index.match("spelling", Scope("default", "p\udcfe"), limit=3)] == [put]
    index.update([], ["a\udcff"], cursor=2)
    assert index.all() == []


def test_searches_while_updates_run_see_whole_states(index: Index) -> None:
    def read() -> set[int]:
        return {len(index.all()) for _ in range(30)}

    with ThreadPoolExecutor(3) as pool:
        seen = [pool.submit(read) for _ in range(2)]
        for i in range(10):
            index.update([document(f"{i}-{j}", "spelling") for j in range(5)], [], cursor=i)
        assert all(size % 5 == 0 for future in seen for size in future.result())
    assert len(found(index, "spelling", limit=100)) == 50


def test_both_engines_score_alike(tmp_path: Path) -> None:
    words = ["amber", "basil", "cedar", "dahlia", "elder", "fennel", "ginger", "hazel", "iris", "juniper"]
    documents = [
        document(str(i), " ".join(words[i % 7 : i % 7 + 3]), " ".join(words[j] for j in range(10) if (i >> j) & 1))
        for i in range(60)
    ]
    reference = InMemoryIndex()
    engine = TantivyIndex(tmp_path / "tantivy")
    for one in (reference, engine):
        one.update(documents, [], cursor=1)
    for query in ("amber", "cedar hazel", "juniper iris dahlia basil"):
        expected, matches = matched(reference, query, limit=100), matched(engine, query, limit=100)
        assert matches.keys() == expected.keys()
        for id, one in matches.items():
            for figure in ("words", "named", "terms", "covered"):
                # tantivy's cursor is one more document in its statistics
                assert getattr(one, figure) == pytest.approx(getattr(expected[id], figure), rel=0.1, abs=0.05)
    engine.close()


def matched(
    index: Index, query: str, scope: Scope = HERE, limit: int = 10, ids: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {one.document.id: one for one in index.match(query, scope, limit=limit, ids=ids)}


def test_a_match_tells_what_stands_where(index: Index) -> None:
    index.update(
        [
            document("named", "Use when migrating databases"),
            document("said", "Cooking", "Migrating databases is not cooking."),
            document("other", "Gardening", "Water the plants."),
        ],
        [],
        cursor=1,
    )
    found = matched(index, "migrating databases")
    assert set(found) == {"named", "said"}
    assert found["named"].named > 0 == found["said"].named
    assert found["said"].words > 0 and found["said"].terms > 0
    assert (found["named"].covered, found["said"].covered) == (pytest.approx(1), 0)


def test_whole_words_and_their_terms_are_told_apart(index: Index) -> None:
    index.update([document("a", "", "migration"), document("b", "", "migrations planned")], [], cursor=1)
    found = matched(index, "migrations")
    assert (found["a"].words, found["b"].words > 0) == (0, True)
    assert found["a"].terms > 0 and found["b"].terms > 0


def test_a_match_has_those_that_are_asked_for_though_no_word_fits(index: Index) -> None:
    others = [document(f"n{n}", "migrating databases") for n in range(5)]
    index.update([document("far", "cooking"), document("away", "cooking", project_id="p2"), *others], [], cursor=1)
    found = matched(index, "migrating", limit=2, ids=("far", "away", "gone"))
    assert len(found) == 3 and "far" in found
    assert (found["far"].words, found["far"].named, found["far"].terms, found["far"].covered) == (0, 0, 0, 0)
    assert matched(index, "", ids=("far",)).keys() == {"far"}
    assert matched(index, "migrating", limit=0) == {}


def test_a_match_sees_a_document_as_it_is_now(index: Index) -> None:
    index.update([document("a", "cooking"), document("b", "cooking")], [], cursor=1)
    assert matched(index, "cooking")["a"].document.version == 1
    index.update([document("a", "cooking", version=2)], ["b"], cursor=2)
    assert {id: one.document.version for id, one in matched(index, "cooking", ids=("a", "b")).items()} == {"a": 2}


def test_scaled_scores_are_alike_in_every_engine(tmp_path: Path) -> None:
    documents = [document(f"d{n}", f"word{n % 7} shared", f"body{n} " * (n % 5 + 1)) for n in range(40)]
    engines = [make(tmp_path) for make in ENGINES.values()]
    for engine in engines:
        engine.update(documents, [], cursor=1)
    one, other = (matched(engine, "word3 shared body10 unseen", limit=40) for engine in engines)
    assert one.keys() == other.keys()
    for id, match in one.items():
        for name in ("words", "named", "terms", "covered"):
            assert getattr(match, name) == pytest.approx(getattr(other[id], name), rel=0.1, abs=0.02)
    engines[1].close()
