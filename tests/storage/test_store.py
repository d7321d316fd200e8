"""What any engine must do: one suite, every engine."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core.errors import CursorMoved, StoreError
from hivemind_cli.core.records import (
    RECORD_TYPES,
    Candidate,
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    Experience,
    GateSkip,
    Judgement,
    Notice,
    Outcome,
    Recall,
    SkillRevision,
    SkillState,
    Tombstone,
    TranscriptMark,
)
from hivemind_cli.storage import wire
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from hivemind_cli.storage.schema import normalised
from tests.storage import engines
from tests.storage.samples import (
    START,
    TEXT,
    event,
    experience,
    judgement,
    outcome,
    recall,
    records_of,
    tombstone,
    version,
)


@pytest.fixture(params=engines.NAMES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(engine: str) -> Iterator[Store]:
    with engines.opened(engine) as opened:
        yield opened


def ids(rows: list[Any]) -> list[str]:
    return [row.record.id for row in rows]


def correction(number: int, **changes: Any) -> Correction:
    known: dict[str, Any] = {
        "id": f"c{number}",
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m1",
        "author": "ada",
        "host": "claude",
        "session_id": "s1",
        "kind": CorrectionKind.SAID,
        "occurred_at": START,
        "act_event_id": "",
        "reaction_event_id": "e1",
        "quote": "no",
        "task": "",
    }
    return Correction(**(known | changes))


# append


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.find(Event) == []
    assert store.count(Event) == 0
    assert store.cursor("detect") == 0
    assert store.append([]) == 0


def test_records_come_back_as_they_were_in_order_from_seq_one(store: Store) -> None:
    events = [event(n) for n in (3, 1, 2)]
    assert store.append(events) == 3
    rows = store.find(Event)
    assert [row.record for row in rows] == events
    assert [row.seq for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("kind", RECORD_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_record_comes_back_normalised(engine: str, kind: type[Any], data: st.DataObject) -> None:
    records = data.draw(st.lists(records_of(kind, TEXT), min_size=1, max_size=8))
    with engines.opened(engine) as store:  # opening takes longer than storing
        kept = [normalised(record) for record in records if store.append([record])]  # not what is there already
        assert kept[0] == normalised(records[0])
        assert [row.record for row in store.find(kind)] == kept
        for record in kept:
            assert [row.record for row in store.find(kind, id=record.id)] == [record]


def test_an_id_is_stored_once(store: Store) -> None:
    assert store.append([event(1), event(1, native_key="other")]) == 1
    assert store.append([event(1), event(2)]) == 1
    assert ids(store.find(Event)) == [event(1).id, event(2).id]
    assert [row.seq for row in store.find(Event)] == [1, 2]


def test_the_same_thing_seen_twice_is_one_event(store: Store) -> None:
    hook, tail = event(1, id="hook"), event(1, id="tail", source="tail")
    assert store.append([hook, tail]) == 1
    assert store.append([tail]) == 0
    assert ids(store.find(Event)) == ["hook"]
    elsewhere = [event(1, id="other host", host="codex"), event(1, session_id="s2", id="other session")]
    assert store.append(elsewhere) == 2


def test_ids_of_different_kinds_do_not_meet(store: Store) -> None:
    assert store.append([event(1, id="x"), correction(1, id="x")]) == 2
    assert store.count(Event) == store.count(Correction) == 1


def test_many_records_of_several_kinds_keep_their_order(store: Store) -> None:
    mixed: list[Any] = [record for n in range(2500) for record in (event(n), recall(n))]
    assert store.append(mixed) == 5000
    assert ids(store.find(Event)) == [event(n).id for n in range(2500)]
    assert ids(store.find(Recall)) == [recall(n).id for n in range(2500)]
    assert store.append([*mixed, event(2500)]) == 1


def test_one_record_that_cannot_be_stored_keeps_all_out(store: Store) -> None:
    with pytest.raises(StoreError):
        store.append([event(1), event(2, turn=2**70)])
    assert store.count(Event) == 0
    assert store.append([event(1)]) == 1


def test_what_was_appended_does_not_change_with_the_callers_object(store: Store) -> None:
    payload: dict[str, Any] = {"text": "before"}
    store.append([event(1, payload=payload)])
    payload["text"] = "after"
    assert store.find(Event)[0].record.payload == {"text": "before"}


def test_eight_threads_append_at_once(store: Store) -> None:
    failed: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for n in range(25):
                store.append([event(n, session_id=f"s{thread}"), event(n, session_id="shared", id=f"{thread}-{n}")])
                store.find(Event, session_id="shared", limit=3)
        except BaseException as exc:  # noqa: BLE001 - shown by the main thread
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    rows = store.find(Event)
    assert [row.seq for row in rows] == list(range(1, 8 * 25 + 25 + 1))
    for n in range(8):
        assert ids(store.find(Event, session_id=f"s{n}")) == [event(k, session_id=f"s{n}").id for k in range(25)]


BATCHES = st.lists(
    st.lists(
        st.one_of(
            st.builds(
                event,
                st.integers(0, 4),
                st.sampled_from(["s1", "s2", "s\x00", "\ud800"]),
                id=st.sampled_from(["a", "b", "c", "d"]),
            ),
            st.builds(recall, st.integers(0, 2)),
            st.builds(tombstone, st.sampled_from(["s1", "s2"])),
        ),
        max_size=5,
    ),
    max_size=5,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_replaying_any_appends_changes_nothing_and_all_engines_agree(engine: str, batches: list[list[Any]]) -> None:
    kinds: tuple[type[Any], ...] = (Event, Recall, Tombstone)
    with engines.opened(engine) as store, InMemoryStore() as reference:
        assert [store.append(batch) for batch in batches] == [reference.append(batch) for batch in batches]
        once = [store.find(kind) for kind in kinds]
        assert once == [reference.find(kind) for kind in kinds]
        assert sum(store.append(batch) for batch in batches) == 0
        assert [store.find(kind) for kind in kinds] == once


# cursors


def test_commit_stores_outputs_and_moves_the_cursor(store: Store) -> None:
    assert store.commit("detect", [event(1)], cursor_from=0, cursor_to=5) == 1
    assert store.cursor("detect") == 5
    assert store.cursor("codify") == 0
    assert store.commit("detect", [event(1)], cursor_from=5, cursor_to=9) == 0
    assert store.commit("codify", [], cursor_from=0, cursor_to=2) == 0
    assert (store.cursor("detect"), store.cursor("codify")) == (9, 2)


def test_a_commit_from_a_moved_cursor_stores_nothing(store: Store) -> None:
    store.commit("detect", [], cursor_from=0, cursor_to=5)
    with pytest.raises(CursorMoved, match="at 5, not at 0") as caught:
        store.commit("detect", [event(1)], cursor_from=0, cursor_to=9)
    assert caught.value.fix
    assert store.cursor("detect") == 5
    assert store.count(Event) == 0


def test_a_commit_that_fails_leaves_the_cursor(store: Store) -> None:
    with pytest.raises(StoreError):
        store.commit("detect", [event(1, turn=2**70)], cursor_from=0, cursor_to=5)
    assert store.cursor("detect") == 0


def test_of_eight_commits_from_one_cursor_one_wins(store: Store) -> None:
    won, lost = [], []

    def work(n: int) -> None:
        try:
            store.commit("detect", [event(n)], cursor_from=0, cursor_to=n + 1)
            won.append(n)
        except CursorMoved:
            lost.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 7
    assert store.cursor("detect") == won[0] + 1
    assert ids(store.find(Event)) == [event(won[0]).id]


# find and count


def test_find_takes_one_value_or_any_of_several(store: Store) -> None:
    kinds = [EventKind.PROMPT, EventKind.REPLY, EventKind.TOOL_CALL, EventKind.PROMPT]
    store.append([event(n, kind=kind, tool="Bash" if n == 2 else "") for n, kind in enumerate(kinds)])
    assert len(store.find(Event, kind=EventKind.PROMPT)) == 2
    assert len(store.find(Event, kind="prompt")) == 2
    assert len(store.find(Event, kind=(EventKind.PROMPT, EventKind.REPLY))) == 3
    assert len(store.find(Event, kind=["prompt", "tool_call"], tool="Bash")) == 1
    assert store.find(Event, kind="no such kind") == []
    assert store.find(Event, id=[]) == []
    assert len(store.find(Event, id=[event(n).id for n in range(50)])) == 4
    assert store.count(Event, kind=(EventKind.PROMPT, EventKind.REPLY)) == 3


def test_find_knows_true_false_and_unknown(store: Store) -> None:
    store.append([correction(1, durable=True), correction(2, durable=False), correction(3)])
    assert ids(store.find(Correction, durable=True)) == ["c1"]
    assert ids(store.find(Correction, durable=None)) == ["c3"]
    assert ids(store.find(Correction, durable=[None, False])) == ["c2", "c3"]


def test_find_pages_in_both_directions(store: Store) -> None:
    store.append([event(n) for n in range(1, 11)])
    assert [row.seq for row in store.find(Event, after=4, limit=3)] == [5, 6, 7]
    assert [row.seq for row in store.find(Event, newest_first=True, limit=3)] == [10, 9, 8]
    assert [row.seq for row in store.find(Event, after=8, newest_first=True)] == [10, 9]
    assert [row.seq for row in store.find(Event, after=2, newest_first=True, limit=2)] == [10, 9]
    assert store.find(Event, after=10) == []
    assert [row.seq for row in store.find(Event, until=3)] == [1, 2, 3]
    assert [row.seq for row in store.find(Event, after=2, until=6, newest_first=True, limit=3)] == [6, 5, 4]
    assert [row.seq for row in store.find(Event, until=6, newest_first=True)] == [6, 5, 4, 3, 2, 1]
    assert [row.seq for row in store.find(Event, after=3, until=99, limit=2)] == [4, 5]
    assert store.find(Event, after=6, until=6) == []
    assert store.find(Event, until=0) == []
    assert store.find(Event, limit=0) == []


def test_since_is_a_bound_from_below_in_any_zone(store: Store) -> None:
    store.append([event(n) for n in range(5)])
    bound = START + timedelta(minutes=3)
    assert ids(store.find(Event, since=bound)) == [event(3).id, event(4).id]
    assert store.count(Event, since=bound, session_id="s1") == 2
    assert store.find(Event, occurred_at=bound)[0].record == event(3)
    with pytest.raises(StoreError, match="no time zone"):
        store.find(Event, since=datetime(2026, 3, 1))


def test_a_field_the_record_does_not_have_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match=r"Event has no field 'sesion_id'.*session_id"):
        store.find(Event, sesion_id="s1")
    with pytest.raises(StoreError, match="no field"):
        store.count(Event, colour="red")
    with pytest.raises(StoreError, match="cannot be compared"):
        store.find(Event, turn="three")


def test_a_hostile_value_is_only_a_value(store: Store) -> None:
    store.append([event(1, session_id="'; DROP TABLE event; --")])
    assert store.count(Event, session_id="'; DROP TABLE event; --") == 1
    assert store.count(Event, session_id="' OR 1=1") == 0
    with pytest.raises(StoreError):
        hostile: dict[str, Any] = {'id" = "id': "x"}
        store.find(Event, **hostile)


# prune


def mark(session_id: str) -> TranscriptMark:
    return TranscriptMark(
        id=f"m-{session_id}",
        workspace_id="default",
        host="claude",
        session_id=session_id,
        path="/x",
        offset=1,
        occurred_at=START,
    )


def test_prune_takes_the_session_and_nothing_else(store: Store) -> None:
    gone: list[Any] = [
        event(1),
        event(2),
        correction(1),
        recall(1),
        outcome(1, recall(1).id),
        outcome(2, "unknown"),
        mark("s1"),
        judgement(1),
        experience(1),
    ]
    kept: list[Any] = [
        event(1, session_id="s2"),
        recall(1, host="codex"),
        outcome(3, recall(1, host="codex").id),
        mark("s2"),
        event(7, host="codex"),
        judgement(2, host="codex"),
        experience(1, "s2"),
    ]
    store.append([*gone, *kept])
    assert store.prune("claude", "s1", tombstone()) == len(gone)
    kinds: tuple[type[Any], ...] = (Event, Correction, Judgement, Experience, Recall, Outcome, TranscriptMark)
    left: list[Any] = [row.record for kind in kinds for row in store.find(kind)]
    assert sorted(record.id for record in left) == sorted(record.id for record in kept)
    assert [row.record for row in store.find(Tombstone)] == [tombstone()]
    assert store.prune("claude", "s1", tombstone()) == 0


def test_a_pruned_session_stays_pruned(store: Store) -> None:
    store.append([event(1), event(2, session_id="s2")])
    store.prune("claude", "s1", tombstone())
    assert store.append([event(1), event(9), event(3, session_id="s2")]) == 1
    assert store.append([event(1, host="codex", id="codex")]) == 1
    assert store.commit("capture", [event(10)], cursor_from=0, cursor_to=1) == 0
    assert store.count(Event, host="claude", session_id="s1") == 0


def test_a_seq_is_never_given_twice(store: Store) -> None:
    store.append([event(1), event(2, session_id="s2"), event(3, session_id="s2")])
    store.prune("claude", "s2", tombstone("s2"))
    store.append([event(4)])
    assert [row.seq for row in store.find(Event)] == [1, 4]


def test_a_tombstone_for_another_session_is_refused(store: Store) -> None:
    store.append([event(1)])
    for wrong in (tombstone("s2"), replace(tombstone(), host="codex"), event(2)):
        with pytest.raises(StoreError, match="nothing was deleted"):
            store.prune("claude", "s1", wrong)
    assert store.count(Event) == 1


def test_nothing_made_of_a_pruned_session_is_stored_again(store: Store) -> None:
    store.append([correction(1), recall(1, host="codex")])
    store.prune("claude", "s1", tombstone())
    late: list[Any] = [
        *(correction(2), judgement(2), experience(2), recall(2), outcome(1, recall(2).id)),
        *(version(1, "c1"), skip("c1")),
    ]
    assert store.append(late) == 0
    assert store.commit("codify", late, cursor_from=0, cursor_to=1) == 0
    other_host: list[Any] = [
        recall(3, host="codex"),
        outcome(2, recall(1, host="codex").id),
        version(2, "c9"),
        skip("c9"),
    ]
    assert store.append(other_host) == len(other_host)


def skip(correction_id: str) -> GateSkip:
    return GateSkip(
        id=f"g-{correction_id}",
        workspace_id="default",
        project_id="p1",
        occurred_at=START,
        recurrence_key="k",
        correction_ids=(correction_id,),
        reason="no",
    )


def test_prune_takes_the_versions_of_skills_that_carry_the_sessions_words(store: Store) -> None:
    kept = correction(2, session_id="s2")
    heard = replace(
        recall(1, "s2"), candidates=(Candidate(id="sk_a", kind="skill", name="n", decision="injected"),), text="words"
    )
    about = Notice(id="n1", workspace_id="default", occurred_at=START, about="x", text="t", subject="sk_a@2")
    other = replace(about, id="n2", subject="sk_z")
    gone: list[Any] = [
        *(version(1, "c1"), version(2, "c1")),
        *(version(2, "c2", "c1", skill="b"), version(3, "c2", "c1", skill="b", state=SkillState.REVIEW)),
        *(version(1, "c1", skill="d"), version(2, skill="d")),
        *(skip("c1"), about, replace(outcome(7, "elsewhere", "s2"), subject_id="c1")),
    ]
    stay: list[Any] = [version(1, "c2", skill="b"), version(3, "c2", skill="d"), skip("c2"), other, heard]
    everything: list[Any] = [correction(1), kept, *gone, *stay]
    store.append(everything)
    assert store.prune("claude", "s1", tombstone()) == 1 + len(gone)
    found = {(one.skill_id, one.version): one for one in (row.record for row in store.find(SkillRevision))}
    assert set(found) == {("sk_a", 3), ("sk_b", 1), ("sk_b", 4), ("sk_d", 3)}
    emptied = found["sk_a", 3]
    assert (emptied.state, emptied.name) == (SkillState.RETIRED, "name-a")
    assert (emptied.title, emptied.trigger, emptied.lines) == ("", "", ())
    again = found["sk_b", 4]
    assert (again.lines, again.state) == (version(1, "c2", skill="b").lines, SkillState.REVIEW)
    assert ids(store.find(GateSkip)) == ["g-c2"]
    assert ids(store.find(Notice)) == ["n2"]
    (silent,) = store.find(Recall)
    assert (silent.record.text, silent.record.candidates[0].name) == ("", "")


# close


def test_close_is_idempotent_and_final(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append([event(1)])
    with pytest.raises(StoreError, match="closed"):
        store.find(Event)


def test_large_results_cross_the_wire_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PAGE_ROWS", 7)
    monkeypatch.setattr(wire, "PAGE_CHARS", 2000)
    with engines.opened("daemon") as store:
        store.append([event(n) for n in range(50)])
        assert [row.seq for row in store.find(Event)] == list(range(1, 51))
        assert [row.seq for row in store.find(Event, after=10, limit=20)] == list(range(11, 31))
        assert [row.seq for row in store.find(Event, newest_first=True)] == list(range(50, 0, -1))
        assert [row.seq for row in store.find(Event, until=30)] == list(range(1, 31))
        assert [row.seq for row in store.find(Event, after=4, until=30, newest_first=True)] == list(range(30, 4, -1))
        assert [row.seq for row in store.find(Event, newest_first=True, limit=20)] == list(range(50, 30, -1))
