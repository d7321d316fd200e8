"""Cutting what is too long to keep: the size and digest of the whole are kept with the part."""

import hashlib
from collections.abc import Mapping
from typing import Any

CUT = "_cut"
"""Key in a payload: field's path -> [bytes, sha256] of what the field held."""
DEPTH_MAX = 64


def cut_fields(payload: Mapping[str, Any], bytes_max: int) -> dict[str, Any]:
    """`payload` with every text longer than `bytes_max` (UTF-8) cut, and what was cut named under CUT."""
    cuts: dict[str, list[Any]] = {}
    kept = {key: _cut(value, key, bytes_max, cuts, 1) for key, value in payload.items()}
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
        return raw[:bytes_max].decode("utf-8", "ignore")
    if depth >= DEPTH_MAX:
        return None if isinstance(value, (dict, list)) else value
    if isinstance(value, Mapping):
        return {key: _cut(inner, f"{path}.{key}", bytes_max, cuts, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(inner, f"{path}.{n}", bytes_max, cuts, depth + 1) for n, inner in enumerate(value)]
    return value
