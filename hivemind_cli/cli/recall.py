"""`hivemind recall`: what a prompt would bring up, and why an agent was told something or not."""

from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, note, print_json, quoted, say


def recall(
    query: Annotated[list[str], typer.Argument(help="Words as in a prompt; or `explain ID`; or `log`.")],
    limit: Annotated[int, typer.Option("--limit", help="Of `log`: how many decisions.", min=1)] = 20,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Ask as an agent's prompt would, from this folder; `log` lists decisions, `explain ID` tells one."""
    door = Door.open()
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
        say(
            f"[{colour}]{candidate['score']:.2f}  {quoted(candidate['name'], 60)}  "
            f"{candidate['kind']}, {candidate['decision']}[/]"
        )
    if answer["text"]:
        print(answer["text"])
    else:
        note("An agent would be told nothing here.")


def _log(door: Door, limit: int, json: bool) -> None:
    from hivemind_cli.core.records import Recall

    found = [row.record for row in door.store.find(Recall, newest_first=True, limit=limit)]
    if json:
        print_json(found)
        return
    for one in found:
        what = "held" if one.held else "gave" if one.text else "silent"
        say(f"{one.id}  {ago(one.occurred_at):<10} {one.moment.value:<13} {what:<7} {quoted(one.query, 70)}")


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
    say(f"[bold]{one.moment.value}[/]  {one.occurred_at:%Y-%m-%d %H:%M:%S}  {one.tier}  {one.latency_ms:.1f} ms")
    say(f"query: {quoted(one.query, 300)}")
    for candidate in one.candidates:
        say(
            f"  {candidate.score:.2f}  bm25 {candidate.bm25:.2f}  {quoted(candidate.name, 60)}  "
            f"[bold]{candidate.decision}[/]"
        )
    for outcome in outcomes:
        say(f"  outcome: {outcome.verdict.value}, {quoted(outcome.reason, 200)}")
    print(one.text or "(silence)")
