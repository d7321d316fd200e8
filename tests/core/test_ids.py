"""ULIDs: sorted by time, or always the same for the same work."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.ids import derived_id, new_id

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_ids_sort_by_time() -> None:
    ids = [new_id(AT + timedelta(milliseconds=i)) for i in range(50)]
    assert ids == sorted(ids)
    assert len({new_id() for _ in range(1000)}) == 1000
    assert all(len(id) == 26 for id in ids)


def test_derived_ids_are_repeatable_and_apart() -> None:
    assert derived_id(AT, "a", "b") == derived_id(AT, "a", "b")
    assert derived_id(AT, "a", "b") != derived_id(AT, "ab")
    assert derived_id(AT, "a") != derived_id(AT + timedelta(seconds=1), "a")
    assert derived_id(AT, "a") == derived_id(AT.astimezone(timezone(timedelta(hours=5))), "a")
    assert derived_id(AT, "a")[:10] == new_id(AT)[:10]


@given(st.datetimes(timezones=st.just(UTC)), st.lists(st.text(), max_size=3))
def test_any_time_and_text_give_an_id(at: datetime, parts: list[str]) -> None:
    assert len(derived_id(at, *parts)) == 26


@given(st.integers(-(10**25), 10**25))
def test_any_nanosecond_is_a_moment(time_ns: int) -> None:
    assert from_ns(time_ns).tzinfo is UTC
