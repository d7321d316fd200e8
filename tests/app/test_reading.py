"""What a list of corrections holds: what counts by now, and what was judged to be none only if asked for."""

from datetime import timedelta

import pytest

from hivemind_cli.app import reading
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import SaidKind
from hivemind_cli.pipeline.judged import PASS_MIN, SHOWN_MIN
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import correction_
from tests.pipeline.judging_loop import judgement_
from tests.storage.samples import START
from tests.storage.told import project, session

SURE, UNSURE, REFUSED, CONFIRMED = (
    correction_(1),
    correction_(2, confidence=PASS_MIN),
    correction_(3),
    correction_(4, confidence=PASS_MIN),
)


def test_a_list_holds_what_counts_by_now() -> None:
    store = InMemoryStore()
    store.append([SURE, UNSURE, REFUSED, CONFIRMED])
    store.append([judgement_(REFUSED, SaidKind.OTHER), judgement_(CONFIRMED)])
    listed, unsure = reading.corrections(store, limit=9, sure_min=SHOWN_MIN)
    assert ([one.id for one in listed], unsure) == ([CONFIRMED.id, SURE.id], 1)
    everything, _ = reading.corrections(store, limit=9, refused=True)
    assert [one.id for one in everything] == [one.id for one in (CONFIRMED, REFUSED, UNSURE, SURE)]
    assert (everything[0].cause, everything[1].cause) == ("person said: correction", "person said: other")


def test_a_project_is_found_by_its_name_and_a_wrong_one_is_answered_with_the_nearest() -> None:
    store = InMemoryStore()
    store.append([project(1), project(2)])
    assert reading.projects_named(store, "project 1") == reading.projects_named(store, "p1") == {"p1"}
    with pytest.raises(HivemindError, match="Did you mean 'project"):
        reading.projects_named(store, "projekt 1")
    with pytest.raises(HivemindError, match="No project"):
        reading.projects_named(InMemoryStore(), "x")


def test_a_list_ends_at_its_limit_and_counts_what_it_left_out_until_there() -> None:
    store = InMemoryStore()
    some = [correction_(n, confidence=PASS_MIN if n % 2 else 1.0) for n in range(45)]
    store.append(some)
    listed, unsure = reading.corrections(store, limit=21, sure_min=SHOWN_MIN)
    assert [one.id for one in listed] == [one.id for one in reversed(some) if one.confidence == 1.0][:21]
    assert unsure == 20
    everything, none = reading.corrections(store, limit=9999)
    assert (len(everything), none) == (len(some), 0)


def test_the_newest_stand_first_however_late_they_were_imported() -> None:
    store = InMemoryStore()
    store.append([correction_(n) for n in (2, 9, 1, 5)])
    listed, _ = reading.corrections(store, limit=3)
    assert [one.id for one in listed] == [correction_(n).id for n in (9, 5, 2)]


def test_sessions_are_listed_by_when_they_were_active_however_late_they_were_imported() -> None:
    store = InMemoryStore()
    now = START + timedelta(days=700)
    ages = {"today": 0, "week": 7, "old": 90, "older": 91, "oldest": 699}
    for name in ("today", "oldest", "week", "older", "old"):
        store.append(session(name, now - timedelta(days=ages[name], hours=1), 40))
    for limit in (1, 2, 4, 9):
        assert [one[1] for one in reading.session_ids(store, limit=limit, now=now)] == list(ages)[:limit]
    assert [one[1] for one in reading.session_ids(store)] == list(ages)


def test_a_session_is_named_by_its_id_its_beginning_or_with_its_agent() -> None:
    store = InMemoryStore()
    for host, name in (("claude", "s1"), ("claude", "s12"), ("codex", "01a1"), ("pi", "01a1")):
        store.append(session(name, START, 1, host=host))
    assert reading.session_named(store, "s1") == ("claude", "s1")
    assert reading.session_named(store, "s12") == reading.session_named(store, "claude:s12") == ("claude", "s12")
    assert reading.session_named(store, "pi:01") == ("pi", "01a1")
    with pytest.raises(HivemindError, match="2 sessions begin with 's'") as refused:
        reading.session_named(store, "s")
    assert refused.value.fix == "Give more of the id."
    with pytest.raises(HivemindError, match="2 sessions") as refused:
        reading.session_named(store, "01a1")
    assert "codex:01a1" in refused.value.fix and "pi:01a1" in refused.value.fix
    with pytest.raises(HivemindError, match="No session begins with 'zz'"):
        reading.session_named(store, "zz")
