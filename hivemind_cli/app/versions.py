"""The versions of a skill beside each other: what changed, what differs, and since when each line stands there."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff

from hivemind_cli.core.records import Scope, SkillRevision, SkillState
from hivemind_cli.pipeline.hand import by_hand
from hivemind_cli.skills.format import sections

_BULLET = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)])\s+)?")
PERSONS = "a person"
"""`Change.by` of what a person's hand made."""
FOR_WHOM = {Scope.PROJECT: "its project", Scope.USER: "every project", Scope.TEAM: "the team"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a version changed in the one before it."""

    revision: SkillRevision
    added: int
    """Lines."""
    removed: int
    by: str
    """a person, where their hand made it; else the drafter."""
    scope: str = ""
    """For whom it is from here on, if that changed."""


@dataclass(frozen=True, slots=True)
class Blamed:
    """One line as it stands, and the version that put it there."""

    text: str
    since: SkillRevision
    number: int | None = None
    """As `hivemind why NAME:NUMBER` counts lines; None for a heading or other text."""
    correction_ids: tuple[str, ...] = ()


def readable(revision: SkillRevision) -> list[str]:
    """The description and the body as a person reads them: without the rest of the front matter, and provenance."""
    head = [f"description: {' '.join(revision.trigger.split())}", f"# {revision.title or revision.name}"]
    return [*head, *(line.rstrip() for line in sections(revision).split("\n") if line.strip())]


def diff(before: SkillRevision | None, after: SkillRevision) -> list[str]:
    """A unified diff of what a person reads, without its two lines of names; [] if the words are the same."""
    old = readable(before) if before else []
    return list(unified_diff(old, readable(after), lineterm="", n=3))[2:]


def changes(history: Sequence[SkillRevision]) -> list[Change]:
    """For each version, oldest first, what it changed."""
    found = []
    before: SkillRevision | None = None
    for one in history:
        old, new = Counter(readable(before)) if before else Counter(), Counter(readable(one))
        scope = FOR_WHOM[one.scope] if before and before.scope is not one.scope else ""
        by = PERSONS if by_hand(one) else one.drafter
        found.append(Change(one, (new - old).total(), (old - new).total(), by, scope))
        before = one
    return found


def blame(history: Sequence[SkillRevision]) -> list[Blamed]:
    """Each line of the newest version, with the version since which it has stood there."""
    standing: list[tuple[str, SkillRevision]] = []
    for one in history:
        lines = readable(one)
        following: list[tuple[str, SkillRevision]] = [(line, one) for line in lines]
        matcher = SequenceMatcher(None, [text for text, _ in standing], lines, autojunk=False)
        for old, new, size in matcher.get_matching_blocks():
            following[new : new + size] = standing[old : old + size]
        standing = following
    newest = history[-1]
    left = list(enumerate(newest.lines, 1))
    blamed = []
    for text, since in standing:
        said = _BULLET.sub("", text, count=1)
        found = next(((n, line) for n, line in left if said and line.text.startswith(said)), None)
        if found is None or text.startswith(("#", "description: ")):
            blamed.append(Blamed(text, since))
        else:
            left.remove(found)
            blamed.append(Blamed(text, since, found[0], found[1].correction_ids))
    return blamed


def in_use(history: Sequence[SkillRevision]) -> SkillRevision | None:
    """What was live last before the newest version; None if nothing ever was."""
    return next((one for one in reversed(history[:-1]) if one.state is SkillState.LIVE), None)
