"""`hivemind bench detect`: the shipped detector over pairs from a file, and how right it is where they are labelled."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.intervals import bootstrap, tally, wilson
from hivemind_cli.core.records import PUSHBACK, SaidKind
from hivemind_cli.pipeline.detect.said import Heard, hear

if TYPE_CHECKING:
    from hivemind_cli.embedding.base import Embedder

BATCH = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """One line: a person's words, and what the agent said before them."""

    id: Any
    user: str
    before: str
    label: str
    """"" where the line has none."""
    durable: bool
    english: bool
    natural: bool
    """Part of a random sample, as far as the line says."""
    repo: str


def pairs(lines: Iterable[bytes]) -> Iterator[Pair]:
    """The pairs in JSON lines. ConfigError names the first line that is none."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _pair(line, number)


def _pair(line: bytes, number: int) -> Pair:
    form = 'A line is {"id": ..., "prev_assistant": "...", "user": "..."}; more fields may stand there.'
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"Line {number} is no JSON.", why=str(exc)[:200], fix=form) from exc
    if not isinstance(value, dict) or "id" not in value or not isinstance(value.get("user"), str):
        raise ConfigError(f"Line {number} has no `id`, or no text `user`.", fix=form)
    before = value.get("prev_assistant")
    if before is not None and not isinstance(before, str):
        raise ConfigError(f"In line {number} `prev_assistant` is no text.", fix=form)
    label = value.get("label") or ""
    if not isinstance(label, str) or (label and label not in set(SaidKind)):
        raise ConfigError(f"Line {number} has the label {label!r}.", fix=f"Labels are {', '.join(SaidKind)}.")
    return Pair(
        id=value["id"],
        user=value["user"],
        before=before or "",
        label=label,
        durable=value.get("durable") is True,
        english=value.get("lang", "en") == "en",
        natural=value.get("sample", "natural") == "natural",
        repo=str(value.get("repo", "")),
    )


def judged(found: Iterable[Pair], embedder: "Embedder | None") -> Iterator[tuple[Pair, Heard]]:
    """Each pair with what the detector makes of it, in order, in bounded memory."""
    rest = iter(found)
    broken: ConfigError | None = None
    while broken is None:
        batch: list[Pair] = []
        try:
            batch.extend(islice(rest, BATCH))
        except ConfigError as exc:  # what stood before the bad line is answered first
            broken = exc
        if not batch and broken is None:
            return
        yield from zip(batch, hear([(one.user, one.before) for one in batch], embedder), strict=True)
    raise broken


def as_line(pair: Pair, heard: Heard) -> str:
    """One line of the answer."""
    answer = {
        "id": pair.id,
        "correction": heard.correction,
        "kind": heard.kind.value,
        "durable": heard.durable,
        "confidence": heard.confidence,
    }
    return json.dumps(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How right the detector was for one question on one part of the labelled turns; intervals are of 95 %."""

    question: str
    part: str
    turns: int
    there: int
    """Turns of which the answer is yes."""
    precision: float | None
    precision_interval: tuple[float, float]
    recall: float | None
    recall_interval: tuple[float, float]
    f1: float | None
    f1_interval: tuple[float, float] | None
    """Bootstrap over turns; None where no draw has a value."""


def figures(found: Sequence[tuple[Pair, Heard]]) -> list[Row]:
    """The figures of the labelled turns. ConfigError: none is labelled."""
    labelled = [one for one in found if one[0].label]
    if not labelled:
        raise ConfigError(
            "No line has a label.", fix="Give each line a `label` (and `durable`), or leave --labels out."
        )
    parts = {"all": labelled, "natural": [one for one in labelled if one[0].natural]}
    parts |= {"English": [one for one in labelled if one[0].english]}
    rows = []
    for name, part in parts.items():
        if part and (name == "all" or len(part) < len(labelled)):
            rows += [
                _row(question, name, part) for question in ("strict", "text only", "pushback", "failure", "durable")
            ]
    return rows


def _row(question: str, part: str, found: Sequence[tuple[Pair, Heard]]) -> Row:
    asked = [_answers(question, pair, heard) for pair, heard in found if _is_asked(question, pair)]
    counts = tally(asked)
    there = counts.hits + counts.misses
    return Row(
        question=question,
        part=part,
        turns=len(asked),
        there=there,
        precision=counts.precision,
        precision_interval=wilson(counts.hits, counts.hits + counts.false_alarms),
        recall=counts.recall,
        recall_interval=wilson(counts.hits, there),
        f1=counts.f1,
        f1_interval=bootstrap(asked, lambda drawn: tally(drawn).f1),
    )


def _is_asked(question: str, pair: Pair) -> bool:
    return question != "text only" or pair.label != SaidKind.REJECTION_INTERRUPT


def _answers(question: str, pair: Pair, heard: Heard) -> tuple[bool, bool]:
    """(what the detector said, what is true)."""
    if question == "strict":
        return heard.correction, pair.label == SaidKind.CORRECTION
    if question == "failure":
        return heard.kind is SaidKind.FAILURE_REPORT, pair.label == SaidKind.FAILURE_REPORT
    if question == "durable":
        return heard.durable, pair.durable
    return heard.kind in PUSHBACK, pair.label in PUSHBACK
