"""The drafter without a model: the person's words are the rule, the moment is the trigger; nothing is invented."""

from collections.abc import Collection, Sequence

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind, SkillLine
from hivemind_cli.core.terms import terms
from hivemind_cli.pipeline.codify.draft import (
    LINE_CHARS_MAX,
    TITLE_CHARS_MAX,
    TRIGGER_CHARS_MAX,
    Draft,
    shortened,
)
from hivemind_cli.pipeline.codify.phrasing import (
    leading,
    name_words,
    refused,
    sentences,
    title_of,
    typed,
    without_filler,
    without_stories,
)
from hivemind_cli.pipeline.wording import denies
from hivemind_cli.skills.format import HEADINGS, fit_description, fit_line

_TASK_CHARS_MAX = 80
_TASK_TERMS_MIN = 2
"""A prompt with fewer ("go on", "yes") tells no moment."""
_CODE_CHARS_MAX = 120
_FALLBACK_WORDS_MAX = 3
_VERBS = {SHELL: "about to run", EDIT: "writing files like", READ: "reading files like"}


def draft(corrections: Sequence[Correction]) -> Draft:
    """A skill from corrections of one mistake, oldest first; the newest in words leads."""
    said = [one for one in corrections if one.quote.strip()]
    lead = said[-1] if said else corrections[-1]
    rule, told = rule_of(lead), _told(lead)
    lines = [line for one in corrections for line in lines_of(one, quiet=bool(said))]
    return Draft(
        name=" ".join(name_words(told)),
        fallback=_fallback(lead, rule),
        title=_title(told),
        trigger=_trigger(lead, rule, told),
        lines=_joined(lines),
        reason="from the person's words" if said else "from the person's own changes",
    )


def rule_of(correction: Correction) -> str:
    """What the person asked for, verbatim but for a leading filler; for a silent edit, the change itself."""
    if correction.quote.strip():
        return fit_line(_told(correction))
    after, before = _changed(correction)
    return f"{_code(after)}, not {_code(before)}" if before else _code(after)


def _told(correction: Correction) -> str:
    """As `rule_of`, with the line breaks of the person's words."""
    return without_filler(typed(correction.quote).strip()) if correction.quote.strip() else rule_of(correction)


def lines_of(correction: Correction, *, quiet: bool = False) -> list[SkillLine]:
    """The lines one correction carries. `quiet`: others say it in words, so a silent one only adds its change."""
    ids = (correction.id,)
    lines = [_line("when", text, ids) for text in _moments(correction)]
    if correction.quote.strip():
        rule = rule_of(correction)
        long = len(rule) > LINE_CHARS_MAX
        parts = without_stories(sentences(_told(correction))) if long else [rule]
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
    """The act where there is one, else the task: what tells the moment best."""
    return [f"{moment[:1].upper()}{moment[1:]}." for moment in _whens(correction)[:1]]


def _whens(correction: Correction) -> list[str]:
    """The moments of the mistake, what the agent was about to do before what it was asked."""
    act = Act.of(correction.act) if correction.act else None
    found = [f"{_VERBS.get(act.kind, 'about to use')} {_code(_named(act))}"] if act and _named(act) else []
    task = without_filler(fit_line(typed(correction.task)))
    if _clean(task) and len(content(task)) >= _TASK_TERMS_MIN:
        found.append(f'asked for something like "{shortened(task, _TASK_CHARS_MAX)}"')
    return found


def _act_as_it_was(correction: Correction) -> str:
    """The corrected command; where the person refused what it names, kept to head, options, and what they named.

    "Never tag by hand" is said of every `git tag`; words on how a message should read are not of every `git commit`.
    """
    act = Act.of(correction.act) if correction.act else None
    if act is None or act.kind in (EDIT, READ) or not _clean(act.short) or not _refuses(correction, act):
        return ""
    said = set(correction.quote.split())
    words = [_without_address(word, said) for word in act.short.split()]
    if act.kind != SHELL or not content(act.command) & content(refused(_told(correction))):
        return f"{_code(' '.join(words))}"
    named = content(correction.quote)
    head = set(_named(act).split())
    kept: list[str] = []
    for bare in (word.strip("\"'") for word in words):
        if bare in head or bare.startswith("-") or bare in said or named & content(bare):
            kept.append(bare)
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return f"{_code(' '.join(kept))}"


def _refuses(correction: Correction, act: Act) -> bool:
    """Was the call itself put right, by hand or in words? "Always write British English" came after it by chance."""
    if correction.kind is not CorrectionKind.SAID:
        return True
    quote = correction.quote
    turned_down = refused(quote) or denies(quote) or without_filler(quote) != quote
    return bool(turned_down) or bool(content(f"{act.tool} {act.short}") & content(quote))


def _without_address(word: str, said: Collection[str]) -> str:
    """`word`, but of an address that the person did not say only the option it was given to: it is anybody's."""
    bare = word.strip("\"'")
    if "://" not in bare or bare in said:
        return word
    return f"{bare.split('=', 1)[0]}=…" if bare.startswith("-") and "=" in bare else "…"


def _title(told: str) -> str:
    title = fit_line(title_of(told, TITLE_CHARS_MAX))
    title = title.rstrip(".。!！,;: ")
    return title[:1].upper() + title[1:]


def _trigger(lead: Correction, rule: str, told: str) -> str:
    """When, and what then: a host lists nothing else of a skill."""
    when = f"Use when {', or when '.join(_whens(lead)) or 'working on this project'}: "
    room = TRIGGER_CHARS_MAX - len(fit_description(when))
    text = rule
    if len(rule) > room:
        parts = sentences(told)
        text = " ".join(parts[parts.index(leading(told)) :])
    return fit_description(when + shortened(text, room))


def _fallback(lead: Correction, rule: str) -> str:
    """Words for a name where the rule's own script cannot stand in one: the act, else the Latin words there are."""
    act = Act.of(lead.act) if lead.act else None
    latin = dict.fromkeys(term for term in terms(f"{rule} {lead.task}") if term.isascii() and len(term) > 1)
    about = _named(act) if act else " ".join(list(latin)[:_FALLBACK_WORDS_MAX])
    return f"rule for {about}" if about else ""


def _named(act: Act) -> str:
    """What a person would call the act: command head, path class, or tool."""
    if act.kind == SHELL:
        head = act.heads[0] if act.heads else ""
        return head if head in act.command else head.split()[0]  # `grep -rn word`: the word is no subcommand
    return act.path_class if act.kind in (EDIT, READ) else act.tool


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
