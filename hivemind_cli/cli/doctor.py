"""`hivemind doctor`: loud where the hook is silent."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import console, narration, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.app.checkup import Finding

_CHARS_MAX = 1000
"""Of a finding."""
_MARKS = {"ok": "[green]✓[/]", "note": "[dim]·[/]", "warn": "[yellow]![/]", "bad": "[bold red]✗[/]"}


def doctor(
    bench_hooks: Annotated[
        bool, typer.Option("--bench-hooks", help="Time the hooks against a bare interpreter.")
    ] = False,
    rounds: Annotated[int, typer.Option("--rounds", help="Of --bench-hooks: how often each is run.", min=3)] = 30,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Look for what is wrong, and say what to do. Exit code 1 if something is.

    The hooks, the daemon, each agent's wiring, and whether the agent's list of skills has room for all of them.
    """
    if bench_hooks:
        _bench(rounds, json)
        return
    found = _look()
    bad = any(finding.level == "bad" for finding in found)
    if json:
        print_json(found)
    else:
        for finding in found:
            say(f"{_MARKS[finding.level]} {quoted(finding.what, _CHARS_MAX)}", indent=2)
            if finding.fix:
                say(f"    {quoted(finding.fix, _CHARS_MAX)}", indent=4)
    if bad:
        raise typer.Exit(1)


def _look() -> "list[Finding]":
    from hivemind_cli.app import checkup, llm_setting
    from hivemind_cli.app.codex_consent import look_at_codex
    from hivemind_cli.app.host_versions import look_at_versions
    from hivemind_cli.app.status import status
    from hivemind_cli.core.config import Config
    from hivemind_cli.core.errors import ConfigError, HivemindError
    from hivemind_cli.llm import describe

    door = Door.open()
    found: list[Finding] = []
    try:
        config = door.config
    except ConfigError as problem:
        found.append(checkup.Finding(checkup.BAD, f"{problem.what} {problem.why}", problem.fix))
        config = Config()
    found += checkup.look(door.paths, config, os.environ)
    found += checkup.look_at_wiring(door.paths, door.hosts, os.environ)
    found += checkup.look_at_listings(door.paths, door.cwd, os.environ)
    if found and found[0].level == checkup.BAD:
        return found
    try:
        found += checkup.look_at_daemon(door.ask("daemon"))
        state = status(
            door.store,
            door.paths,
            config,
            door.hosts,
            os.environ,
            provider=describe(llm_setting(door.paths, config, os.environ)),
            now=datetime.now(UTC),
        )
    except HivemindError as problem:
        found.append(checkup.Finding(checkup.BAD, f"{problem.what} {problem.why}", problem.fix))
        return found
    found.append(checkup.Finding(checkup.OK, "The daemon answers, and the store is open."))
    found += checkup.look_at_hosts(state.hosts)
    found += look_at_codex(door.paths, os.environ)
    here = [door.hosts[host.name] for host in state.hosts if host.wired or host.installed]
    found += look_at_versions(here, os.environ)
    found += checkup.look_at_notices(state.trouble)
    return found


def _bench(rounds: int, json: bool) -> None:
    from rich.table import Table

    from hivemind_cli.cli.bench_home import bench

    with narration.status("timing hooks"):
        rows = bench(rounds)
    if json:
        print_json(rows)
        return
    table = Table("hook", "median ms", "× bare interpreter", "at most", box=None, header_style="bold")
    for row in rows:
        bound = f"{row.ratio_max:.1f}" if row.ratio_max else ""
        table.add_row(row.name, f"{row.median_ms:.1f}", f"{row.ratio:.2f}", bound)
    console.print(table)
