"""`hivemind skillify replay` and `run --dry-run` as a person and a program meet them: nothing is sent unasked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.core.records import LLMCall
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.app.test_replaying import AGAIN, MISTAKE, RIGHT, SKILL
from tests.cli.test_cli import run


@pytest.fixture
def scripted(own_home: Path) -> Iterator[Path]:
    """A home with a skill, and a script as the model; the database's path."""
    database = own_home / ".hivemind" / "db" / "hivemind.duckdb"
    with DuckDBStore(database) as store:
        store.append([MISTAKE, SKILL])
    lines = [json.dumps({"purpose": "replay", "answer": one, "cost_usd": 0.001}) for one in [AGAIN, RIGHT] * 3]
    script = own_home / "script.jsonl"
    script.write_text("\n".join(lines))
    (own_home / ".hivemind" / "config.toml").write_text(
        f"[llm]\nallow = true\nprovider = 'scripted'\nscript = '{script}'\n"
    )
    yield database
    run("daemon", "stop")


@pytest.mark.slow
def test_a_replay_says_its_price_and_needs_a_yes(scripted: Path) -> None:
    refused = run("skillify", "replay", SKILL.name)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert "at most 7 requests to scripted" in refused.stdout
    planned = json.loads(run("skillify", "replay", SKILL.name, "--dry-run", "--json").stdout)
    assert (planned["calls"], planned["times"]) == (7, 3)
    done = run("skillify", "replay", SKILL.name, "--yes")
    assert done.returncode == 0, done.stderr
    assert "without  the mistake again in 3 of 3 (95 %: 29% to 100%)" in done.stdout
    assert "proves little: p = .10" in done.stdout
    kept = json.loads(run("skillify", "replay", SKILL.name, "--last", "--json").stdout)
    assert (kept["kind"], kept["figures"]["with"]["avoided"], kept["passed"]) == ("replay", 3, None)
    run("daemon", "stop")
    with DuckDBStore(scripted) as store:
        assert [row.record.subject for row in store.find(LLMCall)] == [SKILL.skill_id] * 6


@pytest.mark.slow
def test_without_consent_neither_asks(scripted: Path) -> None:
    off = {"HIVEMIND_LLM_ALLOW": "false"}
    refused = run("skillify", "replay", SKILL.name, "--yes", **off)
    assert refused.returncode == 5 and "llm.allow true" in refused.stderr
    assert "nothing to make a skill of" in run("skillify", "run", "--dry-run", **off).stdout
