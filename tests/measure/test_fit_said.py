"""The floors that the detector keeps on repositories left out of its fit; the figures themselves: fit_said.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TURNS = Path(os.environ.get("HIVEMIND_TEST_DATA", ""), "corrections", "dev.jsonl")


@pytest.mark.slow
def test_the_detector_keeps_its_floors_on_unseen_repositories() -> None:
    pytest.importorskip("sklearn", reason="fitting needs the extra `measure`")
    if not TURNS.is_file():
        pytest.skip("HIVEMIND_TEST_DATA names no folder with corrections/dev.jsonl")
    command = [sys.executable, str(Path(__file__).with_name("fit_said.py")), "--turns", str(TURNS)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True, env=env)

    def figure(row: str, name: str) -> float:
        (found,) = re.findall(rf"^  {row} +all .*{name} ([01]\.\d+)", done.stdout, re.MULTILINE)
        return float(found)

    assert figure("strict", "F1") >= 0.55
    assert figure("pushback", "F1") >= 0.72
    assert figure("passed on", "R") >= 0.90
    (passed,) = re.findall(r"passed on: ([01]\.\d+) of the turns", done.stdout)
    assert float(passed) <= 0.5
