"""`hivemind skillify test` as a person and CI meet it: figures, what fails with its words, and exit codes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hivemind_cli.core.records import Correction, Event, SkillState
from hivemind_cli.pipeline.codify.trial import Trials
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.cli.test_cli import run
from tests.pipeline.past import Past, skill_of


@pytest.fixture
def filled(own_home: Path) -> Iterator[None]:
    """A home with a good live skill, a retired one, and a draft that fires nearly everywhere."""
    with DuckDBStore(own_home / ".hivemind" / "db" / "hivemind.duckdb") as store:
        past = Past(store)
        past.works(20)
        good = Trials(store, 0.3).tried(skill_of(past.goes_wrong())).revision
        store.append(
            [
                replace(good, name="good", state=SkillState.LIVE),
                replace(good, id="n", skill_id="sk_n", name="noisy", tasks=("repair the customer page",)),
                replace(good, id="o", skill_id="sk_o", name="old", state=SkillState.RETIRED),
            ]
        )
        for stage, kind in (("detect", Event), ("codify", Correction)):  # the daemon is to add nothing of its own
            store.commit(stage, [], cursor_from=0, cursor_to=store.find(kind)[-1].seq)
    yield
    run("daemon", "stop")


def test_ci_learns_by_the_exit_code_what_a_person_reads(filled: None) -> None:
    good = run("skillify", "test", "good")
    assert good.returncode == 0
    assert "pass  good  v1 live: fires 1 of 1, silent" in good.stdout
    assert "1 skill tested in" in good.stderr and "1 passed, 0 failed" in good.stderr
    both = run("skillify", "test")
    assert both.returncode == 1 and "old" not in both.stdout
    assert "FAIL  noisy  v1 draft: fires" in both.stdout
    assert "fires at  prompt repair the" in both.stdout and "more" in both.stdout
    told = run("skillify", "test", "--all", "--json")
    assert told.returncode == 1
    skills = {one["name"]: one for one in json.loads(told.stdout)["skills"]}
    assert set(skills) == {"good", "noisy", "old"}
    assert len(skills["noisy"]["misfires"]) > 10 and not skills["good"]["misfires"]
    wrong = run("skillify", "test", "goood")
    assert wrong.returncode == 2 and "Did you mean 'good'?" in wrong.stderr and not wrong.stdout


def test_what_a_person_brings_back_is_tested_and_told_and_stays(filled: None) -> None:
    done = run("skillify", "accept", "noisy")
    assert done.returncode == 0 and "noisy v2 is live" in done.stdout
    assert "The tests of noisy fail: it would fire at" in done.stderr
    assert "is live" in run("skillify", "accept", "noisy").stderr
    wide = run("skillify", "promote", "good")
    assert wide.returncode == 0, wide.stderr
    assert "On the history of all your projects: would have fired" in wide.stderr


def test_nothing_to_test_is_no_pass() -> None:
    done = run("skillify", "test")
    assert done.returncode == 2 and "no skill to test yet" in done.stderr
    run("daemon", "stop")
