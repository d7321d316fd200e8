"""`hivemind skillify show`, `log`, `diff` and `blame`: what a skill says, and how it came to."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import console, counted, note, print_json, quoted, row, say
from hivemind_cli.cli.skillify.options import Json, Name

if TYPE_CHECKING:
    from hivemind_cli.app.versions import Blamed, Change
    from hivemind_cli.core.records import Correction, SkillRevision

BLAME_COLUMNS_MIN = 100
"""In a narrower terminal the version stands above its lines, not beside them."""
QUOTE_CHARS = 60
"""Of a quote's beginning, beside a line."""


def show(name: Name, json: Json = False) -> None:
    """Print the SKILL.md as it is, or would be, written."""
    from hivemind_cli.app import reading
    from hivemind_cli.skills.format import render

    revision = reading.skill_named(Door.open().up_to_date().store, name)
    if json:
        print_json({"skill": revision, "text": render(revision)})
    else:
        print(render(revision), end="")


def log(name: Name, json: Json = False) -> None:
    """List the versions of a skill: when, by whom, why, and how many lines each added and removed."""
    from hivemind_cli.app import reading, versions

    store = Door.open().up_to_date().store
    changes = versions.changes(reading.history_of(store, reading.skill_named(store, name).skill_id))
    if json:
        print_json([_change_json(one) for one in changes])
        return
    behind: set[str] = set()
    for one in changes:
        revision = one.revision
        ids = {id for line in revision.lines for id in line.correction_ids}
        more = f"; its lines rest on {counted(len(ids - behind), 'more correction')}" if behind and ids - behind else ""
        behind |= ids
        moved = f", from here on for {one.scope}" if one.scope and one.scope not in revision.reason else ""
        say(
            f"[bold]v{revision.version:<3}[/] {revision.occurred_at.astimezone():%Y-%m-%d %H:%M}  "
            f"{revision.state.value:<11} [green]+{one.added}[/] [red]-{one.removed}[/]  "
            f"[dim]by {quoted(one.by, 40)}[/]",
            indent=5,
        )
        if revision.reason or moved or more:
            say(f"     {quoted(revision.reason + moved + more, 300)}", indent=5)


def diff(
    name: Name,
    first: Annotated[int, typer.Argument(metavar="V1", help="A version; 0: what the default compares with.")] = 0,
    second: Annotated[int, typer.Argument(metavar="V2", help="A later version; 0: the newest.")] = 0,
    json: Json = False,
) -> None:
    """Show what changed between two versions, as a person reads them.

    Without versions: what waits against what was in use, or else the newest version against the one before.
    """
    from hivemind_cli.app import reading, versions

    store = Door.open().up_to_date().store
    history = reading.history_of(store, reading.skill_named(store, name).skill_id)
    new = reading.version_named(history, second) if second else history[-1]
    old = reading.version_named(history, first) if first else _before(history, new)
    lines = versions.diff(old, new)
    if json:
        print_json({"name": new.name, "from": old.version if old else None, "to": new.version, "diff": lines})
        return
    say(f"[bold]{new.name}[/]  {_named(old)} → {_named(new)}")
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        said = quoted(line[1:], 400) if line[:1] in "+- " else quoted(line)
        sign = line[:1] if line[:1] in "+- " else ""
        say(f"[{colour}]{sign}{said}[/]" if colour else f"{sign}{said}", indent=2)
    if not lines:
        note("The words are the same.")


def blame(name: Name, json: Json = False) -> None:
    """Show for each line the version that put it there, its date and drafter, and the words behind it."""
    from hivemind_cli.app import reading, versions
    from hivemind_cli.core.records import Correction

    store = Door.open().up_to_date().store
    history = reading.history_of(store, reading.skill_named(store, name).skill_id)
    lines = versions.blame(history)
    ids = sorted({one for line in lines for one in line.correction_ids})
    known = {each.record.id: each.record for each in store.find(Correction, id=ids)} if ids else {}
    if json:
        print_json([_blamed_json(one, known) for one in lines])
        return
    if console.is_terminal and console.width < BLAME_COLUMNS_MIN:
        _blame_below(lines, known)
    else:
        _blame_beside(lines, known)


def _blame_beside(lines: "Sequence[Blamed]", known: "Mapping[str, Correction]") -> None:
    drafters = max(min(max(len(one.since.drafter) for one in lines), 12), 6)
    for one in lines:
        since = one.since
        head = f"v{since.version:<2} {since.occurred_at.astimezone():%Y-%m-%d} {since.drafter[:drafters]:<{drafters}}"
        number = f"{one.number:>3}" if one.number else "   "
        row(f"[dim]{_columns(head)}[/] {number} {quoted(one.text, 300)}")
        for each in one.correction_ids:
            row(f"{'':<{len(head)}}     [dim]c_{each}  {_beginning(known.get(each))}[/]")


def _blame_below(lines: "Sequence[Blamed]", known: "Mapping[str, Correction]") -> None:
    """Where a terminal has no room for two columns; what the line above told is not told again."""
    before = ""
    for one in lines:
        since = one.since
        told = f"v{since.version} {since.occurred_at.astimezone():%Y-%m-%d} {quoted(since.drafter, 40)}"
        number = f"{one.number:>3}" if one.number else "   "
        if told != before:
            say(f"[cyan]{told}[/]")
        before = told
        say(f"{number} {quoted(one.text, 300)}", indent=4)
        for each in one.correction_ids:
            say(f"    [dim]c_{each} {_beginning(known.get(each))}[/]", indent=6)


def _columns(text: str) -> str:
    """`text` safe to print, its spaces as they are."""
    from rich.markup import escape

    return escape("".join(char if char.isprintable() else " " for char in text))


def _before(history: "list[SkillRevision]", new: "SkillRevision") -> "SkillRevision | None":
    """What `new` is compared with: what was in use, if it waits; else the version before."""
    from hivemind_cli.app import versions
    from hivemind_cli.app.reading import WAITING

    until = history[: history.index(new) + 1]
    if new.state in WAITING and (used := versions.in_use(until)):
        return used
    return until[-2] if len(until) > 1 else None


def _named(revision: "SkillRevision | None") -> str:
    return f"v{revision.version} ({revision.state.value})" if revision else "nothing"


def _beginning(correction: "Correction | None") -> str:
    if correction is None:
        return "its session was pruned"
    return f'"{quoted(correction.quote, QUOTE_CHARS)}"' if correction.quote else quoted(correction.cause, QUOTE_CHARS)


def _change_json(one: "Change") -> dict[str, Any]:
    from hivemind_cli.cli.output import plain

    return {**plain(one.revision), "added": one.added, "removed": one.removed, "by": one.by}


def _blamed_json(one: "Blamed", known: "dict[str, Correction]") -> dict[str, Any]:
    return {
        "text": one.text,
        "number": one.number,
        "version": one.since.version,
        "occurred_at": one.since.occurred_at,
        "drafter": one.since.drafter,
        "corrections": [
            {"id": each, "quote": known[each].quote if each in known else None} for each in one.correction_ids
        ],
    }
