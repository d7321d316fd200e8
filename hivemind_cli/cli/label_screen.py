"""The screen on which a person labels: one turn at a time, fitted to the terminal, one key for each answer."""

from collections.abc import Mapping
from typing import Any

from hivemind_cli.cli.screen import BOLD, CYAN, DIM, Line, flowed, head, one_line, wrapped

KINDS = {
    "c": ("correction", "correction", "What the agent did, said or planned is wrong, unwanted, or must be otherwise."),
    "f": ("failure_report", "failure report", "It does not work; how it should be done is not said."),
    "n": ("new_request", "new request", "On to something else, or further; nothing is put right."),
    "a": ("approval", "approval", "Yes, go on, thanks."),
    "q": ("question", "question", "A question that does not object."),
    "o": ("other", "other", "An answer to the agent's question, pasted information, small talk."),
}
"""Key -> (kind, its short name, what it means)."""
DURABLE = {None: "not said", True: "lasting", False: "one-off"}
NEXT_DURABLE = {None: True, True: False, False: None}
_BODY_MIN = 4


def turn_lines(
    shown: Mapping[str, Any], *, width: int, height: int, place: str, durable: bool | None, message: str = ""
) -> list[Line]:
    """The screen for one turn, at most `height` lines of `width` columns. The keys stay in sight; words give way."""
    footer = _footer(width, durable, message)
    header: list[Line] = [
        (one_line(", ".join(one for one in (place, shown["project"], shown["host"]) if one)), DIM),
        ("", ""),
    ]
    room = height - len(footer) - len(header)
    if room < _BODY_MIN:
        header, room = [], height - len(footer)
    if room < _BODY_MIN:
        footer = footer[: max(height - _BODY_MIN, 0)]
        room = height - len(footer)
    said = wrapped(shown["said"], width - 2)
    did = [one_line(one) for one in shown["did"]]
    replied = wrapped(shown["replied"], width - 2)
    for_agent = max(room - 2 - len(said), (room - 2) // 2) - 1 if did or replied else 0
    agent = _agent(did, replied, for_agent) if for_agent > 1 else []
    room -= len(agent) + 1
    body: list[Line] = [*agent, ("You said", BOLD), *((f"  {line}", "") for line in head(said, max(room, 1)))]
    gap = height - len(header) - len(body) - len(footer)
    return [*header, *body, *([("", "")] * max(gap, 0)), *footer][:height]


def help_lines(width: int, height: int) -> list[Line]:
    """What the keys mean."""
    lines: list[Line] = [("What is what you said, seen from what the agent had just done?", BOLD), ("", "")]
    for key, (_, name, meaning) in KINDS.items():
        first, *rest = wrapped(f"{name}: {meaning}", width - 4)
        lines += [(f" {key}  {first}", ""), *((f"    {line}", "") for line in rest)]
    more = {
        "d": "lasting: would it hold for later work, too? Press it before c; again for one-off.",
        "u": "undo: take the last label back, and see that turn again.",
        "s": "skip: you cannot tell. It is not asked again.",
        "Esc": "leave. Everything so far is kept; the next time goes on here.",
    }
    lines.append(("", ""))
    for key, meaning in more.items():
        first, *rest = wrapped(meaning, width - 6)
        lines += [(f" {key:<3}  {first}", ""), *((f"      {line}", "") for line in rest)]
    return [*lines[: max(height - 2, 1)], ("", ""), ("any key: back", DIM)][-height:]


def _agent(did: list[str], replied: list[str], room: int) -> list[Line]:
    """What the agent did and the end of what it said, in `room` lines and one of space."""
    acts = did[-max(min(len(did), room - 1 if not replied else (room + 1) // 2), 1) :] if did else []
    left = room - 1 - len(acts)
    tail = replied[-left:] if left > 0 and replied else []
    if len(tail) < len(replied) and tail:
        tail[0] = "…"
    lines: list[Line] = [("The agent", BOLD)]
    lines += [(f"  {act}", CYAN) for act in acts] + [(f"  {line}", "") for line in tail]
    return [*lines, ("", "")]


def _footer(width: int, durable: bool | None, message: str) -> list[Line]:
    keys = [f"{key} {name}" for key, (_, name, _) in KINDS.items()]
    others = [f"d lasting? {DURABLE[durable]}", "u undo", "s skip", "? help", "Esc leave"]
    lines: list[Line] = [(one_line(message), BOLD)]
    lines += [(line, "") for words in (keys, others) for line in flowed(words, width)]
    return lines
