"""How near two corrections are in what they are about: shared telling terms, their acts, and meaning where a model is.

The same rule in other words is near; the opposite rule, however near its words, is told by `opposite`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.records import Correction
from hivemind_cli.pipeline.wording import LETTER_WEIGHT, QUOTE_CHARS_MAX, Wording, wording
from hivemind_cli.pipeline.wording import opposite as wording_opposite

JOIN_MIN = 0.62
"""Nearness from which two corrections are one mistake. This and what follows: tests/pipeline/recurrence_dev.jsonl."""
EVIDENCE_MIN = 0.4
"""Weight of what two corrections share, and of what each says, at least: half a full word."""
SAME_ACT, LIKE_ACT, NO_ACT, OTHER_ACT = 0.18, 0.1, 0.04, -0.12
"""Added for what the two acts are to each other."""
OTHER_PROJECT = -0.05
OTHER_TARGET = -0.45
"""... where both name paths or numbers, and none the other's."""
SAME_BAN = 0.1
"""... where both forbid the same thing that both calls hold."""
THIN = -0.12
"""... where they share one term, or nothing but the name of the call, and not what they say of it."""
HEAD_FACTOR = 0.5
"""A term of the command's own head, or of the path, may stand in every correction of such a call."""
CROSSED_FACTOR = 0.7
"""A term that only one of the calls holds plays another part in the words about each."""
SLIP_FACTOR = 0.8
SLIP_CHARS_MIN = 5
COSINE_FACTOR = 0.4
COSINE_EVEN = 0.42
"""Of two texts' vectors: from here on it speaks for one mistake."""
MEANING_ALONE = 0.24
"""Taken from the cosine where no word is shared: of the same act 0.68 is enough."""
SHORTER_SHARE = 0.7
"""How much the lighter wording counts in the measure by which the shared weight is divided."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A correction as it is compared."""

    correction: Correction
    act: Act | None
    words: Wording

    @classmethod
    def of(cls, correction: Correction) -> "Entry":
        """`correction` taken apart."""
        return cls(correction, Act.of(correction.act) if correction.act else None, wording(correction))

    @property
    def said(self) -> str:
        """What the person said, as far as it is compared."""
        return self.correction.quote[:QUOTE_CHARS_MAX]


def nearness(a: Entry, b: Entry, rarity: Callable[[str], float], cosine: float | None = None) -> float:
    """From JOIN_MIN on the two are the same mistake; 0 for nothing in common.

    rarity   of a term among the mistakes known, 0..1
    cosine   of the two texts' vectors, None without a model
    """
    one, two = a.words, b.words
    if one.silent != two.silent:
        return 0.0  # a diff and words have different terms for the same thing
    head = one.head_terms | two.head_terms
    weigh = {
        term: max(one.terms.get(term, 0.0), two.terms.get(term, 0.0))
        * rarity(term)
        * (HEAD_FACTOR if term in head else 1.0)
        for term in {*one.terms, *two.terms}
    }
    shared = _shared(a, b, weigh)
    own, other = (math.fsum(weigh[term] for term in words.terms) for words in (one, two))
    if min(own, other) < EVIDENCE_MIN or (shared < EVIDENCE_MIN and cosine is None):
        return 0.0
    measure = min(own, other) ** SHORTER_SHARE * max(own, other) ** (1 - SHORTER_SHARE)
    lexical: float = min(shared / max(measure, 2 * EVIDENCE_MIN), 1.0)
    around = _circumstances(a, b)
    thin = 0.0 if _agree(one, two) else THIN
    if cosine is None:
        return lexical + around + thin
    if a.correction.project_id != b.correction.project_id:  # from project to project only the words are the rule
        return lexical + around + thin + min(COSINE_FACTOR * (cosine - COSINE_EVEN), 0.0)
    return max(lexical + around + thin + COSINE_FACTOR * (cosine - COSINE_EVEN), cosine + around - MEANING_ALONE)


def opposite(a: Entry, b: Entry) -> bool:
    """Does the one want what the other does not want?"""
    return wording_opposite(a.words, b.words)


def _shared(a: Entry, b: Entry, weigh: dict[str, float]) -> float:
    one, two = a.words, b.words
    same = one.terms.keys() & two.terms.keys()
    crossed = one.act_terms ^ two.act_terms if a.act and b.act else frozenset()
    total = math.fsum(weigh[term] * (CROSSED_FACTOR if term in crossed else 1.0) for term in same)
    rest = [term for term in two.terms.keys() - same if len(term) >= SLIP_CHARS_MIN]
    for term in one.terms.keys() - same:
        if len(term) >= SLIP_CHARS_MIN and any(_one_slip(term, other) for other in rest):
            total += SLIP_FACTOR * weigh[term]
    return total


def _circumstances(a: Entry, b: Entry) -> float:
    one, two = a.words, b.words
    added = _acts(a, b)
    if a.correction.project_id != b.correction.project_id:
        added += OTHER_PROJECT
    if one.targets and two.targets and not _names(one.targets) & _names(two.targets):
        added += OTHER_TARGET
    if one.unwanted & two.unwanted & one.mentions & two.mentions:
        added += SAME_BAN
    return added


def _agree(one: Wording, two: Wording) -> bool:
    """Do they share more than one telling term or the call's name, or else what they want or do not want?"""
    same = one.terms.keys() & two.terms.keys()
    shared = {term for term in same if max(one.terms[term], two.terms[term]) > LETTER_WEIGHT}
    head = one.head_terms | two.head_terms
    if len(shared) > 1 and shared - head:
        return True
    return bool(((one.wanted & two.wanted) - head) | (one.unwanted & two.unwanted))


def _names(targets: frozenset[str]) -> frozenset[str]:
    return frozenset(PurePosixPath(target).stem for target in targets)


def _acts(a: Entry, b: Entry) -> float:
    if a.act is None or b.act is None:
        return NO_ACT
    if a.act.kind == SHELL and b.act.kind == SHELL:
        if set(a.act.heads) & set(b.act.heads):
            return SAME_ACT
        if {head.split(" ")[0] for head in a.act.heads} & {head.split(" ")[0] for head in b.act.heads}:
            return LIKE_ACT
    elif {a.act.kind, b.act.kind} <= {EDIT, READ} and a.act.path and b.act.path:
        if a.act.path_class == b.act.path_class:
            return SAME_ACT
        if PurePosixPath(a.act.path).suffix == PurePosixPath(b.act.path).suffix:
            return LIKE_ACT
    elif a.act.signature == b.act.signature:
        return SAME_ACT
    return LIKE_ACT if a.words.mentions & b.words.mentions else OTHER_ACT


def _one_slip(a: str, b: str) -> bool:
    """Is the one the other with one letter wrong, missing, too many, or two swapped?"""
    if abs(len(a) - len(b)) > 1 or a[0] != b[0]:
        return False
    start = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    x, y = a[start:], b[start:]
    return x[1:] == y[1:] or x[1:] == y or x == y[1:] or (x[:2] == y[1::-1] and x[2:] == y[2:])
