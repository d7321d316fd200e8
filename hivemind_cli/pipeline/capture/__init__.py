"""Capture: spooled payloads become Events. What cannot be decoded is handed back, never dropped.

One delivery can show several things: the transcript's tail is read beside it, and what the tail shows
comes first, since it happened before.
"""

import codecs
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import ProjectIdentity, identify, workspace_for
from hivemind_cli.core.records import (
    Candidate,
    Event,
    EventKind,
    Moment,
    Notice,
    Project,
    Recall,
    Record,
    TranscriptMark,
)
from hivemind_cli.core.text import cut_fields
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Host, Reader, Seen
from hivemind_cli.hosts.running import Deciding
from hivemind_cli.pipeline.capture.hands import Hands
from hivemind_cli.pipeline.capture.sessions import Session, Sessions
from hivemind_cli.pipeline.spool import Delivery
from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

INJECTION_EVENT = "hivemind:injection"
"""What the hook calls the delivery that says what it gave without a daemon."""
REASON_CHARS_MAX = 300
STOP_EVERY = 8
"""Deliveries of a batch."""
CLOCK_BACK_MIN = timedelta(seconds=2)
_TAIL_KINDS = frozenset({EventKind.PROMPT, EventKind.REPLY, EventKind.SESSION_START, EventKind.SESSION_END})
_READY = ("stood", "edited")
"""Fields that our own hands filled: redacted, and bounded."""
_AGENTS_KINDS = frozenset({EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE, EventKind.REPLY, EventKind.SUBAGENT_STOP})
"""What is told once the agent has moved: whatever files its commands changed are as they left them."""


@dataclass(frozen=True, slots=True)
class Where:
    """Who and where an event belongs to."""

    workspace_id: str
    project_id: str
    root: str


@dataclass(slots=True)
class Captured:
    """What a batch of deliveries gave: records to commit, and deliveries that could not be decoded."""

    outputs: list[Record] = field(default_factory=list)
    faults: list[tuple[Delivery, str]] = field(default_factory=list)
    left: int = 0
    """The last so many deliveries were not worked on, for capture was to stop."""


@dataclass(frozen=True, slots=True)
class Person:
    """The machine and the login name that events are signed with."""

    machine_id: str
    author: str


class Capture:
    """Turns deliveries and transcripts into Events of this person's projects. Not thread-safe: one owner."""

    name = "capture"

    def __init__(
        self,
        paths: Paths,
        config: Config,
        hosts: Mapping[str, Host],
        person: Person,
        key: bytes,
        kept_workspaces: Mapping[str, str],
        config_dirs: Mapping[str, Path | None],
    ) -> None:
        """`config_dirs`: host -> where the person's environment has moved its folder."""
        self._config_dirs = config_dirs
        self._paths = paths
        works = {str(paths.work), os.path.realpath(paths.work)}  # a program is told its folder behind all links
        self._work = tuple(f"{work}/" for work in works)
        self._config = config
        self._deciding = Deciding(hosts, paths.receipts)
        self._person = person
        self._kept = kept_workspaces
        self._hands = Hands(key)
        self._sessions = Sessions()
        self._places: dict[tuple[str, str], tuple[Where, ProjectIdentity, str]] = {}
        """Of one batch: (folder, workspace asked for) -> where that is, and the id of its Project."""

    def step(
        self, deliveries: Sequence[Delivery], store: Store, *, stop: Callable[[], bool] = lambda: False
    ) -> Captured:
        """Events, marks and notices of `deliveries`, in order; nothing is written.

        Once `stop` says so the rest is left; it is asked now and then.
        """
        captured = Captured()
        self._places.clear()  # a project may be given a remote, or a workspace, while a session runs
        self._sessions.trim()
        for n, delivery in enumerate(deliveries, 1):
            if n % STOP_EVERY == 0 and stop():
                captured.left = len(deliveries) - n + 1
                break
            try:
                captured.outputs.extend(self._deliver(delivery, store))
            except (StoreError, MemoryError):
                raise  # the world's fault, not the delivery's: it comes again
            except Exception as fault:  # noqa: BLE001  one delivery, whatever is wrong with it, never stops the others
                logger.info("delivery=%s of host=%s fails with %s", delivery.id, delivery.host, type(fault).__name__)
                captured.faults.append((delivery, _reason(fault)))
        return captured

    def read(self, host: Reader, seen: Iterable[Seen], store: Store, *, workspace: str) -> Iterable[Record]:
        """Events of a whole transcript, for an import; keys are counted from its beginning."""
        self._places.clear()
        counts: dict[str, int] = {}
        turns: dict[str, int] = {}
        places: dict[str, Where] = {}
        for one in seen:
            if self._is_ours(one.cwd):
                continue
            where = places.get(one.cwd)
            if where is None:
                where, project = self._where(one.cwd, workspace, store, from_ns(0))
                places[one.cwd] = where
                if project:
                    yield project
            if one.kind is EventKind.PROMPT:
                turns[one.session_id] = turns.get(one.session_id, 0) + 1
            key = _counted(one.native_key, counts)
            yield self._event(host, one, key, where, turn=turns.get(one.session_id, 0), source="import", at=from_ns(0))

    def reset(self) -> None:
        """Drop all memory of sessions: what `step` gave could not be stored."""
        self._sessions.clear()

    def forget(self, host: str, session_id: str) -> None:
        """Drop what is remembered of a session (it was pruned)."""
        self._sessions.forget(host, session_id)

    def _deliver(self, delivery: Delivery, store: Store) -> list[Record]:
        payload = _parse(delivery.raw)
        run = self._deciding.running(delivery.host, delivery.event, payload, mark=delivery.mark, cwd=delivery.cwd)
        if run is None or self._is_ours(run.cwd):
            return []
        host, payload = run.host, run.payload
        if (run.event, run.cwd) != (delivery.event, delivery.cwd):
            delivery = replace(delivery, event=run.event, cwd=run.cwd)
        session_id = values.session_id(payload)
        at = from_ns(delivery.time_ns)
        session = self._sessions.of(host.NAME, session_id, store)
        outputs: list[Record] = []
        where, project = self._where(delivery.cwd, delivery.workspace, store, at)
        if project:
            outputs.append(project)
        if delivery.event == INJECTION_EVENT:
            return [*outputs, *self._injection(host, session_id, delivery, payload, where, at)]
        if delivery.event not in host.EVENTS:
            return [*outputs, self._unknown(host, delivery, where, at)]
        seen = host.decode(delivery.event, payload)
        told: set[int] = set()

        def own(n: int) -> Event:
            told.add(n)
            return self._own(host, seen[n], session, where, delivery, store, first=n == 0, at=at)

        if delivery.event in host.ENDS or any(one.kind in _TAIL_KINDS for one in seen):
            keys = {(one.kind, _counted(one.native_key, dict(session.hook_counts))): n for n, one in enumerate(seen)}
            outputs.extend(self._tail(host, payload, session, where, delivery, store, keys, own))
        outputs.extend(self._clock(session, where, at, delivery))
        outputs.extend(own(n) for n, one in enumerate(seen) if n not in told and not _forged(one, session))
        return outputs

    def _is_ours(self, cwd: str) -> bool:
        """Is this a session that a provider of ours runs in our own work folder?"""
        return bool(cwd) and f"{os.path.normpath(cwd)}/".startswith(self._work)

    def _own(
        self,
        host: Host,
        one: Seen,
        session: Session,
        where: Where,
        delivery: Delivery,
        store: Store,
        *,
        first: bool,
        at: datetime,
    ) -> Event:
        key = _counted(one.native_key, session.hook_counts)
        if one.kind is EventKind.PROMPT and key not in session.prompt_keys:
            edited = self._hands.edited(session, where.root, at, store)
            if edited:
                one = replace(one, payload={**one.payload, "edited": edited})
        elif one.kind in _AGENTS_KINDS and key not in session.keys:
            stood = self._hands.settled(session, one.payload.get("act") or {}, at)
            if stood:
                one = replace(one, payload={**one.payload, "stood": stood})
        event_id = delivery.id if first else derived_id(at, delivery.id, key)
        event = self._event(
            host,
            one,
            key,
            where,
            turn=session.turn_of(one.kind, key),
            source="hook",
            at=at,
            id=event_id,
            session=session,
        )
        session.note(event)
        return event

    def _tail(
        self,
        host: Host,
        payload: dict[str, Any],
        session: Session,
        where: Where,
        delivery: Delivery,
        store: Store,
        places: Mapping[tuple[EventKind, str], int],
        own: Callable[[int], Event],
    ) -> list[Record]:
        """What the transcript shows since it was last read.

        A line that tells what the delivery itself does (`places` says which of its events) stands for the delivery's
        `own`: the hook knows what the person, or a command, did to files just before.
        """
        path = host.transcript_of(self._paths.home, payload, config_dir=self._config_dirs.get(host.NAME))
        if path is None:
            return []
        start = session.offset(path, store)
        seen: list[Seen] = []
        try:
            size = path.stat().st_size
            offset = start = start if size >= start else 0  # rewritten: read again; what is known is stored once
            while (tail := host.read_tail(path, offset)).offset > offset:
                seen.extend(tail.seen)
                offset = tail.offset
        except OSError as fault:  # not there yet, or not to be read: the payload counts even so
            logger.debug("the transcript of session=%s is not read: %s", session.id[:80], fault)
            return []
        session.offsets[str(path)] = offset
        at = from_ns(delivery.time_ns)
        counts: dict[str, int] = {}
        outputs: list[Record] = []
        for one in seen:
            if one.session_id and one.session_id != session.id:
                continue
            key = _counted(one.native_key, counts)
            if key in session.keys:
                continue
            if (n := places.get((one.kind, key))) is not None:
                outputs.append(own(n))
                continue
            event = self._event(host, one, key, where, turn=session.turn_of(one.kind, key), source="tail", at=at)
            session.note(event)
            outputs.append(event)
        if offset != start:
            outputs.append(
                TranscriptMark(
                    id=derived_id(at, "mark", str(path), str(offset)),
                    workspace_id=where.workspace_id,
                    host=host.NAME,
                    session_id=session.id,
                    path=str(path),
                    offset=offset,
                    occurred_at=at,
                )
            )
        return outputs

    def _event(
        self,
        host: Reader,
        one: Seen,
        key: str,
        where: Where,
        *,
        turn: int,
        source: str,
        at: datetime,
        id: str = "",
        session: Session | None = None,
    ) -> Event:
        """`session` for what has happened just now: files stand as they are told."""
        when = one.occurred_at or at
        payload = dict(one.payload)
        wrote = payload.pop("wrote", None)
        ready: dict[str, Any] = {name: payload.pop(name) for name in _READY if name in payload}
        clean = cut_fields(payload, self._config.capture.field_kb_max * 1024, redact.tree)
        if isinstance(wrote, Mapping) and not redact.found(str(wrote.get("path", ""))):
            wrote = {**wrote, "path": str(Path(one.cwd) / str(wrote.get("path", "")))}
            clean["wrote"] = self._hands.hashed(wrote, at if session else None, session)
        clean |= ready
        return Event(
            id=id or derived_id(when, host.NAME, one.session_id, key),
            workspace_id=where.workspace_id,
            project_id=where.project_id,
            machine_id=self._person.machine_id,
            author=self._person.author,
            host=host.NAME,
            session_id=one.session_id,
            kind=one.kind,
            occurred_at=when,
            native_key=key,
            turn=turn,
            tool=one.tool,
            cwd=one.cwd,
            source=source,
            payload=clean,
        )

    def _where(self, cwd: str, workspace: str, store: Store, at: datetime) -> tuple[Where, Project | None]:
        place = self._places.get((cwd, workspace))
        if place is None:
            identity = identify(cwd, self._paths.home)
            workspace_id = workspace_for(workspace, identity, self._kept, self._config.workspace).id
            row_id = derived_id(from_ns(0), "project", workspace_id, identity.id, identity.root)
            place = self._places[cwd, workspace] = (
                Where(workspace_id, identity.id, identity.root),
                identity,
                row_id,
            )
        where, identity, row_id = place
        if not identity.id or self._sessions.knows_project(row_id):
            return where, None
        row = Project(
            id=row_id,
            workspace_id=where.workspace_id,
            project_id=identity.id,
            name=identity.name,
            root=identity.root,
            remote=identity.remote,
            occurred_at=at,
        )
        return where, self._sessions.new_project(row, store)

    def _injection(
        self, host: Host, session_id: str, delivery: Delivery, payload: dict[str, Any], where: Where, at: datetime
    ) -> list[Record]:
        """What the hook gave without a daemon: an Event, and the Recall that it was."""
        moment = Moment(str(payload["moment"]))
        text = redact.text(str(payload["text"]))
        names = [str(name) for name in payload["ids"]]
        event = self._event(
            host,
            Seen(
                kind=EventKind.INJECTION,
                session_id=session_id,
                native_key=f"injection:{delivery.id}",
                cwd=delivery.cwd,
                payload={"moment": moment.value, "ids": names, "text": text},
            ),
            f"injection:{delivery.id}",
            where,
            turn=0,
            source="hook",
            at=at,
            id=delivery.id,
        )
        recall = Recall(
            id=derived_id(at, "recall", delivery.id),
            workspace_id=where.workspace_id,
            project_id=where.project_id,
            machine_id=self._person.machine_id,
            author=self._person.author,
            host=host.NAME,
            session_id=session_id,
            occurred_at=at,
            moment=moment,
            event_id=str(payload.get("of", "")),
            query="",
            candidates=tuple(
                Candidate(id=name.partition("@")[0], kind="", name="", decision="injected") for name in names
            ),
            text=text,
            tier="snapshot",
        )
        return [event, recall]

    def _unknown(self, host: Host, delivery: Delivery, where: Where, at: datetime) -> Notice:
        name = redact.text(delivery.event)[:60]
        return Notice(
            id=derived_id(from_ns(0), "unknown_event", host.NAME, name),
            workspace_id=where.workspace_id,
            occurred_at=at,
            about="unknown_event",
            text=f"{host.LABEL} sent an event called {name!r}, which hivemind does not use.",
            fix="Nothing is wrong; run `hivemind install` again if this event was wired by an older hivemind.",
            subject=host.NAME,
        )

    def _clock(self, session: Session, where: Where, at: datetime, delivery: Delivery) -> list[Notice]:
        latest, later = session.latest_hook_at, session.latest_hook_name > delivery.name
        session.latest_hook_at = max(latest, at) if latest else at
        session.latest_hook_name = max(session.latest_hook_name, delivery.name)
        if not latest or latest - at < CLOCK_BACK_MIN or later:  # it may have waited for a sweep
            return []
        return [
            Notice(
                id=derived_id(at, "clock_back", session.host, session.id),
                workspace_id=where.workspace_id,
                occurred_at=at,
                about="clock_back",
                text=f"The clock went back by {(latest - at).total_seconds():.0f} s during a session.",
                fix="Events keep the order in which they arrived; their times are as the clock said.",
                subject=session.id[:80],
            )
        ]


def _forged(one: Seen, session: Session) -> bool:
    """A call that ran cannot have been refused: a tool's output may read like a refusal with a person's words."""
    if one.kind is not EventKind.TOOL_DENIED:
        return False
    call_id = one.payload.get("call_id", "")
    return any(f"{call_id}:{kind}" in session.keys for kind in (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE))


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as fault:
        raise ValueError(f"the payload is not UTF-8 text: {fault.reason} at byte {fault.start}") from fault
    except json.JSONDecodeError as fault:
        raise ValueError(f"the payload is not JSON: {fault.msg} at character {fault.pos}") from fault
    if not isinstance(payload, dict):
        raise ValueError(f"the payload is a JSON {type(payload).__name__}, not an object")
    return payload


def _counted(key: str, counts: dict[str, int]) -> str:
    if not key.endswith("#?"):
        return key
    stem = key[:-2]
    n = counts.get(stem, 0)
    counts[stem] = n + 1
    return f"{stem}#{n}"


def _reason(fault: Exception) -> str:
    """Why a payload could not be decoded, in words; what they quote of it is redacted."""
    if isinstance(fault, RecursionError):
        said = "the payload is nested too deeply"
    elif isinstance(fault, KeyError):
        said = f"the payload has no field {fault.args[0]!r}" if fault.args else "a field is missing"
    else:
        said = str(fault) or type(fault).__name__
    return redact.cut(said, REASON_CHARS_MAX)
