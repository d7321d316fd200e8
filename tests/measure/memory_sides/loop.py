"""What every side of bench_memory.py does with its orders: one process a side, one JSON line an order.

`{"do": NAME, "from": a, "to": b}` calls the side's method NAME for each number from a to b (a row's or a question's)
and answers `{"ms": [one a call], "found": [what each gave]}`; "at_once": one call for all of them. A side without the
method answers `{}`: it cannot do that.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.measure.memory_sides.data import Questions, Rows, read_questions, read_rows


class Side:
    """What is measured. A side has the methods it can do of those that bench_memory.py names."""

    def __init__(self, rows: Rows, questions: Questions, home: Path) -> None:
        self.rows, self.questions, self.home = rows, questions, home

    def append_asked(self, number: int) -> list[int]:
        """A row, then a question that must see it."""
        append, vector = getattr(self, "append"), getattr(self, "vector")  # noqa: B009
        append(number)
        found: list[int] = vector(number % len(self.questions.texts))
        return found

    def close(self) -> None:
        """Everything is on disk."""


def serve(make: Callable[[Rows, Questions, Path], Side]) -> None:
    """Obey until the orders end. Arguments of the process: the data's folder, the side's own folder."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    data, home = Path(sys.argv[1]), Path(sys.argv[2])
    side = make(read_rows(data), read_questions(data), home)
    _say(answers, {"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        work = getattr(side, order["do"], None)
        numbers = range(order["from"], order["to"])
        calls: Sequence[Any] = [numbers] if order.get("at_once") else numbers
        _say(answers, _timed(work, calls) if work else {})
    side.close()


def _timed(work: Callable[[Any], Any], calls: Sequence[Any]) -> dict[str, Any]:
    ms, found = [], []
    for call in calls:
        began = time.perf_counter()
        answer = work(call)
        ms.append(1000 * (time.perf_counter() - began))
        found.append(answer)
    return {"ms": ms, "found": found}


def _say(file: Any, answer: dict[str, Any]) -> None:
    file.write(json.dumps(answer) + "\n")
    file.flush()
