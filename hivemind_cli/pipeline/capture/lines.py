"""Lines as hands compare them: what a formatter changes does not count, whatever its name and language.

Two grains: `bare` lines, cheap, and `tokens`, where lines were joined, wrapped or put in parentheses.
"""

import re
from bisect import bisect_left
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
ROW_MIN = 4
"""Equal tokens in a row from which two texts are in step again."""
STEP_MAX = 400
IMPORTS_MAX = 200
"""Imports of a text looked at for those that went."""
_NOISE = {code: None for code in range(0x3100) if code != 0x0A and (chr(code).isspace() or chr(code) in "\"'`,;")}
"""For str.translate; white space stands nowhere behind that."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PREFIX = re.compile(r"\b[fFrRbBuU]{1,2}(?=[\"'])")
"""Of strings: joining two of them takes one away."""
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
"""Its commas make no list."""
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
_JOINS_AFTER = frozenset(("and", "or", "is", *"+-*/%.[(<>&|^!?"))
_IMPORT = re.compile(
    r"\s*(?:import|from|use|using|#\s*include|require|require_once|require_relative|extern|@import|alias|open)\b"
    r"|\s*(?:const|let|var)\b.*=\s*require\b"
)


def bare(text: str) -> str:
    """A line, or lines joined by newlines, without blanks, quotes, commas and semicolons."""
    return text.translate(_NOISE)


def tokens(lines: Iterable[str], suffix: str = "") -> list[str]:
    """The words and signs of `lines`, without what formatters put in and take out.

    Not counted: quotes, commas, semicolons, line ends, parentheses that only group, the case of hexadecimal numbers;
    in prose the marks of lists, tables and emphasis too.
    """
    return [token for token, _ in _numbered(lines, suffix)]


def _numbered(lines: Iterable[str], suffix: str) -> list[tuple[str, int]]:
    """Each token with the number of its line."""
    raw = [
        (token, n)
        for n, line in enumerate(lines)
        for token in _TOKEN.findall(_STRING.sub(lambda match: match[0].replace(",", " "), _PREFIX.sub("", line)))
    ]
    found = [token for token, _ in raw]
    grouping = _grouping(found, [line for _, line in raw])
    prose = suffix in _PROSE
    kept = []
    for n, (token, line) in enumerate(raw):
        if n in grouping or token in _DROPPED or (prose and token in _PROSE_MARKS):
            continue
        if _NUMBER.match(token) and (token[0].isdigit() or (n and found[n - 1] == "#")):
            token = token.lower()
        kept.append((token.strip("_") or token if prose else token, line))
    return kept


def _grouping(found: Sequence[str], lines: Sequence[int]) -> set[int]:
    """Places of parentheses that call nothing and change no order of operators."""
    pairs: list[tuple[int, int, bool]] = []
    stack: list[tuple[int, bool]] = []
    for n, token in enumerate(found):
        if token == "(":
            stack.append((n, False))
        elif token == "," and stack:
            stack[-1] = (stack[-1][0], True)
        elif token == ")" and stack:
            start, listed = stack.pop()
            pairs.append((start, n, listed))
    places: set[int] = set()
    for start, end, listed in sorted(pairs):  # the outer before the inner: what stands before may be gone
        before, after = start - 1, end + 1
        while before in places:
            before -= 1
        while after in places:
            after += 1
        word = found[before] if before >= 0 else ""
        alone = lines[end - 1] != lines[end] and (after >= len(found) or lines[after] != lines[end])
        joins = not alone and after < len(found) and found[after] in _JOINS_AFTER
        if not joins and not _bound(found, before + 1, word, listed=listed):
            places |= {start, end}
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
        if not any(digest in self._missing for digest in old):
            return []
        stands = dict(zip(self._new.hashes[j1:j2], new, strict=True))
        texts = [stands.get(digest, self._owned.get(digest, "")) for digest in old]
        if all(texts):
            touched = _touched(_numbered(texts, self._suffix), _numbered(new, self._suffix))
        else:  # a person's own lines stand among them, and their old text is not kept
            row = _row(_unbraced(new, self._suffix))
            told = [_row(_unbraced([text], self._suffix)) for text in texts]
            touched = {n for n, one in enumerate(told) if one not in row}
        blocks = _import_lines(texts)
        return [
            self._owned[digest]
            for n, digest in enumerate(old)
            if n in touched and digest in self._missing and not (n in blocks and self._import_kept(texts[n]))
        ]

    def _import_kept(self, text: str) -> bool:
        """An import that was joined with others, or dropped because nothing uses it and nothing took its place."""
        if not self._new.lines:
            return False
        wanted = frozenset(tokens([text], self._suffix)) - {"(", ")", "{", "}"}
        blocks, added, used = self._imports
        if any(wanted <= block for block in blocks):
            return True
        names = {name for name in wanted if name.isidentifier() and not is_import(name) and len(name) > 1}
        return not added and not names & used

    @cached_property
    def _imports(self) -> tuple[list[frozenset[str]], bool, frozenset[str]]:
        """Tokens of each import that stands; do they name anything new; all tokens of the text that is no import."""
        lines = self._new.lines
        numbers = _import_lines(lines)
        blocks: list[list[str]] = []
        for n in sorted(numbers):
            if is_import(lines[n]) or not blocks:
                blocks.append([])
            blocks[-1].append(lines[n])
        found = [frozenset(tokens(block, self._suffix)) for block in blocks[:IMPORTS_MAX]]
        had = set(tokens(self._owned.values(), self._suffix))
        came = (lines[n] for n in numbers if self._new.hashes[n] not in self._known)
        added = any(not set(tokens([line], self._suffix)) <= had for line in came)
        rest = (line for n, line in enumerate(lines) if n not in numbers)
        return found, added, frozenset(tokens(rest, self._suffix))


def _touched(old: Sequence[tuple[str, int]], new: Sequence[tuple[str, int]]) -> set[int]:
    """The numbers of old lines whose tokens changed, or that got more tokens within."""
    lines: set[int] = set()
    for i1, i2, j1, j2 in _steps([token for token, _ in old], [token for token, _ in new]):
        if i1 < i2:
            lines |= {line for _, line in old[i1:i2]}
            continue
        before = old[i1 - 1][1] if i1 else None
        after = old[i1][1] if i1 < len(old) else None
        if before is not None and (before == after or (j1 and new[j1][1] == new[j1 - 1][1])):
            lines.add(before)
        elif after is not None and j2 < len(new) and new[j2 - 1][1] == new[j2][1]:
            lines.add(after)
    return lines


def _steps(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where two rows of tokens differ, as (i1, i2, j1, j2); in step again where ROW_MIN tokens are equal. Linear."""
    grams: dict[tuple[str, ...], list[int]] = {}
    for j in range(len(new)):
        grams.setdefault(tuple(new[j : j + ROW_MIN]), []).append(j)
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            i, j = i + 1, j + 1
            continue
        best = (len(old), len(new))
        for at in range(i, min(len(old), i + STEP_MAX)):
            places = grams.get(tuple(old[at : at + ROW_MIN]), ())
            there = bisect_left(places, j)
            if there < len(places) and at - i + places[there] - j < sum(best) - i - j:
                best = (at, places[there])
            if at - i > sum(best) - i - j:
                break
        yield i, best[0], j, best[1]
        i, j = best


def _import_lines(lines: Sequence[str]) -> set[int]:
    """The numbers of lines that are imports, or stand in one of several lines."""
    found: set[int] = set()
    depth = 0
    for n, line in enumerate(lines):
        if depth > 0 or is_import(line):
            found.add(n)
            depth = max(depth + sum(line.count(sign) for sign in "({") - sum(line.count(sign) for sign in ")}"), 0)
    return found


def _unbraced(lines: Sequence[str], suffix: str) -> list[str]:
    return [token for token in tokens(lines, suffix) if token not in "()"]


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
