"""Mistakes told in several wordings, and how well keys join them: one line of the files is one mistake.

{"mistake": name, "project": ..., "near": a mistake it is easily taken for,
 "sayings": [{"words": ..., "act": "$ command" | "> path\\ntext" | "< path" | "", "lang"?, "task"?, "project"?}]}
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.records import Correction, CorrectionKind

FOLDER = Path(__file__).parent
START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Saying:
    """One wording of one mistake."""

    mistake: str
    near: str
    correction: Correction


def read(half: str) -> list[Saying]:
    """The sayings of the `dev` or `held` half."""
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


def shuffled(sayings: list[Saying], seed: int) -> list[Saying]:
    """In another order."""
    found = list(sayings)
    Random(seed).shuffle(found)
    return found


def _near(a: Saying, b: Saying) -> bool:
    return a.mistake != b.mistake and ((a.near in (b.mistake, b.near) and bool(a.near)) or b.near == a.mistake)
