"""The words of a JSON text, in three dialects: strings, numbers, names, and what may stand between them.

JSON    RFC 8259.
JSONC   JSON with `//` and `/* */` comments, and a comma behind the last child (as Visual Studio Code reads it).
JSON5   https://spec.json5.org 1.0.0: names without quotes, single quotes, strings over lines, +1, .5, 0xff, Infinity.
"""

import json
import math
import re
from enum import StrEnum
from typing import Any

_DECODER = json.JSONDecoder()
_NAMED = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER5 = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<named>Infinity|NaN)|0[xX](?P<hex>[0-9a-fA-F]+)"
    r"|(?P<decimal>(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"
)
_ESCAPES5 = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_ESCAPED5 = re.compile(
    r"\\(?:u(?P<u>[0-9a-fA-F]{4})|x(?P<x>[0-9a-fA-F]{2})|(?P<line>\r\n|[\n\r\u2028\u2029])"
    r"|(?P<one>0(?![0-9])|[^0-9ux]))",
    re.DOTALL,
)
_COMMENT = r"//[^\n\r]*|/\*(?:[^*]|\*(?!/))*\*/"
_COMMENT5 = r"//[^\n\r\u2028\u2029]*|/\*(?:[^*]|\*(?!/))*\*/"
_SPACE5 = "\t\v\f \u00a0\ufeff\n\r\u2028\u2029\u1680\u2000-\u200a\u202f\u205f\u3000"


class Dialect(StrEnum):
    """Which JSON a program reads its file as."""

    JSON = "JSON"
    JSONC = "JSONC"
    JSON5 = "JSON5"

    @property
    def trailing_commas(self) -> bool:
        """May a comma stand behind the last child?"""
        return self is not Dialect.JSON


_GAPS = {
    Dialect.JSON: re.compile(r"[ \t\n\r]+"),
    Dialect.JSONC: re.compile(rf"[ \t\n\r]+|(?P<comment>{_COMMENT})"),
    Dialect.JSON5: re.compile(rf"[{_SPACE5}]+|(?P<comment>{_COMMENT5})"),
}


class Words:
    """Reads what stands at a place of `text`. ValueError (json.JSONDecodeError) if it is not of the dialect."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text, self.dialect = text, dialect
        self._gap = _GAPS[dialect]

    def wrong(self, what: str, at: int) -> ValueError:
        """The error that names line and column."""
        return json.JSONDecodeError(what, self.text, min(at, len(self.text)))

    def skip(self, at: int) -> tuple[int, list[tuple[int, int]]]:
        """Where the next word begins, and the comments before it: (from, to), the line's end not included."""
        comments = []
        while gap := self._gap.match(self.text, at):
            if gap.lastgroup:
                comments.append(gap.span())
            at = gap.end()
        if self.text.startswith("/*", at) and self.dialect is not Dialect.JSON:
            raise self.wrong("Comment without an end, starting", at)
        return at, comments

    def key(self, at: int) -> tuple[str, int]:
        """A member's name, and where it ends."""
        first = self.text[at : at + 1]
        if first == '"' or (first == "'" and self.dialect is Dialect.JSON5):
            return self._string(at)
        if self.dialect is Dialect.JSON5:
            return self._name(at)
        raise self.wrong("Expecting property name enclosed in double quotes", at)

    def scalar(self, at: int) -> tuple[Any, int]:
        """A string, number, true, false or null, and where it ends."""
        first = self.text[at : at + 1]
        if first == '"' or (first == "'" and self.dialect is Dialect.JSON5):
            return self._string(at)
        for name, value in _NAMED.items():
            if self.text.startswith(name, at):
                return value, self._end(at + len(name))
        return self._number5(at) if self.dialect is Dialect.JSON5 else self._number(at)

    def _end(self, at: int) -> int:
        """`at`, where a number or a name is over: no letter or digit goes on."""
        following = self.text[at : at + 1]
        if following and (_goes_on(following) or following in ".+-\\\"'"):
            raise self.wrong("Expecting ',' delimiter", at)
        return at

    def _number(self, at: int) -> tuple[Any, int]:
        found = _NUMBER.match(self.text, at)
        if not found:
            raise self.wrong("Expecting value", at)
        return json.loads(found.group()), self._end(found.end())

    def _number5(self, at: int) -> tuple[Any, int]:
        found = _NUMBER5.match(self.text, at)
        if not found:
            raise self.wrong("Expecting value", at)
        sign = -1 if found["sign"] == "-" else 1
        end = self._end(found.end())
        if found["named"]:
            return (sign * math.inf if found["named"] == "Infinity" else math.nan), end
        if found["hex"]:
            return sign * int(found["hex"], 16), end
        decimal = found["decimal"]
        return sign * (int(decimal) if decimal.isdigit() else float(decimal)), end

    def _string(self, at: int) -> tuple[str, int]:
        if self.dialect is not Dialect.JSON5:
            value, end = _DECODER.raw_decode(self.text, at)
            return value, end
        quote, said, here = self.text[at], [], at + 1
        while (letter := self.text[here : here + 1]) != quote:
            if letter == "" or letter in "\n\r":
                raise self.wrong("Unterminated string starting at", at)
            if letter == "\\":
                letter, here = self._escaped(here)
            else:
                here += 1
            said.append(letter)
        return _paired("".join(said)), here + 1

    def _escaped(self, at: int) -> tuple[str, int]:
        found = _ESCAPED5.match(self.text, at)
        if not found:
            raise self.wrong("Invalid \\escape", at)
        if code := found["u"] or found["x"]:
            return chr(int(code, 16)), found.end()
        if found["line"]:
            return "", found.end()
        return _ESCAPES5.get(found["one"], found["one"]), found.end()

    def _name(self, at: int) -> tuple[str, int]:
        said, here = "", at
        while letter := self.text[here : here + 1]:
            end = here + 1
            if letter == "\\" and self.text.startswith("u", end):
                letter, end = self._escaped(here)
            if not _goes_on(letter) or (not said and not _begins(letter)):
                break
            said, here = said + letter, end
        if not said:
            raise self.wrong("Expecting property name", at)
        return _paired(said), here


def _begins(letter: str) -> bool:
    return letter == "$" or letter.isidentifier()


def _goes_on(letter: str) -> bool:
    return letter in "$\u200c\u200d" or f"a{letter}".isidentifier()


def _paired(text: str) -> str:
    """Two escapes that are the halves of one character make that character, as in JavaScript."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
