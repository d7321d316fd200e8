"""A backtest over a large history: seconds, and little memory. What it took is printed with -s."""

import random
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.pipeline.codify.trial import Trials
from hivemind_cli.storage.duckdb import DuckDBStore
from tests.app.synthetic import WORDS
from tests.pipeline.past import Past, skill_of
from tests.pipeline.session import START

EVENTS = 100_000
pytestmark = pytest.mark.slow


def history(count: int) -> Iterator[Event]:
    """Of one project: a prompt, three calls with their results, a reply, and so on."""
    draw = random.Random(7)
    for n in range(count):
        at = START + timedelta(seconds=20 * n)
        kind, payload = EventKind.REPLY, {"text": text(draw, 60)}
        if n % 8 == 0:
            kind, payload = EventKind.PROMPT, {"text": text(draw, 30)}
        elif n % 8 in (1, 3):
            kind, payload = call(Act(SHELL, "Bash", command=f"{draw.choice(WORDS)} {text(draw, 4)} && git status"))
        elif n % 8 == 5:
            kind, payload = call(Act(EDIT, "Edit", path=f"src/{draw.choice(WORDS)}.py", text=text(draw, 150)))
        yield Event(
            id=new_id(at),
            workspace_id="default",
            project_id="p1",
            machine_id="m",
            author="ada",
            host="claude",
            session_id=f"s{n // 400}",
            kind=kind,
            occurred_at=at,
            native_key=f"k{n}",
            turn=n % 400 // 8 + 1,
            payload=payload,
        )


def call(act: Act) -> tuple[EventKind, dict[str, Any]]:
    return EventKind.TOOL_CALL, {"call_id": "c", "act": act.as_json(), "input": {"text": act.text or act.command}}


def text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def test_a_hundred_thousand_events_take_seconds(tmp_path: Path) -> None:
    with DuckDBStore(tmp_path / "h.duckdb") as store:
        events = list(history(EVENTS))
        for start in range(0, EVENTS, 5000):
            store.append(events[start : start + 5000])
        del events
        past = Past(store, "mine", at=START + timedelta(days=60))
        revision = skill_of(past.goes_wrong())
        started = time.process_time()
        trial = Trials(store, 0.3).tried(revision)
        took = time.process_time() - started
        figures = trial.revision.backtest
        print(f"\n{took:.1f} s of processor time: {figures}")
        assert (figures["prompts"], figures["calls"]) == (EVENTS // 8 + 1, EVENTS * 3 // 8 + 1)
        assert took < 30
        started = time.process_time()
        Trials(store, 0.3).tested(trial.revision)
        tests_ms = (time.process_time() - started) * 1000
        print(f"its tests, read and run: {tests_ms:.0f} ms")
        assert tests_ms < 2000
        tracemalloc.start()
        Trials(store, 0.3).tried(revision)
        peak_mb = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"{peak_mb:.0f} MB at most")
        assert peak_mb < 40
