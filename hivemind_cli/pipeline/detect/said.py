"""`said`: a person's words that put the agent's last act right, decided by rules over the pair (act, words)."""

from dataclasses import dataclass

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.pipeline.detect.cues import Cues, find_cues
from hivemind_cli.pipeline.detect.finding import terms_of

CORRECTION_MIN = 0.5
"""Score from which words count as a correction."""
SURE_MIN = 0.6
"""Score from which a correction that sets something against the act counts as a rule without saying so."""
RULE_WORDS_MAX = 60
BRIEF_WORDS_MAX = 20
"""So short, words that share a term with the act are about the act."""
WORDS_MAX = 220
"""Longer prompts are new work or pasted material more often than a correction."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules make of a person's words."""

    score: float
    durable: bool | None
    mentions: tuple[str, ...]
    """Terms that the words share with the act."""
    language: str
    cause: str

    @property
    def correction(self) -> bool:
        """Do the words put the agent right?"""
        return self.score >= CORRECTION_MIN


def judge(text: str, act: Act | None, reply: str, task: str) -> Judged:
    """Judge a person's `text` after `act` and `reply`, given for `task`.

    score 0..1 is how sure the rules are that it is a correction; `durable` whether it names a rule (True),
    plainly does not (False), or cannot be told (None).
    """
    cues = find_cues(text)
    mentions = _mentions(text, act, task)
    names_it = _names(text, act, cues)
    parts: list[tuple[float, str]] = [
        (_opening(cues, text, reply), "opens with a no"),
        (0.4 if cues.wrong else 0.0, "says that it was wrong"),
        (0.2 if cues.opens_dont and not cues.opens_no else 0.0, "opens with a don't"),
        (0.3 if cues.opens_you else 0.0, "begins with what the agent did"),
        (
            0.2 if cues.rather and (mentions or names_it or cues.opens_you or cues.opens_dont) else 0.0,
            "tells what to do",
        ),
        (0.3 if cues.never else 0.0, "says never"),
        (0.25 if cues.always else 0.0, "says always"),
        (0.25 if cues.here else 0.0, "says how it is done here"),
        (0.15 if cues.instead else 0.0, "says what instead"),
        (0.1 if cues.negated else 0.0, "negates"),
        (0.25 if mentions or names_it else 0.0, "names what the agent did"),
        (0.2 if names_it else 0.0, "names the very command or path"),
        (0.2 if mentions and (cues.negated or cues.instead) else 0.0, "sets something against it"),
        (-0.45 if cues.opens_yes and not cues.never else 0.0, "opens with a yes"),
        (-0.35 if text.rstrip().endswith(("?", "？")) and not cues.never else 0.0, "asks"),
        (-0.4 if len(text.split()) > WORDS_MAX else 0.0, "is long"),
    ]
    score = min(max(sum(value for value, _ in parts), 0.0), 1.0)
    return Judged(
        score=round(score, 3),
        durable=_durable(cues, names_it, bool(mentions), score, len(text.split())),
        mentions=mentions,
        language=cues.language,
        cause=", ".join(why for value, why in parts if value > 0),
    )


def _opening(cues: Cues, text: str, reply: str) -> float:
    """A no that answers a question is an answer, unless it goes on to say what is right."""
    if not cues.opens_no:
        return 0.0
    asked = reply.rstrip().endswith(("?", "？"))
    goes_on = cues.never or cues.always or cues.here or cues.instead or cues.wrong
    return 0.15 if asked and not goes_on else 0.45


def _mentions(text: str, act: Act | None, task: str) -> tuple[str, ...]:
    if act is None:
        return ()
    return tuple(sorted((content(text) & terms_of(act)) - content(task)))


def _names(text: str, act: Act | None, cues: Cues) -> bool:
    """Do the words set something against the very command, or the very path? The task may have named them, too."""
    if act is None:
        return False
    against = cues.negated or cues.instead or cues.never
    if act.kind == SHELL:
        return (against or cues.rather) and bool(content(text) & content(" ".join(act.heads)))
    return against and bool(content(text) & content(act.path))


def _durable(cues: Cues, names_it: bool, mentions: bool, score: float, words: int) -> bool | None:
    """Rules are said briefly; what is long tells a story, whatever words of rules stand in it."""
    if cues.once:
        return False
    if words > RULE_WORDS_MAX or score < CORRECTION_MIN:
        return None
    if cues.never or cues.always or cues.here:
        return True
    against = cues.negated or cues.instead or cues.rather
    if score >= SURE_MIN and against and (names_it or (mentions and words <= BRIEF_WORDS_MAX)):
        return True
    if cues.rather and (cues.opens_you or cues.opens_dont):
        return True  # what the agent did, or must not do, and what to do: a rule in two halves
    return None
