"""Records for storage tests: plain ones by hand, all kinds by Hypothesis."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from hivemind_cli.core.records import (
    Event,
    EventKind,
    Experience,
    ExperienceKind,
    Judgement,
    Outcome,
    Recall,
    SaidKind,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
    TaskOutcome,
    Tombstone,
    Verdict,
)
from hivemind_cli.core.records import Moment as RecallMoment
from hivemind_cli.storage.schema import INTEGER_MAX, INTEGER_MIN

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def event(number: int, session_id: str = "s1", **changes: Any) -> Event:
    """The event `number` of a session, a minute after the one before."""
    known: dict[str, Any] = {
        "id": f"{session_id}-{number:06d}",
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m1",
        "author": "ada",
        "host": "claude",
        "session_id": session_id,
        "kind": EventKind.PROMPT,
        "occurred_at": START + timedelta(minutes=number),
        "native_key": f"k{number}",
        "payload": {"text": f"words {number}"},
    }
    return Event(**(known | changes))


def recall(number: int, session_id: str = "s1", host: str = "claude") -> Recall:
    return Recall(
        id=f"r-{host}-{session_id}-{number}",
        workspace_id="default",
        project_id="p1",
        machine_id="m1",
        author="ada",
        host=host,
        session_id=session_id,
        occurred_at=START,
        moment=RecallMoment.PROMPT,
        event_id="e1",
        query="q",
    )


def outcome(number: int, recall_id: str, session_id: str = "s1") -> Outcome:
    return Outcome(
        id=f"o-{session_id}-{number}",
        workspace_id="default",
        project_id="p1",
        session_id=session_id,
        occurred_at=START,
        recall_id=recall_id,
        subject_id="sk_1",
        verdict=Verdict.HELD,
    )


def judgement(number: int, session_id: str = "s1", host: str = "claude") -> Judgement:
    return Judgement(
        id=f"j-{host}-{session_id}-{number}",
        workspace_id="default",
        project_id="p1",
        host=host,
        session_id=session_id,
        occurred_at=START,
        event_id="e1",
        by="person",
        said=SaidKind.CORRECTION,
    )


def experience(number: int, session_id: str = "s1", host: str = "claude", **changes: Any) -> Experience:
    known: dict[str, Any] = {
        "id": f"x-{host}-{session_id}-{number}",
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m1",
        "author": "ada",
        "host": host,
        "session_id": session_id,
        "kind": ExperienceKind.ATTEMPT,
        "occurred_at": START,
        "event_id": f"e{number}",
        "task": f"task {number}",
        "approach": "edit app.py",
        "outcome": TaskOutcome.SUCCESS,
        "score": 0.9,
    }
    return Experience(**(known | changes))


def tombstone(session_id: str = "s1", host: str = "claude") -> Tombstone:
    return Tombstone(
        id=f"t-{host}-{session_id}", workspace_id="default", host=host, session_id=session_id, occurred_at=START
    )


def version(number: int, *correction_ids: str, state: SkillState = SkillState.LIVE, skill: str = "a") -> SkillRevision:
    return SkillRevision(
        id=f"{skill}{number}",
        workspace_id="default",
        project_id="p1",
        machine_id="m1",
        author="ada",
        skill_id=f"sk_{skill}",
        name=f"name-{skill}",
        title="t",
        version=number,
        scope=Scope.PROJECT,
        state=state,
        trigger="when",
        lines=(SkillLine(section="do", text="words", correction_ids=correction_ids),),
        occurred_at=START,
    )


TEXT = st.text(st.characters(codec=None), max_size=20)
"""Any text, lone surrogates and NUL included."""
CLEAN_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def records_of(kind: type[Any], text: st.SearchStrategy[str] = CLEAN_TEXT) -> st.SearchStrategy[Any]:
    """Any record (or nested value) of `kind`; fields with a default are sometimes left out."""
    hints = get_type_hints(kind)
    required = {f.name: f for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    strategies = {name: _values_of(hint, text) for name, hint in hints.items()}
    return st.fixed_dictionaries(
        {name: strategies[name] for name in required},
        optional={name: strategy for name, strategy in strategies.items() if name not in required},
    ).map(lambda chosen: kind(**chosen))


def _values_of(hint: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return st.one_of(
            *(st.none() if arg is types.NoneType else _values_of(arg, text) for arg in args),
        )
    if origin is tuple:
        return st.lists(_values_of(args[0], text), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(text, _json(text), max_size=3)
    if is_dataclass(hint):
        return records_of(hint, text)  # type: ignore[arg-type]
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: text,
        int: st.integers(INTEGER_MIN, INTEGER_MAX),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }
    return plain[hint]


def _json(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | text | st.floats().filter(math.isfinite)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )
