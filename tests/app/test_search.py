"""Search over everything stored, and errors with their fixes, as the owner answers them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind, search
from hivemind_cli.core.config import Config, StorageConfig
from hivemind_cli.core.errors import ConfigError, HivemindError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import identify
from hivemind_cli.core.records import Event, EventKind, Project, Tombstone
from hivemind_cli.index.base import Text, Where
from hivemind_cli.index.searching import Result
from tests.pipeline.session import START, Session


@pytest.fixture
def owner(paths: Paths) -> Iterator[OwnedHivemind]:
    owner = Hivemind.own(paths, Config(storage=StorageConfig(engine="inmemory")), env={})
    yield owner
    owner.close()


def ask(owner: OwnedHivemind, query: str, **args: Any) -> list[dict[str, Any]]:
    hits = owner.call("search", {"query": query, **args})["hits"]
    assert isinstance(hits, list | tuple)
    return list(hits)


def known(owner: OwnedHivemind, error: str, **args: Any) -> list[dict[str, Any]]:
    found = owner.call("search.error", {"error": error, **args})["known"]
    assert isinstance(found, list)
    return found


def named(owner: OwnedHivemind, project_id: str, name: str) -> None:
    owner.store.append(
        [
            Project(
                id=new_id(START),
                workspace_id="default",
                project_id=project_id,
                name=name,
                root=f"/{name}",
                remote="",
                occurred_at=START,
            )
        ]
    )


def test_what_was_just_stored_is_found_with_what_to_highlight(owner: OwnedHivemind) -> None:
    Session(owner.store).says("Rename the ledger table to journal_entries, please")
    hit = ask(owner, "journal_entries", kinds=["prompt"])[0]
    assert hit["kind"] == "prompt" and hit["session_id"] == "s1" and hit["host"] == "claude"
    ((start, end),) = hit["highlights"]
    assert hit["snippet"][start:end] == "journal_entries"
    assert hit["occurred_at"].startswith("2026-11-01T09:00:01")


def test_filters_narrow_and_must_all_hold(owner: OwnedHivemind) -> None:
    named(owner, "p1", "shop")
    named(owner, "p2", "blog")
    early, late = Session(owner.store, "early", project="p1"), Session(owner.store, "late", project="p2")
    late.at += timedelta(days=2)
    for session in (early, late):
        session.says("the parser is slow")
        session.runs("make parser", error="parser.c: error: expected expression")
        session.writes("src/parser.c", "int parser;\n")

    def sessions(**args: Any) -> set[str]:
        return {hit["session_id"] for hit in ask(owner, "parser", **args)}

    assert sessions() == {"early", "late"}
    assert sessions(projects=["shop"]) == {"early"}
    assert sessions(since="2026-11-02T00:00:00+00:00") == {"late"}
    assert sessions(until="2026-11-02T00:00:00+00:00") == {"early"}
    assert sessions(session="late", hosts=["codex"]) == {"late"}  # a session has one host: its own
    assert sessions(hosts=["codex"]) == set()
    assert {hit["kind"] for hit in ask(owner, "parser", kinds=["error"])} == {"tool_failure"}
    found = ask(owner, "parser", file="src/parser.c", projects=["blog"])
    assert found and all("src/parser.c" in hit["paths"] and hit["project"] == "blog" for hit in found)


def test_many_hits_of_one_session_leave_room_for_others(owner: OwnedHivemind) -> None:
    loud, quiet = Session(owner.store, "loud"), Session(owner.store, "quiet")
    for n in range(40):
        loud.says(f"webpack webpack webpack {n}")
    quiet.says("does webpack still matter when we have other bundlers to choose from?")
    answer = owner.call("search", {"query": "webpack"})
    sessions = [hit["session_id"] for hit in answer["hits"]]
    assert sessions.count("loud") == search.OF_SESSION_MAX and "quiet" in sessions
    assert answer["more"]["claude:loud"] > 30
    assert len(ask(owner, "webpack", session="loud", limit=25)) == 25


def test_the_folders_own_project_comes_first_of_what_fits_alike(owner: OwnedHivemind, tree: Path) -> None:
    here = identify(str(tree), owner.paths.home)
    Session(owner.store, "elsewhere", project="p9").says("use the staging bucket")
    Session(owner.store, "here", project=here.id).says("use the staging bucket")
    assert [hit["session_id"] for hit in ask(owner, "staging bucket", cwd=str(tree), kinds=["prompt"])] == [
        "here",
        "elsewhere",
    ]
    assert {hit["session_id"] for hit in ask(owner, "staging bucket", cwd=str(tree), here=True)} == {"here"}


def test_nothing_of_a_pruned_session_is_shown(owner: OwnedHivemind) -> None:
    session = Session(owner.store, "gone")
    session.says("the secret merger is called bluebird")
    session.runs("deploy bluebird", error="Error: bluebird cannot be reached")
    assert ask(owner, "bluebird") and known(owner, "Error: bluebird cannot be reached")
    grave = Tombstone(
        id=new_id(session.at), workspace_id="default", host="claude", session_id="gone", occurred_at=session.at
    )
    owner.store.prune("claude", "gone", grave)
    assert ask(owner, "bluebird") == []
    assert known(owner, "Error: bluebird cannot be reached") == []
    assert not owner.store.find(Event)


def test_another_workspace_is_never_searched(owner: OwnedHivemind) -> None:
    Session(owner.store).says("quarterly numbers")
    assert ask(owner, "quarterly numbers") and not ask(owner, "quarterly numbers", workspace="other")


def test_what_cannot_be_searched_for_is_refused(owner: OwnedHivemind) -> None:
    for query in ("", "   ", "?!…", "--", "\udcff"):
        with pytest.raises(ConfigError, match="Search for what"):
            ask(owner, query)
    for error in ("", "error", "Error: failed", "\x1b[31m!!\x1b[0m"):
        with pytest.raises(ConfigError, match="Which error"):
            known(owner, error)
    unknown: tuple[dict[str, Any], ...] = (
        {"projects": ["nowhere"]},
        {"session": "zz"},
        {"kinds": ["promt"]},
        {"here": True, "cwd": "/"},
    )
    for args in unknown:
        with pytest.raises(HivemindError):
            ask(owner, "anything", **args)


def test_a_huge_query_is_answered(owner: OwnedHivemind) -> None:
    Session(owner.store).says("the needle is here")
    assert ask(owner, "needle " + "straw " * 200_000)[0]["kind"] == "prompt"
    failed = "panic: needle lost in the barn\n" + "stack frame 0x7f\n" * 60_000
    assert known(owner, failed) == []


def test_a_known_error_tells_its_fix_where_and_how_often(owner: OwnedHivemind) -> None:
    named(owner, "p1", "shop")
    for n in range(3):
        session = Session(owner.store, f"s{n}")
        session.at += timedelta(days=n)
        session.says("ship it")
        session.runs("make image", error=f"ERROR: failed to solve: no space left on device ({n} MB)")
        if n < 2:
            session.runs("docker system prune -f")
            session.runs("make image")
    (one,) = known(owner, "ERROR: failed to solve: no space left on device (512 MB)")
    assert one["same"] and one["times"] == 3 and one["fixed"] == 2 and one["last"]["session_id"] == "s2"
    (fix,) = one["fixes"]
    assert [step["text"] for step in fix["steps"]] == ["docker system prune -f"] and fix["worked"] == "make image"
    assert fix["times"] == 2 and fix["sure"] > 0.9 and fix["project"] == "shop" and fix["session_id"] == "s1"


def test_the_very_error_comes_before_one_that_is_like_it(owner: OwnedHivemind) -> None:
    for module, cure in (("httpx", "uv add httpx"), ("yaml", "uv add pyyaml")):
        session = Session(owner.store, module)
        session.runs("python app.py", error=f"ModuleNotFoundError: No module named '{module}'")
        session.runs(cure)
        session.runs("python app.py")
    found = known(owner, "ModuleNotFoundError: No module named 'yaml'")
    assert [(one["same"], one["fixes"][0]["steps"][0]["text"]) for one in found] == [
        (True, "uv add pyyaml"),
        (False, "uv add httpx"),
    ]


def test_what_stands_in_the_store_is_plain_data(owner: OwnedHivemind) -> None:
    Session(owner.store).event(EventKind.PROMPT, text="odd \x1b[31mred\x1b[0m [bold]words[/bold] \x00 here")
    assert ask(owner, "odd words")[0]["snippet"].startswith("odd")


class Near:
    """Stands where the model is: what shares no word may be near all the same."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores

    def search(self, query: str, where: Where, *, meaning: object = None, limit: int) -> list[Result]:
        return [
            Result(Text(id=id, kind="prompt", workspace_id="default", session_id=id, text=id), score, 0.0, score)
            for id, score in self.scores.items()
        ]


def test_what_is_only_a_little_near_is_not_found(owner: OwnedHivemind, monkeypatch: pytest.MonkeyPatch) -> None:
    near = Near({"close": 0.6, "far": search.NEAR_MIN - 0.01})
    monkeypatch.setattr(owner.sidecars, "searcher", near)
    answer = owner.call("search", {"query": "anything"})
    assert [hit["id"] for hit in answer["hits"]] == ["close"] and answer["by"] == "hybrid"
