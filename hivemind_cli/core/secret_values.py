"""Is the value beside a name a secret? Names have a grade, values a form; core/redact.py finds both.

Everything here is bytes, for the pattern engine counts in bytes.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

VALUE_MAX = 4096
"""Bytes of one value."""


class Grade(Enum):
    """What a key's name says of the value beside it."""

    PASSWORD = "password"  # any value that is no placeholder and no code
    STRONG = "secret"  # tokens and keys: a value that looks chosen by a machine
    WEAK = "token"  # the entropy rule only: 20 characters and more
    COOKIE = "cookie"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """A key's name and how its value stands beside it."""

    grade: Grade
    name: bytes
    separator: bytes
    """=, ==, :, :=, =>, >, is, or a space."""
    spaced: bool
    """White space between separator and value."""
    option: bool
    """A command's option, or a .netrc entry: white space alone separates."""
    name_at: int
    """Where the name begins."""


_PASSWORD = re.compile(
    r"(?:^|[_.-])(?:pass(?:word|wd|phrase|code)?|pwd|mnemonic)$|(?:password|passwd|passphrase)$|^identified by$"
)
_SUFFIX = re.compile(r"(?<=[a-z])_?(?:base|prod|production|dev|staging|test|live|old|new|[0-9]{1,2})$")
_STRONG = re.compile(
    r"secret$|credentials?$|(?:^|[_.-])(?:pat)$|"
    r"(?:api|access|secret|private|priv|encrypt(?:ion)?|sign(?:ing)?|master|account|shared|auth|service|admin|deploy|"
    r"webhook|client|wallet|subscription|integration|storage)[ _.-]?key$|"
    r"(?:^|[_.-])_?auth$|token$|sessid$|connect\.sid$"
)
_NO_SECRET = re.compile(
    r"(?:^|[_.-])(?:next|prev|page|continuation|pad|eos|bos|unk|mask|sep|cls|stop|max|min|new|start|end|cancellation|"
    r"cancel|design|color|special|sync|resume|num|public|pub|publishable|primary|foreign|cache|sort|partition|idempotency|"
    r"host|row|col|object|index|unique|natural|native|recurrence|group|shortcut|hot|enter|arrow|i18n|translation)"
    r"[ _.-]?(?:token|key|secret)$"
)
_WEAK = re.compile(r"(?:key|session|sess|sid)$")
_COOKIE = re.compile(r"(?:^|[_.-])(?:set[_-]?)?cookie$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PLACEHOLDER = re.compile(
    rb"(?i)^[$%{<*.&#]|\[redacted|\[private\]|\$\{|\{\{|\{[a-z_.]*\}|<[a-z][a-z _.-]*>|\*{3}|\.\.\.|\xe2\x80\xa6|x{5,}|"
    rb"^(?:x+|-+|_+|\.+|\*+|\?+|0+)$|(?:^|[_.\[ -])your?[_ -]|^my[_-]|(?:^|[_-])example(?:$|[_-])|placeholder|"
    rb"(?:^|[_-])here$|redacted|process\.env|import\.meta|os\.(?:environ|getenv)|^(?:op|vault|arn|env|file|secrets?|ref):|"
    rb"^(?:change[_-]?me|replace[_-]?me|insert|dummy|todo|tbd|fixme|none|null|nil|true|false|undefined|optional|required|"
    rb"string|str|bytes|bool|boolean|int|integer|number|float|any|unknown|object|text|varchar|char|self|this|"
    rb"missing|empty|invalid|incorrect|wrong|expired|valid|yes|no|hidden|secure|enabled|disabled|not|is|was|must|should)$"
)
_KEY_WORD = re.compile(rb"(?i)pass|pwd|secret|token|key|auth|cred|sess|cookie|user|value|input|config|setting")
_DOTTED = re.compile(rb"^[A-Za-z_$][\w$]*(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*)+;?$")
_IDENTIFIER = re.compile(rb"^[A-Za-z_$][\w$]*$")
_PATH = re.compile(
    rb"^(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w.@ -]{0,19}(?:[/\\][\w.@ -]{0,19})*$|^[\w.@-]+(?:/[\w.@-]+)+\.\w{1,5}$"
)
_ID = re.compile(
    rb"(?i)^(?:0x)?[0-9a-f]+$|^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$|^[0-9A-HJKMNP-TV-Z]{26}$|"
    rb"^[a-z_]{1,8}[-_][0-9A-HJKMNP-TV-Z]{26}$|^sha(?:1|256|384|512)[-:]|^h1:|^https?:|^\d[\d.:T+Z-]*$"
)
_RUN = re.compile(rb"[A-Za-z0-9+/]{12,}")
_QUOTE = re.compile(rb"(\\{0,16})([\"'`])")
_BARE = re.compile(rb"(?:[^\s\"'`\\]|\\(?![nrtbfu\"'`\\\s]).)+", re.DOTALL)
_TO_SPACE = re.compile(rb"(?:[^\s\\]|\\(?![nrtbfu\"'`\\\s]).)+", re.DOTALL)
_LINE = re.compile(rb"(?:[^\r\n\"\\]|\\(?![nrt\"]).)+", re.DOTALL)
_LINE_ENDS = (b"\n", b"\r", b"\\n", b"\\r")
_LINE_START = re.compile(rb"[+> -]{0,4}[ \t]*(?:export[ \t]+|set[ \t]+|ENV[ \t]+|-[ \t]+)?[\"']?")
_LINE_START_MAX = 80
_DIGIT = re.compile(rb"[0-9]")
_ENDS_VALUE = re.compile(rb"[,;<&|)]")


def grade(name: str) -> Grade:
    """What `name` says: snake, kebab, dotted and camel case are one."""
    plain = _CAMEL.sub("_", name.strip("-_.")).lower()
    plain = _SUFFIX.sub("", plain)
    if _COOKIE.search(plain):
        return Grade.COOKIE
    if _NO_SECRET.search(plain):
        return Grade.NONE
    if _PASSWORD.search(plain):
        return Grade.PASSWORD
    if _STRONG.search(plain) or plain == "seed phrase":
        return Grade.PASSWORD if plain == "seed phrase" else Grade.STRONG
    return Grade.WEAK if _WEAK.search(plain) else Grade.NONE


def kind_of(level: Grade) -> str:
    """The kind written in place of a value beside such a name."""
    return level.value or "secret"


def is_placeholder(value: bytes) -> bool:
    """Stands for a secret, but is none: `${TOKEN}`, `<password>`, `your-key-here`, `***`, None."""
    return not value or bool(_PLACEHOLDER.search(value[:200])) or b"[redacted:" in value


def is_code(value: bytes) -> bool:
    """An expression or type rather than a literal."""
    return b"(" in value or b"[" in value or b"{" in value or bool(_DOTTED.match(value)) or _is_plain_word(value)


def _is_plain_word(value: bytes) -> bool:
    return bool(_IDENTIFIER.match(value)) and not _DIGIT.search(value)


def is_id(value: bytes) -> bool:
    """Hash, UUID, ULID, path, number, time or address."""
    return bool(_ID.match(value)) or bool(_PATH.match(value))


def entropy(value: bytes) -> float:
    """Shannon's, in bits a byte."""
    counts = Counter(value)
    return -math.fsum(n / len(value) * math.log2(n / len(value)) for n in counts.values())


@lru_cache(maxsize=1024)
def looks_random(value: bytes) -> bool:
    """20 bytes or more that no person wrote: digits and letters mixed within one run, and spread wide."""
    if len(value) < 20 or entropy(value) < 3.2:
        return False
    for run in _RUN.findall(value):
        digits = sum(48 <= c <= 57 for c in run)
        upper = sum(65 <= c <= 90 for c in run)
        lower = sum(97 <= c <= 122 for c in run)
        if digits >= 2 and upper + lower >= 3 and (len(run) >= 16 or (upper and lower)):
            return True
        if len(run) >= 20 and upper >= 4 and lower >= 4 and digits:
            return True
    return False


def is_chosen(value: bytes, *, named: bool) -> bool:
    """A password in prose: letters and digits mixed. `named`: a colon, "is" or the like says that it is one."""
    if is_placeholder(value) or is_code(value) or is_id(value) or b" " in value:
        return False
    if named:
        return len(value) >= 6 and _mixed(value)
    upper = any(65 <= c <= 90 for c in value)
    lower = any(97 <= c <= 122 for c in value)
    digits = sum(48 <= c <= 57 for c in value)
    return len(value) >= 10 and upper and lower and digits >= 2


def quoted(data: bytes, at: int) -> tuple[int, int] | None:
    """Start and end of the text inside the quote that opens at `at`; None if none opens there.

    A quote escaped n times (a document within a string) is closed by a quote escaped at most n times.
    """
    opening = _QUOTE.match(data, at)
    if opening is None:
        return None
    level, mark, start = len(opening[1]), opening[2], opening.end()
    limit = min(len(data), start + VALUE_MAX)
    newline = data.find(b"\n", start, limit)
    limit = limit if newline < 0 else newline
    i = data.find(mark, start, limit)
    while i >= 0:
        slashes = i - len(data[max(start, i - 64) : i].rstrip(b"\\")) - max(start, i - 64)
        if slashes <= level or (level == 0 and slashes % 2 == 0):
            return start, i - slashes if slashes <= level else i
        i = data.find(mark, i + 1, limit)
    return start, limit


def bare(data: bytes, at: int) -> bytes:
    """The unquoted value at `at`, without what ends a statement."""
    match = _BARE.match(data, at, at + VALUE_MAX)
    return match[0].rstrip(b",;)]}>.") if match else b""


def line_end(data: bytes, at: int) -> int:
    """Where the line, or the string that holds it, ends."""
    match = _LINE.match(data, at, at + VALUE_MAX)
    return match.end() if match else at


def at_line_start(data: bytes, at: int) -> bool:
    """Does a setting begin here: only a diff's mark, `export` or a list's dash before it?"""
    before = data[max(0, at - _LINE_START_MAX) : at]
    begin = max(before.rfind(end) + len(end) if end in before else 0 for end in _LINE_ENDS)
    return bool(_LINE_START.fullmatch(before, begin)) or not before.strip(b" \t")


def is_secret_field(level: Grade, value: bytes) -> bool:
    """Is a JSON value under a name of this grade a secret?"""
    if not value.strip() or is_placeholder(value):
        return False
    if level is Grade.PASSWORD:
        return True
    if level is Grade.COOKIE:
        return b"=" in value
    return level is Grade.STRONG and _strong(value, quoted_value=True, setting=False)


def value_beside(data: bytes, at: int, beside: Beside) -> tuple[int, int] | None:
    """Start and end of the secret at `at`; None if what stands there is none."""
    while data[at : at + 1] in (b" ", b"\t"):
        at += 1
    inside = quoted(data, at)
    if inside is not None:
        return inside if _accepts_quoted(data[inside[0] : inside[1]], beside) else None
    if beside.separator == b" " and not beside.option:
        return None
    tag = data[beside.name_at - 1 : beside.name_at] == b"<"
    if beside.separator == b">" and not tag:
        return None
    setting = tag or (
        beside.separator in ((b":",) if beside.spaced else (b"=", b":")) and at_line_start(data, beside.name_at)
    )
    match = _TO_SPACE.match(data, at, at + VALUE_MAX) if setting and beside.separator == b"=" else None
    value = match[0].rstrip(b",;") if match else bare(data, at)
    if value in (b"|", b"|-", b">", b">-"):  # YAML: the value is the next line
        following = re.compile(rb"[^\n]*\n[ \t]*([^\n]+)").match(data, at)
        return following.span(1) if following and not is_placeholder(following[1]) else None
    if tag or (not setting and beside.separator in (b"=", b":", b":=", b"=>")):
        value = _ENDS_VALUE.split(value, maxsplit=1)[0]
    if b"-----BEGIN" in value or not _accepts_bare(data, at, value, beside, setting):
        return None
    return at, at + len(value)


def _accepts_quoted(value: bytes, beside: Beside) -> bool:
    if is_placeholder(value) or b"-----BEGIN" in value:
        return False
    if beside.grade is Grade.PASSWORD:
        return len(value) >= 3 and not _is_label(value, beside)
    if beside.grade is Grade.STRONG:
        return _strong(value, quoted_value=True, setting=False)
    return looks_random(value) and not is_id(value)


def _is_label(value: bytes, beside: Beside) -> bool:
    """Words for people rather than a password: "Password", "Enter your password"."""
    if b" " in value.strip():
        if re.search(rb"(?i)phrase|mnemonic", beside.name):
            return False
        return not re.search(rb"[0-9@#$^&*_=+~|]", value) or len(value) > 64
    return bool(_KEY_WORD.search(value)) and _is_plain_word(value)


def _accepts_bare(data: bytes, at: int, value: bytes, beside: Beside, setting: bool) -> bool:
    if len(value) < 3 or is_placeholder(value) or (is_code(value) and not _is_plain_word(value) and not setting):
        return False
    if setting and (b"(" in value or _DOTTED.match(value)):
        return False
    if beside.separator == b"is":
        return len(value) >= 6 and _mixed(value) and not is_id(value)
    if beside.grade is Grade.PASSWORD:
        if not _is_plain_word(value):
            return len(value) >= 6 or not value.isdigit() or setting
        alone = re.match(rb"[ \t]*(?:#.*)?(?:[\r\n\"'&<]|\\+[nr\"]|\Z)", data[at + len(value) : at + len(value) + 40])
        chosen = beside.option or (beside.separator == b"=" and beside.name.isupper())
        return bool((setting and alone) or chosen or (alone and not beside.spaced)) and not (
            _KEY_WORD.search(value) and not beside.name.isupper()
        )
    if beside.grade is Grade.STRONG:
        return _strong(value, quoted_value=False, setting=setting and beside.name.isupper())
    return looks_random(value) and not is_id(value)


def _strong(value: bytes, *, quoted_value: bool, setting: bool) -> bool:
    if b" " in value or _PATH.match(value) or _DOTTED.match(value) or value.startswith((b"http:", b"https:")):
        return False
    if setting:
        return len(value) >= 6 and not value.isdigit()
    if looks_random(value) or (len(value) >= 16 and _ID.match(value) and not value.isdigit() and b":" not in value):
        return True
    if _IDENTIFIER.match(value) and not quoted_value:
        return len(value) >= 12 and _mixed(value) and b"_" not in value
    return len(value) >= 8 and _mixed(value)


def _mixed(value: bytes) -> bool:
    return any(48 <= c <= 57 for c in value) and any(65 <= (c & 0xDF) <= 90 for c in value)
