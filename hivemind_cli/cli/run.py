"""`hivemind run`: the durable steps of agents' loops, and the branches they work on."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, say
from hivemind_cli.cli.workspaces import Branch, Json, Workspace, cell, grid, jsonable, opened
from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    from hivemind_cli.memory.database import Policy
    from hivemind_cli.tables.branches import Change, Conflict
    from hivemind_cli.tables.runs import StepInfo

app = typer.Typer(help="Agents' runs, step by step, and their branches: look, compare, merge.", no_args_is_help=True)
Run = Annotated[str, typer.Argument(help="The run's id; `hivemind run list` shows them.")]
POLICIES = ("fail", "ours", "theirs", "newest")
ROWS_SHOWN = 50


@app.command("list")
def list_(workspace: Workspace = "", branch: Branch = "main", json: Json = False) -> None:
    """Show the runs of a branch: how far each is, and when it last moved."""
    with opened(workspace, branch) as db:
        found = db.runs()
    if json:
        print_json(found)
        return
    if found:
        rows = [[one.run_id, one.steps, one.tokens_used, one.started_at, ago(one.last_at)] for one in found]
        grid(["run", "steps", "tokens", "began", "last step"], rows)
    else:
        note("No agent kept a step here yet.")


@app.command("show")
def show(
    run: Run,
    step: Annotated[int, typer.Option("--step", help="Which one. [default: the last]", min=0)] = 0,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show one step with its whole state."""
    with opened(workspace, branch) as db:
        found = db.run(run).at(step) if step else db.run(run).last()
    if found is None:
        raise ConfigError(f"{run} has no step {step}." if step else f"There is no run {run!r} on {branch}.")
    if json:
        print_json(_told(found))
        return
    say(f"[bold]{quoted(found.run_id)}[/], step {found.step}, {ago(found.created_at)}")
    for name, value in (("action", found.action), ("observation", found.observation)):
        if value:
            say(f"{name}: {quoted(value, 5000)}", indent=4)
    print_json(jsonable(found.state))


@app.command("history")
def history(
    run: Run,
    after: Annotated[int, typer.Option("--after", help="Only later steps than this one.", min=0)] = 0,
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1)] = ROWS_SHOWN,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show a run's steps in their order."""
    with opened(workspace, branch) as db:
        found = list(db.run(run).history(after=after, limit=limit))
    if json:
        print_json([_told(one) for one in found])
        return
    if found:
        rows = [[one.step, one.created_at, one.action, one.observation, one.tokens_used] for one in found]
        grid(["step", "at", "action", "observation", "tokens"], rows)
    note(counted(len(found), "step"))


@app.command("resume")
def resume(run: Run, workspace: Workspace = "", branch: Branch = "main", json: Json = False) -> None:
    """Show where a run goes on: the last step that stands, its state, and the number of the next."""
    with opened(workspace, branch) as db:
        found = db.run(run).resume()
    if json:
        print_json({"step": found.step, "next_step": found.next_step, "state": jsonable(found.state)})
        return
    say(f"The last step is {found.step}, the next one {found.next_step}." if found.step else "It has no step yet.")
    if found.step:
        print_json(jsonable(found.state))


@app.command("branches")
def branches(workspace: Workspace = "", json: Json = False) -> None:
    """Show the branches there are."""
    with opened(workspace) as db:
        found = db.branches()
    if json:
        print_json(found)
        return
    grid(
        ["branch", "from", "made"],
        [[one.name, one.parent, ago(one.created_at) if one.created_at else ""] for one in found],
    )


@app.command("diff")
def diff(
    left: Annotated[str, typer.Argument(help="A branch.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show the rows in which two branches differ."""
    with opened(workspace) as db:
        found = db.diff(left, right)
    if json:
        print_json([jsonable(_fields(one)) for one in found])
        return
    for one in found[:ROWS_SHOWN]:
        _show_change(one)
    note(
        counted(len(found), "row differs", "rows differ") + (f"; {ROWS_SHOWN} shown" if len(found) > ROWS_SHOWN else "")
    )


@app.command("merge")
def merge(
    source: Annotated[str, typer.Argument(help="The branch whose changes are taken.")],
    into: Annotated[str, typer.Option("--into", help="The branch that gets them.")] = "main",
    policy: Annotated[
        str, typer.Option("--policy", help="For rows that both changed: fail, ours (what --into has), theirs, newest.")
    ] = "fail",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the conflicts; change nothing.")] = False,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Bring one branch's changes into another, in one transaction."""
    if policy not in POLICIES:
        raise ConfigError(f"There is no policy {policy!r}.", why=f"They are {', '.join(POLICIES)}.")
    with opened(workspace) as db:
        if dry_run:
            _show_conflicts(db.conflicts(source, into), json=json)
            return
        done = db.merge(source, into, cast("Policy", policy))
    if json:
        print_json(done)
        return
    say(f"{quoted(source)} stands in {quoted(into)}: {counted(done.changed, 'row')} written.")
    if done.conflicts:
        say(f"{counted(done.conflicts, 'conflict')} decided: {policy}.", indent=4)
    note(f"`hivemind run rollback {into} {done.before_seq}` takes it back.")


@app.command("rollback")
def rollback(
    branch: Annotated[str, typer.Argument(help="The branch.")],
    to_seq: Annotated[int, typer.Argument(help="The number it is to go back to, as a step or a merge tells it.")],
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Make a branch see what it saw then. Nothing is lost: it is done by new versions."""
    with opened(workspace) as db:
        changed = db.rollback(branch, to_seq)
    if json:
        print_json({"changed": changed})
    else:
        say(f"{quoted(branch)} stands as it did at {to_seq}: {counted(changed, 'row')} changed.")


def _told(step: "StepInfo") -> dict[str, Any]:
    return {name: jsonable(value) for name, value in _fields(step).items()}


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


def _show_change(one: "Change") -> None:
    marks = {"added": "[green]+[/]", "removed": "[red]-[/]", "changed": "[yellow]~[/]"}
    say(f"{marks.get(one.kind, one.kind)} {quoted(one.table)} {_named(one.key, one.row)}")
    left, right = one.left or {}, one.right or {}
    for name in dict.fromkeys([*left, *right]):
        before, now = cell(left.get(name)), cell(right.get(name))
        if before != now:
            say(f"    {quoted(name)}: {quoted(before, 200)} → {quoted(now, 200)}", indent=8)


def _show_conflicts(found: "list[Conflict]", *, json: bool) -> None:
    if json:
        print_json([jsonable(_fields(one)) for one in found])
        return
    for one in found:
        say(f"[yellow]~[/] {quoted(one.table)} {_named(one.key, one.row)}")
        for who, row in (("base", one.base), ("ours", one.ours), ("theirs", one.theirs)):
            said = ", ".join(f"{name}={cell(value)}" for name, value in row.items()) if row else "not there"
            say(f"    {who}: {quoted(said, 300)}", indent=8)
    note(counted(len(found), "conflict"))


def _named(key: Any, row: int) -> str:
    return quoted(", ".join(f"{name} {cell(value)}" for name, value in key.items())) if key else f"row {row}"
