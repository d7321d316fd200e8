"""A person's hand: which versions of a skill they made, by a command, in a review or in the file itself."""

import re

from hivemind_cli.core.records import SkillRevision

PERSON = "person"
"""Drafter of a version whose words a person wrote."""
BY_PERSON = "by a person"
"""In the reason of every version that a command made."""
REJECTED = f"rejected {BY_PERSON}"
"""How the reason of a person's own no begins, in a review."""
PROMPTED = "(codify prompt v"
"""In the reason of every version whose words a model chose, the reason's too: whatever they say, no person did it."""
_COMMANDED = re.compile(rf"(?:accepted|rejected|retired|undone|rolled back|promoted|edited) {BY_PERSON}\b")
"""How the reason of a version begins that a person's command made."""


def by_hand(revision: SkillRevision) -> bool:
    """Did a person write this version's words, or decide that it stands there in this state?"""
    return revision.drafter == PERSON or commanded(revision)


def commanded(revision: SkillRevision) -> bool:
    """Did a person make this very version by a command, or a key in a review?"""
    return bool(_COMMANDED.match(revision.reason)) and PROMPTED not in revision.reason
