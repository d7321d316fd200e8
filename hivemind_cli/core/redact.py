"""Secrets out, everything else unchanged: what passes here may be stored, sent or logged.

One combined pattern (RE2: linear in the text, whatever the text) finds vendor tokens, key blocks, URLs with a
password, headers, and the names beside which a value is a secret; the value beside a name is then judged here,
by its form and the strength of the name. Ids, hashes, UUIDs and paths are no secrets unless the name says so.
What is found is replaced whole by `[redacted:<kind>]`; `<private>...</private>` by `[private]`.
"""

import base64
import binascii
import re
from functools import lru_cache
from typing import Any, NamedTuple

import re2

from hivemind_cli.core import secret_values
from hivemind_cli.core.secret_values import Beside, Grade, grade, is_placeholder

DEPTH_MAX = 200
"""Of lists and objects in `tree`; what lies deeper is replaced, for nobody can say what it is."""
PRIVATE = "[private]"
_ROUNDS_MAX = 4
"""A replacement may lay bare another secret; the second round nearly always finds nothing."""
_AGAIN_MAX = 512
"""Bytes of a match that proved no secret are searched again for one inside, if so few: the work stays linear."""
CUT_MARGIN_CHARS = 8192
"""Text is read so far behind where it is cut, so that no secret is halved, and so missed."""
_NAME_MAX = 64
"""Bytes looked back for the whole of a key's name."""

_NAMES = (
    r"(?:api|access|secret|private) key|pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|key|auth|cookie"
    r"|session|sess|sid|sessid|mnemonic|seed phrase"
)
# The named group is what is replaced. Where it ends in `_head`, it is what stands before the value.
_KINDS: dict[str, str] = {
    "pem_head": r"-----BEGIN [A-Z0-9 ]{0,40}-----|---- BEGIN [A-Z0-9 ]{0,40} ----|PuTTY-User-Key-File-[0-9]:",
    "pem_end_head": r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    "github": r"gh[pousr]_[A-Za-z0-9_]{20,}(?:\.[A-Za-z0-9_-]{16,}){0,2}|github_pat_[A-Za-z0-9_]{20,}",
    "gitlab": r"gl(?:pat|dt|rt|ptt|ft|soat|cbt|imt|agent|oas|wt|ffct)-[A-Za-z0-9_.=-]{18,}",
    "slack": r"xox[abceoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}|xoxe\.[A-Za-z0-9.-]{10,}",
    "webhook": r"hooks\.slack\.com\\?/(?:services|workflows|triggers)[A-Za-z0-9/_+\\-]{16,}"
    r"|discord(?:app)?\.com\\?/api\\?/webhooks[A-Za-z0-9/_\\-]{16,}|webhook\.office\.com/[A-Za-z0-9/@_-]{20,}",
    "stripe": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
    "anthropic": r"sk-ant-[A-Za-z0-9_-]{16,}",
    "openai_check": r"sk-[A-Za-z0-9_-]{20,}",
    "google": r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_.-]{20,}|GOCSPX-[A-Za-z0-9_-]{16,}|1//0[A-Za-z0-9_-]{30,}",
    "azure": r"(?:AccountKey|SharedAccessKey|SharedSecret)=[A-Za-z0-9+/\\]{20,}(?:=|%3D|\\u003d){0,2}"
    r"|[?&;]sig=[A-Za-z0-9%+/=_-]{20,}|[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{30,}",
    "npm": r"npm_[A-Za-z0-9]{30,}",
    "pypi": r"pypi-[A-Za-z0-9_-]{40,}",
    "huggingface": r"hf_[A-Za-z0-9]{28,}|api_org_[A-Za-z0-9]{28,}",
    "twilio_check": r"SK[0-9a-f]{32}",
    "hivemind": r"hmt_[a-z0-9]{8}_[A-Za-z0-9]{40,}",
    "sendgrid": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "mailgun_check": r"key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}|[0-9a-f]{32}-us[0-9]{1,2}",
    "telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}",
    "discord_check": r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}",
    "jwt": r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{4,}){1,4}",
    "age": r"AGE-SECRET-KEY-1[A-Z0-9]{40,}",
    "service": r"(?:do[oprt]_v1_|shp(?:at|ca|pa|ss)_|sbp_|sbs?_secret_|lin_api_|ntn_|dckr_(?:pat|oat)_|glsa_|gsk_|r8_"
    r"|rubygems_|pscale_(?:tkn|pw|oauth)_|figd_|nfp_|sntry[su]_|secret_|dapi|dop_|fo1_|hvs\.|hvb\.|dp\.(?:pt|st|ct)\."
    r"|xai-|pplx-|pul-|NRAK-|NRII-|PMAK-|HRKU-|ATATT3|ATCTT3|sq0(?:atp|csp)-|EAACEdEose0cBA|FlyV1 fm[12]_)"
    r"[A-Za-z0-9_.=+/-]{24,}",
    "url_password": r"[^\s/:@\"'<>\\`]*:[^\s/?\"'<>\\`]+@",
    "url_token_check": r"[A-Za-z0-9_-]{20,}@",
    "authorization_head": r"(?i:authorization\\*[\"'`]?\]?[ \t]*[:=,][ \t]*\\*[\"'`]?"
    r"(?:(?:bearer|basic|token|digest|apikey|negotiate)[ \t]+)?)",
    "bearer_head": r"(?i:bearer|basic)[ \t]+",
    "curl_head": r"(?:[ \t\"']-u|--user|--proxy-user)[ =\",]{1,4}",
    "option_head": rf"--?[a-z-]{{0,40}}(?i:{_NAMES})(?:[ \t]+|\\*[\"'],[ \t]*\\*[\"'])"
    r"|\blogin\s+\S+\s+password\s+|sshpass -p[ \t]*",
    "keyed_head": rf"(?i:{_NAMES})(?:_?(?i:base|prod|production|dev|staging|test|live|old|new|[0-9]{{1,2}}))?"
    r"(?:\\*[\"'`]?\]?[ \t]*(?:=>|:=|==?|:|>)[ \t]*|[ \t]is:?[ \t]+)|(?i:password|identified by)[ \t]+[\"']",
    "spoken_head": r"(?i:passwor[dt]|passphrase|kennwort|wachtwoord|lösenord|contraseña|mot de passe|senha|parola|hasło"
    r"|şifre|пароль|密码|密碼|口令|パスワード|비밀번호|كلمة المرور|סיסמה|token|(?:api|access|secret)[ -]key)"
    r"(?:[ \t]*(?::|：|=)|[ \t]*(?:ist|es|est|é|è|jest|är|är|это|是|は|が)(?:[ \t:]|：)|は|是|[ \t])[ \t]*",
}
_BEFORE = {"url_password": r":\\?/\\?/", "url_token_check": r":\\?/\\?/"}


def _compile(*, groups: bool, mem_mb: int) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes are bytes: broken UTF-8 hides nothing
    options.max_mem = mem_mb << 20
    options.log_errors = False
    named = {kind: f"(?P<{kind}>{pattern})" if groups else f"(?:{pattern})" for kind, pattern in _KINDS.items()}
    parts = [_BEFORE.get(kind, "") + pattern for kind, pattern in named.items()]
    return re2.compile("|".join(parts).encode(), options)


_ANY = _compile(groups=False, mem_mb=32)
"""Says where something is. Of the memory for its states 11 MB are used; with the default 8 it is five times as slow."""
_PATTERN = _compile(groups=True, mem_mb=8)
"""Says what it is: five times as slow as the other where something is found, so that it is given only that."""
_GROUPS: dict[int, str] = {
    index: (name.decode() if isinstance(name, bytes) else name) for name, index in dict(_PATTERN.groupindex).items()
}
_NAME_BYTES = bytes(sorted(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"))
_CLEAN_CHARS_MAX = 200
_CLEAN_MAX = 8192
_clean: set[str] = set()
"""Short texts without a secret: the same keys, paths and names come with every event."""
_HEAD_BYTES_MAX = 64
_HEADS_MAX = 4096
_heads: dict[bytes, str] = {}
"""Found names and what stands between them and a value -> their kind: few are found again and again."""
_PRIVATE_TAG = re.compile(r"(?i)(?:<|\\+u003c|&lt;)(/?)\s*private\s*(?:>|\\+u003e|&gt;)")
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{0,40}-----|---- END [A-Z0-9 ]{0,40} ----|Private-MAC: *[0-9a-f]+")
_PEM_REST = re.compile(rb"(?:[\s>|+]|\\+[nr])*[A-Za-z0-9+/=]{16}(?:[A-Za-z0-9+/=:,\s>|-]|\\+[nr])*")
_PEM_LINES = re.compile(rb"(?:[A-Za-z0-9+/=]{16,}(?:\\+[nr]|[\s>|+-])+)+\Z")
_PEM_WINDOW = 16_384
_COOKIE = re.compile(rb"[\w.%-]{1,64}=[^\s;,\"']{6,}")


class Span(NamedTuple):
    """What is to be replaced: bytes `start` to `end`, and why."""

    start: int
    end: int
    kind: str


def text(value: str) -> str:
    """`value` without secrets and private parts. Idempotent; text without any is returned as it is."""
    return _redact(value)[0]


def cut(value: str, chars_max: int) -> str:
    """The first `chars_max` characters of `text(value)`; work and memory do not grow with what is cut off."""
    return text(value[: chars_max + CUT_MARGIN_CHARS])[:chars_max]


def found(value: Any) -> list[str]:
    """The kinds of secret in a text or a JSON-like value, in order, with repeats; [] if `text` or `tree` keeps it."""
    kinds: list[str] = []
    if isinstance(value, str):
        return _redact(value)[1]
    _tree(value, "", 0, kinds)
    return kinds


def tree(value: Any) -> Any:
    """A JSON-like value of the same shape, its strings redacted.

    Keys are kept (a key that is itself a secret is replaced); a value under a name such as "password" is replaced
    whole. Below DEPTH_MAX levels everything is replaced. `value` is not changed.
    """
    return _tree(value, "", 0, [])


def _tree(value: Any, name: str, depth: int, kinds: list[str]) -> Any:
    """`name` is that of the secret-named key above, "" if there is none."""
    if depth > DEPTH_MAX and isinstance(value, dict | list | tuple):
        kinds.append("depth")
        return "[redacted:depth]"
    if isinstance(value, dict):
        changed: dict[Any, Any] = {}
        for key, inner in value.items():
            above = _name_above(value, key, name)
            kept = key if not isinstance(key, str) or key in _clean else _string(key, "", kinds)
            while kept != key and kept in changed:
                kept += "+"
            changed[kept] = _tree(inner, above, depth + 1, kinds)
        return changed
    if isinstance(value, list | tuple):
        before = ("", *value)  # an argument list: ["--password", "x"]
        return [_tree(one, name or _option_name(before[i]), depth + 1, kinds) for i, one in enumerate(value)]
    if isinstance(value, str):
        return _string(value, name, kinds)
    if name and isinstance(value, int | float) and not isinstance(value, bool) and _grade_of(name) is Grade.PASSWORD:
        kinds.append("password")
        return "[redacted:password]"
    return value


def _name_above(holder: dict[Any, Any], key: Any, name: str) -> str:
    """The secret name that the value under `key` stands below: the key, the label beside it, or one further up."""
    if isinstance(key, str) and _named(key):
        return key
    label = holder.get("name", holder.get("key")) if key == "value" else None  # {"name": "DB_PASSWORD", "value": "x"}
    if isinstance(label, str) and _named(label):
        return label
    return name if name and _grade_of(name) is Grade.PASSWORD else ""


def _option_name(before: Any) -> str:
    if isinstance(before, str) and before.startswith("-") and len(before) <= _NAME_MAX and _named(before):
        return before
    return ""


def _named(key: str) -> bool:
    return _is_named(key) if len(key) <= _NAME_MAX else _is_header(key)


@lru_cache(maxsize=4096)
def _is_named(key: str) -> bool:
    return _is_header(key) or _grade_of(key) in (Grade.PASSWORD, Grade.STRONG, Grade.COOKIE)


def _is_header(key: str) -> bool:
    return key.lower().endswith("authorization")


@lru_cache(maxsize=4096)
def _grade_of(key: str) -> Grade:
    return grade(key) if len(key) <= _NAME_MAX else Grade.NONE


def _string(value: str, name: str, kinds: list[str]) -> str:
    if not name:
        redacted, inside = _redact(value)
        kinds.extend(inside)
        return redacted
    if _is_header(name):  # a header's value: read it as the header's line
        return _string(f"authorization: {value}", "", kinds).removeprefix("authorization: ")
    redacted, inside = _redact(value)
    raw = value.encode("utf-8", "surrogatepass")
    if secret_values.is_secret_field(_grade_of(name), raw):
        kinds.append(inside[0] if inside else secret_values.kind_of(_grade_of(name)))
        return f"[redacted:{kinds[-1]}]"
    kinds.extend(inside)
    return redacted


def _redact(value: str) -> tuple[str, list[str]]:
    short = len(value) <= _CLEAN_CHARS_MAX
    if short and value in _clean:
        return value, []
    redacted, kinds = _searched(value)
    if short and not kinds:
        if len(_clean) >= _CLEAN_MAX:
            _clean.clear()
        _clean.add(value)
    return redacted, kinds


def _searched(value: str) -> tuple[str, list[str]]:
    kinds: list[str] = []
    if "rivate" in value or "RIVATE" in value:
        value = _without_private(value, kinds)
    for _ in range(_ROUNDS_MAX):
        data = value.encode("utf-8", "surrogatepass")
        spans = _spans(data)
        if not spans:
            break
        parts: list[bytes] = []
        at = 0
        for span in spans:
            parts += (data[at : span.start], f"[redacted:{span.kind}]".encode())
            at = span.end
            kinds.append(span.kind)
        parts.append(data[at:])
        value = b"".join(parts).decode("utf-8", "surrogatepass")
    return value, kinds


def _without_private(value: str, kinds: list[str]) -> str:
    """Nested tags count as one part; a part never closed goes to the end."""
    parts: list[str] = []
    at = depth = 0
    for tag in _PRIVATE_TAG.finditer(value):
        if not tag[1]:
            if depth == 0:
                parts += (value[at : tag.start()], PRIVATE)
                kinds.append("private")
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                at = tag.end()
    if depth == 0:
        parts.append(value[at:])
    return "".join(parts)


def _spans(data: bytes) -> list[Span]:
    """What to replace, in order, without overlaps. Each byte is looked at a bounded number of times."""
    spans: list[Span] = []
    at = 0
    while (match := _ANY.search(data, at)) is not None:
        name, start, end = _named_part(data, *match.span())
        if name.endswith("_head"):
            span = _HEADS[name](data, start, end, spans[-1].end if spans else 0)
        elif name.endswith("_check"):
            span = _checked(name.removesuffix("_check"), data, start, end)
        elif name == "url_password":
            span = _url(data, start, end)
        else:
            span = Span(start, end, name)
        if span is None:
            whole = name.endswith("_head") and name != "spoken_head"
            again = end if whole or end - start > _AGAIN_MAX else start + 1
            at = max(again, at + 1)
        else:
            spans.append(span)
            at = max(span.end, at + 1)
        if at >= len(data):
            break
    return spans


def _named_part(data: bytes, start: int, end: int) -> tuple[str, int, int]:
    """The kind of what `_ANY` found there, and the part of it that is meant."""
    short = end - start <= _HEAD_BYTES_MAX
    if short and (known := _heads.get(data[start:end])):
        return known, start, end
    match = _PATTERN.match(data, start, end)
    name = _GROUPS[match.lastindex]
    if short and name.endswith("_head"):
        if len(_heads) >= _HEADS_MAX:
            _heads.clear()
        _heads[data[start:end]] = name
    return name, *match.span(match.lastindex)


def _word_before(data: bytes, start: int) -> bool:
    """Is the byte before `start` part of a word? The letter of an escape such as \\n is not."""
    if start == 0 or not (data[start - 1 : start].isalnum() or data[start - 1] in b"_-"):
        return False
    return not (data[start - 1] in b"nrtbf" and start > 1 and data[start - 2] == 0x5C)


def _checked(kind: str, data: bytes, start: int, end: int) -> Span | None:
    value = data[start:end]
    if _word_before(data, start) or is_placeholder(value):
        return None
    if kind in ("openai", "discord", "url_token") and not secret_values.looks_random(value):
        return None
    if kind in ("twilio", "mailgun") and data[end : end + 1].isalnum():
        return None
    return Span(start, end - (kind == "url_token"), kind)


def _url(data: bytes, start: int, end: int) -> Span | None:
    user, _, password = data[start : end - 1].partition(b":")
    if is_placeholder(password) or user.startswith(b"[redacted"):
        return None
    return Span(start, end - 1, "url_password")


def _pem(data: bytes, start: int, end: int, _after: int) -> Span | None:
    kind = "private_key" if b"PRIVATE" in data[start:end] or data[start : start + 1] == b"P" else "pem"
    window = data[end : end + _PEM_WINDOW]
    closed = _PEM_END.search(window) if b"END " in window or b"Private-MAC" in window else None
    if closed is not None:
        return Span(start, end + closed.end(), kind)
    rest = _PEM_REST.match(data, end)
    return Span(start, rest.end(), kind) if rest else None


def _pem_tail(data: bytes, start: int, end: int, after: int) -> Span | None:
    """The end of a key whose beginning was cut off."""
    low = max(after, start - 4096)
    lines = _PEM_LINES.search(data[low:start])
    return Span(low + lines.start(), end, "private_key") if lines else None


def _authorization(data: bytes, _start: int, end: int, _after: int) -> Span | None:
    value = secret_values.bare(data, end)
    if len(value) < 8 or is_placeholder(value) or secret_values.is_code(value):
        return None
    return Span(end, end + len(value), "authorization")


def _bearer(data: bytes, start: int, end: int, _after: int) -> Span | None:
    value = secret_values.bare(data, end)
    if data[start : start + 2].lower() == b"ba":
        accepted = len(value) >= 8 and _is_user_and_password(value)
    else:
        accepted = len(value) >= 16 and any(48 <= c <= 57 for c in value) and not secret_values.is_code(value)
    return Span(end, end + len(value), "authorization") if accepted and not is_placeholder(value) else None


def _is_user_and_password(value: bytes) -> bool:
    try:
        return b":" in base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def _curl(data: bytes, start: int, end: int, _after: int) -> Span | None:
    line = data.rfind(b"\n", max(0, start - 2000), start) + 1
    quoted = secret_values.quoted(data, end)
    low, high = quoted if quoted else (end, end + len(secret_values.bare(data, end)))
    user, colon, password = data[low:high].partition(b":")
    if not colon or not password or is_placeholder(password) or b"curl" not in data[line:start]:
        return None
    return Span(low + len(user) + 1, high, "password")


def _keyed(data: bytes, start: int, end: int, after: int) -> Span | None:
    low = max(after, start - _NAME_MAX)
    name_at = low + len(data[low:start].rstrip(_NAME_BYTES))
    while 0 < name_at < start and data[name_at - 1] == 0x5C and data[name_at] in b"nrtbf":
        name_at += 1  # the letter of an escape such as \n
    end -= data[end - 1] in b"\"'" and data[end - 2] in b" \t"  # PASSWORD '...': the quote belongs to the value
    head = data[name_at:end]
    name = head.rstrip(b" \t=:>\"'`]\\")
    separator = head[len(name) :].strip(b" \t\"'`]\\") or b" "
    if name[-3:].lower() == b" is":
        name, separator = name[:-3], b"is"
    level = _grade_of(name.decode("latin-1"))
    if level is Grade.NONE:
        return None
    if level is Grade.COOKIE:
        return _cookie(data, head, end)
    spaced = head[-1:] in (b" ", b"\t")
    return _beside(data, end, Beside(level, name, separator, spaced, option=False, name_at=name_at))


def _option(data: bytes, start: int, end: int, _after: int) -> Span | None:
    name = data[start:end].strip()
    plain = name.split(b",")[0].rstrip(b"\"'\\").decode("latin-1")
    level = Grade.PASSWORD if name.startswith((b"login", b"sshpass")) else _grade_of(plain)
    if level not in (Grade.PASSWORD, Grade.STRONG) or (start and data[start - 1 : start].isalnum()):
        return None
    if name.endswith((b'"', b"'")):  # an argument list: the value is the next string
        end = start + data[start:end].rindex(b",") + 1
    return _beside(data, end, Beside(level, name, b" ", spaced=True, option=True, name_at=start))


def _spoken(data: bytes, start: int, end: int, _after: int) -> Span | None:
    """Prose: "the password is X", "Passwort: X", "use token X"; only what no word of any language looks like."""
    if _word_before(data, start):
        return None
    opening = secret_values.quoted(data, end)
    low, high = opening if opening else (end, end + len(secret_values.bare(data, end)))
    named = data[end - 1] not in b" \t" or data[start:end].rstrip()[-1:] not in b"dtens"
    if not secret_values.is_chosen(data[low:high], named=named):
        return None
    return Span(low, high, "password" if data[start : start + 1].lower() not in b"ats" else "secret")


def _beside(data: bytes, at: int, beside: Beside) -> Span | None:
    value = secret_values.value_beside(data, at, beside)
    if value is None:
        return None
    kind = secret_values.kind_of(beside.grade)
    inner = _PATTERN.search(data[value[0] : value[1]])
    if inner is not None:  # the vendor's name says more than the key's
        vendor = _GROUPS[inner.lastindex]
        kind = kind if vendor.endswith("_head") else vendor.removesuffix("_check")
    return Span(value[0], value[1], kind)


def _cookie(data: bytes, head: bytes, end: int) -> Span | None:
    if head.rstrip()[-1:] not in (b":", b"="):
        return None
    if not _COOKIE.search(data, end, end + 256):
        return None
    quoted = secret_values.quoted(data, end)
    low, high = quoted if quoted else (end, secret_values.line_end(data, end))
    line = data[low:high]
    if not _COOKIE.search(line) or b"(" in line or is_placeholder(line):
        return None
    return Span(low, high, "cookie")


_HEADS = {
    "pem_head": _pem,
    "pem_end_head": _pem_tail,
    "authorization_head": _authorization,
    "bearer_head": _bearer,
    "curl_head": _curl,
    "option_head": _option,
    "keyed_head": _keyed,
    "spoken_head": _spoken,
}
