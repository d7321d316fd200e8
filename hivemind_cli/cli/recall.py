"""`hivemind recall`: what a prompt would bring up, and why an agent was told something or not."""

from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, row, say, show_text


def recall(
    query: Annotated[list[str], typer.Argument(help="Words as in a prompt; or `explain ID`; or `log`.")],
    limit: Annotated[int, typer.Option("--limit", help="Of `log`: how many decisions.", min=1)] = 20,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """See what a prompt would bring up in this folder. `log` lists decisions, `explain ID` tells one."""
    from hivemind_cli.core.errors import ConfigError

    door = Door.open()
    if query == ["explain"]:
        raise ConfigError("Explain which decision?", fix="`hivemind recall log` lists their ids.")
    if query[0] == "explain" and len(query) == 2:
        _explain(door, query[1], json)
    elif query == ["log"]:
        _log(door, limit, json)
    else:
        _ask(door, " ".join(query), json)


def _ask(door: Door, query: str, json: bool) -> None:
    import os

    answer = door.ask("recall", query=query, cwd=str(door.cwd), workspace=os.environ.get("HIVEMIND_WORKSPACE_ID", ""))
    if json:
        print_json(answer)
        return
    for candidate in answer["candidates"]:
        colour = "green" if candidate["decision"] == "injected" else "dim"
        row(
            f"[{colour}]{candidate['score']:.2f}  {quoted(candidate['name'], 60)}  "
            f"({candidate['kind']}, {candidate['decision']})[/]"
        )
    if answer["text"]:
        say("An agent would read:")
        show_text(answer["text"])
    else:
        where = quoted(answer["project"] or "this folder")
        note(f"An agent in {where} would be told nothing. `hivemind skillify` lists the skills there are.")


def _log(door: Door, limit: int, json: bool) -> None:
    from hivemind_cli.core.records import Recall

    found = [row.record for row in door.store.find(Recall, newest_first=True, limit=limit)]
    if json:
        print_json(found)
        return
    for one in found:
        what = "held" if one.held else "gave" if one.text else "silent"
        moment = one.moment.value.replace("_", " ")
        row(f"{one.id}  {ago(one.occurred_at):<10} {moment:<13} [bold]{what:<6}[/] {quoted(one.query, 300)}")
    if found:
        note("`hivemind recall explain ID` tells why.")
    else:
        note("Nothing was decided yet: an agent that is wired asks at each prompt and tool call.")


def _explain(door: Door, recall_id: str, json: bool) -> None:
    from hivemind_cli.core.errors import HivemindError
    from hivemind_cli.core.records import Outcome, Recall

    rows = door.store.find(Recall, id=recall_id)
    if not rows:
        raise HivemindError(f"No recall has the id {recall_id!r}.", fix="`hivemind recall log` lists the newest.")
    one = rows[0].record
    outcomes = [row.record for row in door.store.find(Outcome, recall_id=one.id)]
    if json:
        print_json({"recall": one, "outcomes": outcomes})
        return
    moment = one.moment.value.replace("_", " ")
    say(f"[bold]{moment}[/], {one.occurred_at.astimezone():%Y-%m-%d %H:%M:%S}, {one.tier}, {one.latency_ms:.1f} ms")
    say(f"  asked with  {quoted(one.query, 300) or '(nothing)'}", indent=14)
    for candidate in one.candidates:
        say(
            f"  {candidate.score:.2f}        [bold]{candidate.decision}[/]: {quoted(candidate.name, 60)} "
            f"[dim](bm25 {candidate.bm25:.2f})[/]",
            indent=14,
        )
    if not one.candidates:
        say("  nothing came near")
    for outcome in outcomes:
        say(f"  outcome     {outcome.verdict.value}: {quoted(outcome.reason, 200)}", indent=14)
    if one.text:
        say("  the agent was held, and read:" if one.held else "  the agent read:")
        show_text(one.text)
    else:
        say("  the agent was told nothing")
