"""What can be named about a pair (what the agent said last, what the person says now): numbers for the model.

    user, before ─▶ prose and paste apart ─▶ tokens ─▶ phrases of lexicon.py ─▶ {feature name: value}

Only grammar, feedback words, punctuation and shape: no topic has a feature of its own.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from hivemind_cli.core.match import content
from hivemind_cli.core.stopwords import BY_LANGUAGE
from hivemind_cli.pipeline.detect.cues import Cues, find_cues
from hivemind_cli.pipeline.detect.languages import SPACED, UNSPACED
from hivemind_cli.pipeline.detect.lexicon import ANYWHERE, BEFORE, OPENERS

USER_CHARS_MAX = 1500
BEFORE_CHARS_MAX = 600
OPENING_TOKENS = 14
PHRASE_WORDS_MAX = 5

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[?!.]|…")
_FENCE = re.compile(r"```.*?(?:```|\Z)|<[a-z_-]+[^>]{0,200}>", re.DOTALL)
_LOG_LINE = re.compile(
    r"^\s*(?:at .+[:(]\d|File \".+\", line \d|\d+ ?[|│]|[|│>+$#%] |[-=─]{3,}|\[[\w :.,/-]+\]|\d{2,4}[-/:]\d\d|"
    r"(?:error|warn|warning|info|debug|fatal|npm|traceback)\b.{0,3}[:!(\[]|[{}()\[\];]+\s*,?$|.*\w+(?:Error|Exception)\b:)"
    r"|.*[;{}]\s*$|^\s*[\w.$]+\(.*\)\s*$|^\s*\"?[\w-]+\"?: [\"{\[\d]",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:^|[\s`'\"(@])(?:@|~|\.{0,2}/)?[\w.-]+/[\w./-]+|\b\w+\.[a-z]{1,4}\b(?!\.)")
_CODE = re.compile(r"`[^`\n]+`|\b\w+_\w+\b|\b[a-z]+[A-Z]\w+\b|\w\(\)")
_QUOTED = re.compile(r"\"[^\"\n]{2,80}\"|“[^”\n]{2,80}”|'[^'\n]{4,80}'")
_IMAGE = re.compile(r"\[image|screenshot|\.png|\.jpe?g", re.IGNORECASE)
_LIST = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_CAPS = re.compile(r"\b[A-Z][A-Z']{2,}\b")
_MENTION = re.compile(r"(?:^|\s)@\w")
_SLASH = re.compile(r"^\s*/\w")
_NUMBERS = re.compile(r"\d+")
_CONTRAST = re.compile(
    r"\bnot\b.{1,60}\bbut\b|,\s*(?:not|no)\s|\b(?:isn't|not)\b[^.?!]{1,60}[,;-]\s*(?:it's|it is|use|but)"
)
_COMPARATIVE = re.compile(r"\b(?:more|less|[a-z]{3,}er) than\b|\b(?:more|less)\s\w+")
_ASKS = re.compile(r"[?？]\s*\W{0,3}$")
_FILLERS = frozenset(
    {"ok", "okay", "oh", "so", "well", "hmm", "hm", "um", "uh", "right", "alright", "yeah", "also", "and"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """One side of the pair, taken apart."""

    whole: str
    prose: str
    """Without fenced code and pasted lines."""
    folded: str
    tokens: list[str]
    """Of the folded prose; sentence ends are tokens."""
    pasted: float
    """Share of lines that look like output or code."""


def take_apart(text: str) -> Text:
    """`text` as the features see it."""
    bare = _FENCE.sub("\n", text)
    lines = bare.split("\n")
    kept = [line for line in lines if line.strip() and not _LOG_LINE.match(line)]
    full = [line for line in text.split("\n") if line.strip()]
    prose = "\n".join(kept)
    folded = prose.casefold().replace("’", "'").replace("\n", " . ")
    return Text(text, prose, folded, _TOKEN.findall(folded), 1 - len(kept) / max(len(full), 1))


class Phrases:
    """Finds the phrases of named classes in a list of tokens, in one pass."""

    def __init__(self, table: dict[str, str]) -> None:
        self._exact: dict[str, list[str]] = {}
        """Words -> classes."""
        self._open: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
        """First letters of a last word that may end anyhow -> (words before it, its beginning, class)."""
        self._starts: set[str] = set()
        for name, phrases in table.items():
            for phrase in phrases.split("|"):
                words = _TOKEN.findall(phrase.rstrip("*").casefold())
                if phrase.endswith("*"):
                    self._open.setdefault(words[-1][:2], []).append((tuple(words[:-1]), words[-1], name))
                else:
                    self._exact.setdefault(" ".join(words), []).append(name)
                if len(words) > 1:
                    self._starts.add(words[0])

    def at(self, tokens: list[str], n: int) -> Iterator[tuple[int, str]]:
        """(words, class) of each phrase that begins at token `n`, longest first."""
        token = tokens[n]
        if token in self._starts:
            for size in range(min(PHRASE_WORDS_MAX, len(tokens) - n), 1, -1):
                for name in self._exact.get(" ".join(tokens[n : n + size]), ()):
                    yield size, name
                last = tokens[n + size - 1]
                for before, beginning, name in self._open.get(last[:2], ()):
                    if (
                        len(before) == size - 1
                        and last.startswith(beginning)
                        and tuple(tokens[n : n + size - 1]) == before
                    ):
                        yield size, name
        for name in self._exact.get(token, ()):
            yield 1, name
        for before, beginning, name in self._open.get(token[:2], ()):
            if not before and token.startswith(beginning):
                yield 1, name

    def counts(self, tokens: list[str]) -> dict[str, int]:
        """How often each class stands in `tokens`."""
        found: dict[str, int] = {}
        for n, token in enumerate(tokens):
            if token in self._starts or token in self._exact or token[:2] in self._open:
                for name in {name for _, name in self.at(tokens, n)}:
                    found[name] = found.get(name, 0) + 1
        return found


@dataclass(frozen=True, slots=True)
class Tongue:
    """The phrases of one language, those of English among them: people mix it into every language."""

    openers: Phrases
    anywhere: Phrases


_OPENS_AS = {"back": "undo", "remove": "undo", "notwant": "want", "wantto": "want", "please": "ask", "fail": "igot"}
"""Classes whose first words open a text as another class."""
_OPENS = frozenset(OPENERS)
_BEFORE = Phrases(BEFORE)
_LANGUAGES: dict[str, list[str]] = {}
for _language, _words in BY_LANGUAGE.items():
    for _word in _words:
        _LANGUAGES.setdefault(_word, []).append(_language)
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)
_CYRILLIC_UK = re.compile("[іїєґ]")


@cache
def tongue(language: str) -> Tongue:
    """The phrases of `language`; of English alone if there are none."""
    own = SPACED.get(language, {})
    openers, anywhere = dict(OPENERS), dict(ANYWHERE)
    for name, phrases in own.items():
        anywhere[name] = f"{anywhere[name]}|{phrases}"
        opens = _OPENS_AS.get(name, name)
        if opens in _OPENS:
            openers[opens] = f"{openers[opens]}|{phrases}"
    return Tongue(Phrases(openers), Phrases(anywhere))


@cache
def _unspaced(language: str) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(phrases) for name, phrases in UNSPACED[language].items()}


def language_of(said: Text) -> str:
    """The likeliest language of the prose, by its script, then its function words; "en" if nothing tells."""
    for language, script in _SCRIPTS:
        if len(script.findall(said.prose)) * 5 > len(said.prose):
            return language
    votes: dict[str, int] = {}
    for token in said.tokens:
        for language in _LANGUAGES.get(token, ()):
            votes[language] = votes.get(language, 0) + 1
    if not votes:
        return "en"
    best = max(votes, key=lambda language: (votes[language], language == "en"))
    return "uk" if best == "ru" and _CYRILLIC_UK.search(said.prose) else best


def opening(tokens: list[str], phrases: Phrases) -> list[str]:
    """The classes of the first words, one after the other: "ok so can you ..." opens with ok, then ask."""
    found: list[str] = []
    n = 0
    while n < min(len(tokens), OPENING_TOKENS) and len(found) < 3:
        if tokens[n] in ".?!…":
            n += 1
            continue
        size, name = max(phrases.at(tokens, n), default=(0, ""))
        if not size:
            if tokens[n] in _FILLERS:
                n += 1
                continue
            break
        found.append(name)
        n += size
    return found


def features(user: str, before: str) -> dict[str, float]:
    """The named features of the pair; what is absent is left out. Values lie about 0..1."""
    said = take_apart(user[:USER_CHARS_MAX])
    told = take_apart(before[-BEFORE_CHARS_MAX:])
    language = language_of(said)
    phrases = tongue(language)
    found: dict[str, float] = {}
    opens = opening(said.tokens, phrases.openers)
    if opens:
        found[f"opens.{opens[0]}"] = 1.0
        for name in opens[1:]:
            found[f"opens2.{name}"] = 1.0
    else:
        found["opens.other"] = 1.0
    counts: dict[str, int] = {}
    for n, sentence in enumerate(_sentences(said.tokens)):
        here = phrases.anywhere.counts(sentence)
        for name, count in here.items():
            counts[name] = counts.get(name, 0) + count
        found |= dict.fromkeys(_in_sentence(sentence, sorted(here), phrases, later=n > 0), 1.0)
    for name, count in counts.items():
        found[f"has.{name}"] = 1.0
        if count > 1:
            found[f"many.{name}"] = min((count - 1) / 3, 1.0)
    if language != "en":
        _foreign(found, said, language)
    for name in _BEFORE.counts(told.tokens):
        found[f"before.{name}"] = 1.0
    found |= dict(_shape(said)) | dict(_shape_before(told)) | dict(_pair(said, told))
    _cross(found)
    return found


_OF_CUES = (
    ("never", "has.rule"),
    ("always", "has.rule"),
    ("here", "has.weare"),
    ("negated", "has.not"),
    ("instead", "has.instead"),
    ("wrong", "has.wrong"),
    ("rather", "has.howto"),
)
_OPENING_OF_CUES = (("opens_no", "no"), ("opens_yes", "yes"), ("opens_dont", "dont"), ("opens_you", "you"))


def _foreign(found: dict[str, float], said: Text, language: str) -> None:
    """What the cue tables, and the tables of scripts without spaces, add."""
    cues: Cues = find_cues(said.prose)
    found |= {feature: 1.0 for cue, feature in _OF_CUES if getattr(cues, cue)}
    opens = [name for cue, name in _OPENING_OF_CUES if getattr(cues, cue)]
    if language in UNSPACED:
        start = said.prose.lstrip()[:12]
        for name, pattern in _unspaced(language).items():
            if pattern.search(said.prose):
                found[f"has.{name}"] = 1.0
                if pattern.search(start) and _OPENS_AS.get(name, name) in _OPENS:
                    opens.append(_OPENS_AS.get(name, name))
    if opens and "opens.other" in found:
        del found["opens.other"]
        found[f"opens.{opens[0]}"] = 1.0


_WITH = {
    "you": "not again should",
    "we": "not only",
    "should": "not only same instead alter",
    "wantto": "not only alter",
    "notwant": "because",
    "alter": "not instead same",
    "remove": "because not",
    "create": "not only same",
    "too": "alter",
    "back": "not",
    "already": "not you",
    "fail": "still",
    "error": "still",
    "getting": "not error fail",
    "praise": "but not",
    "hedge": "should not alter",
    "rule": "you not create",
    "ask": "not should",
    "why": "not you",
    "wrong": "you",
    "isaid": "not",
    "understand": "why",
    "howto": "not only",
    "info": "not",
    "go": "not agree",
    "also": "not should create",
    "same": "not alter",
}
_TOGETHER = frozenset((min(a, b), max(a, b)) for a, others in _WITH.items() for b in others.split())
"""Classes whose meeting in one sentence says more than their meeting in a text."""


_AFTER_OPENING = frozenset(("not", "should", "fail", "error", "alter", "same", "only", "too", "wrong", "still", "rule"))


def _sentences(tokens: list[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for token in tokens:
        if token not in ".?!…":
            sentence.append(token)
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _in_sentence(sentence: list[str], names: list[str], phrases: Tongue, *, later: bool) -> Iterator[str]:
    """How a sentence opens, and which of its classes (`names`, sorted) meet."""
    for n, a in enumerate(names):
        for b in names[n + 1 :]:
            if (a, b) in _TOGETHER:
                yield f"{a}+{b}"
    for opened in opening(sentence, phrases.openers)[:1]:
        if later:
            yield f"then.{opened}"
        yield from (f"{opened}>{name}" for name in names if name in _AFTER_OPENING)


def _shape(said: Text) -> Iterator[tuple[str, float]]:
    words = sum(token not in ".?!…" for token in said.tokens)
    yield "words", min(math.log1p(words) / 5, 1.2)
    yield "words2", min(math.log1p(words) / 5, 1.2) ** 2
    yield "lines", min(math.log1p(said.whole.count("\n")) / 4, 1.0)
    yield "pasted", said.pasted
    sentences = max(sum(token in ".?!…" for token in said.tokens), 1)
    yield "sentences", min(math.log1p(sentences) / 3, 1.0)
    flags: Iterable[tuple[str, object]] = (
        ("brief", words <= 4),
        ("short", 4 < words <= 12),
        ("long", words > 80),
        ("nothing", words == 0),
        ("asks", _ASKS.search(said.prose)),
        ("asks.any", "?" in said.tokens),
        ("exclaims", "!" in said.tokens),
        ("trails", ".." in said.whole or "…" in said.whole),
        ("fence", "```" in said.whole),
        ("path", _PATH.search(said.whole)),
        ("url", "https://" in said.whole or "http://" in said.whole),
        ("code", _CODE.search(said.prose)),
        ("quoted", _QUOTED.search(said.prose)),
        ("image", _IMAGE.search(said.whole)),
        ("list", _LIST.search(said.whole)),
        ("caps", _CAPS.search(said.prose)),
        ("mention", _MENTION.search(said.whole)),
        ("slash", _SLASH.match(said.whole)),
        ("number", _NUMBERS.search(said.prose)),
        ("contrast", _CONTRAST.search(said.folded)),
        ("comparative", _COMPARATIVE.search(said.folded)),
        ("pasted.mostly", said.pasted > 0.5),
        ("lower", said.prose[:1].islower()),
    )
    for name, value in flags:
        if value:
            yield name, 1.0


def _shape_before(told: Text) -> Iterator[tuple[str, float]]:
    flags: Iterable[tuple[str, object]] = (
        ("before.empty", not told.whole.strip()),
        ("before.asks", _ASKS.search(told.whole)),
        ("before.asks.late", "?" in told.whole[-200:]),
        ("before.list", _LIST.search(told.whole)),
        ("before.fence", "```" in told.whole),
        ("before.exclaims", "!" in told.whole[-120:]),
        ("before.tool", told.whole.rstrip().endswith((">", "}", "]", "`", "|"))),
    )
    for name, value in flags:
        if value:
            yield name, 1.0


def _pair(said: Text, told: Text) -> Iterator[tuple[str, float]]:
    words, there = content(said.prose), content(told.whole)
    both = words & there
    if both:
        yield "shared", min(len(both) / 5, 1.0)
        yield "shared.part", len(both) / len(words)
        if both & content(told.whole[-150:]):
            yield "shared.late", 1.0
    elif words:
        yield "shared.none", 1.0


_CROSSED = (
    ("before.asks", "brief"),
    ("before.asks", "opens.no"),
    ("before.asks", "opens.yes"),
    ("before.asks", "shared"),
    ("before.asks", "asks"),
    ("before.asks", "opens.go"),
    ("before.asks", "has.not"),
    ("before.done", "has.should"),
    ("before.done", "has.not"),
    ("before.done", "has.still"),
    ("before.done", "opens.thing"),
    ("before.done", "opens.create"),
    ("before.done", "has.alter"),
    ("shared.late", "has.not"),
    ("shared.late", "has.should"),
    ("shared.late", "has.alter"),
    ("shared.late", "opens.undo"),
    ("shared", "opens.create"),
    ("shared", "opens.ask"),
    ("asks", "has.not"),
    ("asks", "has.should"),
    ("asks", "has.shouldnt"),
    ("asks", "opens.ask"),
    ("asks", "opens.wh"),
    ("has.praise", "has.but"),
    ("has.praise", "has.create"),
    ("has.fail", "has.still"),
    ("has.error", "pasted"),
    ("has.should", "has.not"),
    ("has.we", "has.not"),
    ("has.you", "has.not"),
    ("has.only", "has.not"),
    ("opens.ok", "has.but"),
    ("brief", "has.go"),
    ("has.create", "has.go"),
)
"""Pairs of features whose meeting says more than both."""


def _cross(found: dict[str, float]) -> None:
    for a, b in _CROSSED:
        if a in found and b in found:
            found[f"{a}&{b}"] = found[a] * found[b]
