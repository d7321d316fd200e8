"""What must hold of every skill, whatever a model answered: each claim as a sentence that says how it is broken."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from skills_ref.parser import parse_frontmatter
from skills_ref.validator import validate, validate_metadata

from hivemind_cli.core import redact
from hivemind_cli.core.records import Correction, CorrectionKind, SkillLine, SkillRevision
from hivemind_cli.skills.format import check, parse, render

NAME_CHARS_MAX, DESCRIPTION_CHARS_MAX, BODY_LINES_MAX = 64, 1024, 500
_WHEN = re.compile(r"Use (?:this )?(?:when|whenever|before|after|while)\b")
_RULES = ("do", "do_not")


def broken(revision: SkillRevision, corrections: Mapping[str, Correction]) -> list[str]:
    """How `revision`, made by a drafter, breaks its claims; [] if it keeps them all.

    corrections  those of its workspace, by id
    """
    return [
        *_evidence(revision, corrections),
        *_shape(revision),
        *(f"{where} holds U+{ord(char):04X}" for where, text in _texts(revision) for char in _unseen(text)),
        *(f"{where} holds a secret" for where, text in _texts(revision) if "[redacted:" in text or redact.found(text)),
        *_file(render(revision), revision),
    ]


def broken_files(tree: Path) -> list[str]:
    """How the SKILL.md files below `tree`'s `.claude` break the specification."""
    return [f"{file.parent.name}: {one}" for file in skill_files(tree) for one in validate(file.parent)]


def skill_files(tree: Path) -> list[Path]:
    return sorted((tree / ".claude" / "skills").glob("*/SKILL.md"))


def _evidence(revision: SkillRevision, corrections: Mapping[str, Correction]) -> Iterator[str]:
    if not any(line.section in _RULES for line in revision.lines):
        yield "it has no rule"
    for line in revision.lines:
        if not line.correction_ids:
            yield f"no correction carries {line.text!r}"
        for id in line.correction_ids:
            yield from _no_persons_word(line, corrections.get(id), revision)


def _no_persons_word(line: SkillLine, correction: Correction | None, revision: SkillRevision) -> Iterator[str]:
    if correction is None:
        yield f"{line.text!r} rests on a correction that is not in the store"
        return
    own = (correction.workspace_id, correction.project_id)
    if own != (revision.workspace_id, revision.project_id):
        yield f"{line.text!r} rests on another project's correction"
    by_hand = correction.kind is CorrectionKind.HAND_EDIT and correction.after.strip()
    if not correction.quote.strip() and not by_hand:
        yield f"{line.text!r} rests on a correction without a person's word"


def _shape(revision: SkillRevision) -> Iterator[str]:
    parsed = parse(render(revision))
    if not 0 < len(revision.name) <= NAME_CHARS_MAX:
        yield f"its name has {len(revision.name)} characters"
    if not 0 < len(parsed.description) <= DESCRIPTION_CHARS_MAX:
        yield f"its description has {len(parsed.description)} characters"
    if not _WHEN.match(parsed.description):
        yield f"its description does not begin with when to use it: {parsed.description[:60]!r}"
    if (count := parsed.body.count("\n") + 1) > BODY_LINES_MAX:
        yield f"its body has {count} lines"


def _file(text: str, revision: SkillRevision) -> Iterator[str]:
    yield from check(text, revision.name)
    metadata, _ = parse_frontmatter(text)
    yield from (str(one) for one in validate_metadata(metadata))
    parsed = parse(text)
    if revision.body:
        return
    said = [(line.section, line.text, line.correction_ids) for line in parsed.lines]
    order = ["when", "do", "do_not", "note"]
    meant = sorted(revision.lines, key=lambda line: order.index(line.section))
    if said != [(line.section, line.text, line.correction_ids) for line in meant]:
        yield f"its file says other lines than it: {said}"
    if (parsed.name, parsed.title) != (revision.name, revision.title):
        yield f"its file says {parsed.name!r}, {parsed.title!r}, not {revision.name!r}, {revision.title!r}"


def _texts(revision: SkillRevision) -> Iterator[tuple[str, str]]:
    yield from (("its name", revision.name), ("its title", revision.title), ("its description", revision.trigger))
    yield ("its reason", revision.reason)
    yield from ((f"a line under {line.section}", line.text) for line in revision.lines)


def _unseen(text: str) -> Iterable[str]:
    """Controls, line ends, marks of direction, tags, and halves of characters; joiners within words may be."""
    kept: Collection[str] = "\u200c\u200d"
    return sorted({char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - set(kept))
