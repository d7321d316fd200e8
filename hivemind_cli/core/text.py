"""Cutting what is too long: to keep (size and digest of the whole are kept with the part), or to say."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

CUT = "_cut"
"""Key in a payload: field's path -> [bytes, sha256] of what the field held."""
DEPTH_MAX = 64
MARGIN_BYTES = 8192
"""Text is cut so far behind the limit, cleaned, and only then cut at the limit: no secret is halved, and so missed."""


def tokens_about(text: str) -> int:
    """Roughly what a model counts: four ASCII characters a token, fewer of other scripts."""
    return round(_weight(text) / 20)


def within_tokens(text: str, tokens_max: int) -> str:
    """`text`, or its first whole lines of about `tokens_max` tokens; of a single long line, its beginning.

    Takes no longer for a book than for a page.
    """
    begin = text[: 4 * tokens_max + 3]  # four characters a token: no text of so many fits
    if len(begin) == len(text) and tokens_about(text) <= tokens_max:
        return text
    first, *lines = begin.split("\n")
    kept, weight = [first], _weight(first)
    for line in lines:
        weight += _weight(line) + _weight("\n")
        if round(weight / 20) > tokens_max:
            break
        kept.append(line)
    said = "\n".join(kept)
    while tokens_about(said) > tokens_max:
        said = said[: len(said) * 9 // 10]
    return said


def _weight(text: str) -> int:
    """In twentieths of a token."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars * 5 + (len(text) - ascii_chars) * 12


def cut_fields(payload: Mapping[str, Any], bytes_max: int, clean: Callable[[Any], Any]) -> dict[str, Any]:
    """`clean(payload)` with every text longer than `bytes_max` (UTF-8) cut, and what was cut named under CUT.

    `clean` keeps the shape; it sees each text with a margin behind the cut.
    """
    cuts: dict[str, list[Any]] = {}
    roomy = {key: _cut(value, key, bytes_max, cuts, 1) for key, value in payload.items()}
    kept: dict[str, Any] = _trim(clean(roomy), bytes_max) if cuts else clean(roomy)
    if cuts:
        kept[CUT] = cuts
    return kept


def _cut(value: Any, path: str, bytes_max: int, cuts: dict[str, list[Any]], depth: int) -> Any:
    if isinstance(value, str):
        if len(value) <= bytes_max // 4:  # no character takes more than four bytes
            return value
        raw = value.encode("utf-8", "replace")
        if len(raw) <= bytes_max:
            return value
        cuts[path] = [len(raw), hashlib.sha256(raw).hexdigest()]
        return raw[: bytes_max + MARGIN_BYTES].decode("utf-8", "ignore")
    if depth >= DEPTH_MAX:
        return None if isinstance(value, (dict, list)) else value
    if isinstance(value, Mapping):
        return {key: _cut(inner, f"{path}.{key}", bytes_max, cuts, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(inner, f"{path}.{n}", bytes_max, cuts, depth + 1) for n, inner in enumerate(value)]
    return value


def _trim(value: Any, bytes_max: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")
    if isinstance(value, Mapping):
        return {key: _trim(inner, bytes_max) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_trim(inner, bytes_max) for inner in value]
    return value
