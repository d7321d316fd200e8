"""What a person sees of one skill that waits, fitted to the terminal: its words, its evidence, and what it would do."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len

from hivemind_cli.cli.screen import BOLD, CYAN, DIM, GREEN, PLAIN, RED, YELLOW, Line, clipped, flowed, one_line, wrapped

if TYPE_CHECKING:
    from hivemind_cli.app.reading import Why
    from hivemind_cli.app.reviewing import Waiting
    from hivemind_cli.core.records import Correction

BESIDE_COLUMNS_MIN = 72
"""In fewer, two texts stand below each other."""
_SEPARATOR = " │ "
KINDS = {
    "review": "waits for review",
    "draft": "a draft",
    "quarantined": "quarantined",
    "retirement": "live; proposed for retirement",
    "live": "live",
    "retired": "retired",
}
_BODY_MIN = 4


def keys_for(item: "Waiting") -> dict[str, str]:
    """Key -> what it does to this skill."""
    live, retired = item.skill.state.value == "live", item.kind == "retired"
    if live:
        return {"k": "keep", "r": "retire", "e": "edit", "s": "skip"}
    accept = f"accept ({clipped(item.displaces, 24)} retires)" if item.displaces else "accept"
    return {"a": accept, **({} if retired else {"r": "reject"}), "e": "edit", "s": "skip"}


def item_lines(
    item: "Waiting", *, width: int, height: int, place: str, top: int = 0, pending: int = 0, message: str = ""
) -> tuple[list[Line], int]:
    """(the screen for one skill, at most `height` lines; the first body line that it shows).

    top      the body line that is to be shown first; it is kept where the body ends with the screen
    pending  decisions that are carried out at the end
    """
    skill = item.skill
    header: list[Line] = [
        (one_line(f"{place}: {skill.name} v{skill.version}"), BOLD),
        (one_line(", ".join(part for part in (KINDS.get(item.kind, item.kind), _for_whom(item)) if part)), YELLOW),
    ]
    quit_ = f"q quit, carry out {pending}" if pending else "q quit"
    others = [*(["u undo"] if pending else []), quit_, "? help"]
    keys = [f"{key} {does}" for key, does in keys_for(item).items()]
    footer: list[Line] = [(line, PLAIN) for line in flowed([*keys, *others], width)]
    body = body_lines(item, width)
    room = height - len(footer) - len(header) - 1
    if room < _BODY_MIN:
        header, room = header[:1], height - len(footer) - 2
    if room < 1:
        footer, room = footer[: max(height - 3, 0)], max(height - 1 - min(len(footer), max(height - 3, 0)) - 1, 1)
    top = max(min(top, len(body) - room), 0)
    shown = body[top : top + room]
    left = len(body) - top - len(shown)
    more = f"… {left} more lines (space, or the arrow keys)" if left else "(the end; b goes back)" if top else ""
    said: Line = (one_line(message), BOLD) if message else (more, DIM)
    gap: list[Line] = [("", PLAIN)] * max(room - len(shown), 0)
    return [*header, *shown, *gap, said, *footer][:height], top


def body_lines(item: "Waiting", width: int) -> list[Line]:
    """Everything about it, as long as it is."""
    lines: list[Line] = [("", PLAIN)]
    if item.why:
        lines += _told("Why", item.why, width)
    if item.against_rules:
        lines += _told("Against", item.against_rules, width)
    lines += _told("History", item.backtest, width)
    lines += _told("Tests", item.moments, width)
    if item.diff or not item.others:  # else it stands beside the other
        lines += [("", PLAIN), *_text(item, width)]
    for other in item.others:
        lines += [("", PLAIN), (f"It {other.relation} {other.name} v{other.version} ({other.state.value})", BOLD)]
        lines += beside(item.text, other.text, width)
    lines += [("", PLAIN), ("What its lines rest on", BOLD)]
    told: dict[str, int] = {}
    for why in item.lines:
        lines += _evidence(why, told, width)
    return lines


def diff_lines(diff: Sequence[str], width: int, indent: str = "  ") -> list[Line]:
    """A unified diff, coloured; a long line goes on under its beginning."""
    lines: list[Line] = []
    for line in diff:
        style = {"+": GREEN, "-": RED, "@": CYAN}.get(line[:1], PLAIN)
        sign, text = (line[:1], line[1:]) if line[:1] in ("+", "-", " ") else ("", line)
        for n, part in enumerate(wrapped(text, width - len(indent) - 1)):
            lines.append((f"{indent}{sign if n == 0 else ' '}{part}" if sign else f"{indent}{part}", style))
    return lines


def beside(ours: Sequence[str], theirs: Sequence[str], width: int) -> list[Line]:
    """Two texts side by side, the same lines level; below each other in a narrow terminal."""
    if width < BESIDE_COLUMNS_MIN:
        below: list[Line] = [("  this one", DIM)]
        below += [(f"  {part}", PLAIN) for line in ours for part in wrapped(line, width - 2)]
        below += [("  the other", DIM)]
        return below + [(f"  {part}", PLAIN) for line in theirs for part in wrapped(line, width - 2)]
    half = (width - 2 - len(_SEPARATOR)) // 2
    lines: list[Line] = [(f"  {_padded('this one', half)}{_SEPARATOR}the other", DIM)]
    for left, right in _level(ours, theirs):
        style = PLAIN if left == right else YELLOW
        parts = zip_longest(wrapped(left, half), wrapped(right, half), fillvalue="")
        lines += [(f"  {_padded(one, half)}{_SEPARATOR}{other}", style) for one, other in parts]
    return lines


def help_lines(width: int, height: int) -> list[Line]:
    """What the keys mean."""
    meanings = {
        "a": "accept: it goes live. Where it contradicts a live skill, that one is retired.",
        "e": "edit: your editor opens its SKILL.md; what you save goes live as your version.",
        "r": "reject: it is dropped, and not proposed again until its evidence has doubled. A live one is retired.",
        "k": "keep: a live skill that was proposed for retirement stays, and is left alone for as long again.",
        "s": "skip: it goes on waiting.",
        "u": "undo: take the last decision back, and see that skill again.",
        "q": "quit, or Esc: carry out what you decided; the rest goes on waiting.",
        "^C": "Ctrl-C: leave everything as it was.",
        "space": "the next page; b the one before; arrows, Page Up and Down, Home and End.",
    }
    lines: list[Line] = [("Nothing is decided without a key, and nothing is done before you quit.", BOLD), ("", PLAIN)]
    for key, meaning in meanings.items():
        first, *rest = wrapped(meaning, width - 8)
        lines += [(f" {key:<6} {first}", PLAIN), *((f"        {line}", PLAIN) for line in rest)]
    return [*lines[: max(height - 2, 1)], ("", PLAIN), ("any key: back", DIM)][-height:]


def fault_lines(name: str, fault: str, width: int, height: int) -> list[Line]:
    """What is wrong with an edited file, and what to do about it."""
    lines: list[Line] = [(f"{name}: what you saved cannot be used", BOLD), ("", PLAIN)]
    lines += [(line, RED) for part in fault.split("\n") for line in wrapped(part, width)]
    return [*lines[: max(height - 2, 1)], ("", PLAIN), ("e edit again  d drop the edit", PLAIN)][-height:]


def end_lines(decisions: Sequence[str], width: int, height: int) -> list[Line]:
    """What was decided, before it is carried out."""
    lines: list[Line] = [("That was the last. You decided:", BOLD), ("", PLAIN)]
    lines += [(f"  {one_line(one)}", PLAIN) for one in decisions[-max(height - 5, 1) :]]
    keys = flowed(["q carry it out", "u undo the last", "Ctrl-C leave everything as it was"], width)
    return [*lines, ("", PLAIN), *((line, PLAIN) for line in keys)][-height:]


def _for_whom(item: "Waiting") -> str:
    if item.skill.scope.value != "project":
        return "for every project" if item.skill.scope.value == "user" else "for the team"
    return f"project {item.project}" if item.project else ""


def _told(name: str, text: str, width: int) -> list[Line]:
    first, *rest = wrapped(text, width - 10)
    return [(f"{name:<9} {first}", PLAIN), *((f"{'':<9} {line}", PLAIN) for line in rest)]


def _text(item: "Waiting", width: int) -> list[Line]:
    if item.diff:
        return [(f"Against version {item.against}, which was in use", BOLD), *diff_lines(item.diff, width)]
    same = f" (the words of version {item.against}, which was in use)" if item.against else ""
    return [(f"SKILL.md{same}", BOLD), *((f"  {part}", PLAIN) for line in item.text for part in _part(line, width))]


def _part(line: str, width: int) -> list[str]:
    """A bullet goes on under its text."""
    lead = "  " if line.lstrip().startswith("- ") else ""
    first, *rest = wrapped(line, width - 2 - len(lead))
    return [first, *(f"{lead}{part}" for part in rest)]


def _evidence(why: "Why", told: dict[str, int], width: int) -> list[Line]:
    first, *rest = wrapped(why.text, width - 5)
    lines: list[Line] = [(f"{why.line_number:>3}  {first}", PLAIN), *((f"     {line}", PLAIN) for line in rest)]
    before = sorted({told[one.id] for one in why.corrections if one.id in told})
    if before:
        lines.append((f"     as line {', '.join(map(str, before))}", DIM))
    if not why.corrections:
        lines.append(("     written by a person, or nothing of its evidence is left", DIM))
    for one in why.corrections:
        if one.id not in told:
            told[one.id] = why.line_number
            lines += [(f"     {line}", CYAN) for line in wrapped(quote_of(one), width - 5)]
    return lines


def quote_of(one: "Correction") -> str:
    """`2026-11-02 ada, claude: "words" after `call``."""
    said = f'"{one_line(one.quote)}"' if one.quote.strip() else one_line(one.cause) or "(no words)"
    did = f" after `{clipped(one_line(one.before), 80)}`" if one.before.strip() else ""
    return f"{one.occurred_at.astimezone():%Y-%m-%d} {one.author}, {one.host}: {said}{did}"


def _level(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for _, a, b, c, d in SequenceMatcher(None, list(ours), list(theirs), autojunk=False).get_opcodes():
        pairs += zip_longest(ours[a:b], theirs[c:d], fillvalue="")
    return pairs


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - cell_len(text), 0)
