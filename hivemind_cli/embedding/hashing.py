"""Vectors without a model: signed feature hashing of words and the character n-grams within them.

Texts that share words or word parts are near; meaning is unknown to it. For tests, and for machines where a person
asks for it by name. Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from hivemind_cli.embedding.base import TOKENS_MAX, readable, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+|[^\w\s]")
_GRAM = 3
_GRAM_WEIGHT = 0.8
"""Length of a word's parts together, beside 1 for the word."""
_WORD_CHARS = 40


class Hashing:
    """Needs nothing. The same text has the same vector on every machine."""

    def __init__(self, dim: int = 384) -> None:
        self.dim = dim
        self.name = f"hashing-{dim}"

    def __repr__(self) -> str:
        return f"Hashing({self.dim})"

    def embed(self, texts: Sequence[str], *, tokens_max: int = TOKENS_MAX) -> "NDArray[np.float32]":
        """See Embedder; a token is a word or a sign."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for hashed, weight in _features(readable(text, tokens_max), tokens_max):
                row[(hashed >> 1) % self.dim] += weight if hashed & 1 else -weight
        return unit(vectors)


def _features(text: str, tokens_max: int) -> Iterator[tuple[int, float]]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())[:tokens_max]
    for word, count in Counter(words).items():
        weight = sqrt(count)
        yield _hash(word), weight
        padded = f"\0{word[:_WORD_CHARS]}\0"
        grams = [padded[at : at + _GRAM] for at in range(len(padded) - _GRAM + 1)]
        for gram in grams:
            yield _hash(f"\0{gram}"), weight * _GRAM_WEIGHT / sqrt(len(grams))


def _hash(feature: str) -> int:
    """32 bits; a multiplication spreads what crc32 leaves alike in its low bits."""
    return (crc32(feature.encode()) * 0x9E3779B1 & 0xFFFFFFFF) >> 1
