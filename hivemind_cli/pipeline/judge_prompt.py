"""What the judge sends and what it believes of the answer. Turns travel as data, each under a mark nobody can guess."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, Event, EventKind, SaidKind
from hivemind_cli.core.templates import template
from hivemind_cli.core.text import tokens_about
from hivemind_cli.llm.base import Request
from hivemind_cli.storage.base import Store

PURPOSE = "judge"
TURNS_MAX = 20
"""In one request: what is unsure is rare, and an answer for each must stay short."""
TOKENS_MAX = 8000
"""Of one request's turns, about."""
TOKENS_OUT_A_TURN = 80
SAID_CHARS_MAX = 1500
DID_CHARS_MAX = 400
REASON_CHARS_MAX = 200
KINDS = tuple(one for one in SaidKind if one is not SaidKind.REJECTION_INTERRUPT)
"""What a model may answer: that a host recorded an interrupt is no matter of opinion."""
_DURABLE = {"yes": True, "no": False, "unknown": None}


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn as the model sees it."""

    correction: Correction
    shown: Mapping[str, str]
    """Field -> redacted, shortened text."""

    @property
    def tokens(self) -> int:
        """Of its part of the request, about."""
        return tokens_about(json.dumps(dict(self.shown), ensure_ascii=False)) + 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said of one turn, as far as it holds."""

    correction: Correction
    said: SaidKind
    durable: bool | None
    reason: str


def asked(correction: Correction, store: Store) -> Asked | None:
    """The turn of `correction`; None if anything of it is private, or nothing was said."""
    act = Act.of(correction.act) if correction.act else None
    texts = {
        "task": correction.task[:DID_CHARS_MAX],
        "untrusted_agent_did": f"{act.tool}: {act.short}"[:DID_CHARS_MAX] if act else "",
        "untrusted_agent_said": _reply_before(correction, store)[-DID_CHARS_MAX:],
        "person_said": correction.quote[:SAID_CHARS_MAX],
    }
    shown = {name: redact.text(value).strip() for name, value in texts.items()}
    whole = (correction.quote, correction.task, correction.before, *shown.values())
    if not shown["person_said"] or any(redact.PRIVATE in one for one in whole):
        return None
    return Asked(correction, {name: value for name, value in shown.items() if value})


def batches(turns: Sequence[Asked]) -> Iterator[list[Asked]]:
    """`turns` in order, as many to a batch as one request may hold."""
    batch: list[Asked] = []
    tokens = 0
    for turn in turns:
        if batch and (len(batch) == TURNS_MAX or tokens + turn.tokens > TOKENS_MAX):
            yield batch
            batch, tokens = [], 0
        batch.append(turn)
        tokens += turn.tokens
    if batch:
        yield batch


def request_for(turns: Sequence[Asked]) -> tuple[Request, dict[str, Asked]]:
    """The request for these turns, and which mark stands for which. Marks are fresh in each request."""
    marked: dict[str, Asked] = {}
    for turn in turns:
        marked[_mark(marked)] = turn
    document = {"turns": [{"id": mark, **turn.shown} for mark, turn in marked.items()]}
    request = Request(
        purpose=PURPOSE,
        system=template("judge")[0],
        prompt=json.dumps(document, ensure_ascii=False, indent=1),
        schema=_SCHEMA,
        tokens_max=200 + TOKENS_OUT_A_TURN * len(turns),
    )
    return request, marked


def answers_in(value: Mapping[str, Any], marked: Mapping[str, Asked]) -> list[Answer]:
    """What holds of an answer that fits the schema, in its order.

    An entry with an unknown mark, kind or durability is dropped, and so is every entry of a mark that comes twice:
    for their turns nothing was said.
    """
    entries = value["turns"]
    marks = [entry["id"] for entry in entries]
    kinds = {one.value: one for one in KINDS}
    return [
        Answer(marked[entry["id"]].correction, kinds[entry["kind"]], _DURABLE[entry["durable"]], _said(entry["reason"]))
        for entry in entries
        if entry["id"] in marked
        and marks.count(entry["id"]) == 1
        and entry["kind"] in kinds
        and entry["durable"] in _DURABLE
    ]


def tokens_of(turns: Sequence[Asked]) -> tuple[int, int]:
    """(in, out) of the requests for `turns`, about; the answer's part is its usual length."""
    requests = len(list(batches(turns)))
    given = requests * tokens_about(template("judge")[0]) + sum(turn.tokens for turn in turns)
    return given, len(turns) * TOKENS_OUT_A_TURN // 2


def _said(reason: str) -> str:
    """The model's reason on one line, and nothing of it that looks like a secret."""
    return redact.text(" ".join(reason.split()))[:REASON_CHARS_MAX]


def _mark(taken: Mapping[str, Asked]) -> str:
    while (mark := secrets.token_hex(4)) in taken:
        pass
    return mark


def _reply_before(correction: Correction, store: Store) -> str:
    """The agent's last words before the person's."""
    rows = store.find(Event, id=correction.reaction_event_id, limit=1)
    if not rows:
        return ""
    replies = store.find(
        Event,
        host=correction.host,
        session_id=correction.session_id,
        kind=EventKind.REPLY,
        until=rows[0].seq,
        newest_first=True,
        limit=1,
    )
    return str(replies[0].record.payload.get("text", "")) if replies else ""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# No enumerations: one wrong word must cost one turn its answer, not all of them.
_SCHEMA = _object(
    {
        "turns": {
            "type": "array",
            "items": _object(
                {
                    "id": {"type": "string"},
                    "kind": {"type": "string", "description": f"One of {', '.join(KINDS)}."},
                    "durable": {"type": "string", "description": "yes, no or unknown."},
                    "reason": {"type": "string"},
                }
            ),
        }
    }
)
