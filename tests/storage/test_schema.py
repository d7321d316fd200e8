"""Records as columns and as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.records import RECORD_TYPES, Correction, Event, EventKind, LLMCall, SkillRevision
from hivemind_cli.storage.schema import (
    ColumnType,
    accepted,
    from_json,
    from_values,
    normalised,
    table_named,
    table_of,
    to_json,
    to_values,
)
from tests.storage.samples import START, TEXT, event, records_of

EVERY_KIND = pytest.mark.parametrize("kind", RECORD_TYPES, ids=lambda kind: kind.__name__)


@EVERY_KIND
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_record_comes_back_from_json_and_from_columns(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(records_of(kind))
    assert from_json(kind.__name__, json.loads(json.dumps(to_json(record)))) == record
    assert from_values(kind, to_values(record)) == record


@EVERY_KIND
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_text_that_utf8_cannot_carry_is_replaced_once_and_for_all(kind: type[Any], data: st.DataObject) -> None:
    record = normalised(data.draw(records_of(kind, TEXT)))
    json.dumps(to_json(record), ensure_ascii=False).encode()
    assert normalised(record) == record
    assert from_values(kind, to_values(record)) == record


def test_lone_surrogates_are_replaced_and_pairs_are_joined() -> None:
    assert normalised(event(1, tool="a\ud800b")).tool == "a\ufffdb"
    assert normalised(event(1, tool="\ud83d\ude00")).tool == "😀"


def test_a_time_of_another_zone_is_kept_as_utc() -> None:
    there = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    kept = normalised(event(1, occurred_at=there)).occurred_at
    assert kept == there
    assert kept.tzinfo is UTC


@pytest.mark.parametrize(
    "changes",
    [
        {"occurred_at": datetime(2026, 3, 1)},
        {"turn": 2**63},
        {"turn": "3"},
        {"tool": None},
        {"kind": "teleport"},
        {"payload": {"when": START}},
        {"payload": {1: "number as key"}},
    ],
    ids=str,
)
def test_a_value_no_engine_could_keep_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        to_json(event(1, **changes))
    with pytest.raises(StoreError):
        to_values(event(1, **changes))


def test_a_payload_nested_beyond_reason_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"in": deep}
    with pytest.raises(StoreError, match="cannot be stored"):
        to_json(event(1, payload=deep))


def test_numbers_json_does_not_know_become_null_in_a_payload() -> None:
    assert normalised(event(1, payload={"nan": float("nan"), "big": [float("inf")]})).payload == {
        "nan": None,
        "big": [None],
    }


def test_another_version_is_understood() -> None:
    value = to_json(event(1)) | {"added_next_year": 1}
    del value["cwd"]
    assert from_json("Event", value) == event(1)


@pytest.mark.parametrize("value", [{}, {"id": 3}, {**to_json(event(1)), "occurred_at": "yesterday"}])
def test_what_is_no_record_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot be stored"):
        from_json("Event", value)


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(StoreError, match="'Evnt' is no record type"):
        from_json("Evnt", {})
    with pytest.raises(StoreError):
        table_of(str)


def test_tables_are_named_like_their_records() -> None:
    assert table_of(SkillRevision).name == "skill_revision"
    assert table_of(LLMCall).name == "llm_call"
    assert table_named("Event").kind is Event
    assert table_of(Event).columns["payload"].type is ColumnType.JSON
    assert table_of(Correction).columns["durable"].nullable


def test_accepted_values_are_those_the_engines_store() -> None:
    assert accepted(Event, "kind", [EventKind.PROMPT, "reply"]) == ["prompt", "reply"]
    assert accepted(Correction, "durable", (True, None)) == [True, None]
    assert accepted(Event, "occurred_at", START) == [START.replace(tzinfo=None)]
    for name, value in {"turn": "3", "payload": {}, "kinds": "prompt"}.items():
        with pytest.raises(StoreError):
            accepted(Event, name, value)


def test_normalised_does_not_share_what_can_change() -> None:
    payload: dict[str, Any] = {"text": "before"}
    kept = normalised(replace(event(1), payload=payload))
    payload["text"] = "after"
    assert kept.payload == {"text": "before"}
