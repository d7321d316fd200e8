"""What calls took, summed from their receipts; and what status says of who drafts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivemind_cli.app.costs import NO_SKILL, Cap, clock_time, costs, drafting, receipts
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.headless import HeadlessProgram
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import LLMCall, SkillState
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm import Setting
from hivemind_cli.llm.meter import STOPPED
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.storage.told import revision

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


def receipt(days_ago: float = 0, cost_usd: float = 0.01, result: str = "ok", **fields: str) -> LLMCall:
    at = NOW - timedelta(days=days_ago)
    call = LLMCall(
        id=new_id(at),
        workspace_id="default",
        occurred_at=at,
        purpose="codify",
        provider="claude",
        model="haiku",
        tokens_in=1000,
        tokens_out=100,
        cost_usd=cost_usd,
        result=result,
    )
    return replace(call, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store() -> InMemoryStore:
    store = InMemoryStore()
    skill = revision(1, SkillState.LIVE, NOW, "c1")
    store.append(
        [
            skill,
            receipt(30),
            receipt(1.0, 0.02, subject=skill.skill_id),
            receipt(0.4, 0.0, "not signed in", purpose="check"),
            receipt(0.1, 0.0, provider="cursor"),
            receipt(0.1, 0.0, STOPPED),
            receipt(0.1, 0.03, subject="sk_gone"),
        ]
    )
    return store


def test_sums_are_by_day_purpose_skill_and_provider(store: InMemoryStore) -> None:
    found = costs(store, LLMConfig(), NOW)
    name = revision(1, SkillState.LIVE, NOW, "c1").name
    keys = {by: [one.key for one in sums] for by, sums in found.by.items()}
    assert keys == {
        "day": ["2026-03-05", "2026-03-04"],
        "purpose": ["codify", "check"],
        "skill": ["sk_gone", name, NO_SKILL],
        "provider": ["claude", "cursor"],
    }
    assert (found.total.calls, found.total.failed, found.total.cost_usd, found.ever) == (5, 1, 0.05, 6)
    for sums in found.by.values():
        assert sum(one.calls for one in sums) == 5
        assert sum(one.cost_usd for one in sums) == pytest.approx(0.05)
    assert found.unpriced == ("cursor",)


def test_days_end_at_midnight_utc(store: InMemoryStore) -> None:
    assert costs(store, LLMConfig(), NOW, days=1).total.calls == 4
    assert costs(store, LLMConfig(), NOW, days=31).total.calls == 6
    assert len(receipts(store, NOW, days=1)) == 4
    newest_first = [call.occurred_at for call in receipts(store, NOW)]
    assert newest_first[0] > newest_first[-1]


def test_todays_share_of_each_cap(store: InMemoryStore) -> None:
    caps = {cap.setting: cap for cap in costs(store, LLMConfig(usd_per_day=0.06, calls_day_max=0), NOW).today}
    assert caps["llm.usd_per_day"].share == pytest.approx(0.5)
    assert caps["llm.tokens_per_day"].used == 4400
    assert caps["llm.calls_day_max"].share == 1.0
    assert caps["llm.judge_calls_day_max"] == Cap(setting="llm.judge_calls_day_max", used=0, most=20)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    commands = {"claude": HeadlessProgram("claude", headless)}
    return Setting(config=LLMConfig(allow=True), env={"PATH": str(tmp_path)}, work=tmp_path, commands=commands)


def test_status_says_who_drafts(setting: Setting) -> None:
    assert drafting(setting, InMemoryStore(), NOW).startswith("claude/haiku: your own ")


def test_status_says_that_the_wall_is_reached_and_when_it_goes_on(setting: Setting) -> None:
    store = InMemoryStore()
    store.append([receipt(0.1, 0.26)])
    said = drafting(setting, store, NOW)
    until = clock_time(datetime(2026, 3, 6, tzinfo=UTC), NOW)
    assert said.startswith(f"extractive until {until}: the person's own words, no model. $0.26 were spent today")
    assert "Then again claude/haiku: your own " in said


def test_status_says_that_a_provider_rests_and_how_to_end_it(setting: Setting) -> None:
    store = InMemoryStore()
    store.append([receipt(0, 0.0, "Invalid API key. Please run /login") for _ in range(3)])
    said = drafting(setting, store, NOW)
    assert said.startswith(f"extractive until {clock_time(NOW + timedelta(minutes=15), NOW)}")
    assert "Please run /login" in said and "hivemind skillify run --retry" in said
    assert drafting(setting, store, NOW + timedelta(hours=1)).startswith("claude")


def test_without_consent_neither_caps_nor_rests_matter(setting: Setting) -> None:
    said = drafting(replace(setting, config=LLMConfig()), InMemoryStore(), NOW)
    assert "claude is there; nothing is sent until you allow it" in said
