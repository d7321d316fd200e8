"""When a skill applies and when not, as its author wrote it: sentences of a description, sections of a body.

What a skill is not for names other skills' topics: among its own words it would bring it up for just these.
"""

import re
from functools import lru_cache

_NOT = re.compile(
    r"\b(?:do not|don['\u2019]t|does not|doesn['\u2019]t|never|should not|shouldn['\u2019]t|must not) (?:be )?"
    r"(?:use|used|trigger|triggered|apply|activate|invoke|load)\b"
    r"|\bnot (?:for|when|intended|meant|applicable|suitable)\b"
    r"|\bskip (?:for|when|if|this)\b|\bwhen not to\b|\bnot this skill\b"
    r"|\buse \S.{0,60}\binstead\b|\binstead,? use\b"
    r"|\bnicht (?:f\u00fcr|verwenden|benutzen|wenn)\b|\bne pas utiliser\b|\bpas pour\b|\bno (?:usar|utilizar|para)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+|;\s+")
_HEADING = re.compile(r"(#{1,6})\s")
_NOT_HEADING = re.compile(
    r"#{1,6}\s.*\b(?:when not|not to use|do not use|don['\u2019]t use|out of scope|not for)\b", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def of_description(description: str) -> tuple[str, str]:
    """(what says when, what says when not); the first is never empty unless `description` is."""
    when: list[str] = []
    when_not: list[str] = []
    for sentence in _SENTENCE_END.split(description):
        (when_not if _NOT.search(sentence) else when).append(sentence)
    if not any(when):
        return description, ""
    return " ".join(when), " ".join(when_not)


def of_body(body: str) -> str:
    """`body` without the sections that say when not to use it."""
    if not _NOT_HEADING.search(body):
        return body
    kept: list[str] = []
    leaving = 0
    """Depth of the heading whose section is left out."""
    for line in body.split("\n"):
        heading = _HEADING.match(line)
        if heading and leaving and len(heading[1]) <= leaving:
            leaving = 0
        if heading and not leaving and _NOT_HEADING.match(line):
            leaving = len(heading[1])
        if not leaving:
            kept.append(line)
    return "\n".join(kept)
