"""What a drafter hands over, whichever it is: the words of a skill, each line with its corrections."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hivemind_cli.core.records import SkillLine
from hivemind_cli.pipeline.codify.evidence import overlap
from hivemind_cli.skills.format import HEADINGS

TITLE_CHARS_MAX = 80
TRIGGER_CHARS_MAX = 300
LINE_CHARS_MAX = 300
RULES = ("do", "do_not")
"""Sections of which a skill needs a line: the others only say when, and why."""
SAME_LINE_MIN = 0.9
"""Overlap from which a new line says what an old one says: it only lends it its corrections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A skill, or for a merge the few lines that change one."""

    name: str
    """Words for the name, in any script."""
    fallback: str = ""
    """... and where few of them can stand in a name."""
    title: str
    trigger: str
    lines: tuple[SkillLine, ...]
    replaced: tuple[tuple[SkillLine, SkillLine], ...] = ()
    """(line of the existing skill, the one of `lines` that stands in for it): it goes only if that one stays."""
    drafter: str = "extractive"
    reason: str = ""


def merged(existing: Sequence[SkillLine], draft: Draft) -> tuple[SkillLine, ...]:
    """The existing lines with the draft's few: replaced, strengthened, or added at their section's end."""
    lines = list(existing)
    for new in draft.lines:
        place = next((i for i, old in enumerate(lines) if _same(old, new)), None)
        if place is None:
            lines.append(new)
        else:
            old = lines[place]
            ids = dict.fromkeys((*old.correction_ids, *new.correction_ids))
            lines[place] = replace(old, correction_ids=tuple(ids))
    drafted = {(line.section, line.text) for line in draft.lines}
    for old, new in draft.replaced:
        if old in lines and (new.section, new.text) in drafted:
            lines.remove(old)
    order = {section: n for n, section in enumerate(HEADINGS)}
    return tuple(sorted(lines, key=lambda line: order.get(line.section, len(order))))


def joined(lines: Sequence[SkillLine]) -> tuple[SkillLine, ...]:
    """The lines, equal ones as one that rests on all their corrections."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        found.setdefault((line.section, line.text), {}).update(dict.fromkeys(line.correction_ids))
    return tuple(SkillLine(section=at, text=text, correction_ids=tuple(ids)) for (at, text), ids in found.items())


def shortened(text: str, chars: int) -> str:
    """`text`, cut at a word to at most `chars` characters with an ellipsis."""
    if len(text) <= chars:
        return text
    cut = text[: chars - 1]
    at_word = cut.rsplit(" ", 1)[0]
    return (at_word if len(at_word) > chars // 2 else cut).rstrip(" ,;:") + "…"


def _same(old: SkillLine, new: SkillLine) -> bool:
    if old.section != new.section:
        return False
    return old.text == new.text or (old.section == "do" and _alike(old.text, new.text))


def _alike(a: str, b: str) -> bool:
    # Both ways: a line that says more than the old one is a new line.
    return overlap(a, b) >= SAME_LINE_MIN and abs(len(a) - len(b)) <= max(len(a), len(b)) * (1 - SAME_LINE_MIN)
