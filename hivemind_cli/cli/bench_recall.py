"""`hivemind bench recall`: the ranking and the silence of recall, on your own skills and queries."""

import os
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import note, print_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hivemind_cli.app.bench_recall import Answered, Silence
    from hivemind_cli.embedding.base import Embedder

LEGEND = (
    "Silence is left aside in the rows. precision: right first answers, of those said and of forbidden ones said; "
    "must-not@1: queries whose forbidden answer comes first and is said."
)
_EVERY_TEXTS = 1024


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
        with _opened(skills) as file:
            documents = bench_recall.skills(file)
        asked = bench_ranking.queries(stack.enter_context(_opened(queries)))
        door = Door.open()
        embedder = None if lexical else _embedder(door)
        close = getattr(embedder, "close", None)
        if close:
            stack.callback(close)
        cache = door.paths.root / "cache" / "bench"
        bench = stack.enter_context(bench_recall.opened(documents, embedder, cache, _progress))
        if labels:
            answered = list(bench.answers(asked))
            _report(answered, bench_recall.silence(answered, bench.config.applies_min), json)
            return
        for one in bench.answers(asked):
            print(bench_ranking.answer(one.query.qid, one.shown(abstain=not no_abstain)), flush=True)


def _opened(file: Path | None) -> "AbstractContextManager[IO[bytes]]":
    from hivemind_cli.core.errors import ConfigError

    if file is None:
        if sys.stdin.isatty():
            note("Reading queries from the terminal, JSON lines; Ctrl-D ends them.")
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read.", why=exc.strerror or "", fix="Give a file of JSON lines.") from exc


def _embedder(door: Door) -> "Embedder | None":
    from hivemind_cli.app import embedding_setting
    from hivemind_cli.embedding import choose

    choice = choose(embedding_setting(door.paths, door.config, os.environ))
    if choice.embedder is None:
        note(f"By words alone: {choice.reason}.")
    else:
        note(f"By words and meaning: {choice.embedder.name}.")
    return choice.embedder


def _progress(done: int, whole: int) -> None:
    if done == whole or done % _EVERY_TEXTS == 0:
        note(f"Embedded {done:,} of {whole:,} texts.")


def _report(answered: "list[Answered]", at: "Silence", json: bool) -> None:
    from hivemind_cli.app.bench_recall import rows
    from hivemind_cli.cli.bench_ranking import LEGEND as RANKS
    from hivemind_cli.cli.bench_ranking import as_json, print_rows, share

    found = rows(answered)
    if json:
        print_json({"rows": as_json(found), "silence": at})
        return
    print_rows(found)
    must_not = f", must-not@1 {share(*at.must_not)}" if at.must_not else ""
    said = f"precision {share(*at.precision)}, answered {share(*at.answered)}{must_not}"
    print(f"At {at.applies_min:g}: {said}")
    note(f"{RANKS} {LEGEND}")
