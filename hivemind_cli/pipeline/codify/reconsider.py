"""What a judgement changes in the skills: lines fall whose evidence was none, and what was passed over is taken up.

Two stages over Judgements. Withdraw asks nobody and is run at once; Reconsider codifies, and runs beside Codify.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import Correction, Judgement, Record, SkillRevision, SkillState
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify import CODIFY, CODIFY_HISTORY, Codify
from hivemind_cli.pipeline.codify.evidence import carried, of_history
from hivemind_cli.pipeline.codify.revise import rebuilt
from hivemind_cli.storage.base import Row, Store
from hivemind_cli.storage.forgetting import falls, is_blank

JUDGED_AWAY = "its evidence was judged to be no correction"
"""`reason` of a version that a judgement made; it is undone if the judgement is."""
RECONSIDER = "reconsider"
"""The cursor's name."""
RESTORED = "what was judged to be no correction counts again"


class Withdraw:
    """The stage. Stateless. A person's own file (`body`) is theirs: it stays as it is."""

    name = "withdraw"
    reads = Judgement
    batch_size = 200

    def step(self, batch: Sequence[Row[Judgement]], store: Store) -> list[Record]:
        """Next versions of the skills that rest on what `batch` is about."""
        about = {one.id for one in judged.touched(store, [row.record for row in batch])}
        outputs: list[Record] = []
        for history in _histories(store) if about else ():
            if any(about & carried(one) for one in history) and not history[-1].body:
                following = _following(history, store, batch[-1].record)
                outputs += [following] if following else []
        return outputs


class Reconsider:
    """The stage. Gives `codify` again what it has read, and what was judged since."""

    name = RECONSIDER
    reads = Judgement
    batch_size = 200

    def __init__(self, codify: Codify) -> None:
        self._codify = codify

    def step(self, batch: Sequence[Row[Judgement]], store: Store) -> list[Record]:
        """What codify makes of the corrections that `batch` says are some. Those it has not read yet wait for it."""
        touched = judged.touched(store, [row.record for row in batch])
        yes = [one.id for one in touched if judged.is_called(one)]
        rows = store.find(Correction, id=sorted(yes)) if yes else []
        past = of_history([row.record for row in rows], store)
        read_to, past_to = store.cursor(CODIFY), store.cursor(CODIFY_HISTORY)
        rows = [row for row in rows if row.seq <= (past_to if row.record.id in past else read_to)]
        return self._codify.look_at(rows, store, until=max(read_to, past_to)) if rows else []


def _following(history: list[SkillRevision], store: Store, cause: Judgement) -> SkillRevision | None:
    """The version that must follow the newest, None if it may stay."""
    newest = history[-1]
    ids = sorted({one for each in history for one in carried(each)})
    evidence = {one.id: one for one in judged.effective(store, _corrections(store, ids))}
    gone = {one.id for one in evidence.values() if judged.refused(one)}
    following: SkillRevision | None = None
    if newest.reason == JUDGED_AWAY:
        before = next((one for one in reversed(history) if one.reason != JUDGED_AWAY), None)
        if before and not carried(before) & gone and carried(before) <= set(evidence):
            following = replace(before, version=newest.version + 1, reason=RESTORED)
    if following is None and carried(newest) & gone and newest.state is not SkillState.RETIRED:
        lines = tuple(
            replace(line, correction_ids=tuple(one for one in line.correction_ids if one not in gone))
            for line in newest.lines
            if not falls(line, gone)
        )
        left = [evidence[one] for one in ids if one in evidence and any(one in line.correction_ids for line in lines)]
        if left:
            following = replace(rebuilt(newest, lines, left), reason=JUDGED_AWAY)
        else:
            following = replace(newest, version=newest.version + 1, state=SkillState.RETIRED, reason=JUDGED_AWAY)
    if following is None or is_blank(following):
        return None
    id = derived_id(cause.occurred_at, "judged", newest.id, cause.id)
    return replace(following, id=id, occurred_at=cause.occurred_at)


def _histories(store: Store) -> Iterable[list[SkillRevision]]:
    """The versions of each skill, oldest first."""
    found: dict[str, list[SkillRevision]] = {}
    for row in store.find(SkillRevision):
        found.setdefault(row.record.skill_id, []).append(row.record)
    for history in found.values():
        yield sorted(history, key=lambda one: one.version)


def _corrections(store: Store, ids: Sequence[str]) -> list[Correction]:
    found = [row.record for row in store.find(Correction, id=list(ids))] if ids else []
    return sorted(found, key=lambda one: (one.occurred_at, one.id))
