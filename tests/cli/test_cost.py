"""`hivemind cost` as a person and a program meet it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivemind_cli.core.records import SkillState
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.app.test_costs import receipt
from tests.cli.test_cli import run
from tests.storage.told import revision

STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def spent(own_home: Path) -> Iterator[str]:
    """A home with some receipts of today; the name of the skill that some are about."""
    now = datetime.now(UTC)
    skill = revision(1, SkillState.LIVE, now, "c1")
    calls = [
        receipt(0, 0.125, subject=skill.skill_id),
        receipt(0, 0.0, "The model did not answer in JSON.", purpose="check"),
        receipt(0, 0.0, provider="codex"),
    ]
    with DuckDBStore(own_home / ".hivemind" / "db" / "hivemind.duckdb") as store:
        store.append([skill, *(replace(call, occurred_at=now - timedelta(seconds=1)) for call in calls)])
    yield skill.name
    run("daemon", "stop")


def test_an_empty_home_says_that_nothing_was_ever_sent() -> None:
    told = run("cost")
    assert told.stdout.strip() == "Nothing was ever sent to a model, and nothing was spent."
    assert "llm.allow" in told.stderr
    said = json.loads(run("cost", "--json").stdout)
    assert (said["total"]["calls"], said["day"], said["today"]["llm.usd_per_day"]["most"]) == (0, [], 0.25)
    run("daemon", "stop")


def test_sums_caps_and_receipts_are_told(spent: str) -> None:
    whole = run("cost")
    for part in ("day (UTC)", "purpose", "skill", "provider", spent, "$0.1250", "50%", "$0.1250 of $0.25"):
        assert part in whole.stdout
    assert "codex: no price is told" in whole.stderr
    by_purpose = run("cost", "--by", "purpose").stdout
    assert "check" in by_purpose and spent not in by_purpose
    lines = run("cost", "--receipts").stdout.splitlines()
    assert len(lines) == 3
    assert "did not answer in JSON" in lines[1] and spent in lines[2] and "claude/haiku" in lines[2]
    said = json.loads(run("cost", "--json", "--by", "skill").stdout)
    assert [one["key"] for one in said["skill"]] == [spent, "no one skill"] and "day" not in said
    assert run("cost", "--by", "week").returncode == 2


def test_a_narrow_terminal_shows_the_cost_and_how_a_call_ended(spent: str) -> None:
    narrow = {"FORCE_COLOR": "1", "COLUMNS": "40", "TERM": "xterm", "NO_COLOR": "1"}
    sums = STYLE.sub("", run("cost", **narrow).stdout).splitlines()
    assert max(map(len, sums)) <= 40
    assert sum("$0.1250" in line for line in sums) >= 5
    receipts = STYLE.sub("", run("cost", "--receipts", **narrow).stdout)
    assert max(map(len, receipts.splitlines())) <= 40
    assert "The model did not answer in JSON." in " ".join(receipts.split())
