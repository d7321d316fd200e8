"""A skill's tests: the moments at which it must speak, and those at which it must be silent. Only their ids are kept.

    must fire     the prompt, or the call, just before the mistake of each correction behind it
    must be silent   sampled prompts and calls of the same person where nothing was the matter (backtest.py)

What a moment says is read when the tests are run: of a session that was pruned nothing is left to test with.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import JSON, Correction, Event, SkillRevision
from hivemind_cli.index.matching import BY_ACT, Matcher
from hivemind_cli.pipeline.codify.backtest import PROMPT, TOOL_CALL, Backtest, fired, moment_of
from hivemind_cli.pipeline.codify.evidence import carried
from hivemind_cli.pipeline.codify.gate import REDACTED
from hivemind_cli.storage.base import Store

FIRE, SILENT = "fire", "silent"
CORRECTIONS_MAX = 20
"""The newest: no skill is matched by more tasks and acts than those of so many."""
SILENT_MIN = 10
"""Fewer moments of a kind prove nothing."""
MISFIRES_MAX = 0.2
"""Share of the sampled prompts, or calls, at which it may speak: one of them may well be about the same thing."""
SHOWN_CHARS = 100
"""Of a moment's text, for people."""
_READ_MAX = 1000
"""Records at a time."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One test, with its text as it is now."""

    expect: str
    at: str
    id: str
    said: str | Act

    @property
    def beginning(self) -> str:
        """The first words, on one line."""
        text = self.said.short if isinstance(self.said, Act) else " ".join(self.said.split())
        return text[:SHOWN_CHARS]


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a skill's tests."""

    mistakes: int
    """Corrections before whose mistake it must speak."""
    fires: int
    """... before which it does, at the prompt or at the call."""
    clean: int
    """Moments at which it must be silent."""
    silent: int
    """... at which it is; the corrected act itself, made again, is none of them."""
    gone: int
    """Moments whose session was pruned, or whose record is gone otherwise."""
    again: int = 0
    """Sampled calls that are the corrected act again, which nobody put right: they prove neither."""
    missing: tuple[Moment, ...] = ()
    """Where it is silent and must not be."""
    misfires: tuple[Moment, ...] = ()
    """Where it speaks and must not."""
    noise: str = ""
    """That it speaks too often where it must not, in words; "" if it does not. It does harm, not only too little good.
    """
    fault: str = ""
    """Why it fails, in words; "" if it does not."""

    @property
    def passed(self) -> bool | None:
        """None: there is nothing to test with."""
        return not self.fault if self.mistakes or self.clean else None

    def figures(self) -> dict[str, object]:
        """Counts, and the ids of what fails: no text."""
        return {
            "mistakes": self.mistakes,
            "fires": self.fires,
            "clean": self.clean,
            "silent": self.silent,
            "again": self.again,
            "gone": self.gone,
            "missing": [one.id for one in self.missing],
            "misfires": [one.id for one in self.misfires],
        }


def moments_of(revision: SkillRevision, corrections: Iterable[Correction], found: Backtest) -> tuple[JSON, ...]:
    """The tests of `revision`, from the corrections behind it and what its backtest sampled.

    A person's own skill, which rests on none, keeps those of its earlier versions.
    """
    newest = sorted(corrections, key=lambda one: (one.occurred_at, one.id))[-CORRECTIONS_MAX:]
    fire = [_moment(FIRE, at, one.id) for one in newest for at in _places(one)]
    if not fire:
        fire = [one for one in revision.moments if one.get("expect") == FIRE]
    silent = [_moment(SILENT, at, id) for at, ids in ((PROMPT, found.prompts), (TOOL_CALL, found.calls)) for id in ids]
    return (*fire, *silent)


class Moments:
    """The texts of moments, read once for all the skills that are tested with them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[tuple[str, str], str | Act | None] = {}

    def of(self, tests: Sequence[JSON]) -> list[Moment | None]:
        """In order; None for one whose record is gone."""
        self.read(tests)
        found: list[Moment | None] = []
        for expect, at, id in map(_parts, tests):
            said = self._said.get((at, id))
            found.append(Moment(expect, at, id, said) if said else None)
        return found

    def read(self, tests: Iterable[JSON]) -> None:
        """What these say, and was not read yet."""
        wanted: dict[str, set[str]] = {FIRE: set(), SILENT: set()}
        for expect, at, id in map(_parts, tests):
            if (at, id) not in self._said:
                wanted.setdefault(expect, set()).add(id)
                self._said[at, id] = None
        corrections, events = sorted(wanted[FIRE]), sorted(wanted[SILENT])
        for start in range(0, len(corrections), _READ_MAX):
            for row in self._store.find(Correction, id=corrections[start : start + _READ_MAX]):
                self._said[PROMPT, row.record.id] = row.record.task
                self._said[TOOL_CALL, row.record.id] = Act.of(row.record.act) if row.record.act else None
        for start in range(0, len(events), _READ_MAX):
            for event in self._store.find(Event, id=events[start : start + _READ_MAX]):
                self._said[event.record.kind.value, event.record.id] = moment_of(event.record)


def tested(tests: Sequence[JSON], moments: Moments, matcher: Matcher) -> Tested:
    """Run `tests` with `matcher`."""
    known = moments.of(tests)
    there = [one for one in known if one is not None]
    by_mistake: dict[str, list[Moment]] = {}
    for one in there:
        if one.expect == FIRE:
            by_mistake.setdefault(one.id, []).append(one)
    missed = [each[-1] for each in by_mistake.values() if not any(fired(matcher, one.said) for one in each)]
    clean = [(one, fired(matcher, one.said)) for one in there if one.expect == SILENT]
    again = sum(by == BY_ACT for _, by in clean)
    misfires = tuple(one for one, by in clean if by and by != BY_ACT)
    noise = _misfiring([one for one, by in clean if by != BY_ACT], misfires)
    return Tested(
        mistakes=len(by_mistake),
        fires=len(by_mistake) - len(missed),
        clean=len(clean) - again,
        silent=len(clean) - again - len(misfires),
        gone=len(known) - len(there),
        again=again,
        missing=tuple(missed),
        misfires=misfires,
        noise=noise,
        fault="; ".join(part for part in (_missing(len(missed), len(by_mistake)), noise) if part),
    )


def behind(revision: SkillRevision, store: Store) -> list[Correction]:
    """The corrections that its lines rest on and that are still there."""
    ids = sorted(carried(revision))
    return [row.record for row in store.find(Correction, id=ids)] if ids else []


def _places(correction: Correction) -> list[str]:
    """Where the skill could have spoken before this mistake."""
    at_prompt = [PROMPT] if correction.task.strip() and REDACTED not in correction.task else []
    return [*at_prompt, TOOL_CALL] if correction.act else at_prompt


def _moment(expect: str, at: str, id: str) -> JSON:
    return {"expect": expect, "at": at, "id": id}


def _parts(test: Mapping[str, object]) -> tuple[str, str, str]:
    return str(test.get("expect", "")), str(test.get("at", "")), str(test.get("id", ""))


def _missing(missed: int, mistakes: int) -> str:
    if not missed:
        return ""
    if mistakes == 1:
        return "it does not fire at the moment of its own correction"
    return f"it does not fire at the moments of {missed} of its {mistakes} corrections"


def _misfiring(clean: Sequence[Moment], misfires: Sequence[Moment]) -> str:
    for at, what in ((PROMPT, "other prompts"), (TOOL_CALL, "other tool calls")):
        of, spoke = (sum(one.at == at for one in each) for each in (clean, misfires))
        if of >= SILENT_MIN and spoke > MISFIRES_MAX * of:
            return f"it would fire at {spoke} of {of} {what}"
    return ""
