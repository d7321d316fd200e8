"""`hivemind recall`: what a prompt would bring up, and why an agent was told something or not."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, console, counted, note, print_json, quoted, row, say, show_text

MOMENTS = ("prompt", "task", "command", "file")
"""What `--at` takes, besides the name of a tool of another server."""
LOG_MIN = 100
"""Columns; in a narrower terminal a decision of the log takes two lines."""
_REASONS = {
    "injected": "said: {score} is at least the {needed} that is needed",
    "named": "named in the session's brief; the skill itself comes at its moment",
    "below threshold": "not said: {score} is below the {needed} that is needed",
    "margin": "not said: too near the first one that there is no room for ({left_out})",
    "repeated": "not said: this agent was given it before in this session",
    "over budget": "not said: as many as may be said at once fit better",
    "own correction": "not said: it is what the person said just there",
    "same lesson": "not said: another one about the same mistake comes first",
    "said otherwise since": "not said: a person asked for the opposite later",
    "not the best match": "not said: the call was held for another one",
    "timed out": "not said: it came too late, or the hook had hung up",
}
_BY_ACT = "the call is the act that was corrected"


def recall(
    query: Annotated[list[str], typer.Argument(help="Words as in a prompt; or `explain ID`; or `log`.")],
    at: Annotated[
        str,
        typer.Option(
            "--at", help="What QUERY is: prompt, task (of a subagent), command, file (its path), or a tool's name."
        ),
    ] = "prompt",
    limit: Annotated[int, typer.Option("--limit", help="Of `log`: how many decisions.", min=1)] = 20,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """See what a prompt would bring up in this folder. `log` lists decisions, `explain ID` tells one."""
    from hivemind_cli.core.errors import ConfigError

    if at not in MOMENTS and not at.startswith("mcp__"):
        known = ", ".join(MOMENTS)
        raise ConfigError(f"There is no moment {at!r}.", why=f"It is one of {known}, or mcp__SERVER__TOOL.")
    door = Door.open()
    if query == ["explain"]:
        raise ConfigError("Explain which decision?", fix="`hivemind recall log` lists their ids.")
    if query[0] == "explain" and len(query) == 2:
        _explain(door, query[1], json)
    elif query == ["log"]:
        _log(door, limit, json)
    else:
        _ask(door, " ".join(query), at, json)


def _ask(door: Door, query: str, at: str, json: bool) -> None:
    import os

    workspace = os.environ.get("HIVEMIND_WORKSPACE_ID", "")
    answer = door.ask("recall", query=query, at=at, cwd=str(door.cwd), workspace=workspace)
    if json:
        print_json(answer)
        return
    if answer["candidates"]:
        row(f"[dim]chance  words  meaning  bm25   {answer['tier']}[/]")
    for one in answer["candidates"]:
        said = one["decision"] in ("injected", "held")
        meaning = "" if one["cosine"] is None else f"{one['cosine']:.2f}"
        fit = one["figures"].get("fit")
        say(
            f"[{'green' if said else 'dim'}]{one['score']:>6.2f}  {'' if fit is None else f'{fit:.2f}':>5}  "
            f"{meaning:>7}  {one['bm25']:>4.1f}   {quoted(one['name'], 30)} ({one['kind']}): {one['decision']}[/]",
            indent=31,
        )
    if answer["text"]:
        say("The call would be held, and an agent would read:" if answer["held"] else "An agent would read:")
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
        named = [candidate.name for candidate in one.candidates if candidate.decision == "named"]
        what = "held" if one.held else "named" if one.text and named else "gave" if one.text else "silent"
        moment = one.moment.value.replace("_", " ")
        told = f"[bold]{what:<6}[/] {quoted(one.query or ', '.join(named), 300)}"
        if console.width < LOG_MIN:
            row(f"{one.id}  {ago(one.occurred_at)}, {one.host}, {moment}")
            row(f"    {told}")
        else:
            row(f"{one.id}  {ago(one.occurred_at):<10} {one.host:<8} {moment:<13} {told}")
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
    when = f"{one.host}, {one.occurred_at.astimezone():%Y-%m-%d %H:%M:%S}"
    say(f"[bold]{moment}[/], {when}, {one.tier}, {one.latency_ms:.1f} ms")
    say(f"  asked with  {quoted(one.query, 300) or '(nothing)'}", indent=14)
    for candidate in one.candidates:
        version = f" v{candidate.version}" if candidate.version else ""
        about = f"({candidate.kind}{version})" if candidate.kind else ""
        name = quoted(candidate.name, 60) or candidate.id
        say(f"  {candidate.score:.2f}  [bold]{candidate.decision}[/]: {name} [dim]{about}[/]", indent=8)
        figures: Mapping[str, Any] = candidate.figures
        made_of = _made_of(candidate.bm25, candidate.cosine, figures)
        if made_of:
            say(f"        [dim]{made_of}[/]", indent=8)
        reason = _reason(candidate.decision, candidate.score, figures, by_act=not made_of)
        if reason:
            say(f"        {reason}", indent=8)
    if not one.candidates:
        say("  nothing came near")
    for outcome in outcomes:
        say(f"  outcome     {outcome.verdict.value}: {quoted(outcome.reason, 200)}", indent=14)
    if one.text:
        say("  the agent was held, and read:" if one.held else "  the agent read:")
        show_text(one.text)
    else:
        say("  the agent was told nothing")


def _made_of(bm25: float, cosine: float | None, figures: Mapping[str, Any]) -> str:
    """The numbers behind a score, in the order in which it was made; "" where the act itself decided."""
    if "fused" not in figures:
        return ""
    last = ("fused", "outcomes", "held", "recurred", "scope", "fresh", "needed", "left_out", "corrected", "clean")
    parts = [f"bm25 {bm25:.2f}", "no meaning" if cosine is None else f"cosine {cosine:.2f}"]
    parts += [f"{name.replace('_', ' ')} {value:.2f}" for name, value in figures.items() if name not in last]
    parts.append(f"together {figures['fused']:.2f}")
    if "outcomes" in figures:
        told = f" (held {figures.get('held', 0):.1f}, recurred {figures.get('recurred', 0):.1f})"
        parts.append(f"outcomes {figures['outcomes']:+.2f}{told}")
    parts += [
        f"{words} {figures[name]:+.2f}" for name, words in (("scope", "scope"), ("fresh", "new")) if name in figures
    ]
    return ", ".join(parts)


def _reason(decision: str, score: float, figures: Mapping[str, Any], *, by_act: bool) -> str:
    """Why it was decided so, in words."""
    history = ""
    if "corrected" in figures:
        calls = counted(figures["corrected"], "such call")
        history = f"; until it was learned, {calls} put right, {figures['clean']} not"
    if decision == "held":
        return f"held: {_BY_ACT}{history}"
    if decision == "injected" and by_act:
        return f"said: {_BY_ACT}{history}"
    values = {name: f"{value:.2f}" for name, value in figures.items() if isinstance(value, int | float)}
    words = {"needed": "score", "left_out": "next one", **values, "score": f"{score:.2f}"}
    return _REASONS.get(decision, "").format(**words) + (history if by_act else "")
