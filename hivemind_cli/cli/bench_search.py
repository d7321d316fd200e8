"""`hivemind bench search`: the ranking of the search, on your own documents and queries."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli import bench_ranking as shared
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json

if TYPE_CHECKING:
    from hivemind_cli.app.bench_search import Answered


def search(
    docs: Annotated[Path, typer.Option("--docs", help="{id, text} a line, title and num if you like; may be gzipped.")],
    queries: Annotated[
        Path | None, typer.Option("--queries", help="{qid, query} a line; standard input if left out.")
    ] = None,
    no_abstain: Annotated[bool, typer.Option("--no-abstain", help="Rank always, however little fits.")] = False,
    labels: Annotated[bool, typer.Option("--labels", help="Print figures alone: queries have `gold`: [ids].")] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Without the embedding model, if there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --labels: one JSON document.")] = False,
) -> None:
    """Rank documents for queries as `hivemind search` does: {qid, ranked: [[id, score], …]} a line.

    Best first, 50 at most, [] where nothing fits. A query is a `query`, or a `title` and a `text`; with `before`, only
    documents with a smaller `num` are ranked. Where queries have `gold`, stderr shows how right the ranking is. Nothing
    is stored but vectors, nothing sent.
    """
    from hivemind_cli.app import bench_ranking, bench_search

    with ExitStack() as stack:
        with shared.opened(docs) as file:
            found = bench_search.documents(file)
        asked = bench_ranking.queries(stack.enter_context(shared.opened(queries)))
        door = Door.open()
        embedder = stack.enter_context(shared.embedder(door, lexical=lexical))
        bench = stack.enter_context(bench_search.opened(found.texts, embedder, shared.cache(door), shared.progress))
        answered = []
        for one in bench.answers(asked):
            if one.query.gold:
                answered.append(one)
            if not labels:
                print(bench_ranking.answer(one.query.qid, one.shown(abstain=not no_abstain), found.ids), flush=True)
        if labels or answered:
            _report(answered, beside=not labels, json=json)


def _report(answered: "list[Answered]", *, beside: bool, json: bool) -> None:
    """The figures: on stdout, or on stderr `beside` the answers."""
    from hivemind_cli.app.bench_search import rows

    found = rows(answered)
    if json and not beside:
        print_json(shared.as_json(found))
        return
    shared.print_rows(found, beside=beside)
    note(f"{shared.LEGEND} What the search finds too little fitting to give is counted, too.")
