"""`said`: what a person's words after an agent's turn are, and whether they put its last act right.

    words, what was said before ─▶ features ─▶ model ─▶ kind, confidence, durable     (trained: model.py)
    words, act                  ─▶ rules              ─▶ names the act, says a rule    (written: cues.py)

The model knows what people's corrections look like; the rules know this act. No LLM, no network.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hivemind_cli.core.acts import OTHER, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import SaidKind
from hivemind_cli.pipeline.detect.cues import Cues, find_cues
from hivemind_cli.pipeline.detect.features import BEFORE_CHARS_MAX, USER_CHARS_MAX, features
from hivemind_cli.pipeline.detect.finding import terms_of
from hivemind_cli.pipeline.detect.model import Meaning, Scores, Weights, embed_pairs, load
from hivemind_cli.pipeline.judged import CORRECTION_MIN, SHOWN_MIN

if TYPE_CHECKING:
    from hivemind_cli.embedding.base import Embedder

RULE_MIN = 0.5
"""Score of the rules from which words count as a correction by them."""
SURE_MIN = 0.6
"""Score from which a correction that sets something against the act counts as a rule without saying so."""
RULE_WORDS_MAX = 60
BRIEF_WORDS_MAX = 20
"""So short, words that share a term with the act are about the act."""
READ_CHARS = 8000
"""Of a prompt: what stands behind is pasted."""
WORDS_MAX = 220
"""Longer prompts are new work or pasted material more often than a correction."""
DOUBT_MIN, DOUBT_MAX = 0.03, 0.7
"""By words alone: outside of this, meaning moves no turn over a threshold that matters, and costs 15 ms."""
LASTS_MIN = 0.15
"""The model's opinion of how long words hold, below which no rule that the rules read in them counts."""
LASTS_UNSAID_MIN = 0.4
"""The same where nobody said a rule, nor named the very command or path without asking; and for likely new work."""
LASTS_TASK_MIN = 0.5
"""The same where a sentence asks to make something: what it must always do is its description, more often than not."""
NEW_REQUEST_MIN = 0.65
"""The model's opinion from which words are likely new work."""
ASKED_CHARS = 200
"""Of the agent's end: a question there is what the words may answer."""
STOPPED = "[request interrupted by user"
"""A host's own record of an interrupt, which some histories show as the person's words."""

_OF_OTHERS = re.compile(
    r"^[ \t]*>[^\n]*$|```.*?(?:```|\Z)|[\"“„]\w(?:[^\"“”\s]*\s){3,40}[^\"“”\s]*[\"”“]|«(?:[^«»\s]+\s){3,40}[^«»]*»",
    re.MULTILINE | re.DOTALL,
)
"""What somebody else said, or a program: quoted lines, fenced text, four words and more between quotes."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the written rules make of a person's words."""

    score: float
    durable: bool | None
    mentions: tuple[str, ...]
    """Terms that the words share with the act."""
    names_it: bool
    """Do the words set something against the very command or path?"""
    said: bool
    """Is a rule said in so many words: never, always, how it is done here?"""
    never: bool
    language: str
    cause: str

    @property
    def as_features(self) -> dict[str, float]:
        """For the model of what lasts."""
        found = {"rule.score": self.score, "rule.yes": float(self.score >= RULE_MIN)}
        found |= {"rule.durable": float(self.durable is True), "rule.once": float(self.durable is False)}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Judged:
    """What is made of a person's words."""

    score: float
    """Probability that they are a correction."""
    kind: SaidKind
    durable: bool | None
    mentions: tuple[str, ...]
    """Terms that the words share with the act."""
    language: str
    cause: str

    @property
    def correction(self) -> bool:
        """Do the words put the agent right?"""
        return self.score >= CORRECTION_MIN


@dataclass(frozen=True, slots=True)
class Heard:
    """What is made of words when only the agent's text before them is known."""

    kind: SaidKind
    confidence: float
    """Probability that they are a correction, 0..1."""
    durable: bool

    @property
    def correction(self) -> bool:
        """Are they one?"""
        return self.kind is SaidKind.CORRECTION


def hear(pairs: Sequence[tuple[str, str]], embedder: "Embedder | None" = None) -> list[Heard]:
    """What each (user, before) pair is: `user` are a person's words, `before` what the agent said last ("" if nothing).

    With an embedder whose vectors the model knows, meaning counts too. ModelError as the embedder's.
    """
    model = load()
    meanings: Sequence[Meaning | None] = [None] * len(pairs)
    if embedder is not None and model.fits(embedder):
        meanings = embed_pairs(pairs, embedder)
    return [_hear(user, before, meaning) for (user, before), meaning in zip(pairs, meanings, strict=True)]


def _hear(user: str, before: str, meaning: Meaning | None) -> Heard:
    if user.lstrip().casefold().startswith(STOPPED):
        return Heard(SaidKind.REJECTION_INTERRUPT, 0.0, False)
    if not user.strip():
        return Heard(SaidKind.OTHER, 0.0, False)
    found = features(user, before)
    rules = None
    if _weights(meaning).durable_at_most(found) >= load().durable_min:
        told = before[-BEFORE_CHARS_MAX:]
        rules = _rules(user[:USER_CHARS_MAX], Act(OTHER, "", text=told), told, "")
    scores = _scores(found, rules, meaning)
    durable = rules is not None and scores.durable >= load().durable_min
    return Heard(_kind(scores), round(scores.correction, 4), durable)


def _weights(meaning: Meaning | None) -> Weights:
    return load().lexical if meaning is None else load().hybrid


def _scores(found: Mapping[str, float], rules: Rules | None, meaning: Meaning | None) -> Scores:
    return _weights(meaning).score(found, {} if rules is None else rules.as_features, meaning)


def _kind(scores: Scores) -> SaidKind:
    """A correction from its threshold on; else pushback from its own; else the likeliest of the rest."""
    if scores.correction >= CORRECTION_MIN:
        return SaidKind.CORRECTION
    kinds = dict(scores.kinds)
    correction, interrupt = kinds.pop(SaidKind.CORRECTION), kinds.pop(SaidKind.REJECTION_INTERRUPT, 0.0)
    if correction + interrupt + kinds[SaidKind.FAILURE_REPORT] >= load().failure_min:
        return SaidKind.FAILURE_REPORT
    del kinds[SaidKind.FAILURE_REPORT]
    return max(kinds, key=lambda kind: kinds[kind])


def judge(
    text: str, act: Act | None, reply: str, task: str, meaning: Callable[[str, str], Meaning | None] | None = None
) -> Judged:
    """Judge a person's `text` after `act` and `reply`, given for `task`; `meaning` is asked where words leave a doubt.

    `durable` is whether it names a rule (True), plainly does not (False), or cannot be told (None). For a yes, for a
    skill hangs on it, the rules must read one and the model must not think it absurd.
    """
    text = text[:READ_CHARS]
    rules = _rules(text, act, reply, task)
    before = reply or (act.short if act else "")
    found = features(text, before)
    scores = _scores(found, rules, None)
    if meaning is not None and DOUBT_MIN <= scores.correction < DOUBT_MAX:
        embedded = meaning(text, before)
        scores = scores if embedded is None else _scores(found, rules, embedded)
    durable = rules.durable
    if durable and not (_may_last(rules, scores, found) and _in_own_words(text, act, reply, task)):
        durable = None
    answers = bool({"?", "？"} & set(reply[-ASKED_CHARS:])) and not rules.never
    explicit = durable is True and (rules.names_it or bool(rules.mentions)) and not answers
    confidence = max(scores.correction, SHOWN_MIN) if explicit else scores.correction
    return Judged(
        score=round(confidence, 3),
        kind=SaidKind.CORRECTION if confidence >= CORRECTION_MIN else _kind(scores),
        durable=durable,
        mentions=rules.mentions,
        language=rules.language,
        cause=rules.cause or f"reads like a correction ({confidence:.2f})",
    )


def objects(text: str) -> bool:
    """Do a person's words, whatever was before them, find fault with something or ask for it back?"""
    rules = _rules(text, None, "", "")
    return rules.score > 0 or _scores(features(text, ""), rules, None).correction >= CORRECTION_MIN


def _may_last(rules: Rules, scores: Scores, found: Mapping[str, float]) -> bool:
    """Does the model, too, hold it possible that a rule which the rules read is one?"""
    plain = rules.said or (rules.names_it and "asks" not in found)
    least = LASTS_MIN if plain and scores.kinds[SaidKind.NEW_REQUEST] < NEW_REQUEST_MIN else LASTS_UNSAID_MIN
    if any(name in found for name in ("opens.create", "opens2.create", "then.create")):
        least = LASTS_TASK_MIN
    return scores.durable >= least


def _in_own_words(text: str, act: Act | None, reply: str, task: str) -> bool:
    """Is there a rule without what is quoted from others?"""
    own = _OF_OTHERS.sub(" ", text)
    return own == text or _rules(own, act, reply, task).durable is True


def _rules(text: str, act: Act | None, reply: str, task: str) -> Rules:
    """What the rules say of `text` after `act` and `reply`, given for `task`; the score is 0..1."""
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
    return Rules(
        score=round(score, 3),
        durable=_durable(cues, names_it, bool(mentions), score, len(text.split())),
        mentions=mentions,
        names_it=names_it,
        said=cues.never or cues.always or cues.here,
        never=cues.never,
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
    if words > RULE_WORDS_MAX or score < RULE_MIN:
        return None
    if cues.never or cues.always or cues.here:
        return True
    against = cues.negated or cues.instead or cues.rather
    if score >= SURE_MIN and against and (names_it or (mentions and words <= BRIEF_WORDS_MAX)):
        return True
    if cues.rather and (cues.opens_you or cues.opens_dont):
        return True  # what the agent did, or must not do, and what to do: a rule in two halves
    return None
