"""Words as searching counts them: identifiers, paths, options, versions and error names fall into their parts.

    ModuleNotFoundError -> module not found error      src/app.py -> src app py      --no-verify -> no verify
    parse_HTTPHeader2   -> parse http header 2         v1.2.3 -> v 1 2 3             9f8e7d6c5b -> 9f8e7d6c5b

Texts and queries go through the same rules. What a query wrote as one word is also looked for whole: its parts, side
by side (`compounds`). Scripts without spaces give characters, which are looked for in pairs, as in core/terms.py.
The rules run over whole arrays: a text of 4 KB takes as long as one regular expression for plain words would.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.terms import is_unspaced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NONE, _LOWER, _UPPER, _DIGIT, _UNSPACED = range(5)
_CLASSES = 5
_TABLE_CHARS = 0x30000
"""Where the planes of living scripts end; what lies above is no letter to us."""
_HEX_CHARS_MIN = 6
"""From here on, small letters a to f mixed with digits are a hash's or an address's, and stay in one piece."""
_SPACE, _NEWLINE = ord(" "), ord("\n")
_WRITTEN_AS_ONE = re.compile(r"[^\W_]+(?:(?:[_./\\:@+-]|->|::)+[^\W_]+)*")
_PARTS_MAX = 8


def spaced(text: str) -> str:
    """The words of `text` in small letters, with spaces between them; lines stay lines."""
    import numpy as np

    if text.isascii():
        chars: NDArray[Any] = np.frombuffer(text.encode("ascii"), np.uint8)
        classes, coding = _ascii_classes()[chars], "ascii"
    else:
        text = unicodedata.normalize("NFKC", text)
        chars, coding = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32), "utf-32-le"
        classes = _all_classes()[np.minimum(chars, _TABLE_CHARS)]
    if not len(chars):
        return ""
    kept = np.where((classes == _NONE) & (chars != _NEWLINE), np.asarray(_SPACE, chars.dtype), chars)
    breaks = _breaks(classes, chars)
    if len(breaks):
        kept = np.insert(kept, breaks, _SPACE)
    return kept.tobytes().decode(coding, "replace").lower()


def words(text: str) -> list[str]:
    """The words of `text`, in order, with repeats."""
    return spaced(text).split()


def compounds(text: str) -> Iterator[list[str]]:
    """The parts of each thing that `text` writes as one word; pairs of characters, where scripts have no spaces."""
    for match in _WRITTEN_AS_ONE.finditer(text):
        parts = words(match.group())
        if len(parts) < 2:
            continue
        if any(is_unspaced(part[0]) for part in parts):
            for first, second in pairwise(parts):
                if is_unspaced(first[0]) and is_unspaced(second[0]):
                    yield [first, second]
        else:
            yield parts[:_PARTS_MAX]


def identifiers(text: str) -> float:
    """The share of what `text` writes as one word that has several parts, or is of a script without spaces; 0 for "".

    Of such a script each two characters count as a word.
    """
    prose = special = 0.0
    for match in _WRITTEN_AS_ONE.finditer(text):
        parts = words(match.group())
        unspaced = sum(is_unspaced(part[0]) for part in parts)
        if unspaced:
            special += unspaced / 2
        elif len(parts) > 1 or not match.group().isalpha():
            special += 1
        else:
            prose += 1
    return special / (prose + special) if special else 0.0


def _breaks(classes: "NDArray[np.uint8]", chars: "NDArray[Any]") -> "NDArray[np.intp]":
    """Where a word begins inside what is written as one."""
    import numpy as np

    pairs = classes[:-1] * _CLASSES + classes[1:]
    breaks = _pair_table()[pairs]
    # The last capital of several begins a word if a small letter follows: HTTP Server; but URLs is one.
    capital = np.flatnonzero((pairs[:-1] == _UPPER * _CLASSES + _UPPER) & (pairs[1:] == _UPPER * _CLASSES + _LOWER))
    if len(capital):
        after = np.minimum(capital + 3, len(chars) - 1)
        plural = (chars[capital + 2] == ord("s")) & ((capital + 3 >= len(chars)) | (classes[after] == _NONE))
        breaks[capital[~plural]] = True
    mixed = (pairs == _LOWER * _CLASSES + _DIGIT) | (pairs == _DIGIT * _CLASSES + _LOWER)
    if mixed.any():
        breaks &= ~(mixed & _inside_hashes(classes, chars)[1:])
    return np.flatnonzero(breaks) + 1


def _inside_hashes(classes: "NDArray[np.uint8]", chars: "NDArray[Any]") -> "NDArray[np.bool_]":
    """For each character: is all that is written as one word with it made of hexadecimal digits?"""
    import numpy as np

    inside = classes != _NONE
    number = np.cumsum(np.diff(inside, prepend=False) & inside)  # of the word each character is in
    hexadecimal = (classes == _DIGIT) | ((chars >= ord("a")) & (chars <= ord("f")))
    other = np.bincount(number, weights=inside & ~hexadecimal)
    length = np.bincount(number, weights=inside)
    hashes: NDArray[np.bool_] = ((other == 0) & (length >= _HEX_CHARS_MIN))[number]
    return hashes


@lru_cache(maxsize=1)
def _pair_table() -> "NDArray[np.bool_]":
    """For each two classes side by side: does a word begin between them?"""
    import numpy as np

    table = np.zeros((_CLASSES, _CLASSES), np.bool_)
    table[_LOWER, _UPPER] = True
    table[(_LOWER, _UPPER), _DIGIT] = table[_DIGIT, (_LOWER, _UPPER)] = True
    table[_UNSPACED, 1:] = table[1:, _UNSPACED] = True
    return table.ravel()


@lru_cache(maxsize=1)
def _ascii_classes() -> "NDArray[np.uint8]":
    import numpy as np

    return np.array([_class_of(chr(code)) for code in range(128)], np.uint8)


@lru_cache(maxsize=1)
def _all_classes() -> "NDArray[np.uint8]":
    """Made when the first text that is not plain ASCII comes: takes some 100 ms and 200 KB."""
    import numpy as np

    classes = np.fromiter((_class_of(chr(code)) for code in range(_TABLE_CHARS)), np.uint8, _TABLE_CHARS)
    return np.append(classes, np.uint8(_NONE))


def _class_of(char: str) -> int:
    kind = unicodedata.category(char)
    if is_unspaced(char) and kind[0] in "LMN":
        return _UNSPACED
    if kind in ("Lu", "Lt"):
        return _UPPER
    if kind == "Nd":
        return _DIGIT
    return _LOWER if kind[0] in "LMN" else _NONE
