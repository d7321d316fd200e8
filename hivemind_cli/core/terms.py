"""Words as recall counts them: one tokenizer for the index, the snapshot and the scores, in any language.

A term is a case-folded word cut to its first six letters, which joins the forms of a word in most languages
without knowing which language it is (truncation stemming: McNamee & Mayfield 2004, "Character n-gram
tokenization for European language text retrieval"). Scripts without spaces give pairs of characters.
`hooks/hivemind_hook_snapshot.py` repeats these rules; tests/hooks holds the two against each other.
"""

import re
import unicodedata
from functools import lru_cache

STEM_CHARS = 6
_UNSPACED = (
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x0E00, 0x0E7F),  # Thai
    (0x20000, 0x2FA1F),
)
_PLAIN = re.compile(
    "[\x00-\u02ff\u0370-\u0373\u0376-\u0482\u048a-\u0556\u2010-\u203e\u2041-\u2053\u2055-\u205e\u20a0-\u20bf\u2190-\u2bff"
    "\U0001f300-\U0001faff]*"
)
"""Latin, Greek, Cyrillic and Armenian letters, punctuation and drawn signs: no marks, and no script without spaces."""
_PLAIN_WORD = re.compile(r"[^\W_]+")


def terms(text: str) -> list[str]:
    """The terms of `text`, in order, with repeats."""
    return [stem(word) for word in words(text)]


def words(text: str) -> list[str]:
    """What `text` has before it is cut to terms: folded words, and pairs of characters of scripts without spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if _PLAIN.fullmatch(folded):  # most text: a pattern finds the same words in a tenth of the time
        return _PLAIN_WORD.findall(folded)
    found: list[str] = []
    for word in _words(folded):
        if is_unspaced(word[0]):
            found.extend(word[i : i + 2] for i in range(max(len(word) - 1, 1)))
        else:
            found.append(word)
    return found


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """`word` without a plural s, cut to six letters."""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:STEM_CHARS]


def weight(term: str) -> float:
    """How much a term says before anything is known of its frequency, 0..1.

    Short words are the frequent ones in every language (Zipf's law of abbreviation), so length stands in
    for rarity until a person's own history can tell.
    """
    if is_unspaced(term[0]):
        return 0.6
    return min(len(term) - 1, STEM_CHARS - 1) / (STEM_CHARS - 1)


def _words(text: str) -> list[str]:
    words: list[str] = []
    start = -1
    script = False
    for i, char in enumerate(text):
        inside = char.isalnum()
        if start >= 0 and not inside and char > "\u02ff" and ("a" + char).isidentifier():
            continue  # a combining mark, such as a vowel of Hindi or Thai: part of its word
        unspaced = inside and is_unspaced(char)
        if start >= 0 and (not inside or unspaced != script):
            words.append(text[start:i])
            start = -1
        if inside and start < 0:
            start, script = i, unspaced
    if start >= 0:
        words.append(text[start:])
    return words


def is_unspaced(char: str) -> bool:
    """Is it of a script that puts no spaces between words?"""
    code = ord(char)
    if code < 0x0E00:  # nearly every character of nearly every text: asking the ranges costs three times the rest
        return False
    return any(low <= code <= high for low, high in _UNSPACED)
