"""The SKILL.md format: write one, read one back after people edited it, and say what is wrong with one.

The Agent Skills specification (agentskills.io, August 2026) with the narrower choices every host takes:
ASCII names, a description of one line without angle brackets, our own data only under `metadata`.
Every line that a correction carries ends in a comment that names it, so that provenance survives in the file.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import JSON, SkillLine, SkillRevision
from hivemind_cli.core.text import tokens_about
from hivemind_cli.skills.frontmatter import Value, read_front_matter, scalar

NAME_CHARS_MAX = 64
DESCRIPTION_CHARS_MAX = 1024
BODY_LINES_MAX = 500
BODY_TOKENS_MAX = 5000
HEADINGS = {"when": "When", "do": "Do", "do_not": "Do not", "note": "Notes"}
"""SkillLine.section -> heading, in the order of the file."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FIELDS = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
_SECTIONS = {heading.casefold(): section for section, heading in HEADINGS.items()} | {
    "don't": "do_not",
    "don’t": "do_not",
    "note": "note",
}
_EVIDENCE = re.compile(r"[ \t]*<!--\s*hm:([^>]*?)-->")
_FORGED = re.compile(r"<!--\s*hm:|-->")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*")
_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(\S.*?)\s*")
_CODE_FENCE = re.compile(r"\s*(```|~~~)")
_LETTERS = dict(
    zip(
        "абвгдезийклмнопрстуфхцыэіґєαβγδεζηικλμνξοπρσςτυφω",
        "abvgdeziyklmnoprstufhcyeigeavgdeziiklmnxoprsstyfo",
        strict=True,
    )
) | {
    "ж": "zh",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ю": "yu",
    "я": "ya",
    "ъ": "",
    "ь": "",
    "θ": "th",
    "χ": "ch",
    "ψ": "ps",
}
"""Cyrillic and Greek letters, marks taken off, as they are commonly written in Latin ones."""
_HANGUL = re.compile("[\uac00-\ud7a3]")
_JOINERS = "\u200c\u200d"
"""Invisible, but words of Persian and Hindi, and emoji, need them."""


class SkillFault(HivemindError):
    """A SKILL.md cannot be read."""


@dataclass(frozen=True, slots=True)
class ParsedSkill:
    """What a SKILL.md says."""

    name: str
    description: str
    metadata: dict[str, str]
    title: str
    lines: tuple[SkillLine, ...]
    """Every bullet, in file order; those under headings we do not know count as notes."""
    body: str
    """All after the front matter, with plain line ends, otherwise verbatim."""
    numbers: tuple[int, ...] = ()
    """For each of `lines`, where it begins in the file, from 1."""


def render(revision: SkillRevision) -> str:
    """The SKILL.md of `revision`; with `body` set, the front matter and that body verbatim.

    Text is made fit for its place first (`fit_description`, `fit_line`), so the file always validates.
    """
    title = fit_line(revision.title) or revision.name
    description = fit_description(revision.trigger) or fit_description(title) or revision.name
    head = [
        "---",
        f"name: {revision.name}",
        f"description: {scalar(description, quote=True)}",
        "metadata:",
        f"  hivemind-id: {scalar(revision.skill_id)}",
        f'  hivemind-version: "{revision.version}"',
        f"  hivemind-scope: {scalar(revision.scope.value)}",
        f"  hivemind-drafter: {scalar(fit_line(revision.drafter) or 'unknown')}",
        *(f"  hivemind-applies: {scalar(applies, quote=True)}" for applies in [_applies(revision.applies)] if applies),
        "---",
    ]
    front = "\n".join(head) + "\n"
    if revision.body:
        return front + revision.body
    return f"{front}# {title}\n" + "".join(f"{line}\n" for line in _sections(revision.lines, evidence=True))


def sections(revision: SkillRevision) -> str:
    """What an agent is to read: the body without title and provenance comments."""
    if not revision.body:
        return "\n".join(_sections(revision.lines, evidence=False))
    lines = _EVIDENCE.sub("", revision.body).strip().split("\n")
    if lines[0].startswith("# "):
        del lines[0]
    return "\n".join(lines).strip()


def parse(text: str) -> ParsedSkill:
    """What `text` says, as people leave it: CRLF, a byte order mark, other headings. SkillFault: no front matter."""
    fields, body, body_at = _split(text)
    name, description, metadata = (fields.get(key, "") for key in ("name", "description", "metadata"))
    for key, value in (("name", name), ("description", description)):
        if not isinstance(value, str) or not value.strip():
            raise SkillFault(
                f"The SKILL.md has no {key}.",
                why=f"Its front matter lacks a line `{key}: ...`.",
                fix=f"Add `{key}:` between the two `---` lines, or undo the edit.",
            )
    title, lines, numbers = _read_body(body, body_at)
    return ParsedSkill(
        name=str(name).strip(),
        description=" ".join(str(description).split()),
        metadata=metadata if isinstance(metadata, dict) else {},
        title=title,
        lines=lines,
        body=body,
        numbers=numbers,
    )


def without(body: str, falls: Callable[[SkillLine], bool], gone: Collection[str]) -> str:
    """A Markdown body without the bullets that `falls` says, and without the corrections `gone` in what is left."""
    _, lines, numbers = _read_body(body, 0)
    bullets = dict(zip(numbers, lines, strict=True))
    kept = []
    dropping = False
    for number, line in enumerate(body.split("\n")):
        if number in bullets:
            dropping = falls(bullets[number])
        elif not (line[:1] in (" ", "\t") and line.strip()):
            dropping = False
        if not dropping:
            kept.append(_EVIDENCE.sub(lambda found: _left(found, gone), line))
    return "\n".join(kept)


def check(text: str, folder_name: str) -> list[str]:
    """What a host may refuse or cut in this SKILL.md, as sentences; [] is well."""
    try:
        fields, body, _ = _split(text)
    except SkillFault as fault:
        return [str(fault)]
    unknown = [key for key in fields if key not in _FIELDS]
    problems = [f"The front matter has a field `{key}` that the specification does not know." for key in unknown]
    problems += _check_name(fields.get("name", ""), folder_name)
    problems += _check_description(fields.get("description", ""))
    compatibility = fields.get("compatibility", "")
    if isinstance(compatibility, str) and len(compatibility) > 500:
        problems.append("The compatibility note is longer than 500 characters.")
    if not isinstance(fields.get("metadata", {}), dict):
        problems.append("`metadata` must be a block of `key: value` lines.")
    count = body.count("\n") + 1
    if count >= BODY_LINES_MAX:
        problems.append(f"The body has {count} lines; keep it under {BODY_LINES_MAX}.")
    if (tokens := tokens_about(body)) > BODY_TOKENS_MAX:
        problems.append(f"The body has about {tokens} tokens; keep it under {BODY_TOKENS_MAX}.")
    return problems


def fit_line(text: str) -> str:
    """`text` on one line, without characters that nobody sees and without comments that look like provenance."""
    return _FORGED.sub("", _visible(text)).strip()


def fit_description(text: str) -> str:
    """`text` as a description: one line, no angle brackets, at most DESCRIPTION_CHARS_MAX, cut at a word."""
    line = " ".join(_visible(text).replace("<", " ").replace(">", " ").split())
    if len(line) <= DESCRIPTION_CHARS_MAX:
        return line
    cut = line[: DESCRIPTION_CHARS_MAX - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def skill_name(words: str, taken: Collection[str], fallback: str) -> str:
    """A valid name made of `words`, else of `fallback` (where most letters are not Latin), and not in `taken`."""
    slug = _slug(words) or _slug(fallback) or "skill"
    name, n = slug, 1
    while name in taken:
        n += 1
        suffix = f"-{n}"
        name = slug[: NAME_CHARS_MAX - len(suffix)].rstrip("-") + suffix
    return name


def valid_name(name: str) -> bool:
    """Lower case ASCII letters and digits, single hyphens between, at most NAME_CHARS_MAX."""
    return len(name) <= NAME_CHARS_MAX and _NAME.fullmatch(name) is not None


def _applies(applies: JSON) -> str:
    """What the evidence narrows a skill to, as people read it: "tools: make; versions: node 20"."""
    parts = [f"{key}: {', '.join(map(str, applies[key]))}" for key in ("tools", "languages") if applies.get(key)]
    if versions := applies.get("versions"):
        parts.append("versions: " + ", ".join(f"{tool} {version}" for tool, version in versions.items()))
    if applies.get("everywhere"):
        parts.append("everywhere")
    return fit_line("; ".join(parts))


def _sections(lines: Sequence[SkillLine], *, evidence: bool) -> Iterator[str]:
    for section, heading in HEADINGS.items():
        bullets = [line for line in lines if _known(line.section) == section and fit_line(line.text)]
        if bullets:
            yield f"## {heading}"
        for line in bullets:
            mark = f" <!-- hm:{','.join(f'c_{one}' for one in line.correction_ids)} -->" if line.correction_ids else ""
            yield f"- {fit_line(line.text)}{mark if evidence else ''}"


def _known(section: str) -> str:
    return section if section in HEADINGS else "note"


def _split(text: str) -> tuple[dict[str, Value], str, int]:
    """Fields, body, and the body's first line in the file, from 1."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != "---":
        raise SkillFault(
            "The SKILL.md has no front matter.",
            why="It does not begin with a `---` line.",
            fix="Put `---`, `name: ...`, `description: ...`, `---` at its top, or undo the edit.",
        )
    end = next((n for n, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), None)
    if end is None:
        raise SkillFault(
            "The SKILL.md's front matter does not end.",
            why="No second `---` line follows.",
            fix="Put a `---` line after the metadata, or undo the edit.",
        )
    return read_front_matter(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _read_body(body: str, at: int) -> tuple[str, tuple[SkillLine, ...], tuple[int, ...]]:
    """Title, bullets, and the bullets' line numbers."""
    title, section = "", "note"
    found: list[tuple[int, str, list[str]]] = []
    in_code = after_bullet = False
    for number, line in enumerate(body.split("\n"), start=at):
        if _CODE_FENCE.match(line):
            in_code, after_bullet = not in_code, False
        elif in_code:
            continue
        elif heading := _HEADING.fullmatch(line):
            after_bullet = False
            if heading[1] == "#" and not title:
                title = heading[2]
            else:
                section = _SECTIONS.get(heading[2].casefold().rstrip(":"), "note")
        elif bullet := _BULLET.fullmatch(line):
            found.append((number, section, [bullet[1]]))
            after_bullet = True
        elif after_bullet and line[:1] in (" ", "\t") and line.strip():
            found[-1][2].append(line.strip())
        else:
            after_bullet = False
    lines = tuple(_line(section, " ".join(parts)) for _, section, parts in found)
    kept = [(line, number) for line, (number, _, _) in zip(lines, found, strict=True) if line.text]
    return title, tuple(line for line, _ in kept), tuple(number for _, number in kept)


def _line(section: str, text: str) -> SkillLine:
    marks = [mark for found in _EVIDENCE.finditer(text) for mark in _ids(found)]
    ids = tuple(dict.fromkeys(mark.removeprefix("c_") for mark in marks))
    return SkillLine(section=section, text=_EVIDENCE.sub("", text).strip(), correction_ids=ids)


def _left(mark: re.Match[str], gone: Collection[str]) -> str:
    """A comment that names corrections without those `gone`; "" if it names none then."""
    ids = _ids(mark)
    left = [one for one in ids if one.removeprefix("c_") not in gone]
    return mark[0] if left == ids else f" <!-- hm:{','.join(left)} -->" if left else ""


def _ids(mark: re.Match[str]) -> list[str]:
    """As they stand there, with their prefix."""
    return [one for part in mark[1].split(",") if (one := part.strip())]


def _check_name(name: Value, folder_name: str) -> list[str]:
    if not isinstance(name, str) or not valid_name(name):
        return [f"The name {name!r} is not lower case ASCII letters, digits and single hyphens, at most 64."]
    return [] if name == folder_name else [f"The name {name!r} is not its folder's name {folder_name!r}."]


def _check_description(description: Value) -> list[str]:
    if not isinstance(description, str) or not description.strip():
        return ["The description is empty."]
    problems = []
    if len(description) > DESCRIPTION_CHARS_MAX:
        problems.append(f"The description has {len(description)} characters; at most {DESCRIPTION_CHARS_MAX}.")
    if "\n" in description.strip():
        problems.append("The description has more than one line.")
    if "<" in description or ">" in description:
        problems.append("The description holds `<` or `>`, which some hosts take for markup.")
    return problems


def _visible(text: str) -> str:
    """`text` on one line, without controls, marks of direction, other invisible characters, and broken ones."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(_kept(char) for char in text).split())


def _kept(char: str) -> str:
    if char.isascii():
        return char if char.isprintable() else " "
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp", "Zs"):
        return " "
    if category in ("Cf", "Cs"):
        return char if char in _JOINERS else ""
    code = ord(char)
    return "" if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF else char


def _slug(words: str) -> str:
    """ "" where more than a third of the letters would be lost: what is left would say something else."""
    kept: list[str] = []
    lost = 0
    folded = _HANGUL.sub(_romanized, unicodedata.normalize("NFKC", words)).casefold().replace("й", "y")
    for char in unicodedata.normalize("NFKD", folded):
        if char.isascii():
            kept.append(char if char.isalnum() else " " if char not in "'`" else "")
        elif (latin := _latin(char)) is not None:
            kept.append(latin)
        elif unicodedata.category(char) not in ("Mn", "Cf"):
            kept.append("" if char == "’" else " ")
            lost += char.isalpha()
    slug = "-".join("".join(kept).split())
    if 2 * lost > sum(char.isalpha() for char in slug) or not any(char.isalpha() for char in slug):
        return ""
    if len(slug) > NAME_CHARS_MAX:
        cut = slug[: NAME_CHARS_MAX + 1]
        slug = cut.rsplit("-", 1)[0] if "-" in cut else cut[:NAME_CHARS_MAX]
    return slug


def _romanized(syllable: re.Match[str]) -> str:
    return unicodedata.name(syllable.group()).rpartition(" ")[2].lower()


def _latin(char: str) -> str | None:
    """ø -> o, æ -> ae, ж -> zh: what NFKD leaves alone, by its Unicode name or our table; None for other scripts."""
    if char in _LETTERS:
        return _LETTERS[char]
    found = re.fullmatch(r"LATIN SMALL LETTER ([A-Z]{1,2})(?: WITH .*)?", unicodedata.name(char, ""))
    return found[1].lower() if found else None
