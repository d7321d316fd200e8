"""The dashboard's views, on a set of sessions counted by hand, and on a database of the version before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hivemind_cli.core.records import (
    CorrectionKind,
    ExperienceKind,
    Record,
    SaidKind,
    SkillCheck,
    SkillState,
    TaskOutcome,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.migrate import migrations
from tests.storage.samples import START, experience
from tests.storage.told import correction, judgement, project, revision, session

DAY = timedelta(days=1)
"""START is noon of Sunday, 2026-03-01; its week began on Monday, 2026-02-23."""


CORRECTIONS = [
    correction(1, "s1", START, recurrence_key="tabs", quote="tabs please"),
    correction(2, "s1", START, recurrence_key="tabs", reaction_event_id="e1", kind=CorrectionKind.HAND_EDIT, quote=""),
    correction(3, "s2", START + DAY, recurrence_key="tabs", project_id="p2"),
    correction(4, "s3", START + 8 * DAY, recurrence_key="tabs", host="codex", quote="tabs, I said"),
    correction(5, "s3", START + 8 * DAY, host="codex", kind=CorrectionKind.REJECTED),
    correction(6, "s3", START + 8 * DAY, host="codex", confidence=judged.CORRECTION_MIN - 0.01),
    correction(7, "s1", START),
    correction(8, "s1", START, confidence=judged.PASS_MIN),
    *(
        correction(
            n,
            f"s{n - 8}",
            START + (n - 9) * DAY,
            kind=CorrectionKind.TOOL_RETRY,
            recurrence_key="retry|x",
            confidence=0.7,
            act={"kind": "shell", "command": "make"},
            before=f"make\nerror {n}",
            after=f"make {n}",
            quote="",
            project_id=f"p{n - 8}",
        )
        for n in (9, 10)
    ),
]
JUDGEMENTS = [
    judgement(1, CORRECTIONS[6], "person", SaidKind.NEW_REQUEST),  # 7 is none
    judgement(2, CORRECTIONS[6], "some model", SaidKind.CORRECTION),  # whatever a model says later
    judgement(3, CORRECTIONS[7], "some model", SaidKind.CORRECTION),  # 8 is one
    judgement(4, CORRECTIONS[4], "person", SaidKind.UNKNOWN),  # says nothing
]


def told() -> list[Record]:
    """s1: p1, claude, Sunday, 4 prompts; s2: p2, claude, Monday, 2 prompts; s3: p1, codex, Monday a week on, 5.

    s4: p1, claude, Saturday, six days after s1, 6 prompts, nothing corrected; s1 in it has another host's name twin.
    """
    return [
        project(1),
        project(2),
        *session("s1", START, 4),
        *session("s2", START + DAY, 2, project="p2"),
        *session("s3", START + 8 * DAY, 5, host="codex"),
        *session("s4", START + 6 * DAY, 6),
        *session("s1", START + 6 * DAY, 1, host="codex"),
        *CORRECTIONS,
        *JUDGEMENTS,
        revision(1, SkillState.DRAFT, START, "c1"),
        revision(2, SkillState.LIVE, START + 2 * DAY, "c1", "c3"),
    ]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("views") / "hivemind.duckdb"
    with DuckDBStore(path, memory_mb=64) as store:
        store.append(told())
    with duckdb.connect(path, read_only=True) as connection:
        yield connection


def rows(database: duckdb.DuckDBPyConnection, columns: str, view: str) -> list[tuple[Any, ...]]:
    return database.execute(f"SELECT {columns} FROM {view} ORDER BY ALL").fetchall()


def test_the_views_know_the_products_own_thresholds() -> None:
    [sql] = [one.sql for one in migrations("duckdb") if one.name == "recurrence_views"]
    told = "0004_recurrence_views.sql and pipeline/judged.py differ: before a release change the file, after it add one"
    assert f"WHERE sure >= {judged.CORRECTION_MIN};" in sql, told
    assert f"max(counted.confidence) >= {judged.SHOWN_MIN};" in sql, told


def test_what_counts_is_what_judged_says(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "again.duckdb", memory_mb=64) as store:
        store.append(told())
        counting = [one for one in judged.effective(store, CORRECTIONS) if judged.is_called(one)]
    counted = dict(rows(database, "id, confidence", "counted_corrections"))
    assert counted == {one.id: one.confidence for one in counting}
    assert set(counted) == {"c1", "c2", "c3", "c4", "c5", "c8", "c9", "c10"}


def test_candidates_are_silent_where_people_look_first(database: duckdb.DuckDBPyConnection) -> None:
    assert {one for (one,) in rows(database, "id", "corrections")} == {
        one for (one,) in rows(database, "id", "counted_corrections")
    }
    assert rows(database, "id, confidence", "corrections WHERE id = 'c8'") == [("c8", judged.MODEL_YES)]
    per_session = rows(database, "host, session_id, corrections", "sessions")
    assert per_session == rows(database, "host, session_id, corrections", "corrections_by_session")
    assert sum(count for _, _, count in per_session) == 6  # c9 and c10 are retries


def test_nothing_recurs_that_was_never_sure(tmp_path: Path) -> None:
    path = tmp_path / "unsure.duckdb"
    for sure, found in ((judged.SHOWN_MIN - 0.01, 0), (judged.SHOWN_MIN, 1)):
        with DuckDBStore(path, memory_mb=64) as store:
            n = found + 2
            store.append([correction(n, f"s{n}", START, recurrence_key="k", confidence=sure)])
            store.append([correction(9, "s9", START, recurrence_key="k", confidence=judged.CORRECTION_MIN)])
        with duckdb.connect(path, read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM recurring_corrections").fetchall() == [(found,)]


def test_a_day_shows_its_sessions_prompts_and_corrections(database: duckdb.DuckDBPyConnection) -> None:
    sunday = date(2026, 3, 1)
    columns = (
        '"day", project, host, sessions, prompts, corrections, corrected_sessions, retries, per_session, '
        "per_100_prompts"
    )
    assert rows(database, columns, "activity_daily") == [
        (sunday, "project 1", "claude", 1, 4, 3, 1, 1, 3.0, 75.0),
        (sunday + DAY, "project 2", "claude", 1, 2, 1, 1, 1, 1.0, 50.0),
        (sunday + 6 * DAY, "project 1", "claude", 1, 6, 0, 0, 0, 0.0, 0.0),
        (sunday + 6 * DAY, "project 1", "codex", 1, 1, 0, 0, 0, 0.0, 0.0),
        (sunday + 8 * DAY, "project 1", "codex", 1, 5, 2, 1, 0, 2.0, 40.0),
    ]


def test_a_week_looks_back_seven_days(database: duckdb.DuckDBPyConnection) -> None:
    sunday = date(2026, 3, 1)
    columns = '"day", host, week_prompts, week_corrections, week_per_100_prompts, trend'
    assert rows(database, columns, "activity_daily WHERE project_id = 'p1'") == [
        (sunday, "claude", 4, 3, 75.0, None),
        (sunday + 6 * DAY, "claude", 10, 3, 30.0, None),
        (sunday + 6 * DAY, "codex", 1, 0, 0.0, "quiet"),
        (sunday + 8 * DAY, "codex", 6, 2, pytest.approx(100 / 3), None),
    ]


def test_the_trend_compares_a_week_with_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "trend.duckdb"
    with DuckDBStore(path, memory_mb=64) as store:
        for n, wrong in enumerate((1, 2, 2, 1, 0)):
            at = START + 7 * n * DAY
            store.append(session(f"s{n}", at, 4))
            store.append([correction(10 * n + m, f"s{n}", at) for m in range(wrong)])
    with duckdb.connect(path, read_only=True) as connection:
        trends = connection.execute('SELECT trend FROM activity_daily ORDER BY "day"').fetchall()
    assert trends == [(None,), ("rising",), ("steady",), ("falling",), ("quiet",)]


def test_kinds_of_a_day_stand_beside_its_prompts(database: duckdb.DuckDBPyConnection) -> None:
    sunday = date(2026, 3, 1)
    columns = (
        '"day", project, host, kind, corrections, corrected_sessions, sessions, prompts, per_session, per_100_prompts'
    )
    assert rows(database, columns, "corrections_daily") == [
        (sunday, "project 1", "claude", "hand_edit", 1, 1, 1, 4, 1.0, 25.0),
        (sunday, "project 1", "claude", "said", 2, 1, 1, 4, 2.0, 50.0),
        (sunday + DAY, "project 2", "claude", "said", 1, 1, 1, 2, 1.0, 50.0),
        (sunday + 8 * DAY, "project 1", "codex", "rejected", 1, 1, 1, 5, 1.0, 20.0),
        (sunday + 8 * DAY, "project 1", "codex", "said", 1, 1, 1, 5, 1.0, 20.0),
    ]


def test_corrections_per_session_over_time(database: duckdb.DuckDBPyConnection) -> None:
    columns = "host, session_id, week, prompts, corrections, retries"
    first, second, third = (date(2026, 2, 23) + n * 7 * DAY for n in range(3))
    assert rows(database, columns, "corrections_by_session") == [
        ("claude", "s1", first, 4, 3, 1),
        ("claude", "s2", second, 2, 1, 1),
        ("claude", "s4", second, 6, 0, 0),
        ("codex", "s1", second, 1, 0, 0),
        ("codex", "s3", third, 5, 2, 0),
    ]
    columns = (
        "week, sessions, prompts, corrections, corrected_sessions, per_session, per_100_prompts, per_session_change"
    )
    assert rows(database, columns, "corrections_weekly") == [
        (first, 1, 4, 3, 1, 3.0, 75.0, None),
        (second, 3, 9, 1, 1, pytest.approx(1 / 3), pytest.approx(100 / 9), pytest.approx(1 / 3 - 3)),
        (third, 1, 5, 2, 1, 2.0, 40.0, pytest.approx(2 - 1 / 3)),
    ]


def test_corrections_by_kind_project_and_host(database: duckdb.DuckDBPyConnection) -> None:
    assert rows(database, "kind, corrections, corrected_sessions, share", "corrections_by_kind") == [
        ("hand_edit", 1, 1, pytest.approx(1 / 6)),
        ("rejected", 1, 1, pytest.approx(1 / 6)),
        ("said", 4, 3, pytest.approx(4 / 6)),
    ]
    columns = "sessions, prompts, corrections, per_session, per_100_prompts"
    assert rows(database, f"project, {columns}", "corrections_by_project") == [
        ("project 1", 4, 16, 5, 1.25, 31.25),
        ("project 2", 1, 2, 1, 1.0, 50.0),
    ]
    assert rows(database, f"host, {columns}", "corrections_by_host") == [
        ("claude", 3, 12, 4, pytest.approx(4 / 3), pytest.approx(100 / 3)),
        ("codex", 2, 6, 2, 1.0, pytest.approx(100 / 3)),
    ]


def test_what_recurs_and_whether_it_came_back_after_its_skill(database: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "recurrence_key, times, sessions, since, last_at, projects, hosts, quote, skill, skill_state, live_since, "
        "after_live"
    )
    start = START.replace(tzinfo=None)
    assert rows(database, columns, "recurring_corrections") == [
        (
            "tabs",
            3,  # the hand edit beside the words is the same turn
            3,
            start,
            start + 8 * DAY,
            ["project 1", "project 2"],
            ["claude", "codex"],
            "tabs, I said",
            "use-tabs",
            "live",
            start + 2 * DAY,
            1,
        )
    ]


def test_errors_stand_with_their_newest_fix(database: duckdb.DuckDBPyConnection) -> None:
    start = START.replace(tzinfo=None)
    assert rows(database, "times, sessions, since, last_at, projects, failed, error, fix", "error_fixes") == [
        (2, 2, start, start + DAY, ["project 1", "project 2"], "make", "make\nerror 10", "make 10")
    ]


def test_views_of_an_empty_database_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.duckdb"
    DuckDBStore(path, memory_mb=64).close()
    with duckdb.connect(path, read_only=True) as connection:
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert {"activity_daily", "corrections_daily", "recurring_corrections", "error_fixes"} <= {
            one for (one,) in views
        }
        for (view,) in views:
            assert connection.execute(f"SELECT * FROM {view}").fetchall() == []


def test_workspaces_are_apart(tmp_path: Path) -> None:
    path = tmp_path / "apart.duckdb"
    with DuckDBStore(path, memory_mb=64) as store:
        mine = correction(1, "s1", START, recurrence_key="k")
        store.append([mine, replace(correction(2, "s2", START, recurrence_key="k"), workspace_id="other")])
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM recurring_corrections").fetchall() == [(0,)]
        assert rows(connection, "workspace_id, corrections", "corrections_by_kind") == [("default", 1), ("other", 1)]


def test_a_skill_is_shown_with_what_narrows_it_and_how_its_newest_tests_went(tmp_path: Path) -> None:
    moments = ({"expect": "fire", "at": "prompt", "id": "c1"}, {"expect": "silent", "at": "prompt", "id": "e1"})
    first = revision(1, SkillState.LIVE, START)
    second = replace(
        revision(2, SkillState.LIVE, START), moments=moments, applies={"tools": ["make"]}, relations={"adds_to": "s"}
    )
    checks = [
        SkillCheck(
            id=f"k{n}",
            workspace_id=first.workspace_id,
            project_id=first.project_id,
            occurred_at=START,
            skill_id=first.skill_id,
            version=version,
            kind=kind,
            passed=passed,
        )
        for n, (version, kind, passed) in enumerate(
            [(1, "moments", True), (2, "moments", True), (2, "moments", False), (2, "replay", True)]
        )
    ]
    with DuckDBStore(tmp_path / "h.duckdb") as store:
        store.append([first, second, *checks])
    with duckdb.connect(tmp_path / "h.duckdb", read_only=True) as raw:
        found = raw.execute("SELECT version, moments, passed, applies, relations FROM skills").fetchall()
        counted = raw.execute("SELECT kind, count(*) FROM skill_checks GROUP BY kind ORDER BY kind").fetchall()
    assert found == [(2, 2, False, '{"tools":["make"]}', '{"adds_to":"s"}')]
    assert counted == [("moments", 3), ("replay", 1)]


def test_of_an_attempt_the_newest_counts_and_a_fix_stands_apart(tmp_path: Path) -> None:
    path = tmp_path / "tried.duckdb"
    tried = experience(1)
    again = replace(tried, id="again", outcome=TaskOutcome.FAILURE, score=0.1)
    with DuckDBStore(path, memory_mb=64) as store:
        store.append([tried, experience(2), again, replace(tried, id="fix", kind=ExperienceKind.FIX)])
    with duckdb.connect(path, read_only=True) as connection:
        assert rows(connection, "id, outcome", "attempts") == [("again", "failure"), ("x-claude-s1-2", "success")]
        assert rows(connection, "id", "fixes") == [("fix",)]
