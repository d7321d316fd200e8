"""The README's example is what it says: act, evaluate, store, retrieve."""

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_second_attempt_knows_what_came_of_the_first(
    daemon_home: Path, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVEMIND_HOME", str(daemon_home))
    (block,) = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    program: dict[str, Any] = {}
    exec(block.replace("payments-service", workspace), program)
    heard: list[str] = []

    def act(task: str, known: str) -> tuple[str, dict[str, Any]]:
        heard.append(known)
        if "refund window" in known:
            return "checked the refund window first", {"outcome": "success", "score": 0.9}
        return "refunded at once", {"error": "refund window closed", "lessons": "Check the refund window first."}

    assert program["attempt"]("refund order 17 of the shop", act)[:2] == ("failure", 0.0)
    assert program["attempt"]("refund order 18 of the shop", act)[:2] == ("success", 0.9)
    assert heard[0] == ""
    assert "To avoid:" in heard[1] and "Check the refund window first." in heard[1]
