"""`hivemind experience`: what was tried for a task and how it went, and which errors were got over how."""

from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.output import ago, counted, note, print_json, quoted, say
from hivemind_cli.cli.workspaces import Branch, Json, Workspace, opened

if TYPE_CHECKING:
    from hivemind_cli.tables.debugging import Debugged
    from hivemind_cli.tables.experiences import PastExperience, Strategy

app = typer.Typer(
    help="What agents tried, and how it went: look, find, add. Coding sessions feed it by themselves.",
    no_args_is_help=True,
)
_COLOURS = {"success": "green", "partial": "yellow", "failure": "red"}
TASK_CHARS, PART_CHARS = 160, 300
Task = Annotated[str, typer.Argument(help="What is to be done, in words.")]


@app.command("list")
def list_(
    outcome: Annotated[str, typer.Option("--outcome", help="Only success, partial or failure.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1, max=1000)] = 20,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show what was tried last, newest first."""
    with opened(workspace, branch) as db:
        found = db.experiences.newest(limit=limit, outcome=outcome)
        if json:
            print_json(found)
            return
        for one in found:
            _show(one)
        if not found:
            note(f"Nothing was tried in the workspace {quoted(db.workspace)} yet.")


@app.command("find")
def find(
    task: Task,
    limit: Annotated[int, typer.Option("--limit", help="How many of each kind.", min=1, max=100)] = 3,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show what worked for similar tasks, what failed, and which approach did best."""
    with opened(workspace, branch) as db:
        known = db.experiences
        worked = known.replay(task, limit=limit, score_min=0.0)
        failed = known.failures(task, limit=limit)
        best = known.strategies(task, limit=limit)
    if json:
        print_json({"worked": worked, "failed": failed, "strategies": best})
        return
    for title, found in (("worked", worked), ("failed", failed)):
        if found:
            say(f"[bold]{title}[/]")
        for one in found:
            _show(one)
    if best:
        say("[bold]strategies[/]")
    for strategy in best:
        _show_strategy(strategy)
    if not worked and not failed:
        note("Nothing like this was tried yet.")


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(help="Of an experience; `list --json` shows them.")],
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show one with all that is known of it."""
    with opened(workspace, branch) as db:
        one = db.experiences.get(id)
    if json:
        print_json(one)
        return
    _show(one, whole=True)
    for name, value in one.metadata.items():
        if value not in (None, "", [], {}):
            said = "; ".join(map(str, value)) if isinstance(value, list) else value
            say(f"{name}: {quoted(str(said), 2000)}", indent=4)


@app.command("context")
def context(
    task: Task,
    tokens: Annotated[int, typer.Option("--tokens", help="Of the text, about.", min=50, max=20_000)] = 800,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Print what an agent should know before it begins: text for its prompt, or nothing."""
    with opened(workspace, branch) as db:
        said = db.experiences.render(task, tokens_max=tokens)
    if json:
        print_json({"text": said})
    elif said:
        print(said)
    else:
        note("Nothing like this was tried yet.")


@app.command("add")
def add(
    task: Task,
    approach: Annotated[str, typer.Option("--approach", help="What was done.")],
    outcome: Annotated[str, typer.Option("--outcome", help="success, partial or failure.")],
    score: Annotated[float, typer.Option("--score", help="0 to 1.", min=0.0, max=1.0)],
    lessons: Annotated[str, typer.Option("--lessons", help="For whoever does such a task next.")] = "",
    error: Annotated[str, typer.Option("--error", help="What went wrong, as it was printed.")] = "",
    tools: Annotated[str, typer.Option("--tools", help="What was used, with commas between.")] = "",
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Keep one; its id is printed."""
    with opened(workspace, branch) as db:
        id = db.experiences.append(task, approach, outcome, score, lessons=lessons, error_trace=error, tools_used=tools)
    if json:
        print_json({"id": id})
    else:
        print(id)


@app.command("fixes")
def fixes(
    error: Annotated[str, typer.Argument(help="A problem in words, or an error as it was printed.")],
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1, max=100)] = 3,
    workspace: Workspace = "",
    branch: Branch = "main",
    json: Json = False,
) -> None:
    """Show what helped with similar errors: the debugging memory of the workspace."""
    with opened(workspace, branch) as db:
        found = db.debugging.search(error, limit=limit)
    if json:
        print_json(found)
        return
    for one in found:
        _show_fix(one)
    if not found:
        note("No error was got over here yet.")


def _show(one: "PastExperience", *, whole: bool = False) -> None:
    chars = 100_000 if whole else PART_CHARS
    colour = _COLOURS.get(one.outcome, "white")
    near = f", similarity {one.similarity:.2f}" if one.similarity is not None else ""
    who = f", {quoted(one.host)}" if one.host else ""
    say(f"[{colour}]{one.outcome}[/] {one.score:.2f}  [bold]{quoted(one.task, 5000 if whole else TASK_CHARS)}[/]")
    say(f"[dim]{one.id}, {ago(one.occurred_at)}{who}{near}[/]", indent=4)
    for name, said in (("approach", one.approach), ("lesson", one.lessons), ("error", one.error_trace)):
        if said:
            say(f"    {name}: {quoted('; '.join(said.splitlines()), chars)}", indent=8)


def _show_strategy(one: "Strategy") -> None:
    told = f"{one.low:.2f} to {one.high:.2f}, {counted(one.attempts, 'attempt')}, {one.successes:,} went well"
    say(
        f"{one.mean_score:.2f}  ({told})  {quoted('; '.join(one.approach.splitlines()), PART_CHARS)}",
        indent=4,
    )


def _show_fix(one: "Debugged") -> None:
    say(f"[bold]{quoted(one.task, TASK_CHARS)}[/]  [dim]{ago(one.occurred_at)}, score {one.score:.2f}[/]")
    for name, said in (("error", one.error_trace), ("fix", one.outcome), ("tools", one.tools_used)):
        if said:
            say(f"    {name}: {quoted('; '.join(said.splitlines()), PART_CHARS)}", indent=8)
