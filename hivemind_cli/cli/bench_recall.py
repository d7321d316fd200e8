"""`hivemind bench recall`: the ranking and the silence of recall, on your own skills and queries."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import bench_ranking as shared
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json

if TYPE_CHECKING:
    from hivemind_cli.app.bench_recall import Answered, Silence

LEGEND = (
    "Silence is left aside in the rows. precision: right first answers, of those said and of forbidden ones said; "
    "must-not@1: queries whose forbidden answer comes first and is said."
)


def recall(
    skills: Annotated[Path, typer.Option("--skills", help="{id, name, description, body} a line; may be gzipped.")],
    queries: Annotated[
        Path | None, typer.Option("--queries", help="{qid, query} a line; standard input if left out.")
    ] = None,
    no_abstain: Annotated[bool, typer.Option("--no-abstain", help="Rank always, also where recall is silent.")] = False,
    labels: Annotated[
        bool, typer.Option("--labels", help="Print figures instead: queries have `gold`, or `must_not`: [ids].")
    ] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Without the embedding model, if there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --labels: one JSON document.")] = False,
) -> None:
    """Rank skills for queries as recall does before an agent acts: {qid, ranked: [[id, probability], …]} a line.

    Best first, 50 at most, [] where recall would be silent. Nothing is stored but vectors, nothing sent.
    """
    from hivemind_cli.app import bench_ranking, bench_recall

    with ExitStack() as stack:
        with shared.opened(skills) as file:
            documents = bench_recall.skills(file)
        asked = bench_ranking.queries(stack.enter_context(shared.opened(queries)))
        door = Door.open()
        embedder = None if lexical else shared.embedder(door)
        close = getattr(embedder, "close", None)
        if close:
            stack.callback(close)
        cache = door.paths.root / "cache" / "bench"
        bench = stack.enter_context(bench_recall.opened(documents, embedder, cache, shared.progress))
        if labels:
            answered = list(bench.answers(asked))
            _report(answered, bench_recall.silence(answered, bench.config.applies_min), json)
            return
        for one in bench.answers(asked):
            print(bench_ranking.answer(one.query.qid, one.shown(abstain=not no_abstain)), flush=True)


def _report(answered: "list[Answered]", at: "Silence", json: bool) -> None:
    from hivemind_cli.app.bench_recall import rows

    found = rows(answered)
    if json:
        print_json({"rows": shared.as_json(found), "silence": at})
        return
    shared.print_rows(found)
    must_not = f", must-not@1 {shared.share(*at.must_not)}" if at.must_not else ""
    said = f"precision {shared.share(*at.precision)}, answered {shared.share(*at.answered)}{must_not}"
    print(f"At {at.applies_min:g}: {said}")
    note(f"{shared.LEGEND} {LEGEND}")
