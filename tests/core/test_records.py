"""Records are frozen values with one form."""

import dataclasses
import typing
from datetime import datetime

import pytest

from hivemind_cli.core.records import RECORD_TYPES, Event, EventKind, Record


@pytest.mark.parametrize("kind", RECORD_TYPES, ids=lambda kind: kind.__name__)
class TestEveryRecord:
    def test_is_frozen_and_without_a_dict(self, kind: type[Record]) -> None:
        assert kind.__dataclass_params__.frozen  # type: ignore[union-attr]
        assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)

    def test_has_an_id_a_workspace_and_a_time(self, kind: type[Record]) -> None:
        hints = typing.get_type_hints(kind)
        assert hints["id"] is hints["workspace_id"] is str
        assert hints["occurred_at"] is datetime

    def test_takes_its_fields_by_name_only(self, kind: type[Record]) -> None:
        assert all(field.kw_only for field in dataclasses.fields(kind))


def test_the_union_and_the_tuple_list_the_same_records() -> None:
    assert set(typing.get_args(Record)) == set(RECORD_TYPES)


def test_two_events_do_not_share_a_payload() -> None:
    at = datetime.fromisoformat("2026-11-20T12:00:00+00:00")

    def event(id: str) -> Event:
        return Event(
            id=id, workspace_id="w", project_id="", machine_id="m", author="a", host="h", session_id="s",
            kind=EventKind.PROMPT, occurred_at=at, native_key=id,
        )  # fmt: skip

    assert event("1").payload is not event("2").payload
