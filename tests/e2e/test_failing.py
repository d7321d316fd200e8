"""A model that fails, asked with the real client or SDK: a receipt that says so, and a skill in the person's words."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.e2e.asking import ALL_S, REPOSITORY
from tests.e2e.conftest import Grounds
from tests.e2e.failing import CASES

SAYS = {
    "claude": {
        "busy": "429",
        "stalled": "no answer in time",
        "killed": "exit code -9",
        "no json": "JSON",
        "wrong form": "structured_output",
    },
    "anthropic": {
        "busy": "429",
        "stalled": "cannot be reached",
        "killed": "ended with code -9",
        "no json": "JSON",
        "wrong form": "form",
    },
}
PAID = ("no json", "wrong form")
"""The model answered, and is paid for it."""

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("provider", list(SAYS))]
Failed = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def failed(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Case -> what came of it with that provider; played once."""

    @cache
    def of(provider: str) -> dict[str, dict[str, Any]]:
        pytest.importorskip("anthropic")
        grounds, folder = client_of("claude"), tmp_path_factory.mktemp(provider)
        plan = folder / "plan.json"
        plan.write_text(json.dumps({"provider": provider, "program": str(grounds.client), "root": str(folder)}))
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8"}
        call = [*grounds.namespaces, sys.executable, "-m", "tests.e2e.failing", str(plan)]
        done = subprocess.run(
            call, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ALL_S
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return {name: json.loads((folder / name.replace(" ", "-") / "found.json").read_text()) for name in CASES}

    return of


@pytest.mark.parametrize("case", list(CASES))
def test_each_failure_has_its_receipt(provider: str, case: str, failed: Failed) -> None:
    found = failed(provider)[case]
    receipts = found["receipts"]
    assert receipts, found
    assert all(SAYS[provider][case] in one["result"] for one in receipts), receipts
    assert {(one["purpose"], one["provider"]) for one in receipts} == {("codify", provider)}
    assert all((one["cost_usd"] > 0) is (case in PAID) for one in receipts), receipts
    assert found["asked"] <= 4  # no storm


@pytest.mark.parametrize("case", list(CASES))
def test_the_skill_is_then_in_the_persons_words(provider: str, case: str, failed: Failed) -> None:
    found = failed(provider)[case]
    assert found["settled"]
    (skill,) = found["skills"]
    assert skill["drafter"] == "extractive"
    (text,) = found["files"]
    assert "pnpm" in text and "rather not" not in text and "advice" not in text


@pytest.mark.parametrize("case", list(CASES))
def test_nothing_is_left_behind(provider: str, case: str, failed: Failed) -> None:
    found = failed(provider)[case]
    assert found["processes"] == []
    assert found["left"] == []
