"""The corpus follows the store: events, sessions, corrections and skills become Texts that can be searched.

Its cursor is the corpus' own and commits with it: five sequence numbers in one integer. Vectors of the same texts may
follow with a cursor of their own: `read` gives both the same.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hivemind_cli.core.acts import Act
from hivemind_cli.core.fence import unfenced
from hivemind_cli.core.records import (
    Correction,
    Event,
    EventKind,
    Judgement,
    Record,
    SkillRevision,
    SkillState,
    Tombstone,
)
from hivemind_cli.index.base import Corpus, Text, Where
from hivemind_cli.pipeline import judged
from hivemind_cli.skills.format import sections
from hivemind_cli.storage.base import Row, Store

KINDS: tuple[type[Record], ...] = (Tombstone, Judgement, SkillRevision, Correction, Event)
"""What is followed, in the order of reading: a session that is pruned meanwhile falls with the next batch."""
SESSION, CORRECTION, SKILL = "session", "correction", "skill"
HEAD_CHARS, TAIL_CHARS = 3000, 1000
"""Of a longer text: what is said first says what it is, and a log ends with what went wrong."""
CUT = "\n…\n"
_TITLE_CHARS = 200
_SESSION_PATHS_MAX = 300
_SHIFT = 1 << 31
_BATCH = 1000
_GONE = frozenset({SkillState.RETIRED})
_SAID = {
    EventKind.PROMPT: "text",
    EventKind.STEER: "text",
    EventKind.REPLY: "text",
    EventKind.SUBAGENT_START: "text",
    EventKind.SUBAGENT_STOP: "text",
    EventKind.TOOL_RESULT: "output",
    EventKind.TOOL_FAILURE: "error",
    EventKind.TOOL_DENIED: "words",
}
"""Kind of event -> the field of its payload that is searched; a call's act is, other kinds only keep the books."""
_following = threading.Lock()
"""Held by whoever moves a corpus: nothing of a forgotten session is put back by a batch that was read before."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the next records make of the texts. First `gone` and `drop` fall, then `put` stands."""

    put: list[Text]
    drop: list[str]
    """Ids."""
    gone: list[tuple[str, str]]
    """(host, session_id) of pruned sessions: all their texts fall."""
    touched: Mapping[tuple[str, str], dict[str, None]]
    """(workspace_id, id of a session's text) -> files it went on to touch."""
    cursor: int
    count: int
    """Records read."""


def read(store: Store, after: int, *, limit: int = _BATCH) -> Batch | None:
    """The next records of each kind, at most `limit` of one; None if there is nothing new."""
    told = _parts(after)
    tombstones = store.find(Tombstone, after=told[0], limit=limit)
    judgements = store.find(Judgement, after=told[1], limit=limit)
    revisions = store.find(SkillRevision, after=told[2], limit=limit)
    corrections = store.find(Correction, after=told[3], limit=limit)
    events = store.find(Event, after=told[4], limit=limit)
    all_rows: list[Sequence[Row[Any]]] = [tombstones, judgements, revisions, corrections, events]
    if not any(all_rows):
        return None
    found = _Found()
    found.gone = [(row.record.host, row.record.session_id) for row in tombstones]
    for row in events:
        found.add_event(row.record)
    found.add_corrections(store, [row.record for row in corrections], [row.record for row in judgements])
    found.add_skills(store, {row.record.skill_id for row in revisions})
    cursor = _packed(rows[-1].seq if rows else seq for rows, seq in zip(all_rows, told, strict=True))
    count = sum(map(len, all_rows))
    return Batch(list(found.put.values()), sorted(found.drop), found.gone, found.touched, cursor, count)


def refresh(store: Store, corpus: Corpus, *, limit: int = _BATCH, pause: Callable[[], object] = lambda: None) -> int:
    """Bring the corpus up by one batch; how many records were read, 0 if it has caught up. `pause`: Corpus.update."""
    with _following:
        batch = read(store, corpus.cursor(), limit=limit)
        if batch is None:
            return 0
        put = [*batch.put, *_grown(corpus, batch)]
        corpus.update(put, batch.drop, cursor=batch.cursor, gone=batch.gone, pause=pause)
        return batch.count


def begin(store: Store, corpus: Corpus) -> bool:
    """Empty a corpus that knows records the store does not (its database was moved away); was it so?"""
    if not ahead(store, corpus.cursor()):
        return False
    with _following:
        corpus.clear()
    return True


def ahead(store: Store, after: int) -> bool:
    """Does this cursor know records that the store does not?"""
    return any(known > there for known, there in zip(_parts(after), _newest(store), strict=True))


def forget(corpus: Corpus, gone: Sequence[tuple[str, str]]) -> None:
    """Remove all texts of these sessions, (host, session_id), at once; call it when the store has let go of them."""
    with _following:
        corpus.update([], [], cursor=corpus.cursor(), gone=gone)


def behind(store: Store, after: int) -> int:
    """About how many records were stored after this cursor: what was pruned meanwhile is counted, too."""
    return sum(max(there - known, 0) for known, there in zip(_parts(after), _newest(store), strict=True))


def of_event(event: Event) -> Text | None:
    """What of an event can be searched; None for one that only keeps the books, or says nothing."""
    said = event.payload.get(_SAID.get(event.kind, ""), "")
    act = Act.of(event.payload["act"]) if isinstance(event.payload.get("act"), Mapping) else None
    title = act.short[:_TITLE_CHARS] if act else ""
    if event.kind is EventKind.TOOL_CALL:
        said = _asked(act) if act else ""
    elif event.kind not in _SAID or (event.kind is EventKind.TOOL_DENIED and event.payload.get("by") == "hivemind"):
        return None
    said = unfenced(str(said or "")).strip()
    if not said and not (title and event.kind is EventKind.TOOL_CALL):
        return None
    return Text(
        id=event.id,
        kind=event.kind.value,
        workspace_id=event.workspace_id,
        project_id=event.project_id,
        host=event.host,
        session_id=event.session_id,
        at_ms=_ms(event.occurred_at),
        title=title,
        text=bounded(said),
        paths=(act.path,) if act and act.path else (),
    )


def of_correction(correction: Correction) -> Text:
    """A correction: what was said, when, about what."""
    act = Act.of(correction.act) if correction.act else None
    quote = " ".join(unfenced(correction.quote).split())
    said = (correction.quote, correction.task, act.short if act else "", correction.before, correction.after)
    return Text(
        id=correction.id,
        kind=CORRECTION,
        workspace_id=correction.workspace_id,
        project_id=correction.project_id,
        host=correction.host,
        session_id=correction.session_id,
        at_ms=_ms(correction.occurred_at),
        title=(quote or correction.cause)[:_TITLE_CHARS],
        text=bounded(unfenced("\n".join(one for one in said if one))),
        paths=(act.path,) if act and act.path else (),
    )


def of_skill(revision: SkillRevision) -> Text:
    """A skill as it is now, live or waiting."""
    return Text(
        id=revision.skill_id,
        kind=SKILL,
        workspace_id=revision.workspace_id,
        project_id=revision.project_id,
        at_ms=_ms(revision.occurred_at),
        title=f"{revision.name}: {revision.trigger}",
        text=bounded(f"{revision.title}\n{revision.body or sections(revision)}"),
    )


def session_text_id(host: str, session_id: str) -> str:
    """The id of a session's own Text."""
    return f"{host}:{session_id}"


def bounded(text: str) -> str:
    """`text`, or of a longer one its head and tail."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS + len(CUT):
        return text
    return f"{text[:HEAD_CHARS]}{CUT}{text[-TAIL_CHARS:]}"


@dataclass(slots=True)
class _Found:
    """What a batch makes, as it is being read."""

    put: dict[str, Text] = field(default_factory=dict)
    drop: set[str] = field(default_factory=set)
    gone: list[tuple[str, str]] = field(default_factory=list)
    touched: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)

    def add_event(self, event: Event) -> None:
        text = of_event(event)
        if text is None:
            return
        self.put[text.id] = text
        session = session_text_id(event.host, event.session_id)
        if event.kind is EventKind.PROMPT and event.turn <= 1:
            title = " ".join(text.text[: 2 * _TITLE_CHARS].split())[:_TITLE_CHARS]
            self.put[session] = replace(text, id=session, kind=SESSION, title=title)
            self.touched.setdefault((event.workspace_id, session), {})  # it may be known, with what it touched
        if text.paths and event.kind is EventKind.TOOL_CALL:
            self.touched.setdefault((event.workspace_id, session), {}).update(dict.fromkeys(text.paths))

    def add_corrections(self, store: Store, new: Sequence[Correction], judgements: Sequence[Judgement]) -> None:
        looked_at = {one.id: one for one in judged.effective(store, new)}
        looked_at |= {one.id: one for one in judged.touched(store, judgements)}
        for correction in looked_at.values():
            if judged.is_called(correction):
                self.put[correction.id] = of_correction(correction)
            else:
                self.drop.add(correction.id)

    def add_skills(self, store: Store, skill_ids: set[str]) -> None:
        newest: dict[str, SkillRevision] = {}
        for row in store.find(SkillRevision, skill_id=sorted(skill_ids)) if skill_ids else []:
            known = newest.get(row.record.skill_id)
            if known is None or row.record.version > known.version:
                newest[row.record.skill_id] = row.record
        for skill_id in skill_ids:
            revision = newest.get(skill_id)
            if revision is None or revision.state in _GONE:
                self.drop.add(skill_id)
            else:
                self.put[skill_id] = of_skill(revision)


def _grown(corpus: Corpus, batch: Batch) -> list[Text]:
    """The sessions of which the batch tells files that they touched, with these beside those known before."""
    new = {text.id: text for text in batch.put if text.kind == SESSION}
    grown = []
    for workspace_id in {workspace_id for workspace_id, _ in batch.touched}:
        ids = [id for one, id in batch.touched if one == workspace_id]
        known = corpus.get(ids, Where(workspace_id=workspace_id))
        for id in ids:
            before, text = known.get(id), new.get(id) or known.get(id)
            if text is None:
                continue
            paths = dict.fromkeys(before.paths if before else ()) | batch.touched[workspace_id, id]
            kept = tuple(paths)[-_SESSION_PATHS_MAX:]
            if text is not before or kept != before.paths:
                grown.append(replace(text, paths=kept))
    return grown


def _asked(act: Act) -> str:
    """What a call asks for, beside its title."""
    said = "\n".join(one for one in (act.command, act.text) if one)
    return "" if said == act.short else said


def _newest(store: Store) -> list[int]:
    """The newest sequence number of each kind."""
    found = (store.find(kind, newest_first=True, limit=1) for kind in KINDS)
    return [rows[0].seq if rows else 0 for rows in found]


def _packed(seqs: Iterable[int]) -> int:
    cursor = 0
    for seq in seqs:
        cursor = cursor * _SHIFT + seq
    return cursor


def _parts(cursor: int) -> list[int]:
    """How far each of KINDS was read."""
    parts = []
    for _ in KINDS:
        cursor, seq = divmod(cursor, _SHIFT)
        parts.append(seq)
    return parts[::-1]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
