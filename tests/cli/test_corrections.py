"""`hivemind corrections` as a person and a program meet it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivemind_cli.core.records import CorrectionKind, SkillState
from hivemind_cli.pipeline.judged import CORRECTION_MIN
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.cli.test_cli import run
from tests.storage.told import correction, project, revision

NOW = datetime.now(UTC)


@pytest.fixture
def filled(own_home: Path) -> Iterator[None]:
    """A home in which a mistake came back after its skill went live, another recurs, and an error does."""
    tabs = [
        correction(
            n, f"s{n}", NOW - timedelta(days=30 - 9 * n), recurrence_key="tabs", quote="indent with tabs, not spaces"
        )
        for n in range(1, 4)
    ]
    logs = [
        correction(
            n,
            f"s{n}",
            NOW - timedelta(days=n),
            recurrence_key="logs",
            quote="use the logger, never print",
            project_id="p2",
        )
        for n in range(4, 6)
    ]
    retries = [
        replace(
            correction(n, f"s{n}", NOW - timedelta(hours=n), recurrence_key="retry|x", confidence=0.7),
            kind=CorrectionKind.TOOL_RETRY,
            quote="",
            act={"kind": "shell", "command": "make all"},
            after="make -j1 all",
        )
        for n in range(6, 8)
    ]
    unsure = correction(9, "s9", NOW, confidence=CORRECTION_MIN, quote="hm, that one", host="codex")
    live = revision(1, SkillState.LIVE, NOW - timedelta(days=10), "c1")
    with DuckDBStore(own_home / ".hivemind" / "db" / "hivemind.duckdb") as store:
        store.append([project(1), project(2), *tabs, *logs, *retries, unsure, live])
    yield
    run("daemon", "stop")


def test_what_comes_back_is_told_with_its_skill(filled: None) -> None:
    told = " ".join(run("corrections", "--recurring").stdout.split())
    lessons, errors = told.split("Errors that keep coming back")
    assert lessons.index("3× indent with tabs, not spaces") < lessons.index("2× use the logger, never print")
    assert "project 2 (claude); no skill yet" in lessons
    assert "skill use-tabs (live since " in lessons and "came back 1× since" in lessons
    assert "2× make all → make -j1 all" in errors
    some = run("corrections", "--recurring", "--project", "project 1", "--kind", "said", "--limit", "1", "--json")
    [one] = json.loads(some.stdout)
    assert (one["count"], one["skill"], one["after_live"], one["trend"]) == (3, "use-tabs", 1, "rising")


def test_a_list_shows_what_is_sure_and_tells_of_the_rest(filled: None) -> None:
    done = run("corrections")
    assert "use the logger" in done.stdout and "claude" in done.stdout.splitlines()[0]
    assert "hm, that one" not in done.stdout and "make all" not in done.stdout
    assert "1 turn less sure" in done.stderr and "--all" in done.stderr
    narrow = run("corrections", "--all", "--host", "codex", "--since", "2d", "--json")
    assert [one["quote"] for one in json.loads(narrow.stdout)] == ["hm, that one"]


@pytest.mark.parametrize(("words", "advice"), [(["--since", "1x"], "7d"), (["--host", "claud"], "'claude'")])
def test_a_wrong_filter_is_answered_with_advice(words: list[str], advice: str) -> None:
    done = run("corrections", *words)
    assert done.returncode == 2 and advice in done.stderr and not done.stdout
