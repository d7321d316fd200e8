"""Recall without a daemon: the same terms, scores and fence as hivemind_cli/core, from the published snapshot."""

import json
import os
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core import fence, match, stopwords
from hivemind_cli.core import terms as core_terms
from hivemind_cli.core.acts import OTHER, SHELL, Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.hook_settings import write
from hivemind_cli.core.records import Moment, Project
from hivemind_cli.index import snapshot
from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.index.weighing import of_fit
from hivemind_cli.pipeline.recall import Ask, decide
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.recall.finding import find
from hivemind_cli.pipeline.recall.standing import NOTHING_TOLD, shift
from tests.hooks.rig import WAITING, Rig, load

hook: Any = load("hivemind_hook_snapshot")

SCRIPTS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("aeinorst -_/.,\n\"'<>"),
        st.characters(min_codepoint=0x3040, max_codepoint=0x30FF),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x4FFF),
        st.characters(min_codepoint=0x0E00, max_codepoint=0x0E7F),
        st.characters(min_codepoint=0x0400, max_codepoint=0x04FF),
        st.characters(min_codepoint=0x0600, max_codepoint=0x06FF),
        st.characters(min_codepoint=0xFF00, max_codepoint=0xFFEF),
        st.sampled_from("ßİıſKǅﬁ½²①𠮷"),
    ),
    max_size=60,
)
PARTS = st.lists(st.sampled_from(["<", ">", "</", "hivemind", "hİvemınd", "-recall", fence.OPEN, fence.CLOSE, "x\n"]))
TERMS = st.frozensets(st.sampled_from(["deploy", "schema", "migrat", "ab", "the", "cluste", "数据", "x"]))


@given(SCRIPTS)
def test_its_terms_are_the_products(text: str) -> None:
    assert hook.terms(text) == core_terms.terms(text)
    for term in hook.terms(text):
        assert hook.weight(term) == core_terms.weight(term)


@given(TERMS, st.lists(TERMS, max_size=3), TERMS, st.dictionaries(st.sampled_from(["deploy", "ab"]), st.floats(0.2, 1)))
def test_its_scores_are_the_products(
    query: frozenset[str], tasks: list[frozenset[str]], rule: frozenset[str], rarity: dict[str, float]
) -> None:
    def weigh(term: str) -> float:
        if term in stopwords.STOPWORDS:
            return 0.0
        return float(hook.weight(term)) * rarity.get(term, 1.0)

    assert hook.fit(query, tasks, rule, weigh) == match.fit(query, tasks, rule, match.Weights(rarity))


@given(st.lists(st.one_of(SCRIPTS, PARTS.map("".join)), min_size=1, max_size=3))
def test_its_fence_is_the_products(parts: list[str]) -> None:
    assert hook.fenced(parts) == fence.fenced(parts)


@given(st.text(), st.sampled_from(["claude", "acme"]))
def test_its_session_files_are_the_products(session: str, host: str) -> None:
    rig = Rig(Path("/r"), {"HOME": "/h"})
    assert hook.session_file(b"/r", host.encode(), session) == os.fsencode(rig.paths.session_file(host, session))


def test_a_text_is_cut_at_a_line_end() -> None:
    assert hook.cut("one\ntwo\nthree", 100) == "one\ntwo\nthree"
    assert hook.cut("one\ntwo\nthree", 9) == "one\ntwo"
    assert hook.cut("one\ntwo\nthree", 7) == "one\ntwo"
    assert hook.cut("onetwothree", 4) == "onet"


# The whole way, through the snapshot that the daemon publishes

MIGRATIONS = Document(
    id="sk_1",
    kind="skill",
    version=2,
    name="number-migrations",
    workspace_id="default",
    project_id="p1",
    trigger="add a database migration",
    text="Number each migration by its date.",
    tasks=("write a migration that drops the column",),
)
USER_WIDE = replace(
    MIGRATIONS, id="sk_2", project_id="", trigger="rename a branch", tasks=(), text="Branches begin with a ticket."
)
ELSEWHERE = replace(MIGRATIONS, id="sk_3", project_id="p2", text="Not here.")
FOREIGN = replace(MIGRATIONS, id="sk_4", workspace_id="team", text="Nor here.")
HAN = replace(MIGRATIONS, id="sk_5", trigger="数据库迁移脚本", tasks=(), text="迁移脚本按日期编号。")
TREE = "/home/dev/project"


def publish(rig: Rig, *documents: Document, workspaces: tuple[str, ...] = ("default",), **over: Any) -> None:
    fields: dict[str, Any] = {"weights_rarity": {}, "workspace": "default", "limit": 2, "tokens_max": 400}
    roots = [
        Project(
            id=f"row of {root} in {workspace}",
            workspace_id=workspace,
            project_id=project_id,
            name="",
            root=root,
            remote="",
            occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for project_id, root in (("p0", "/home"), ("p1", TREE), ("p2", TREE + "2"))
        for workspace in workspaces
    ]
    snapshot.publish(rig.paths.snapshot, documents, roots, **{"applies_min": of_fit(0.3), **fields, **over})


@pytest.fixture
def alone(rig: Rig) -> Rig:
    """A hook that waits, a snapshot, and no daemon."""
    write(rig.paths.hook_settings, WAITING)
    publish(rig, MIGRATIONS, USER_WIDE, ELSEWHERE, FOREIGN, HAN)
    return rig


def prompt(text: str, **over: Any) -> dict[str, Any]:
    return {"session_id": "s/1", "cwd": TREE + "/src", "prompt": text, **over}


def said(out: bytes) -> str:
    """The injected text of a valid answer, "" for silence."""
    if not out:
        return ""
    assert out.endswith(b"\n")
    assert out.count(b"\n") == 1
    return str(json.loads(out)["hookSpecificOutput"]["additionalContext"])


def test_what_applies_is_said_recorded_and_remembered(alone: Rig) -> None:
    out = alone.run("UserPromptSubmit", prompt("please add a migration for the users table"))
    assert said(out) == fence.fenced([MIGRATIONS.text])
    assert json.loads(out)["hookSpecificOutput"]["hookEventName"] == "UserPromptSubmit"
    asked, given = alone.deliveries()
    assert (given.host, given.event) == ("claude", "hivemind:injection")
    assert json.loads(given.raw) == {
        "session_id": "s/1",
        "moment": "prompt",
        "ids": ["sk_1@2"],
        "text": said(out),
        "of": asked.id,
    }
    assert alone.paths.session_file("claude", "s/1").read_text() == "sk_1@2\n"


def test_once_a_session_and_again_when_revised(alone: Rig) -> None:
    payload = prompt("please add a migration")
    assert said(alone.run("UserPromptSubmit", payload))
    assert alone.run("UserPromptSubmit", payload) == b""
    assert said(alone.run("UserPromptSubmit", {**payload, "session_id": "other"}))
    publish(alone, replace(MIGRATIONS, version=3))
    assert said(alone.run("UserPromptSubmit", payload))


def test_what_the_daemon_gave_is_not_given_again(alone: Rig) -> None:
    alone.paths.session_file("claude", "s/1").write_text("sk_1@2\nsk_9@1\n")
    assert alone.run("UserPromptSubmit", prompt("please add a migration")) == b""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rename the branch", USER_WIDE.text),
        ("写一个数据库迁移脚本", HAN.text),
        ("how is the weather", ""),
        ("", ""),
        ("the and of", ""),
        ('"; DROP TABLE docs --', ""),
        ("NOT AND OR NEAR(", ""),
        ("add a migration " * 20_000, MIGRATIONS.text),
    ],
)
def test_a_prompt_finds_its_own(alone: Rig, text: str, found: str) -> None:
    assert said(alone.run("UserPromptSubmit", prompt(text))) == (fence.fenced([found]) if found else "")


def test_a_tree_used_in_two_workspaces_is_the_default_ones_unless_the_session_says_otherwise(alone: Rig) -> None:
    for workspaces in (("default", "team"), ("team", "default")):
        publish(alone, MIGRATIONS, FOREIGN, workspaces=workspaces)
        asked = prompt("please add a migration", session_id=workspaces[0])
        assert said(alone.run("UserPromptSubmit", asked)) == fence.fenced([MIGRATIONS.text])
        env = {"HIVEMIND_WORKSPACE_ID": "team"}
        assert said(alone.run("UserPromptSubmit", asked, env=env)) == fence.fenced([FOREIGN.text])


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"cwd": TREE}, MIGRATIONS.text),
        ({"cwd": TREE + "/"}, MIGRATIONS.text),
        ({"cwd": TREE + "2/a"}, ELSEWHERE.text),
        ({"cwd": TREE + "3"}, ""),
        ({"cwd": "/"}, ""),
        ({"cwd": None}, ""),
        ({"cwd": "\ud800/\x00"}, ""),
    ],
)
def test_only_the_project_of_the_folder_speaks(alone: Rig, over: dict[str, Any], found: str) -> None:
    text = said(alone.run("UserPromptSubmit", prompt("add a migration", **over), cwd="/"))
    assert text == (fence.fenced([found]) if found else "")


def test_the_hooks_own_folder_counts_where_the_payload_names_none(alone: Rig, tmp_path: Path) -> None:
    publish(alone, replace(MIGRATIONS, project_id=""))
    payload = {"session_id": "s", "prompt": "add a migration"}
    assert said(alone.run("UserPromptSubmit", payload, cwd=tmp_path))


def test_workspaces_never_mix(alone: Rig) -> None:
    env = {"HIVEMIND_WORKSPACE_ID": "team"}
    assert said(alone.run("UserPromptSubmit", prompt("add a migration"), env=env)) == fence.fenced([FOREIGN.text])
    assert alone.run("UserPromptSubmit", prompt("rename a branch"), env=env) == b""


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ({"command": "tool migration add --database"}, True),
        ({"file_path": TREE + "/database/migration.sql", "content": "column"}, True),
        ({"file_path": "/x/y.py", "old_string": "add migration database", "new_string": "z"}, False),
        ({"command": ["no", "text"]}, False),
        ({}, False),
        ("odd", False),
    ],
)
def test_a_tool_call_is_matched_by_what_it_does(alone: Rig, call: Any, found: bool) -> None:
    out = alone.run("PreToolUse", {"session_id": "s", "cwd": TREE, "tool_name": "T", "tool_input": call})
    assert bool(said(out)) is found


def test_no_more_than_the_limit_and_no_longer_than_asked(alone: Rig) -> None:
    long = "\n".join(["word " * 9] * 20)
    publish(alone, *(replace(MIGRATIONS, id=f"sk_{n}", text=f"{n}\n{long}") for n in range(5)), limit=3, tokens_max=30)
    out = said(alone.run("UserPromptSubmit", prompt("add a database migration")))
    parts = out.removesuffix("\n" + fence.CLOSE).split("\n\n")[1:]
    assert len(parts) == 3
    assert all(len(part) <= 120 for part in parts)


def test_the_score_decides_as_the_product_would(alone: Rig) -> None:
    query = "drop that column with a migration in another database"
    subjects = [match.content(MIGRATIONS.trigger), *map(match.content, MIGRATIONS.tasks)]
    score = match.fit(match.content(query), subjects, match.content(MIGRATIONS.text), match.Weights())
    publish(alone, MIGRATIONS, applies_min=of_fit(score))
    assert said(alone.run("UserPromptSubmit", prompt(query)))
    publish(alone, MIGRATIONS, applies_min=of_fit(score) + 1e-9)
    assert alone.run("UserPromptSubmit", prompt(query, session_id="t")) == b""


def test_a_frequent_term_says_less(alone: Rig) -> None:
    publish(alone, MIGRATIONS, weights_rarity={"migrat": 0.2, "databa": 0.2})
    assert alone.run("UserPromptSubmit", prompt("which database migration tools could one evaluate tomorrow")) == b""


WORDS = ("add", "database", "migration", "schema", "branch", "rename", "release", "archive", "queue", "mail")
SAYING = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
LEARNED = st.builds(
    lambda n, task, rule, lesson, wide: replace(
        MIGRATIONS,
        id=f"sk_{n}",
        trigger="",
        tasks=(task,),
        text=f"{n}: {rule}",
        rule=rule,
        project_id="" if wide else "p1",
        recurrence_keys=(f"lesson|{lesson}",),
        origin=(f"c_{n}",),
    ),
    st.integers(0, 3),
    SAYING,
    SAYING,
    st.integers(0, 2),
    st.booleans(),
)
TELLING = RecallConfig(applies_min=of_fit(0.3), margin_min=0.03)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(LEARNED, max_size=4, unique_by=lambda one: one.id),
    words=SAYING,
    kind=st.sampled_from(["prompt", "Bash", "mcp__notes__add", "Agent"]),
    given=st.sets(st.sampled_from(["sk_0@2", "sk_1@2", "c_2@0"])),
)
def test_it_says_what_the_product_says_by_words_alone(
    rig: Rig, documents: list[Document], words: str, kind: str, given: set[str]
) -> None:
    call = {"Bash": {"command": words}, "mcp__notes__add": {"note": words}, "Agent": {"prompt": words}}.get(kind, {})
    act = {
        "Bash": Act(SHELL, "Bash", command=words),
        "mcp__notes__add": Act(OTHER, "mcp__notes__add", text=json.dumps(call)),
        "Agent": Act(OTHER, "Agent", text=words),
    }.get(kind)
    moment = Moment.TOOL_CALL if act else Moment.PROMPT
    task = words if kind == "Agent" else ""
    ask = Ask(moment=moment, scope=Scope("default", "p1"), query=words, act=act, task=task, given=given)
    index, book = InMemoryIndex(), ActBook(documents)
    index.update(documents, [], cursor=1)
    found = find(ask, Ranker(index), match.Weights(), book=book)
    wanted = decide(ask, found, TELLING, book=book, tried=lambda one: None)
    publish(
        rig,
        *documents,
        applies_min=TELLING.applies_min,
        margin_min=TELLING.margin_min,
        shift=lambda one: sum(shift(one, NOTHING_TOLD, None).values()),
    )
    payload = {"cwd": TREE, **({"tool_name": kind, "tool_input": call} if act else {"prompt": words})}
    told = hook.match(os.fsencode(rig.root), moment.encode(), payload, b"", given, time.monotonic() + 5)
    block = hook.fenced([text for _, text in told])
    assert ({key for key, _ in told}, told and len(block)) == (set(wanted.given), told and len(wanted.text))


def test_a_subagent_is_told_what_its_session_was_told_already(alone: Rig) -> None:
    text = "please add a migration for the users table"
    assert said(alone.run("UserPromptSubmit", prompt(text)))
    call = {"session_id": "s/1", "cwd": TREE, "tool_name": "Bash", "tool_input": {"command": "migration database add"}}
    assert alone.run("PreToolUse", call) == b""
    assert said(alone.run("PreToolUse", {**call, "agent_id": "x7"}))
    assert alone.paths.session_file("claude", "s/1-x7").read_text() == "sk_1@2\n"


def test_session_start_and_other_hosts_are_silent(alone: Rig) -> None:
    assert alone.run("SessionStart", prompt("add a migration")) == b""
    assert alone.run("before_prompt", prompt("add a migration"), host="acme") == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"not JSON",
        b'{"session_id": "s", "prompt": "add a migration"} trailing',
        b'{"session_id": 7, "prompt": "add a migration"}',
        b'{"session_id": "s", "prompt": ["add a migration"]}',
        b"{" + b'"a": {' * 50_000,
        b'{"session_id": "s", "prompt": "add a migration", "x": "' + b"a" * (2 << 20) + b'"}',
    ],
)
def test_an_odd_payload_is_silence(alone: Rig, raw: bytes) -> None:
    publish(alone, replace(MIGRATIONS, project_id=""))
    assert alone.run("UserPromptSubmit", raw) == b""


@pytest.mark.parametrize("session", ["../../../etc/x", "a\x00b", "x" * 5000, "日本", "", "\ud800"])
def test_a_hostile_session_id_stays_in_its_folder(alone: Rig, session: str) -> None:
    assert said(alone.run("UserPromptSubmit", prompt("add a migration", session_id=session)))
    assert list(alone.paths.injected.iterdir()) == [alone.paths.session_file("claude", session)]


@pytest.mark.parametrize("damage", ["missing", "empty", "torn", "version", "tables"])
def test_a_damaged_snapshot_is_silence(alone: Rig, damage: str) -> None:
    path = alone.paths.snapshot
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        change = "DROP TABLE docs" if damage == "tables" else "UPDATE meta SET value='1' WHERE key='version'"
        with sqlite3.connect(path) as db:
            db.execute(change)
        db.close()
    assert alone.run("UserPromptSubmit", prompt("add a migration")) == b""
    assert len(alone.deliveries()) == 1


def test_a_root_with_odd_characters_is_found(rig: Rig) -> None:
    odd = Rig(rig.root / "a ?#%é\n").install(WAITING)
    publish(odd, MIGRATIONS)
    assert said(odd.run("UserPromptSubmit", prompt("add a migration")))


def test_too_late_is_silent_and_not_remembered(alone: Rig) -> None:
    write(alone.paths.hook_settings, replace(WAITING, deadline_ms=0))
    assert alone.run("UserPromptSubmit", prompt("add a migration")) == b""
    assert list(alone.paths.injected.iterdir()) == []


def test_it_needs_neither_json_nor_sqlite3_of_the_library(alone: Rig) -> None:
    loaded = alone.modules("UserPromptSubmit", json.dumps(prompt("add a migration")).encode())
    assert "_sqlite3" in loaded
    assert loaded & {"json", "re", "sqlite3", "socket", "subprocess", "pathlib", "logging"} == set()
