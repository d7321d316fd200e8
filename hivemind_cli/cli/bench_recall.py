"""`hivemind bench recall`: the ranking and the silence of recall, on your own skills and queries."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from hivemind_cli.cli import bench_ranking as shared
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json, say

if TYPE_CHECKING:
    from hivemind_cli.app.bench_recall import Answered, Silence

LEGEND = (
    "Silence is left aside in the rows. precision: right first answers, of those said, also where `gold` is [], and of "
    "forbidden ones said; must-not@1: queries whose forbidden answer comes first and is said."
)


def recall(
    skills: Annotated[Path, typer.Option("--skills", help="{id, name, description, body} a line; may be gzipped.")],
    queries: Annotated[
        Path | None, typer.Option("--queries", help="{qid, query} a line; standard input if left out.")
    ] = None,
    no_abstain: Annotated[bool, typer.Option("--no-abstain", help="Rank always, also where recall is silent.")] = False,
    labels: Annotated[
        bool, typer.Option("--labels", help="Print figures alone: queries have `gold`, or `must_not`: [ids].")
    ] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Without the embedding model, if there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --labels: one JSON document.")] = False,
) -> None:
    """Rank skills for queries as recall does before an agent acts: {qid, ranked: [[id, probability], …]} a line.

    Best first, 50 at most, [] where recall would be silent. Where queries have `gold` (ids; [] if nothing applies),
    stderr shows how right the ranking is. Nothing is stored but vectors, nothing sent.
    """
    from hivemind_cli.app import bench_ranking, bench_recall

    with ExitStack() as stack:
        with shared.opened(skills) as file:
            found = bench_recall.skills(file)
        asked = bench_ranking.queries(stack.enter_context(shared.opened(queries)))
        door = Door.open()
        embedder = stack.enter_context(shared.embedder(door, lexical=lexical))
        bench = stack.enter_context(bench_recall.opened(found.documents, embedder, shared.cache(door), shared.progress))
        answered = []
        for one in bench.answers(asked):
            if labels or one.query.labelled or "must_not" in one.query.line:
                answered.append(one)
            if not labels:
                print(bench_ranking.answer(one.query.qid, one.shown(abstain=not no_abstain), found.ids), flush=True)
        if labels or any(one.query.gold for one in answered):
            _report(answered, bench_recall.silence(answered, bench.config.applies_min), beside=not labels, json=json)


def _report(answered: "list[Answered]", at: "Silence", *, beside: bool, json: bool) -> None:
    """The figures: on stdout, or on stderr `beside` the answers."""
    from hivemind_cli.app.bench_recall import rows

    found = rows(answered)
    if json and not beside:
        print_json({"rows": shared.as_json(found), "silence": at})
        return
    shared.print_rows(found, beside=beside)
    must_not = f", must-not@1 {shared.share(*at.must_not)}" if at.must_not else ""
    said = f"precision {shared.share(*at.precision)}, answered {shared.share(*at.answered)}{must_not}"
    (note if beside else say)(escape(f"At {at.applies_min:g}: {said}"))
    note(escape(f"{shared.LEGEND} {LEGEND}"))
