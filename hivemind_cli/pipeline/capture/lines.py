"""Lines as hands compare them: what a formatter changes does not count, whatever its name and language.

Two grains: `bare` lines, cheap, and `tokens`, where lines were joined, wrapped or put in parentheses.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import PurePath

TRIVIAL_CHARS = 3
"""Bare lines shorter than this (a brace, an `end`) say nothing of who wrote them."""
PAIRS_MAX = 200_000
"""Pairs of equal lines in the part that differs, beyond which it is taken as one place: aligning costs that much."""
GAP_MAX = 3
"""Equal lines between two changes that are one place: a formatter's new bracket may equal one that stood there."""
IMPORTS_MAX = 100
"""Imports that came into a text, looked at for those that went."""
_NOISE = re.compile(r"""[\s"'`,;]+""")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_DROPPED = frozenset("\"'`,;\\")
_PROSE = frozenset({".md", ".markdown", ".mdx", ".rst", ".txt"})
_PROSE_MARKS = frozenset("*-+|_=~")
_NUMBER = re.compile(r"\d\w*$|[0-9a-fA-F]{3,8}$")
_BEFORE_EXPRESSION = re.compile(
    r"(?:return|in|if|elif|else|while|until|unless|assert|yield|await|async|del|case|when|typeof|throw|raise|new|from"
    r"|import|export|with|for|switch|match|lambda|is|as|do|then|print)$"
)
"""Words of programming languages after which parentheses only group."""
_CALLED = re.compile(r"\w")
_JOINS_BEFORE = frozenset(("and", "or", "not", *"+-*/%.<&|^!~?@)]}"))
_JOINS_AFTER = frozenset(("and", "or", "is", *"+-*/%.[(<>&|^!?@"))
_IMPORT = re.compile(
    r"\s*(?:import|from|use|using|#\s*include|require|require_once|require_relative|extern|@import|alias|open)\b"
    r"|\s*(?:const|let|var)\b.*=\s*require\b"
)


def bare(line: str) -> str:
    """The line without blanks, quotes, commas and semicolons."""
    return _NOISE.sub("", line)


def tokens(lines: Iterable[str], suffix: str = "") -> list[str]:
    """The words and signs of `lines`, without what formatters put in and take out.

    Not counted: quotes, commas, semicolons, line ends, parentheses that only group, the case of hexadecimal numbers;
    in prose the marks of lists, tables and emphasis too.
    """
    found = [token for line in lines for token in _TOKEN.findall(line)]
    grouping = _grouping(found)
    prose = suffix in _PROSE
    kept = []
    for n, token in enumerate(found):
        if n in grouping or token in _DROPPED or (prose and token in _PROSE_MARKS):
            continue
        if _NUMBER.match(token) and (token[0].isdigit() or (n and found[n - 1] == "#")):
            token = token.lower()
        kept.append(token.strip("_") or token if prose else token)
    return kept


def _grouping(found: Sequence[str]) -> set[int]:
    """Places of parentheses that call nothing and change no order of operators."""
    places: set[int] = set()
    stack: list[tuple[int, bool]] = []
    for n, token in enumerate(found):
        if token == "(":
            stack.append((n, False))
        elif token == "," and stack:
            stack[-1] = (stack[-1][0], True)
        elif token == ")" and stack:
            start, listed = stack.pop()
            before = found[start - 1] if start else ""
            after = found[n + 1] if n + 1 < len(found) else ""
            if not _bound(found, start, before, listed=listed) and after not in _JOINS_AFTER:
                places |= {start, n}
    return places


def _bound(found: Sequence[str], start: int, before: str, *, listed: bool) -> bool:
    """Does what stands before the parenthesis give it a meaning: a call, an operator, a list within a list?"""
    if before == ">":  # an arrow
        return start < 2 or found[start - 2] not in "=-"
    if before in _JOINS_BEFORE:
        return True
    if listed and before in ("(", "[", ","):
        return True
    return bool(_CALLED.match(before)) and not _BEFORE_EXPRESSION.match(before)


def same_code(old: Sequence[str], new: Sequence[str], suffix: str = "") -> bool:
    """Is `new` what a formatter makes of `old`?"""
    return tokens(old, suffix) == tokens(new, suffix)


def is_import(line: str) -> bool:
    """Does the line name what it needs from elsewhere? Tools sort, join and drop such lines."""
    return _IMPORT.match(line) is not None


class Text:
    """A file's lines as they stand, each with its hash; lines with nothing on them are left out."""

    def __init__(self, lines: Sequence[str], hashes: Sequence[str]) -> None:
        """`lines` may be shown to people (redacted); `hashes` of the lines as they are."""
        self.lines = lines
        self.hashes = hashes


class Changes:
    """What became of some lines of an old text in a new one."""

    def __init__(self, old: Sequence[str], owned: dict[str, str], new: Text, suffix: str) -> None:
        """`old` hashes of the lines that stood; `owned` hash -> shown text of those that are asked about."""
        self._old, self._owned, self._new, self._suffix = old, owned, new, suffix
        had, has = Counter(old), Counter(new.hashes)
        self._missing = {digest for digest in owned if has[digest] < max(had[digest], 1)}
        self._known = frozenset(old)
        self.removed: list[str] = []
        self.added: list[str] = []
        self.above: list[str] = []
        self.below: list[str] = []
        if self._missing:
            self._look()
        left = [digest for digest, text in owned.items() if digest not in self._missing and telling(text)]
        self.whole = bool(self.removed) and not left
        """None of the lines that were asked about is left."""

    def _look(self) -> None:
        if not self._old:
            self._look_up()
            return
        for i1, i2, j1, j2 in _places(self._old, self._new.hashes):
            gone = self._gone(i1, i2, j1, j2)
            if not any(telling(text) for text in gone):
                continue
            if self.removed:
                self.removed.append("…")
                self.added.append("…")
            else:
                self.above = list(self._new.lines[max(j1 - 2, 0) : j1])
            self.below = list(self._new.lines[j2 : j2 + 2])
            self.removed += gone
            new = zip(self._new.lines[j1:j2], self._new.hashes[j1:j2], strict=True)
            self.added += [line for line, digest in new if digest not in self._known]

    def _look_up(self) -> None:
        """Nothing but the lines is known: those whose tokens still stand in a row somewhere were only formatted."""
        stands = _row(tokens(self._new.lines, self._suffix))
        for digest in self._owned:
            text = self._owned[digest]
            if digest in self._missing and telling(text) and _row(tokens([text], self._suffix)) not in stands:
                self.removed.append(text)

    def _gone(self, i1: int, i2: int, j1: int, j2: int) -> list[str]:
        """The lines of one place that were changed, not formatted."""
        old, new = self._old[i1:i2], self._new.lines[j1:j2]
        missing = [digest for digest in old if digest in self._missing]
        if not missing:
            return []
        stands = dict(zip(self._new.hashes[j1:j2], new, strict=True))
        texts = [stands.get(digest, self._owned.get(digest, "")) for digest in old]
        if all(texts) and same_code(_without_imports(texts), _without_imports(new), self._suffix):
            gone = [one for one in missing if is_import(self._owned[one])]
        elif len(old) == len(new):
            gone = self._unformatted(old, new)
        elif all(texts):
            gone = missing
        else:  # a person's own lines stand among them, and their old text is not kept
            row = _row(tokens(new, self._suffix))
            gone = [one for one in missing if _row(tokens([self._owned[one]], self._suffix)) not in row]
        return [self._owned[one] for one in gone if not self._import_kept(self._owned[one], new)]

    def _unformatted(self, old: Sequence[str], new: Sequence[str]) -> list[str]:
        pairs = zip(old, new, strict=True)
        return [
            digest
            for digest, line in pairs
            if digest in self._missing and not same_code([self._owned[digest]], [line], self._suffix)
        ]

    def _import_kept(self, text: str, new: Sequence[str]) -> bool:
        """An import that was joined with others, or dropped because nothing uses it and nothing took its place."""
        if not is_import(text) or not self._new.lines:
            return False
        wanted = frozenset(tokens([text], self._suffix))
        fresh, added, used = self._imports
        if any(wanted <= line for line in fresh) or (
            wanted <= set(tokens(new, self._suffix)) and len(new) <= IMPORTS_MAX
        ):
            return True
        names = {name for name in wanted if name.isidentifier() and not is_import(name) and len(name) > 1}
        return not added and not names & used

    @cached_property
    def _imports(self) -> tuple[list[frozenset[str]], bool, frozenset[str]]:
        """Tokens of the imports that came; do they name anything new; all tokens of the text that is no import."""
        pairs = zip(self._new.lines, self._new.hashes, strict=True)
        came = [line for line, one in pairs if one not in self._known and is_import(line)]
        fresh = [frozenset(tokens([line], self._suffix)) for line in came[:IMPORTS_MAX]]
        had = set(tokens(self._owned.values(), self._suffix))
        rest = (line for line in self._new.lines if not is_import(line))
        return fresh, any(not line <= had for line in fresh), frozenset(tokens(rest, self._suffix))


def _without_imports(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not is_import(line)]


def telling(text: str) -> bool:
    """Does a line say enough to be somebody's?"""
    return len(bare(text)) >= TRIVIAL_CHARS


def _row(found: Sequence[str]) -> str:
    return " " + " ".join(found) + " "


def _places(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where `old` and `new` differ, as (i1, i2, j1, j2); neighbours are one place."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    has = Counter(b)
    if sum(has[line] for line in a) > PAIRS_MAX:
        yield start, len(old) - end, start, len(new) - end
        return
    held: tuple[int, int, int, int] | None = None
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if held and i1 - held[1] <= GAP_MAX:
            held = (held[0], i2, held[2], j2)
            continue
        if held:
            yield held[0] + start, held[1] + start, held[2] + start, held[3] + start
        held = (i1, i2, j1, j2)
    if held:
        yield held[0] + start, held[1] + start, held[2] + start, held[3] + start


def suffix_of(path: str) -> str:
    """The file's ending, in lower case."""
    return PurePath(path).suffix.lower()
