"""The index follows the store: live skills and provisional memos become Documents.

Its cursor is the index's own and commits with it: three sequence numbers in one integer.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.match import Weights, rarity
from hivemind_cli.core.records import (
    NO_PROJECT,
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    Judgement,
    Record,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.core.same import names
from hivemind_cli.index.base import Document, Index
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.spoken import addressed, own_words
from hivemind_cli.skills.format import sections
from hivemind_cli.storage.base import Row, Store

R = TypeVar("R", bound=Record)

_SHIFT = 1 << 31
EXTRACTIVE = "extractive"
"""Drafter whose trigger is made of the tasks and the rule themselves: it says nothing more."""
MEMO_SESSIONS_MAX = 20
"""Sessions of its project after which a memo that no skill took up expires."""
_WORDLESS_KINDS = (CorrectionKind.TOOL_RETRY, CorrectionKind.RED_AFTER_DONE, CorrectionKind.REDO)
_SETTLED = (SkillState.LIVE, SkillState.RETIRED)
"""What was once carried by such a revision is no memo any more; what only waits in a draft still is."""
PROMPTS_FOR_RARITY = 2000
"""The newest, of all projects: what is rare in them tells one skill from another."""
_BATCH = 500


def weights(store: Store) -> Weights:
    """What each term says in this person's prompts, as they are now. A prompt said again and again counts once."""
    rows = store.find(Event, kind=EventKind.PROMPT, newest_first=True, limit=PROMPTS_FOR_RARITY)
    return Weights(rarity({" ".join(str(row.record.payload.get("text", "")).split()) for row in rows}))


class _Fresh:
    """As much of an Index as `refresh` needs."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self._cursor = 0

    def cursor(self) -> int:
        return self._cursor

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        for id in drop:
            self.documents.pop(id, None)
        self.documents.update({document.id: document for document in put})
        self._cursor = cursor


def refresh(store: Store, index: Index | _Fresh) -> int:
    """Bring the index up to the store; how many records were read."""
    judgements_to, revisions_to, corrections_to = _parts(index.cursor())
    judgements = store.find(Judgement, after=judgements_to, limit=_BATCH)
    revisions = store.find(SkillRevision, after=revisions_to, limit=_BATCH)
    corrections = store.find(Correction, after=corrections_to, limit=_BATCH)
    if not revisions and not corrections and not judgements:
        return 0
    put: dict[str, Document] = {}
    drop = {one for row in revisions if row.record.state in _SETTLED for one in _carried(row.record)}
    for revision in _current(store, {row.record.skill_id for row in revisions}):
        if revision.state is SkillState.LIVE:
            put[revision.skill_id] = skill_document(revision, store)
        else:
            drop.add(revision.skill_id)
    looked_at = {one.id: one for one in judged.effective(store, [row.record for row in corrections])}
    again = {one.id: one for one in judged.touched(store, [row.record for row in judgements])}
    looked_at |= again
    taken = drop | _taken(store, list(looked_at.values()))
    for correction in looked_at.values():
        if is_memo(correction) and correction.id not in taken:
            put[correction.id] = memo_document(correction)
        elif correction.id in again:
            drop.add(correction.id)
    index.update(
        list(put.values()),
        sorted(drop - set(put)),
        cursor=(_seq(judgements, judgements_to) * _SHIFT + _seq(revisions, revisions_to)) * _SHIFT
        + _seq(corrections, corrections_to),
    )
    return len(revisions) + len(corrections) + len(judgements)


def rebuild(store: Store, index: Index) -> None:
    """Fill the index anew from the store, in one commit: whoever asks meanwhile finds what it held before."""
    fresh = _Fresh()
    while refresh(store, fresh):
        pass
    old = {document.id for document in index.all()} - set(fresh.documents)
    index.update(list(fresh.documents.values()), sorted(old), cursor=fresh.cursor())


def begin(store: Store, index: Index) -> bool:
    """Empty an index that knows records the store does not (its database was moved away); was it so?"""
    kinds = (Judgement, SkillRevision, Correction)
    newest = [_seq(store.find(kind, newest_first=True, limit=1), 0) for kind in kinds]
    if all(known <= there for known, there in zip(_parts(index.cursor()), newest, strict=True)):
        return False
    index.update([], [document.id for document in index.all()], cursor=0)
    return True


def expire_memos(store: Store, index: Index) -> int:
    """Drop memos that saw MEMO_SESSIONS_MAX later sessions of their project; how many."""
    memos = [document.id for document in index.all() if document.kind == "memo"]
    known = {row.record.id: row.record for row in store.find(Correction, id=memos)} if memos else {}
    latest = {place: _latest_starts(store, *place) for place in {_place(one) for one in known.values()}}
    old = []
    for id in memos:
        correction = known.get(id)
        if correction is None:
            old.append(id)
            continue
        starts = latest[_place(correction)]
        later = starts[bisect_left(starts, (correction.occurred_at, "")) :]
        others = [one for _, one in later[: MEMO_SESSIONS_MAX + 1] if one != correction.session_id]
        if len(others) >= MEMO_SESSIONS_MAX:
            old.append(id)
    if old:
        index.update([], old, cursor=index.cursor())
    return len(old)


def _place(correction: Correction) -> tuple[str, str]:
    return correction.workspace_id, correction.project_id


def _latest_starts(store: Store, workspace_id: str, project_id: str) -> list[tuple[datetime, str]]:
    """When each session of a project was last started, and which it was, in order."""
    rows = store.find(Event, kind=EventKind.SESSION_START, project_id=project_id, workspace_id=workspace_id)
    latest: dict[str, datetime] = {}
    for row in rows:
        at = row.record.occurred_at
        latest[row.record.session_id] = max(latest.get(row.record.session_id, at), at)
    return sorted((at, session_id) for session_id, at in latest.items())


def is_memo(correction: Correction) -> bool:
    """Is it worth saying before a skill carries it? A person's words, meant to last or not known not to.

    Words that only read like a correction must say what they are about, or somebody must have judged them to be one.
    """
    return (
        bool(own_words(correction.quote))
        and not addressed(own_words(correction.quote))
        and correction.kind not in _WORDLESS_KINDS
        and correction.durable is not False
        and correction.confidence >= judged.SHOWN_MIN
        and (_told_by_act(correction) or _about_the_act(correction))
        and correction.project_id != NO_PROJECT  # said nowhere in particular, it would apply everywhere
    )


def _told_by_act(correction: Correction) -> bool:
    """Is it no matter of words that they put something right?"""
    if correction.kind is CorrectionKind.SAID:
        return correction.confidence >= judged.MODEL_YES
    return correction.kind is not CorrectionKind.INTERRUPTED


def _about_the_act(correction: Correction) -> bool:
    """Words after an Esc may go on with something else: a rule, or a term of the act, says that they do not."""
    return correction.durable is True or (bool(correction.act) and names(correction.quote, Act.of(correction.act)))


_DID = {SHELL: "ran", EDIT: "changed"}
"""Kind of act -> what the agent did with what is named."""


def memo_document(correction: Correction) -> Document:
    """A provisional memo as recall sees it."""
    act = Act.of(correction.act) if correction.act else None
    did = ""
    if act and act.short and not addressed(act.short):
        did = f", after the agent {_DID.get(act.kind, 'did')} `{act.short}`"
    quote = " ".join(own_words(correction.quote).split())[:1200]
    return Document(
        id=correction.id,
        kind="memo",
        version=0,
        name=" ".join(quote.split()[:8]),
        workspace_id=correction.workspace_id,
        project_id=correction.project_id,
        trigger=correction.task,
        rule=quote,
        text=f'Corrected on {correction.occurred_at:%Y-%m-%d}{did}; the person said: "{quote}"',
        acts=(correction.act,) if correction.act else (),
        holds=correction.durable is True and act is not None and names(quote, act),
        origin=(correction.id, correction.reaction_event_id),
        recurrence_keys=(correction.recurrence_key,),
        occurred_at_ms=int(correction.occurred_at.timestamp() * 1000),
    )


def skill_document(revision: SkillRevision, store: Store) -> Document:
    """A live skill as recall sees it."""
    ids = sorted({one for line in revision.lines for one in line.correction_ids})
    corrections = [row.record for row in store.find(Correction, id=ids)] if ids else []
    return Document(
        id=revision.skill_id,
        kind="skill",
        version=revision.version,
        name=revision.name,
        workspace_id=revision.workspace_id,
        project_id=revision.project_id if revision.scope is Scope.PROJECT else "",
        trigger="" if revision.drafter == EXTRACTIVE else revision.trigger,
        text=f"# {revision.title} (skill {revision.name})\n{sections(revision)}",
        rule="\n".join(line.text for line in revision.lines if line.section != "when") or revision.body,
        tasks=revision.tasks,
        acts=revision.acts,
        holds=not corrections or any(_holds(one) for one in corrections),
        origin=(*ids, *(one.reaction_event_id for one in corrections)),
        recurrence_keys=tuple(sorted({one.recurrence_key for one in corrections})),
        occurred_at_ms=int(revision.occurred_at.timestamp() * 1000),
    )


def _holds(correction: Correction) -> bool:
    """Was it the act itself that was put right? Words that name nothing of it may be about how, when or what else."""
    if correction.kind in (CorrectionKind.SAID, CorrectionKind.INTERRUPTED):
        return bool(correction.act) and names(correction.quote, Act.of(correction.act))
    return True


def _current(store: Store, skill_ids: Iterable[str]) -> list[SkillRevision]:
    """The newest revision of each, by skill_id."""
    wanted = sorted(skill_ids)
    newest: dict[str, SkillRevision] = {}
    for row in store.find(SkillRevision, skill_id=wanted) if wanted else ():
        known = newest.get(row.record.skill_id)
        if known is None or row.record.version > known.version:
            newest[row.record.skill_id] = row.record
    return [newest[skill_id] for skill_id in wanted]


def _taken(store: Store, corrections: list[Correction]) -> set[str]:
    """What skills of these corrections' projects carry, or carried, that were live or retired."""
    if not corrections:
        return set()
    projects = sorted({correction.project_id for correction in corrections})
    rows = store.find(SkillRevision, project_id=projects, state=list(_SETTLED))
    return {one for row in rows for one in _carried(row.record)}


def _carried(revision: SkillRevision) -> set[str]:
    return {one for line in revision.lines for one in line.correction_ids}


def _parts(cursor: int) -> tuple[int, int, int]:
    """How far judgements, revisions and corrections were read."""
    more, corrections_to = divmod(cursor, _SHIFT)
    judgements_to, revisions_to = divmod(more, _SHIFT)
    return judgements_to, revisions_to, corrections_to


def _seq(rows: Sequence[Row[R]], before: int) -> int:
    return rows[-1].seq if rows else before
