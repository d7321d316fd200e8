"""Mistakes told in several wordings, and how well keys join them: one line of the files is one mistake.

{"mistake": name, "project": ..., "near": a mistake it is easily taken for,
 "sayings": [{"words": ..., "act": "$ command" | "> path\\ntext" | "< path" | "", "lang"?, "task"?, "project"?}]}
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind
from hivemind_cli.core.terms import weight

FOLDER = Path(__file__).parent
START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Saying:
    """One wording of one mistake."""

    mistake: str
    near: str
    correction: Correction


def read(half: str) -> list[Saying]:
    """Sayings of `dev` (tuned on), `held` (two faults were mended after its first run) or `fresh` (never tuned on)."""
    found: list[Saying] = []
    for line in (FOLDER / f"recurrence_{half}.jsonl").read_text(encoding="utf-8").splitlines():
        mistake = json.loads(line)
        for saying in mistake["sayings"]:
            found.append(
                Saying(mistake["mistake"], mistake.get("near", ""), correction_of(mistake, saying, len(found)))
            )
    return found


def correction_of(mistake: dict[str, Any], saying: dict[str, Any], number: int) -> Correction:
    """A saying as detect would record it, without its key."""
    act = act_of(saying["act"])
    return Correction(
        id=f"c{number:05}",
        workspace_id="default",
        project_id=saying.get("project", mistake["project"]),
        machine_id="m",
        author="ada",
        host="claude",
        session_id=f"s{number}",
        kind=CorrectionKind.SAID,
        occurred_at=START + timedelta(minutes=number),
        act_event_id=f"a{number}",
        reaction_event_id=f"r{number}",
        quote=saying["words"],
        task=saying.get("task", ""),
        act=act.as_json() if act else {},
        before=act.short if act else "",
        language=saying.get("lang", "en"),
    )


def act_of(short: str) -> Act | None:
    """`$ ls` is a command, `> a.py` and lines a write, `< a.py` a read."""
    if not short:
        return None
    rest = short[2:]
    if short.startswith("$"):
        return Act(SHELL, "Bash", command=rest)
    path, _, text = rest.partition("\n")
    return Act(EDIT, "Write", path=path, text=text) if short.startswith(">") else Act(READ, "Read", path=path)


@dataclass(frozen=True, slots=True)
class Measured:
    """Over all pairs of sayings."""

    joined: int
    rightly: int
    same: int
    purity: float
    near_pairs: int
    near_joined: int
    wrong: tuple[tuple[Saying, Saying], ...]

    @property
    def precision(self) -> float:
        return self.rightly / self.joined if self.joined else 1.0

    @property
    def recall(self) -> float:
        return self.rightly / self.same

    @property
    def f1(self) -> float:
        return 2 * self.rightly / (self.joined + self.same)


def measure(sayings: list[Saying], keys: list[str]) -> Measured:
    """How the keys join what is one mistake, and keep apart what is not."""
    pairs = [(a, b) for a in range(len(sayings)) for b in range(a)]
    joined = [(a, b) for a, b in pairs if keys[a] == keys[b]]
    wrong = [(sayings[a], sayings[b]) for a, b in joined if sayings[a].mistake != sayings[b].mistake]
    same = sum(sayings[a].mistake == sayings[b].mistake for a, b in pairs)
    clusters: dict[str, list[str]] = {}
    for saying, key in zip(sayings, keys, strict=True):
        clusters.setdefault(key, []).append(saying.mistake)
    pure = sum(max(names.count(one) for one in names) for names in clusters.values())
    near = [(a, b) for a, b in pairs if _near(sayings[a], sayings[b])]
    return Measured(
        joined=len(joined),
        rightly=len(joined) - len(wrong),
        same=same,
        purity=pure / len(sayings),
        near_pairs=len(near),
        near_joined=sum(keys[a] == keys[b] for a, b in near),
        wrong=tuple(wrong),
    )


def intervals(orders: list[list[Saying]], keyed: list[list[str]], rounds: int = 500) -> dict[str, tuple[float, float]]:
    """95 % of precision, recall and F1 over all orders, the mistakes drawn again and again."""
    right: Counter[str] = Counter()
    same: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for sayings, keys in zip(orders, keyed, strict=True):
        for a, b in combinations(range(len(sayings)), 2):
            one, two = sayings[a].mistake, sayings[b].mistake
            same[one] += one == two
            right[one] += one == two and keys[a] == keys[b]
            if one != two and keys[a] == keys[b]:
                wrong[one, two] += 1
    names = sorted(same)
    draw = Random(1)
    found: dict[str, list[float]] = {"precision": [], "recall": [], "f1": []}
    for _ in range(rounds):
        times = Counter(draw.choices(names, k=len(names)))
        hits = sum(times[name] * right[name] for name in names)
        pairs = sum(times[name] * same[name] for name in names)
        joined = hits + sum(times[one] * times[two] * number for (one, two), number in wrong.items())
        found["precision"].append(hits / joined if joined else 1.0)
        found["recall"].append(hits / pairs)
        found["f1"].append(2 * hits / (joined + pairs))
    return {name: (sorted(values)[rounds // 40], sorted(values)[-1 - rounds // 40]) for name, values in found.items()}


def exact_key(correction: Correction) -> str:
    """The naive baseline: the act's signature, and the words' three heaviest terms or those shared with the act."""
    act = Act.of(correction.act) if correction.act else None
    words = content(correction.quote)
    about = sorted(words & content(f"{act.command} {act.path} {act.text}"))[:3] if act else []
    about = about or sorted(words, key=lambda term: (-weight(term), term))[:3]
    return f"{act.signature if act else ''}|{' '.join(sorted(about))}"


def shuffled(sayings: list[Saying], seed: int) -> list[Saying]:
    """In another order."""
    found = list(sayings)
    Random(seed).shuffle(found)
    return found


def _near(a: Saying, b: Saying) -> bool:
    return a.mistake != b.mistake and ((a.near in (b.mistake, b.near) and bool(a.near)) or b.near == a.mistake)


ORDERS = 6


def main(model: str = "") -> None:
    """Print how well each set is joined: by an exact key, by words, and with the model in folder `model`."""
    from hivemind_cli.embedding.sentence_transformers import SentenceTransformers
    from hivemind_cli.pipeline.detect.recurrence import Keys
    from hivemind_cli.storage.inmemory import InMemoryStore

    embedders: dict[str, Any] = {"words": None}
    if model:
        embedders["words and meaning"] = SentenceTransformers(Path(model), name="model")
    for half in ("dev", "held", "fresh"):
        orders = [read(half), *(shuffled(read(half), seed) for seed in range(1, ORDERS))]
        by: dict[str, list[list[str]]] = {"exact key": [[exact_key(one.correction) for one in some] for some in orders]}
        for name, embedder in embedders.items():
            by[name] = [
                [one.recurrence_key for one in Keys(embedder).give([s.correction for s in some], InMemoryStore())]
                for some in orders
            ]
        for name, keys in by.items():
            measured = [measure(some, each) for some, each in zip(orders, keys, strict=True)]
            likely = intervals(orders, keys)
            print(f"{half:5} {name:18}", end="")
            for what, (low, high) in likely.items():
                mean = sum(getattr(one, what) for one in measured) / ORDERS
                print(f"  {what} {mean:.3f} [{low:.2f}, {high:.2f}]", end="")
            purity = sum(one.purity for one in measured) / ORDERS
            near = sum(one.near_joined for one in measured) / sum(one.near_pairs for one in measured)
            print(f"  purity {purity:.3f}  near ones joined {near:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
