"""The little YAML that front matter needs: scalars, and one level of nested `key: value` lines.

Enough to read what people and other tools write into a SKILL.md; what we write is narrower still.
"""

import re
from collections.abc import Sequence

Value = str | dict[str, str]

_KEY = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*:(?:\s+(.*)|)")
_QUOTED_KEY = re.compile(r"""["']([^"']+)["']\s*:(?:\s+(.*)|)""")
_BLOCK_SCALAR = re.compile(r"[|>][+-]?\d?[+-]?")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./]*(?:-[A-Za-z0-9_./]+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "v": "\v", "f": "\f", "e": "\x1b"}
_SPACES = {"N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}


def scalar(value: str, *, quote: bool = False) -> str:
    """`value` (one line of printable text) as a YAML scalar, double-quoted where it must be or if `quote`."""
    if not quote and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    # Some readers, the reference one too, split the file at any `---`, wherever it stands.
    return '"' + escaped.replace("--", "-\\x2d") + '"'


def read_front_matter(lines: Sequence[str]) -> dict[str, Value]:
    """The fields, in order. Never fails: what is no `key: value` is passed over, a later double wins."""
    fields: dict[str, Value] = {}
    n = 0
    while n < len(lines):
        key, rest = _key(lines[n])
        n += 1
        if not key:
            continue
        block = n
        while n < len(lines) and (not lines[n].strip() or lines[n][0] in " \t"):
            n += 1
        fields[key] = _value(rest, lines[block:n])
    return fields


def _key(line: str) -> tuple[str, str]:
    """("", "") if the line is no field."""
    found = _KEY.fullmatch(line.rstrip()) or _QUOTED_KEY.fullmatch(line.rstrip())
    return (found[1], (found[2] or "").strip()) if found else ("", "")


def _value(rest: str, block: Sequence[str]) -> Value:
    below = [line.strip() for line in block]
    if rest.startswith("#"):
        rest = ""
    if not rest:
        pairs = [_key(line) for line in below if not line.startswith("#")]
        if any(key for key, _ in pairs):
            return {key: _scalar(value) for key, value in pairs if key}
    if _BLOCK_SCALAR.fullmatch(rest.split(" #")[0].strip()):
        return ("\n" if rest[0] == "|" else " ").join(below).strip()
    return _scalar(" ".join(part for part in (rest, *below) if part))


def _scalar(text: str) -> str:
    if text.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', text, re.DOTALL)
        return _ESCAPE.sub(_unescaped, end[1]) if end else text[1:]
    if text.startswith("'"):
        end = re.match(r"'((?:[^']|'')*)'", text)
        return end[1].replace("''", "'") if end else text[1:]
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else ""
    return _SIMPLE.get(found[4]) or _SPACES.get(found[4]) or found[4]
