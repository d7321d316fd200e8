"""The drafter without a model: the person's words are the rule, the moment is the trigger; nothing is invented."""

import re
from collections.abc import Sequence

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, SkillLine
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import terms
from hivemind_cli.pipeline.codify.draft import (
    LINE_CHARS_MAX,
    TITLE_CHARS_MAX,
    TRIGGER_CHARS_MAX,
    Draft,
    shortened,
)
from hivemind_cli.skills.format import HEADINGS, fit_description, fit_line

NAME_WORDS_MAX = 6
_TASK_CHARS_MAX = 100
_CODE_CHARS_MAX = 120
_FILLER = re.compile(r"^\W*(?:\w+[ '’]?){1,2}[,.:;!–—、，。！：]+\s*")
"""A beginning of at most two words set off by a mark: "No, ...", "Nein. ..."; dropped only if both carry no topic."""
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"[\w'’-]+")


def draft(corrections: Sequence[Correction]) -> Draft:
    """A skill from corrections of one mistake, oldest first; the newest in words leads."""
    spoken = [one for one in corrections if one.quote.strip()]
    lead = spoken[-1] if spoken else corrections[-1]
    rule = rule_of(lead)
    lines = [line for one in corrections for line in lines_of(one, quiet=bool(spoken))]
    act = Act.of(lead.act) if lead.act else None
    return Draft(
        name=" ".join(_name_words(rule)),
        fallback=_named(act) if act else "",
        title=_title(rule),
        trigger=_trigger(lead, rule, act),
        lines=_joined(lines),
        reason="from the person's words" if spoken else "from the person's own changes",
    )


def rule_of(correction: Correction) -> str:
    """What the person asked for, verbatim but for a leading filler; for a silent edit, the change itself."""
    if correction.quote.strip():
        return without_filler(fit_line(correction.quote))
    after, before = _changed(correction)
    return f"{_code(after)}, not {_code(before)}" if before else _code(after)


def without_filler(quote: str) -> str:
    """`quote` without a leading word or two that its punctuation sets off, if a rule is left."""
    found = _FILLER.match(quote)
    if not found or content(found.group()):  # "Tabs, not spaces": that word is the rule
        return quote
    rest = quote[found.end() :].strip()
    return rest if content(rest) else quote


def lines_of(correction: Correction, *, quiet: bool = False) -> list[SkillLine]:
    """The lines one correction carries. `quiet`: others say it in words, so a silent one only adds its change."""
    ids = (correction.id,)
    lines = [_line("when", text, ids) for text in _moments(correction)]
    if correction.quote.strip():
        rule = rule_of(correction)
        parts = [rule] if len(rule) <= LINE_CHARS_MAX else _sentences(rule)
        lines += [_line("do", shortened(part, LINE_CHARS_MAX), ids) for part in parts]
        was = _act_as_it_was(correction)
        lines += [_line("do_not", was, ids)] if was else []
    elif correction.after.strip():
        after, before = _changed(correction)
        lines += [_line("do", f"As the person changed it: {_code(after)}", ids)]
        lines += [_line("do_not", f"As it was written: {_code(before)}", ids)] if before else []
    return lines if not quiet or correction.quote.strip() else [line for line in lines if line.section != "when"]


def _line(section: str, text: str, ids: tuple[str, ...]) -> SkillLine:
    return SkillLine(section=section, text=text, correction_ids=ids)


def _moments(correction: Correction) -> list[str]:
    act = Act.of(correction.act) if correction.act else None
    if act and _named(act):
        verb = {SHELL: "About to run", EDIT: "Writing files like", READ: "Reading files like"}.get(act.kind)
        return [f"{verb or 'About to use'} {_code(_named(act))}."]
    task = fit_line(correction.task)
    return [f'Asked for something like "{shortened(task, _TASK_CHARS_MAX)}".'] if _clean(task) else []


def _act_as_it_was(correction: Correction) -> str:
    """The corrected command, kept to what makes it the act: head, options, and what the person named."""
    act = Act.of(correction.act) if correction.act else None
    if act is None or act.kind in (EDIT, READ) or not _clean(act.short):
        return ""
    if act.kind != SHELL or not content(act.command) & content(correction.quote):
        return f"{_code(act.short)}"
    named = content(correction.quote)
    said = set(correction.quote.split())
    head = set(_named(act).split())
    kept: list[str] = []
    for word in act.short.split():
        bare = word.strip("\"'")
        if bare in head or bare.startswith("-") or bare in said or named & content(bare):
            kept.append(bare)
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return f"{_code(' '.join(kept))}"


def _title(rule: str) -> str:
    first = rule if len(rule) <= TITLE_CHARS_MAX else _sentences(rule)[0]
    title = shortened(first, TITLE_CHARS_MAX).rstrip(".。")
    return title[:1].upper() + title[1:]


def _trigger(lead: Correction, rule: str, act: Act | None) -> str:
    task = shortened(fit_line(lead.task), _TASK_CHARS_MAX)
    moments = [f'asked for something like "{task}"'] if _clean(task) else []
    if act and _named(act):
        verb = {SHELL: "about to run", EDIT: "writing files like", READ: "reading files like"}.get(act.kind)
        moments.append(f"{verb or 'about to use'} {_code(_named(act))}")
    when = f"Use when {', or when '.join(moments)}. " if moments else ""
    return shortened(fit_description(when + rule), TRIGGER_CHARS_MAX)


def _named(act: Act) -> str:
    """What a person would call the act: command head, path class, or tool."""
    if act.kind == SHELL:
        return act.heads[0] if act.heads else ""
    return act.path_class if act.kind in (EDIT, READ) else act.tool


def _name_words(rule: str) -> list[str]:
    words = [word for word in _WORD.findall(rule) if not set(terms(word)) <= STOPWORDS]
    return words[:NAME_WORDS_MAX]


def _sentences(text: str) -> list[str]:
    parts = [fit_line(part) for part in _SENTENCE.split(text.strip())]
    return [part for part in parts if content(part)] or [fit_line(text)]


def _changed(correction: Correction) -> tuple[str, str]:
    """(after, before): the first changed line of each; lines of both only show the place."""
    new, old = correction.after.splitlines(), correction.before.splitlines()
    after = next((line for line in new if line.strip() and line not in old), "")
    before = next((line for line in old if line.strip() and line not in new), "")
    return fit_line(after), fit_line(before)


def _joined(lines: Sequence[SkillLine]) -> tuple[SkillLine, ...]:
    """Equal lines become one that rests on all their corrections."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        found.setdefault((line.section, line.text), {}).update(dict.fromkeys(line.correction_ids))
    joined = [_line(section, text, tuple(ids)) for (section, text), ids in found.items()]
    order = list(HEADINGS)
    return tuple(sorted(joined, key=lambda line: order.index(line.section)))


def _clean(text: str) -> bool:
    return bool(text.strip()) and "[redacted:" not in text


def _code(text: str) -> str:
    """`text` as Markdown code, backticks inside allowed."""
    short = shortened(fit_line(text), _CODE_CHARS_MAX)
    return f"`` {short} ``" if "`" in short else f"`{short}`"
