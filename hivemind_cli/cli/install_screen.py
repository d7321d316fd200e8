"""What `hivemind install` shows: what it will change, what it did, and what is left for the person."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hivemind_cli.app.checking import Checked
from hivemind_cli.app.installing import Installed, Plan, Planned
from hivemind_cli.cli.output import console, counted, note, print_json, quoted, say
from hivemind_cli.hosts.apply import diff
from hivemind_cli.hosts.base import Edit, Host

_SKILL = "Skill"
_WHAT_MIN = 44
"""Columns for what changes, beside agent and file."""


def show_table(plan: Plan) -> None:
    """What would change: agent, file and what; nothing if nothing would."""
    rows = list(_rows(plan))
    if not rows:
        return
    rows = [("agent", "file", "what"), *rows]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    if console.is_terminal and console.width < first + second + _WHAT_MIN:
        second = 0  # what comes right behind each file, and goes on under it
    for agent, file, what in rows:
        told = f"{quoted(file, 200):<{second}}  " if file else ""
        say(f"{quoted(agent):<{first}}  {told}{what}", indent=first + 2)


def show_diff(plan: Plan, json: bool) -> None:
    """For --dry-run."""
    if json:
        print_json(as_json(plan))
        return
    show_table(plan)
    for one in plan.hosts:
        if one.problem:
            note(f"[yellow]{one.host.LABEL} would be left alone.[/] {quoted(str(one.problem), 400)}", indent=2)
        elif not one.edits:
            note(f"{one.host.LABEL}: nothing to change")
        for notice in one.notices:
            note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
    for notice in plan.skill_notices:
        note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
    print(diff(_once(plan.edits)), end="")


def tell(plan: Plan, done: Installed, checked: Sequence[Checked], hosts: Mapping[str, Host]) -> None:
    """What was done, host by host; what does not answer, and what a person does next."""
    for notice in (*plan.skill_notices, *done.left):
        note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
    silent = {one.host: one.why for one in checked if one.why}
    for one in plan.hosts:
        name, label = one.host.NAME, one.host.LABEL
        if name in done.problems:
            note(f"[yellow]{label} was left alone.[/] {quoted(str(done.problems[name]), 400)}", indent=2)
            continue
        did = "wired" if one.edits else "was wired already"
        if name in silent:
            say(f"[yellow]![/] {label} {did}, but its hook does not answer: {quoted(silent[name], 400)}", indent=2)
        else:
            say(f"[green]✓[/] {label} {did}; its hook answers")
        for notice in done.notices[name]:
            note(f"[yellow]![/] {quoted(notice, 400)}", indent=2)
        if one.edits and one.host.AFTER_INSTALL and not done.notices[name]:
            say(f"  {quoted(one.host.AFTER_INSTALL, 400)}", indent=2)
    if not plan.hosts:
        none_found(hosts)
        return
    say("Work as always. `hivemind status` shows what was learned, `hivemind uninstall` takes everything back.")


def none_found(hosts: Mapping[str, Host]) -> None:
    """No agent is on this machine."""
    labels = ", ".join(f"{host.LABEL} ({name})" for name, host in hosts.items())
    first = next(iter(hosts))
    note(
        f"No agent was found on this machine, so none was wired. hivemind knows {labels}; "
        f"`hivemind install --only {first}` wires it before it is there."
    )


def as_json(plan: Plan, done: Installed | None = None, checked: Sequence[Checked] = ()) -> list[dict[str, object]]:
    """One object for each host."""
    why = {one.host: one.why for one in checked}
    return [_as_json(one, plan, done, why) for one in plan.hosts]


def _as_json(one: Planned, plan: Plan, done: Installed | None, why: Mapping[str, str]) -> dict[str, object]:
    name = one.host.NAME
    problem = done.problems.get(name) if done else one.problem
    edits = [*one.edits, *plan.skill_edits]
    notices = done.notices.get(name, one.notices) if done else one.notices
    return {
        "host": name,
        "files": [str(edit.path) for edit in edits],
        "diff": diff(edits),
        "links": [str(link) for link in plan.links] if done is None else [],
        "notices": [*notices, *plan.skill_notices],
        "problem": str(problem) if problem else "",
        "answers": None if name not in why else not why[name],
        "why_silent": why.get(name, ""),
        "next": one.host.AFTER_INSTALL,
    }


def _rows(plan: Plan) -> Iterator[tuple[str, str, str]]:
    written: set[Path] = set()
    for one in plan.hosts:
        if one.problem:
            yield one.host.LABEL, "", f"left alone: {quoted(one.problem.what, 300)}"
        for edit in one.edits:
            shared = edit.path in written
            yield one.host.LABEL, _short(edit.path), "the same change" if shared else _what(one.host, edit)
            written.add(edit.path)
    for edit in plan.skill_edits:
        did = "renewed" if edit.before is not None else "tells agents how to ask hivemind"
        yield _SKILL, _short(edit.path), did
    if plan.skill_edits:
        for link in plan.links:
            yield _SKILL, _short(link), "a link to it"


def _short(path: Path) -> str:
    """`~/.codex/hooks.json`."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _what(host: Host, edit: Edit) -> str:
    if edit.after is None:
        return "removed"
    lines = diff([edit]).splitlines()
    more, less = (sum(line.startswith(sign) and line[:3] != sign * 3 for line in lines) for sign in "+-")
    if edit.before is None:
        return f"a new file, for {counted(len(host.EVENTS), 'event')}"
    return f"{counted(more, 'line')} more, {less} less, for {counted(len(host.EVENTS), 'event')}"


def _once(edits: Sequence[Edit]) -> list[Edit]:
    """Two hosts may plan the same change of a file they share."""
    return list({edit.path: edit for edit in edits}.values())
