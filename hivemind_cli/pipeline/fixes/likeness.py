"""How alike two errors are: by their telling lines, with what differs from run to run folded."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import stem
from hivemind_cli.pipeline.detect.errors import COLOUR, error_lines, normal_error

QUERY_CHARS_MAX = 20_000
"""Of a pasted log, the beginning and the end: compilers name the cause first, interpreters last."""
TEXT_CHARS_MAX = 64_000
LINE_CHARS_MAX = 300
CANDIDATES_MAX = 24
"""Lines of a text that are compared, those that share the most words."""
SAME_MIN = 0.65
"""Likeness from which it is the same error."""
LIKE_MIN = 0.45
"""... and from which it is worth showing as one that is like it."""
SHARED_MIN = 0.8
"""Of two lines, that they say the same."""
LINE_WEIGHT_MAX = 6.0
BEST_SHARE = 0.6
"""Of the line that fits best; the rest goes to all lines."""
QUERY_SHARE = 0.75
"""A query may be a part of the line it is about: its own words count more."""
GENERIC, PLAIN, CODE, NAME = 0.3, 1.0, 1.5, 2.0
"""What a word says: any error's, an ordinary one, one written as code is, a quoted name."""
_WORD = re.compile(r"[^\W_](?:[\w.\-]*[^\W_])?")
_PART = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"['\"`“‘«]([^'\"`”’»\n]{1,120})['\"`”’»]")
_CODE = re.compile(r"[a-z][A-Z]|_|\w[.\-]\w|[A-Z]{2}")
_TYPE = re.compile(r"(?:error|exception|warning|panic)$", re.IGNORECASE)
_OF_ANY_ERROR = frozenset(
    {
        "error", "errors", "exception", "fail", "failed", "failing", "failure", "fatal", "cannot", "can't", "could",
        "unable", "found", "denied", "refused", "invalid", "unknown", "unexpected", "missing", "required", "expected",
        "aborted", "exit", "exited", "code", "status", "command", "line", "file", "traceback", "most", "recent", "call",
        "last", "try", "usage", "help", "warning", "such", "none", "null", "true", "false",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an error, and what its words say."""

    text: str
    words: tuple[tuple[str, float], ...]
    """Each once, with its weight."""
    weight: float


@dataclass(frozen=True, slots=True)
class Signature:
    """The telling lines of an error, normalised."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, text: str) -> "Signature":
        """Of an error as it was printed, or told in a few words."""
        half = QUERY_CHARS_MAX // 2
        whole = text if len(text) <= QUERY_CHARS_MAX else f"{text[:half]}\n{text[-half:]}"
        return cls(tuple(line for one in error_lines(whole).splitlines() if (line := line_of(one)).words))

    def __bool__(self) -> bool:
        """Does it say more than that something went wrong?"""
        return any(weight > GENERIC for line in self.lines for _, weight in line.words)

    @property
    def query(self) -> str:
        """Words to search for: each once, without folded numbers."""
        return " ".join(dict.fromkeys(word for line in self.lines for word, _ in line.words))

    def likeness(self, text: str) -> tuple[float, list[str]]:
        """(0..1, the lines of `text` that fit best, as they stand there, in order)."""
        candidates = _sharing(text, {word for line in self.lines for word, _ in line.words})
        if not candidates or not self.lines:
            return 0.0, []
        fits = [max((_fit(line, other), -n) for n, (_, other) in enumerate(candidates)) for line in self.lines]
        weights = [min(line.weight, LINE_WEIGHT_MAX) for line in self.lines]
        telling = max(weights) / 2
        best = max(fit for (fit, _), weight in zip(fits, weights, strict=True) if weight >= telling)
        mean = sum(fit * weight for (fit, _), weight in zip(fits, weights, strict=True)) / sum(weights)
        chosen = sorted({-place for fit, place in fits if fit >= LIKE_MIN})
        return BEST_SHARE * best + (1 - BEST_SHARE) * mean, [candidates[n][0] for n in chosen]

    def stands_in(self, text: str) -> bool:
        """Is one of the lines, or nearly, in `text`?"""
        candidates = _sharing(text, {word for line in self.lines for word, weight in line.words if weight > GENERIC})
        return any(min(_fit(a, b), _fit(b, a)) >= SHARED_MIN for a in self.lines for _, b in candidates)


@lru_cache(maxsize=4096)
def line_of(text: str) -> Line:
    """A normalised line with its words; what code joins by marks is taken apart, and digits are left out."""
    quoted = {word.casefold() for part in _QUOTED.findall(text) for word in _PART.findall(part)}
    words: dict[str, float] = {}
    for whole in _WORD.findall(text):
        code = CODE if _CODE.search(whole) and not _TYPE.search(whole) else PLAIN
        for part in _PART.findall(whole):
            word = part.casefold()
            words[word] = max(words.get(word, 0.0), NAME if word in quoted else _weight(word, code))
    return Line(text, tuple(words.items()), sum(words.values()))


def _weight(word: str, code: float) -> float:
    return GENERIC if word in _OF_ANY_ERROR or stem(word) in STOPWORDS else code


def _fit(line: Line, other: Line) -> float:
    """0..1: the share of their words that both have, those of `line` counting more."""
    theirs = dict(other.words)
    shared = sum(min(weight, theirs[word]) for word, weight in line.words if word in theirs)
    either = QUERY_SHARE * line.weight + (1 - QUERY_SHARE) * max(other.weight, line.weight)
    return shared / either if either else 0.0


def _sharing(text: str, words: Collection[str]) -> list[tuple[str, Line]]:
    """(as it stands, normalised) of those lines of `text` that share the most words, in order."""
    lines = [line.strip()[:LINE_CHARS_MAX] for line in COLOUR.sub("", text[:TEXT_CHARS_MAX]).splitlines()]
    shared = [(sum(word in folded for word in words), n) for n, line in enumerate(lines) if (folded := line.casefold())]
    chosen = sorted(shared, key=lambda one: (-one[0], one[1]))[:CANDIDATES_MAX]
    return [(lines[n], line_of(normal_error(lines[n]))) for count, n in sorted(chosen, key=lambda one: one[1]) if count]
