"""The fence around everything we say to an agent, so that it, and we, can tell our words from a person's."""

import re
from collections.abc import Sequence

OPEN = "<hivemind-recall>"
CLOSE = "</hivemind-recall>"
LEAD = "Recorded by hivemind from corrections people made in earlier work here:"
BRIEF_OPEN, BRIEF_CLOSE = "<hivemind-brief>", "</hivemind-brief>"
"""Around what a session's start names; the skills themselves come at their moments, in the other fence."""
_FENCED = re.compile(r"<hivemind-(recall|brief)>.*?(?:</hivemind-\1>|\Z)", re.DOTALL)
_TAG = re.compile(r"</?hivemind-recall>", re.IGNORECASE)
_BRIEF_TAG = re.compile(r"</?hivemind-brief>", re.IGNORECASE)


def fenced(parts: Sequence[str], *, chars_max: int | None = None, lead: str = LEAD) -> str:
    """The block that reaches the agent: one fence, our label, then the parts, cut at line ends to fit `chars_max`."""
    inside = [_without(_TAG, part).strip() for part in parts]
    if chars_max is not None:
        inside = _shortened(inside, chars_max - len(f"{OPEN}\n{lead}\n\n\n{CLOSE}") - 2 * len(inside))
    body = "\n\n".join(inside)
    return f"{OPEN}\n{lead}\n\n{body}\n{CLOSE}"


def brief(lines: Sequence[str]) -> str:
    """The block at a session's start: these lines, each on a line of its own."""
    inside = (" ".join(_without(_BRIEF_TAG, line).split()) for line in lines)
    return "\n".join((BRIEF_OPEN, *inside, BRIEF_CLOSE))


def _shortened(parts: list[str], chars_max: int) -> list[str]:
    """Each part with its share of the room, and what shorter ones leave of theirs; whole lines, where one fits."""
    said = list(parts)
    left = max(chars_max, 0)
    for done, n in enumerate(sorted(range(len(parts)), key=lambda n: len(parts[n]))):
        room = left // (len(parts) - done)
        if len(said[n]) > room:
            end = said[n].rfind("\n", 0, room + 1)
            said[n] = said[n][: end if end > 0 else room].rstrip()
        left -= len(said[n])
    return said


def _without(tag: re.Pattern[str], text: str) -> str:
    """Without any such tag, also one that taking out another would put together."""
    while (bare := tag.sub("", text)) != text:
        text = bare
    return text


def unfenced(text: str) -> str:
    """`text` without any block of ours: what we said is never taken for a person's words."""
    return _FENCED.sub("", text).strip() if OPEN in text or BRIEF_OPEN in text else text
