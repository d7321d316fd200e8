"""What a project's own rules files (CLAUDE.md, AGENTS.md, ...) say to a new skill: the opposite, or the same.

The files are read by the app, never here: a stage touches no disk.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import SkillLine
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.pipeline.codify.draft import RULES
from hivemind_cli.pipeline.codify.evidence import against, overlap
from hivemind_cli.pipeline.codify.faults import meant
from hivemind_cli.pipeline.wording import Polarity

SAME_MIN = 0.8
"""Overlap, both ways, from which a rules file says what a line says."""
TERMS_MIN = 2
"""A rule of fewer topic terms contradicts nothing: it says too little."""
_FORBIDDING = re.compile(r"\b(?:don['’]?ts?|do not|never|avoid|forbidden|prohibited|anti-?patterns?)\b", re.IGNORECASE)

_CODE = re.compile(r"`+([^`]+)`+")


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One sentence of a rules file."""

    file: str
    """As a person names it: relative to the project, or ~/..."""
    number: int
    """From 1."""
    text: str
    """Without a list's mark."""
    heading: str = ""
    """The nearest heading above it."""

    @property
    def place(self) -> str:
        """file:line."""
        return f"{self.file}:{self.number}"


Rules = Callable[[str], Sequence[RuleLine]]
"""project_id -> what its rules files say by now."""


def no_rules(_project_id: str) -> Sequence[RuleLine]:
    """Where nobody reads files."""
    return ()


def contradicted(lines: Sequence[SkillLine], rules: Sequence[RuleLine]) -> tuple[RuleLine, str] | None:
    """The first rule that wants the opposite of one of `lines`, and that line's text; None if there is none."""
    told = [(line.text, meant(line.text, line.section)) for line in lines if line.section in RULES]
    refused = list(_refused(lines))
    for rule in rules:
        wants = _wants(rule)
        if len(content(rule.text)) >= TERMS_MIN:
            for text, line in told:
                if against(_explicit(text, line), wants):
                    return rule, text
            for text, program, terms in refused:
                if terms <= wants.wanted and _uses(program, terms, rule.text):
                    return rule, text
    return None


def _refused(lines: Sequence[SkillLine]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Each `do` line that refuses a command of a `do_not` line; the program; the command's terms it refuses."""
    codes = [code for line in lines if line.section == "do_not" for code in _CODE.findall(line.text)]
    heads = {head for code in codes for head in Act(SHELL, "", command=code).heads[:1]}
    for line in lines:
        said = Polarity.of(line.text) if line.section == "do" else Polarity(frozenset(), frozenset())
        for head in heads:
            program = content(head.split()[0])
            if program and program <= said.unwanted and not program & said.wanted:
                yield line.text, head.split()[0], said.unwanted & content(head)


def _uses(program: str, terms: frozenset[str], rule: str) -> bool:
    """Does a rule name `program` as what to run, and not as a part of another thing's name?"""
    if any(code.split()[:1] == [program] for code in _CODE.findall(rule)):
        return True
    for found in re.finditer(rf"(?<![\w./-]){re.escape(program)}(?![\w/-]|\.\w)(?:[ \t]+(\w+))?", rule, re.IGNORECASE):
        if not found[1] or found[1].lower() in STOPWORDS or content(found[1]) <= terms:
            return True
    return False


def said_already(lines: Sequence[SkillLine], rules: Sequence[RuleLine]) -> RuleLine | None:
    """The first rule that says what one of the `do` lines says, in much the same words."""
    texts = [line.text for line in lines if line.section == "do"]
    return next((rule for rule in rules if any(_same(text, rule.text) for text in texts)), None)


def _wants(rule: RuleLine) -> Polarity:
    """What a rule wants; under a heading that forbids, all that it names is unwanted."""
    if _FORBIDDING.search(rule.heading):
        return meant(rule.text, "do_not")
    said = Polarity.of(rule.text)
    return said if said.wanted or said.unwanted else Polarity(content(rule.text), frozenset())


def _explicit(text: str, line: Polarity) -> Polarity:
    """What a `do` line wants by its own little words, if it has any: all its words would be too many."""
    said = Polarity.of(text)
    return said if line.wanted and (said.wanted and said.unwanted) else line


def _same(text: str, rule: str) -> bool:
    few, many = sorted((len(content(text)), len(content(rule))))
    return overlap(text, rule) >= SAME_MIN and few >= max(TERMS_MIN, SAME_MIN * many)
