"""What was recalled in a session that ends without saying so is judged once it was silent for long enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hivemind_cli.app.silent import LOOK_BACK, RECALLS_READ_MAX, Silent
from hivemind_cli.core.records import Candidate, Event, EventKind, Moment, Outcome, Recall
from hivemind_cli.storage.inmemory import InMemoryStore

IDLE = timedelta(minutes=10)
BEGUN = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Counting(InMemoryStore):
    """Counts the recalls that are read, and the sessions that are judged."""

    read = judged = 0

    def find(self, kind: Any, /, **asked: Any) -> Any:
        rows = super().find(kind, **asked)
        if kind is Recall and "session_id" in asked:
            self.judged += 1
        elif kind is Recall:
            self.read += len(rows)
        return rows


def _shared(id: str, at: datetime, session: str) -> dict[str, Any]:
    return {
        "id": id,
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m1",
        "author": "501",
        "host": "claude",
        "session_id": session,
        "occurred_at": at,
    }


def event(id: str, at: datetime, session: str = "s1") -> Event:
    return Event(**_shared(id, at, session), kind=EventKind.PROMPT, native_key=id, payload={"text": "go on"})


def recall(id: str, at: datetime, session: str = "s1", text: str = "use pnpm") -> Recall:
    said = Candidate(id="sk_1", kind="skill", name="use-pnpm", version=1, decision="injected")
    return Recall(
        **_shared(id, at, session), moment=Moment.PROMPT, query="q", event_id="e1", candidates=(said,), text=text
    )


def outcomes(store: InMemoryStore) -> int:
    return len(store.find(Outcome))


def test_a_session_is_judged_once_it_is_silent_and_again_after_it_went_on() -> None:
    store = Counting()
    store.append([event("e1", BEGUN), recall("r1", BEGUN)])
    silent = Silent(store, idle=IDLE)
    silent.judge(BEGUN + IDLE / 2)
    assert (store.judged, outcomes(store)) == (0, 0)
    silent.judge(BEGUN + IDLE)
    silent.judge(BEGUN + 2 * IDLE)
    assert (store.judged, outcomes(store)) == (1, 1)
    store.append([event("e2", BEGUN + 3 * IDLE)])
    silent.judge(BEGUN + 3 * IDLE)
    assert store.judged == 1
    silent.judge(BEGUN + 4 * IDLE)
    assert store.judged == 2


def test_where_nothing_was_said_nothing_is_judged() -> None:
    store = Counting()
    store.append([event("e1", BEGUN), recall("r1", BEGUN, text="")])
    Silent(store, idle=IDLE).judge(BEGUN + 2 * IDLE)
    assert outcomes(store) == 0


def test_each_recall_is_read_once_and_of_many_the_newest() -> None:
    store = Counting()
    store.append([recall(f"r{n}", BEGUN, session=f"s{n}") for n in range(RECALLS_READ_MAX + 50)])
    silent = Silent(store, idle=IDLE)
    for _ in range(3):
        silent.judge(BEGUN)
    assert store.read == RECALLS_READ_MAX
    store.append([recall("late", BEGUN, session="late"), event("e", BEGUN, session="late")])
    silent.judge(BEGUN + IDLE)
    assert store.read == RECALLS_READ_MAX + 1
    assert {row.record.session_id for row in store.find(Outcome)} == {"late"}


def test_long_after_the_last_word_a_session_is_forgotten() -> None:
    store = Counting()
    store.append([event("e1", BEGUN), recall("r1", BEGUN)])
    silent = Silent(store, idle=IDLE)
    silent.judge(BEGUN)
    silent.judge(BEGUN + LOOK_BACK + IDLE)
    store.append([event("e2", BEGUN + LOOK_BACK + IDLE)])
    silent.judge(BEGUN + LOOK_BACK + 3 * IDLE)
    assert outcomes(store) == 0
