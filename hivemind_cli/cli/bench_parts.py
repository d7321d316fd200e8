"""The parts of `hivemind bench speed`: each measures one thing in a made-up home and gives its figures."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hivemind_cli.cli.bench_daemon import Asked, Asker, cold_start, cpu_s, ingest, rss_mb
from hivemind_cli.cli.bench_figures import Figure, percentile, ratio
from hivemind_cli.cli.bench_home import home, hook_command, load
from hivemind_cli.cli.bench_hooks import BARE, CAPTURE, FALLBACK, RATIO_MAX, RECALL, BenchRow, bench_hooks
from hivemind_cli.cli.bench_made import Made, delivery
from hivemind_cli.cli.door import Door
from hivemind_cli.core.errors import DaemonError, HivemindError

MANY_EVENTS = 300_000
"""From here on a recall may cost what it may at a million."""
RECALL_RATIO_MAX, RECALL_P95_RATIO_MAX, RECALL_RATIO_MAX_MANY = 2.3, 2.8, 3.7
P99_MS_MAX, QUERIES_MIN = 10.0, 400.0
RSS_MB_MAX, START_S_MAX = 200.0, 0.5
INGEST_MIN, INGEST_P99_RATIO_MAX = 5000.0, 2.0
ASKED_A_ROUND = 10
ASKED_MIN = 300
STARTS = 5
FLOOD_SHARE = 0.2
"""Of the events, delivered again as a flood; at most FLOOD_MAX."""
FLOOD_MAX = 20_000
SETTLE_S = 3600.0
NEAREST_MIN = 0.94
VECTORS_MAX = 1_000_000
HYBRID_EVENTS = 500
"""Their texts are embedded, too, at some 100 a second: recall compares skills alone."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    skills: int
    events: int
    rounds: int
    clients: int


class Bench:
    """One run: a home, what is asked in it, and the figures found so far."""

    def __init__(self, door: Door, made: Made, sizes: Sizes, model: Path | None, tell: Callable[[str], object]) -> None:
        """`model` is the folder of an exported embedding model; `tell` says what is under way."""
        self.door, self.made, self.model, self.tell = door, made, model, tell
        self.skills, self.events, self.rounds, self.clients = sizes.skills, sizes.events, sizes.rounds, sizes.clients
        self.asker = Asker(door, made.questions(2000))
        self.quiet: list[Asked] = []
        """Recalls while nothing else happened."""

    def settle(self) -> None:
        """Wait until the daemon has nothing left to do."""
        settle(self.door, self.tell)

    def hooks(self) -> Iterator[Figure]:
        """Each hook as a host runs it, and between them the daemon's share alone."""
        rows = {row.name: row for row in self._rounds()}
        yield Figure("hooks", f"{BARE}: `python -I -S -c pass`", rows[BARE].median_ms, "ms")
        yield Figure("hooks", f"{BARE}, p95", rows[BARE].p95_ratio, "×")
        for name in (CAPTURE, RECALL, FALLBACK):
            yield from self._of_hook(rows[name])

    def _rounds(self) -> list[BenchRow]:
        prompts = self.made.questions(self.rounds + 1)
        self.asker.many(ASKED_A_ROUND)  # the first ones fill caches

        def between(number: int) -> None:
            self.quiet += self.asker.many(ASKED_A_ROUND)

        return bench_hooks(self.door.paths, hook_command(self.door), self.rounds, prompts=prompts, between=between)

    def _of_hook(self, row: BenchRow) -> Iterator[Figure]:
        goal, p95_goal = RATIO_MAX[row.name], None
        if row.name == RECALL:
            many = self.events >= MANY_EVENTS
            goal, p95_goal = (RECALL_RATIO_MAX_MANY, None) if many else (RECALL_RATIO_MAX, RECALL_P95_RATIO_MAX)
        spoke = "" if row.name == CAPTURE else f"spoke in {row.answers} of {self.rounds}"
        yield Figure("hooks", row.name, row.ratio, "×", goal, note=spoke)
        yield Figure("hooks", f"{row.name}, p95", row.p95_ratio, "×", p95_goal)

    def daemon(self) -> Iterator[Figure]:
        """Recalls over the socket, one after the other."""
        self.settle()
        before = cpu_s(self.door)
        asked = self.asker.many(max(ASKED_MIN - len(self.quiet), ASKED_MIN // 3), pause_s=0.005)
        used_ms = (cpu_s(self.door) - before) * 1000
        self.quiet += asked
        ms = [one.ms for one in self.quiet]
        yield Figure("daemon", "recall over the socket, p50", percentile(ms, 0.5), "ms", note=_spoke(self.quiet))
        yield Figure("daemon", "recall over the socket, p95", percentile(ms, 0.95), "ms")
        yield Figure("daemon", "recall over the socket, p99", percentile(ms, 0.99), "ms", P99_MS_MAX)
        yield Figure("daemon", "processor time a recall, storing included", used_ms / len(asked), "ms")

    def at_once(self) -> Iterator[Figure]:
        """Recalls of several clients at the same time."""
        found, seconds = self.asker.at_once(self.clients, max(self.rounds * 2, 10))
        ms = [one.ms for one in found]
        what = f"{self.clients} clients at once"
        yield Figure("clients", what, len(found) / seconds, "queries/s", QUERIES_MIN, True, _spoke(found))
        yield Figure("clients", f"{what}, p50", percentile(ms, 0.5), "ms")
        yield Figure("clients", f"{what}, p99", percentile(ms, 0.99), "ms")

    def memory(self) -> Iterator[Figure]:
        """Resident memory after all that was asked so far."""
        own, started = rss_mb(self.door)
        yield Figure("memory", "daemon, resident", own, "MB", RSS_MB_MAX)
        if started:
            yield Figure("memory", "its worker processes, resident", started, "MB")

    def start(self) -> Iterator[Figure]:
        """From nothing to an answer."""
        times = [cold_start(self.door, self.asker) for _ in range(STARTS)]
        what = f"median of {STARTS}"
        listens, answers = ([one[part] for one in times] for part in (0, 1))
        yield Figure("start", "cold start to listening", percentile(listens, 0.5), "s", START_S_MAX, note=what)
        yield Figure("start", "cold start to the first answered recall", percentile(answers, 0.5), "s", note=what)

    def flood(self) -> Iterator[Figure]:
        """A flood of tool results is taken in, once alone and once while recalls are asked."""
        files = max(min(int(self.events * FLOOD_SHARE), FLOOD_MAX), 50)
        calls = self.made.calls(str(self.door.paths.home))
        deliveries = (delivery(event, payload, time.time_ns()) for event, payload in calls)
        before = cpu_s(self.door)
        alone = ingest(self.door, islice(deliveries, files), None)
        used_ms = (cpu_s(self.door) - before) * 1000
        self.settle()
        asked = ingest(self.door, islice(deliveries, files), self.asker)
        self.settle()
        what, many = "spool to stored, 4 KB an event", f"{files:,} at once"
        yield Figure("ingest", what, files / alone.stored_s, "events/s", INGEST_MIN, True, many)
        yield Figure("ingest", "processor time an event, what follows included", used_ms / files, "ms")
        yield Figure("ingest", f"{what}, recalls meanwhile", files / asked.stored_s, "events/s")
        ms, quiet = ([one.ms for one in some] for some in (asked.asked, self.quiet))
        yield Figure("ingest", "recall meanwhile, p50", percentile(ms, 0.5), "ms", note=f"{len(ms)} asked")
        to_quiet = ratio(percentile(ms, 0.99), percentile(quiet, 0.99))
        why = f"{percentile(ms, 0.99):.1f} ms" if to_quiet else "nothing was asked while it was quiet (--only daemon)"
        yield Figure("ingest", "recall meanwhile, p99 to the quiet p99", to_quiet, "×", INGEST_P99_RATIO_MAX, note=why)

    def search(self) -> Iterator[Figure]:
        """What `hivemind search` asks of the daemon, by words."""
        yield from _searched("search", self.door, self.made.questions(self.rounds * 3))

    def vectors(self) -> Iterator[Figure]:
        """The graph of vectors beside comparing all of them."""
        from hivemind_cli.cli import bench_vectors

        count = min(max(self.events, 1000), VECTORS_MAX)
        share, ms, exact_ms = bench_vectors.measure(count, self.door.env, self.tell)
        many = f"{count:,} made-up vectors of {bench_vectors.DIM} figures"
        yield Figure("vectors", "of the 10 nearest, found", share, "", NEAREST_MIN, True, many)
        yield Figure("vectors", "a query, p50", percentile(ms, 0.5), "ms")
        yield Figure("vectors", "a query, p95", percentile(ms, 0.95), "ms")
        yield Figure("vectors", "all compared, p50", percentile(exact_ms, 0.5), "ms")

    def hybrid(self) -> Iterator[Figure]:
        """Recall by words and meaning, in a home beside the other one, asked in turn."""
        if self.model is None:
            yield Figure("hybrid", "recall by words and meaning", note="no exported model: give --model FOLDER")
            return
        with home(f"[embedding]\nmodel = {json.dumps(str(self.model.absolute()))}\n") as door:
            made = Made()
            load(door, made, skills=self.skills, count=min(self.events, HYBRID_EVENTS))
            settle(door, self.tell)
            state = door.ask("index.state")
            if state["tier"] != "hybrid":
                yield Figure("hybrid", "recall by words and meaning", note=str(state["why"]))
                return
            yield from self._beside(door, made)

    def _beside(self, door: Door, made: Made) -> Iterator[Figure]:
        asker = Asker(door, made.questions(2000))
        by_words: list[Asked] = []
        by_meaning: list[Asked] = []

        def between(number: int) -> None:
            by_words.extend(self.asker.many(5))
            by_meaning.extend(asker.many(5))

        rows = bench_hooks(
            door.paths,
            hook_command(door),
            self.rounds,
            prompts=made.questions(self.rounds + 1),
            between=between,
        )
        row = next(row for row in rows if row.name == RECALL)
        yield Figure("hybrid", f"{RECALL}, by words and meaning", row.ratio, "×", RECALL_RATIO_MAX)
        yield Figure("hybrid", f"{RECALL}, by words and meaning, p95", row.p95_ratio, "×", RECALL_P95_RATIO_MAX)
        for what, asked in (("by words and meaning", by_meaning), ("by words, the other home", by_words)):
            for share in (0.5, 0.99):
                ms = percentile([one.ms for one in asked], share)
                yield Figure("hybrid", f"recall over the socket, {what}, p{share * 100:.0f}", ms, "ms")
        yield from _searched("hybrid", door, made.questions(self.rounds * 3))
        own, started = rss_mb(door)
        yield Figure("hybrid", "daemon, resident", own, "MB", RSS_MB_MAX)
        yield Figure("hybrid", "its embedding process, resident", started, "MB")


def _searched(part: str, door: Door, queries: list[str]) -> Iterator[Figure]:
    ms, by = [], ""
    for query in queries:
        started = time.perf_counter()
        by = str(door.ask("search", query=query, limit=10)["by"])
        ms.append((time.perf_counter() - started) * 1000)
    for share in (0.5, 0.95):
        yield Figure(
            part, f"search through the daemon, p{share * 100:.0f}", percentile(ms, share), "ms", note=f"by {by}"
        )


def measures(bench: Bench) -> dict[str, Callable[[], Iterator[Figure]]]:
    """By part, in the order in which they are run: what fills the spool comes last."""
    return {
        "hooks": bench.hooks,
        "daemon": bench.daemon,
        "clients": bench.at_once,
        "search": bench.search,
        "memory": bench.memory,
        "hybrid": bench.hybrid,
        "start": bench.start,
        "ingest": bench.flood,
        "vectors": bench.vectors,
    }


def measured(part: str, measure: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """A part's figures; what could not be measured says why in a row of its own."""
    try:
        yield from measure()
    except (HivemindError, ImportError, OSError, subprocess.SubprocessError) as problem:
        yield Figure(part, "could not be measured", note=" ".join(str(problem).split()))


def begun(door: Door, sizes: Sizes, model: Path | None, tell: Callable[[str], object]) -> Bench:
    """A home with its history stored, its indexes built and its daemon settled."""
    made = Made()
    events = sizes.events
    load(door, made, skills=sizes.skills, count=events, progress=lambda n: tell(f"storing: {n:,} of {events:,}"))
    bench = Bench(door, made, sizes, model, tell)
    bench.settle()
    return bench


def settle(door: Door, tell: Callable[[str], object]) -> None:
    """Wait until a daemon has nothing left to do, and all that is derived has followed. DaemonError: it takes long."""
    door.ask("settle", timeout_s=SETTLE_S)
    deadline = time.monotonic() + SETTLE_S
    while (state := door.ask("index.state"))["working"]:
        if state["fault"] or time.monotonic() > deadline:
            raise DaemonError("The indexes did not follow.", why=str(state["fault"]))
        tell(f"indexing: {state['words_behind'] + state['meaning_behind']:,} to go")
        time.sleep(0.2)


def _spoke(asked: list[Asked]) -> str:
    return f"spoke in {sum(bool(one.answer) for one in asked)} of {len(asked)}"
