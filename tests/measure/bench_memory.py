"""hivemind's tables beside deeplake's and mem0's, in one run on one machine.

    python -m tests.measure.bench_memory [--rows 10000 100000] [--sides hivemind deeplake mem0] [--work FOLDER]

Each peer gets an environment of its own under --work (pip install, so it needs a package index the first time) and
each side a process of its own, which is asked the same things in turn: a block of calls here, a block there, the order
turned each round. Data and questions are made up, the same every time. Printed are medians in milliseconds a call, how
many times hivemind's each peer's is (above 1: hivemind is quicker), and how right the answers are.
Nothing is asserted: a machine's figures are for people to read.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.measure.memory_sides.data import TOP, Truth, make

ROOT = Path(__file__).parents[2]
PACKAGES = {"deeplake": ["deeplake==4.7.4", "numpy"], "mem0": ["mem0ai==2.2.1", "numpy"]}
OURS = "hivemind"
ROUNDS, BLOCK, WARM = 5, 20, 4
"""Rounds of each measurement; calls in a block; questions asked beforehand and not counted."""
BLOCK_SECONDS_MAX = 5
"""A side too slow for a whole block in this time makes fewer calls."""
BATCH = 10_000
"""Rows ingested by one call."""
SPARE = 4_000
"""Rows made beyond those ingested, to append."""
QUESTIONS = WARM + ROUNDS * BLOCK
KINDS = ("vector", "words", "hybrid", "filtered")
TOLD = {
    "ingest": "batch ingest (10,000 rows at most)",
    "ready": "all of it, and a first answer of each",
    "vector": "vector query",
    "words": "BM25 query",
    "hybrid": "hybrid query",
    "filtered": "vector query with WHERE",
    "append": "row append",
    "append_asked": "row append, then a vector query",
    "branch": "branch",
    "branch_rows": "ten rows on the branch",
    "merge": "merge",
}


@dataclass
class Process:
    """One side, alive until `end`."""

    name: str
    process: subprocess.Popen[str]
    environment: dict[str, str]
    ms: dict[str, float] = field(default_factory=dict)
    """What a call took the last time: median."""

    def affordable(self, what: str) -> int:
        """Calls a block may have."""
        return max(2, int(1000 * BLOCK_SECONDS_MAX / self.ms.get(what, 1)))

    def do(self, what: str, first: int, last: int, *, at_once: bool = False) -> dict[str, Any]:
        """`{"ms", "found"}`; empty when the side cannot."""
        assert self.process.stdin is not None
        last = last if at_once else min(last, first + self.affordable(what))
        order = {"do": what, "from": first, "to": last, "at_once": at_once}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        if answer:
            self.ms[what] = statistics.median(answer["ms"])
        return answer

    def answer(self) -> dict[str, Any]:
        """The next one. RuntimeError: the side died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}; its last words are above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Close it, and the daemon it asked."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.name == OURS:
            command = [sys.executable, "-m", "hivemind_cli", "daemon", "stop"]
            subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, check=False)


@dataclass
class Figures:
    """What was measured at one size."""

    rows: int
    quantile: float = 0.5
    ms: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Measurement -> side -> a list of calls for each round."""
    recalls: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Kind of question -> side -> share of the right answers, one a question."""

    def add(self, what: str, side: str, ms: Sequence[float]) -> None:
        """A round's calls."""
        self.ms.setdefault(what, {}).setdefault(side, []).append(list(ms))

    def said(self, what: str, side: str) -> float | None:
        """Milliseconds a call, over all rounds; None: not measured."""
        rounds = self.ms.get(what, {}).get(side)
        return float(np.quantile(np.concatenate(rounds), self.quantile)) if rounds else None

    def ratio(self, what: str, peer: str) -> tuple[float, float, float] | None:
        """The peer's over ours, and the least and greatest of the rounds'."""
        ours, theirs = self.said(what, OURS), self.said(what, peer)
        if ours is None or theirs is None:
            return None
        pairs = zip(self.ms[what][OURS], self.ms[what][peer], strict=False)
        rounds = [float(np.quantile(peers, self.quantile) / np.quantile(own, self.quantile)) for own, peers in pairs]
        return theirs / ours, min(rounds), max(rounds)


def measure(figures: Figures, sides: Sequence[Process], truth: Truth) -> Figures:
    """Everything, at one size."""
    rows = figures.rows
    for start in range(0, rows, BATCH):
        _in_turn(figures, sides, "ingest", start, min(rows, start + BATCH), turn=start // BATCH, at_once=True)
    for side in sides:
        asked = [side.do(kind, 0, 1).get("ms", []) for kind in ("vector", "words")]
        ingested = [one for calls in figures.ms["ingest"][side.name] for one in calls]
        figures.add("ready", side.name, [sum(ingested) + sum(sum(ms) for ms in asked)])
    for kind in KINDS:
        for side in sides:
            side.do(kind, 0, WARM)
        for turn in range(ROUNDS):
            first = WARM + turn * BLOCK
            answers = _in_turn(figures, sides, kind, first, first + BLOCK, turn=turn)
            if kind != "hybrid":
                _judge(figures, truth, kind, first, answers)
    free = rows
    for what, count in (("append", BLOCK), ("append_asked", BLOCK)):
        for turn in range(ROUNDS):
            _in_turn(figures, sides, what, free, free + count, turn=turn)
            free += count
    for turn in range(ROUNDS):
        _in_turn(figures, sides, "branch", turn, turn + 1, turn=turn)
        _in_turn(figures, sides, "branch_rows", free, free + 10, turn=turn, at_once=True)
        _in_turn(figures, sides, "merge", turn, turn + 1, turn=turn)
        free += 10
    return figures


def _in_turn(
    figures: Figures, sides: Sequence[Process], what: str, first: int, last: int, *, turn: int, at_once: bool = False
) -> dict[str, list[Any]]:
    """One block on each side, another side first each round. What they found."""
    found = {}
    place = turn % len(sides)
    for side in [*sides[place:], *sides[:place]]:
        answer = side.do(what, first, last, at_once=at_once)
        if answer:
            figures.add(what, side.name, answer["ms"])
            found[side.name] = answer["found"]
    return found


def _judge(figures: Figures, truth: Truth, kind: str, first: int, answers: dict[str, list[Any]]) -> None:
    for name, found in answers.items():
        shares = [truth.recall(kind, first + place, rows) for place, rows in enumerate(found)]
        figures.recalls.setdefault(kind, {}).setdefault(name, []).extend(shares)


def report(figures: Figures, names: Sequence[str]) -> str:
    """A table for people."""
    peers = [name for name in names if name != OURS]
    lines = [
        f"{figures.rows:,} rows: ms a call (quantile {figures.quantile:g}); times hivemind's (least, greatest round)"
    ]
    lines.append(f"{'':42}" + "".join(f"{name:>12}" for name in names) + "".join(f"{peer:>24}" for peer in peers))
    for what, told in TOLD.items():
        if what not in figures.ms:
            continue
        medians = [figures.said(what, name) for name in names]
        line = f"{told:42}" + "".join(f"{'-' if ms is None else format(ms, '.2f'):>12}" for ms in medians)
        for peer in peers:
            ratio = figures.ratio(what, peer)
            line += f"{'-' if ratio is None else '{:.2f} x ({:.2f} to {:.2f})'.format(*ratio):>24}"
        lines.append(line)
    for kind, shares in figures.recalls.items():
        told = ", ".join(f"{name} {statistics.fmean(shares[name]):.3f}" for name in names if name in shares)
        lines.append(f"right among {TOP}, {TOLD[kind]}: {told}")
    return "\n".join(lines)


def start(name: str, work: Path, data: Path) -> Process:
    """The side's process, ready."""
    home = work / "homes" / f"{name}-{data.name}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home), "HIVEMIND_HOME": str(home)}
    command = [str(_python(name, work)), "-m", f"tests.measure.memory_sides.{name}_side", str(data), str(home)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    side = Process(name, process, environment)
    side.answer()
    return side


def _python(name: str, work: Path) -> Path:
    """The side's interpreter; its environment is made the first time."""
    if name == OURS:
        return Path(sys.executable)
    folder = work / "environments" / name
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        print(f"making an environment for {', '.join(PACKAGES[name])} ...", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
        (folder / "made").touch()
    return python


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--sides", nargs="+", choices=[OURS, *PACKAGES], default=[OURS, *PACKAGES])
    parser.add_argument("--work", type=Path, help="kept between runs: environments, data and homes")
    parser.add_argument("--quantile", type=float, default=0.5, help="of the calls; 0.1 where others load the machine")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    args = parser.parse_args()
    work = args.work.absolute() if args.work else Path(tempfile.mkdtemp(prefix="bench-memory-"))
    print(f"{platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}, {work}")
    everything = []
    for rows in args.rows:
        data = work / f"data-{rows}"
        make(data, rows + SPARE, QUESTIONS)
        sides: list[Process] = []
        try:
            sides.extend(start(name, work, data) for name in args.sides)
            figures = measure(Figures(rows, args.quantile), sides, Truth(data, rows))
        finally:
            for side in sides:
                side.end()
        print(report(figures, args.sides), flush=True)
        everything.append({"rows": rows, "ms": figures.ms, "right": figures.recalls})
    if args.json:
        args.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
