"""`hivemind bench speed`: one table of what hivemind costs and how fast it answers, each figure with its goal."""

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hivemind_cli.cli.output import console, narration, note, print_json, say

if TYPE_CHECKING:
    from hivemind_cli.cli.bench_figures import Figure
    from hivemind_cli.cli.bench_parts import Sizes

PARTS = ("hooks", "daemon", "clients", "memory", "start", "ingest", "search", "vectors", "hybrid")


def speed(
    skills: Annotated[int, typer.Option(help="Live skills.", min=1)] = 1000,
    events: Annotated[int, typer.Option(help="Stored events, tool results of 4 KB among them.", min=1)] = 100_000,
    rounds: Annotated[int, typer.Option(help="How often each hook is run.", min=3)] = 40,
    clients: Annotated[int, typer.Option(help="That ask at the same time.", min=1)] = 8,
    only: Annotated[list[str] | None, typer.Option(help=f"Parts: {', '.join(PARTS)}.")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of an exported embedding model.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Time hooks, daemon, search and ingest side by side, each beside its goal.

    In a made-up home of its own that is gone afterwards: nothing of yours is read. Ratios (×) are to a bare
    interpreter of the same rounds, so that a slow or busy machine slows both.
    """
    from hivemind_cli.cli import bench_parts
    from hivemind_cli.cli.bench_home import home

    parts = _chosen(only)
    sizes = bench_parts.Sizes(skills, events, rounds, clients)
    figures: list[Figure] = []
    stopped = False
    try:
        with narration.status("making up a history") as status, home() as door:
            bench = bench_parts.begun(door, sizes, model, status.update)
            for part, measure in bench_parts.measures(bench).items():
                if part in parts:
                    status.update(f"measuring: {part}")
                    figures.extend(bench_parts.measured(part, measure))
    except KeyboardInterrupt:
        stopped = True  # what was measured until then is shown all the same
    _tell(figures, sizes, json)
    if stopped:
        raise KeyboardInterrupt


def _tell(figures: "list[Figure]", sizes: "Sizes", json: bool) -> None:
    machine, skills, events = _machine(), sizes.skills, sizes.events
    if json:
        print_json({"machine": machine, "skills": skills, "events": events, "figures": [f.as_json() for f in figures]})
        return
    _show(figures)
    note(f"{machine}. {skills:,} skills, {events:,} events.")


def _chosen(only: list[str] | None) -> tuple[str, ...]:
    from hivemind_cli.core.errors import ConfigError

    parts = tuple(part for one in only or PARTS for part in one.split(","))
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"There is no part {part!r}.", why=f"Parts are {', '.join(PARTS)}.")
    return parts


def _show(figures: "list[Figure]") -> None:
    """A line each; in a narrow terminal the figure and its goal stand below what was measured."""
    columns = ((one.what, one.shown, one.shown_goal) for one in figures)
    what, shown, goal = (max(map(len, column)) for column in zip(*columns, strict=True)) if figures else (0, 0, 0)
    narrow = console.is_terminal and what + shown + goal + 15 > console.width
    part = ""
    for one in figures:
        if one.part != part:
            part = one.part
            say(f"[bold]{part}[/]")
        told = {True: "[green]met    [/]", False: "[red]not met[/]", None: " " * 7}[one.met]
        figure = f"{one.shown:>{shown}}  {one.shown_goal:{goal}}  {told}  [dim]{escape(one.note)}[/]"
        if narrow:
            say(f"  {escape(one.what)}", indent=4)
            say(f"    {figure}", indent=6)
        else:
            say(f"  {escape(one.what):{what}}  {figure}", indent=what + 4)


def _machine() -> str:
    load_1, load_5, _ = os.getloadavg()
    cores = os.cpu_count() or 1
    runs = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{runs}, {cores} cores, load {load_1:.1f} (5 min: {load_5:.1f})"
