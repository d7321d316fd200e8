"""Experience: Events become Experiences: what was done for each prompt and how it went; errors, and what fixed them.

turn.py    what happened between two prompts
weigh.py   outcome, score and lessons, from tests, corrections and whether the lines stayed
mended.py  errors that were there and went

A turn is looked at when it ends, when the person speaks again (only then it is known whether the work will do), when
something of the two turns before is put right, and when somebody judges that it was, or was not. The newest Experience
of a prompt counts. No model is asked.
"""

import hashlib
from collections.abc import Sequence

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    Experience,
    ExperienceKind,
    Judgement,
    Record,
    TaskOutcome,
)
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.experience.mended import fixes
from hivemind_cli.pipeline.experience.turn import Turn, says_little
from hivemind_cli.pipeline.experience.weigh import weigh
from hivemind_cli.storage.base import Row, Store

NAME = "experience"
TURNS_BEFORE = 2
"""Turns before the one that is looked at whose corrections and errors may still be told of by it."""
ROOT_TURNS = 6
"""Prompts back that a turn may go on with."""
_LOOKED_AT = (EventKind.PROMPT, EventKind.REPLY, EventKind.SESSION_END)


class Remember:
    """The stage. Stateless. Run it when detect has caught up: it reads the corrections of what it looks at."""

    name = NAME
    reads = Event
    batch_size = 150

    def step(self, batch: Sequence[Row[Event]], store: Store) -> list[Record]:
        """Experiences of the turns that end in `batch`, in the order of their sessions."""
        sessions: dict[tuple[str, str], set[int]] = {}
        for row in batch:
            event = row.record
            if event.kind in _LOOKED_AT:
                ended = event.turn - 1 if event.kind is EventKind.PROMPT else event.turn
                if ended > 0:
                    sessions.setdefault((event.host, event.session_id), set()).add(ended)
        found: list[Record] = []
        for (host, session_id), turns in sessions.items():
            found += experiences_of(store, host, session_id, turns)
        return found


class Reconsider:
    """The stage that looks again at turns about whose corrections somebody said what they are. Stateless."""

    name = "experience_judged"
    reads = Judgement
    batch_size = 50

    def step(self, batch: Sequence[Row[Judgement]], store: Store) -> list[Record]:
        """Experiences of the turns that end with what was judged."""
        sessions: dict[tuple[str, str], set[int]] = {}
        for row in store.find(Event, id=sorted({row.record.event_id for row in batch})):
            event = row.record
            ended = {turn for turn in (event.turn - 1, event.turn) if turn > 0}
            sessions.setdefault((event.host, event.session_id), set()).update(ended)
        return [one for key, ended in sessions.items() if ended for one in experiences_of(store, *key, ended)]


def experiences_of(store: Store, host: str, session_id: str, ended: set[int]) -> list[Experience]:
    """Of the turns `ended` of one session (numbers from 1), and of those before them that were put right since."""
    first, last = max(min(ended) - TURNS_BEFORE, 1), max(ended) + 1
    rows = store.find(Event, host=host, session_id=session_id, turn=list(range(first, last + 1)))
    session = _Session(store, host, session_id, [row.record for row in rows], first)
    wanted = set(ended) | session.put_right_by(ended)
    attempts = [one for turn in sorted(wanted) if (one := session.attempt(turn))]
    return [*attempts, *(fix for events in session.by_workspace() for fix in fixes(events, session.tasks(events)))]


class _Session:
    """Some turns of a session. A turn knows of its own workspace's events only, if its folders belong to several."""

    def __init__(self, store: Store, host: str, session_id: str, events: Sequence[Event], first: int) -> None:
        self.events = events
        found = store.find(Correction, host=host, session_id=session_id)
        noticed = [row.record for row in found]
        self._corrections = [one for one in judged.effective(store, noticed) if judged.is_called(one)]
        self._said = store.count(Judgement, host=host, session_id=session_id) if noticed else 0
        self._prompts = {one.turn: one for one in events if one.kind is EventKind.PROMPT}
        if first > 1:
            turns = list(range(max(first - ROOT_TURNS, 1), first))
            rows = store.find(Event, host=host, session_id=session_id, kind=EventKind.PROMPT, turn=turns)
            self._prompts |= {row.record.turn: row.record for row in rows}

    def put_right_by(self, ended: set[int]) -> set[int]:
        """Turns, loaded here, of what was put right in the turns after `ended` began, or in them."""
        turns = {event.id: event.turn for event in self.events}
        later = {turn + n for turn in ended for n in (0, 1)}
        return {
            turns[one.act_event_id]
            for one in self._corrections
            if one.act_event_id in turns and turns.get(one.reaction_event_id) in later and turns[one.act_event_id] > 0
        }

    def by_workspace(self) -> list[list[Event]]:
        """The events of each workspace, in order."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.workspace_id, []).append(event)
        return list(found.values())

    def tasks(self, events: Sequence[Event]) -> list[tuple[int, str]]:
        """(place among these events, task) of each prompt."""
        prompts = ((n, event) for n, event in enumerate(events) if event.kind is EventKind.PROMPT)
        return [(n, Turn(prompt, (), root=self._root(prompt)).task) for n, prompt in prompts]

    def attempt(self, number: int) -> Experience | None:
        """What the turn came to; None if nothing was done in it, or it is gone."""
        prompt = self._prompts.get(number)
        if prompt is None:
            return None
        here = [one for one in self.events if one.workspace_id == prompt.workspace_id]
        turn = Turn(
            prompt,
            [one for one in here if one.turn == number and one is not prompt],
            later=[one for one in here if one.turn > number],
            corrections=[one for one in self._corrections if one.workspace_id == prompt.workspace_id],
            root=self._root(prompt),
            put_right=self._by(prompt),
        )
        return _experience(turn, self._said) if turn.ended and turn.steps and turn.task else None

    def _root(self, prompt: Event) -> Event | None:
        """The prompt whose task this one goes on with: it put the work right, or says next to nothing by itself."""
        at = prompt
        for _ in range(ROOT_TURNS):
            before = self._prompts.get(at.turn - 1)
            if before is None or before.workspace_id != prompt.workspace_id or not (self._by(at) or says_little(at)):
                break
            at = before
        return None if at is prompt else at

    def _by(self, prompt: Event) -> list[Correction]:
        return [
            one
            for one in self._corrections
            if one.reaction_event_id == prompt.id
            and one.quote
            and one.kind is not CorrectionKind.REDO
            and one.workspace_id == prompt.workspace_id
        ]


def _experience(turn: Turn, judgements: int) -> Experience:
    """`judgements`: so many were made in the session; what is said and taken back gives a new record again."""
    prompt, weighed = turn.prompt, weigh(turn)
    checks = {check.name: check.passed for check in turn.checks}
    told = {
        "evidence": list(weighed.evidence),
        "turn": prompt.turn,
        "files": turn.files,
        "checks": checks,
        "lines_written": turn.lines_written,
        "lines_changed": turn.lines_changed,
        "correction_ids": [one.id for one in turn.corrected],
    }
    facts = (turn.task, turn.approach, weighed.lessons, str(weighed.score), str(told), turn.error, str(judgements))
    digest = hashlib.sha256("\x1f".join(facts).encode("utf-8", "surrogatepass")).hexdigest()
    return Experience(
        id=derived_id(prompt.occurred_at, NAME, prompt.id, digest),
        workspace_id=prompt.workspace_id,
        project_id=prompt.project_id,
        machine_id=prompt.machine_id,
        author=prompt.author,
        host=prompt.host,
        session_id=prompt.session_id,
        kind=ExperienceKind.ATTEMPT,
        occurred_at=prompt.occurred_at,
        event_id=prompt.id,
        task=turn.task,
        approach=turn.approach,
        tools_used=turn.tools,
        outcome=weighed.outcome,
        score=weighed.score,
        lessons=weighed.lessons,
        error_trace="" if weighed.outcome is TaskOutcome.SUCCESS else turn.error,
        metadata=told,
        duration_s=round(turn.seconds, 3),
    )
