"""How `hivemind sessions show` tells a session: turns, calls in a line with what came of them, corrections, recalls."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from hivemind_cli.cli.output import counted, quoted

Entry = Mapping[str, Any]

WAITING_MAX = 300
"""Entries kept back until the first call among them has ended: a subagent's call lasts longer than its own calls."""
CLOCK_MIN = 60
"""Columns; a narrower terminal shows no time beside a call."""
OUTCOME_CHARS, TOOL_CHARS = 10, 8
RETRY = "tool_retry"
INDENT = 2
_ENDS = {"tool_result": "ok", "tool_failure": "failed", "tool_denied": "refused"}
_COLOURS = {"ok": "green", "failed": "red", "refused": "yellow", "stopped": "yellow", "not run": "dim", "held": "cyan"}
_CODE = re.compile(r"`[^`\n]{1,200}`")
_STRONG = re.compile(r"\*\*[^*\n]{1,200}\*\*|^#{1,6} .*", re.MULTILINE)
_TABS = str.maketrans({"\t": "    "})


def totals(head: Mapping[str, Any]) -> list[str]:
    """The head, as markup: which session, when, and totals."""
    first, last = (datetime.fromisoformat(head[name]).astimezone() for name in ("started_at", "last_at"))
    where = ", ".join(filter(None, (quoted(head["host"]), quoted(head["project"]))))
    ends = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    ill = ", ".join(
        f"{head[name]} {word}" for name, word in (("failed", "failed"), ("denied", "refused")) if head[name]
    )
    calls = counted(head["calls"], "call") + (f" ({ill})" if ill else "")
    return [
        f"[bold]{quoted(head['session_id'], 80)}[/]  {where}",
        f"{first:%Y-%m-%d %H:%M} to {ends}: {counted(head['prompts'], 'prompt')}, {calls}, "
        f"{counted(head['corrections'], 'correction')}, {counted(head['recalls'], 'recall')}",
    ]


def joined(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """Calls with what came of them, in the order in which they were made; everything else as it is."""
    waiting: deque[dict[str, Any]] = deque()
    open_calls: dict[str, dict[str, Any]] = {}
    for entry in entries:
        kind = entry["kind"]
        call = open_calls.pop(entry.get("call_id", ""), None) if kind in _ENDS else None
        if call is not None:
            call |= _outcome(entry)
        elif kind in _ENDS:
            waiting.append({**entry, "kind": "tool_call", **_outcome(entry)})
        else:
            waiting.append(dict(entry))
            if kind == "tool_call" and entry.get("call_id"):
                open_calls[entry["call_id"]] = waiting[-1]
        while waiting and (_settled(waiting[0]) or len(waiting) > WAITING_MAX):
            yield waiting.popleft()
    yield from waiting


def _settled(entry: Entry) -> bool:
    return entry["kind"] != "tool_call" or "outcome" in entry


def _outcome(entry: Entry) -> dict[str, Any]:
    outcome = "stopped" if entry.get("interrupted") else "not run" if entry.get("not_run") else _ENDS[entry["kind"]]
    if entry.get("by") == "hivemind":
        outcome = "held"
    return {
        "outcome": outcome,
        "ended": entry["at"],
        "by": entry.get("by", ""),
        "text": entry["text"],
        "more_lines": entry["more_lines"],
    }


class Screen:
    """Prints entries, one after the other."""

    def __init__(self, console: Console, *, full: bool) -> None:
        self._console = console
        self._full = full
        self._day: date | None = None
        self._before = ""
        """Kind of the entry before."""
        self._tell: dict[str, Callable[[Entry, int], None]] = {
            "prompt": self._prompt,
            "steer": self._prompt,
            "reply": self._reply,
            "tool_call": self._call,
            "correction": self._correction,
            "recall": self._recall,
        }

    def head(self, head: Mapping[str, Any]) -> None:
        """Print what the session was."""
        for line in totals(head):
            self._line(Text.from_markup(line))

    def show(self, entry: Entry) -> None:
        """Print one entry."""
        indent = INDENT + (4 if entry.get("agent") else 0)
        if entry["kind"] == "reply" or self._before == "reply":
            self._line(Text())
        self._tell.get(entry["kind"], self._other)(entry, indent)
        self._before = entry["kind"]

    def _prompt(self, entry: Entry, indent: int) -> None:
        if entry["kind"] == "prompt":
            at = datetime.fromisoformat(entry["at"]).astimezone()
            day = "" if at.date() == self._day else f"{at:%Y-%m-%d} "
            self._day = at.date()
            if self._before != "reply":
                self._line(Text())
            self._line(Text(f"{entry['turn']}. ", "bold") + Text(f"{day}{at:%H:%M:%S}", "dim"))
        self._words(entry, indent, "▌ ", "bold")

    def _reply(self, entry: Entry, indent: int) -> None:
        self._words(entry, indent, "", "")

    def _words(self, entry: Entry, indent: int, lead: str, style: str) -> None:
        for line in entry["text"].splitlines():
            text = Text(printable(line), style)
            text.highlight_regex(_STRONG, "bold")
            text.highlight_regex(_CODE, "cyan")
            self._line(text, indent, lead)
        self._rest(entry, indent, lead)

    def _rest(self, entry: Entry, indent: int, lead: str = "") -> None:
        if entry["more_lines"]:
            self._line(Text(f"… {counted(entry['more_lines'], 'more line')}", "dim"), indent, lead)

    def _call(self, entry: Entry, indent: int) -> None:
        outcome = str(entry.get("outcome", "no answer"))
        tool, did = printable(str(entry.get("tool") or "call")), str(entry.get("did", ""))
        line = Text.assemble(
            (f"{_clock(entry)}  " if self._console.width >= CLOCK_MIN else "", "dim"),
            (f"{outcome:<{OUTCOME_CHARS}}", _COLOURS.get(outcome, "dim")),
            (f"{tool:<{TOOL_CHARS}} ", "bold"),
            printable(did if self._full else " ".join(did.split())),
        )
        room = self._console.width - indent
        if self._console.is_terminal and not self._full and room > OUTCOME_CHARS + TOOL_CHARS:
            line.truncate(room, overflow="ellipsis")
        self._line(line, indent)
        if outcome not in ("ok", "no answer") or self._full:
            for one in entry["text"].splitlines():
                self._line(Text(printable(one), "dim" if outcome == "ok" else "red"), indent + 10)
            self._rest(entry, indent + 10)

    def _correction(self, entry: Entry, indent: int) -> None:
        did = printable(" ".join(str(entry["did"]).split()))
        if entry["what"] == RETRY:
            self._line(Text(f"↺ this worked, after {did}", "yellow"), indent, hang=4)
            return
        what = str(entry["what"]).replace("_", " ")
        self._line(
            Text(f"✗ corrected: {what}, {entry['sure']:.0%} sure ({printable(entry['cause'])})", "yellow"), indent
        )
        if did:
            self._line(Text(f"  the agent did {did}", "yellow"), indent, hang=4)
        for number, line in enumerate(str(entry["text"]).splitlines()[: None if self._full else 3]):
            self._line(
                Text(f"  {'the person put' if number == 0 else ' ' * 14} {printable(line)}", "yellow"), indent, hang=4
            )

    def _recall(self, entry: Entry, indent: int) -> None:
        said = "held the call" if entry["held"] else "said"
        pairs = zip(entry["names"], entry["scores"], strict=True)
        names = ", ".join(f"{name} ({score:.2f})" if score else name for name, score in pairs)
        moment = str(entry["moment"]).replace("_", " ")
        self._line(Text(f"⇢ hivemind {said} at this {moment}: {printable(names)}", "cyan"), indent)
        lines = str(entry["text"]).splitlines()
        shown = lines if self._full else lines[:0]
        for line in shown:
            self._line(Text(printable(line), "cyan"), indent + 2)
        self._line(Text(f"hivemind recall explain {entry['id']}", "dim"), indent + 2)

    def _other(self, entry: Entry, indent: int) -> None:
        kind = str(entry["kind"]).replace("_", " ")
        kind = {"subagent start": "subagent starts", "subagent stop": "subagent ends"}.get(kind, kind)
        about = " ".join(filter(None, (str(entry.get("agent_type", "")), " ".join(entry["text"].split())[:300])))
        indent = INDENT if "subagent" in kind else indent
        self._line(Text.assemble((_clock(entry), "dim"), f"  {kind} ", (printable(about), "dim")), indent)

    def _line(self, text: Text, indent: int = 0, lead: str = "", hang: int = 0) -> None:
        """One line, moved right; in a terminal it goes on under its own beginning, `hang` columns further right."""
        before = Text(" " * indent + lead, "dim" if lead else "")
        width = self._console.width - indent - len(lead) - hang
        if not self._console.is_terminal or width < 20:
            parts = [text]
        else:
            parts = list(text.wrap(self._console, width)) or [text]
        for part in parts:
            part.rstrip()
            self._console.print(before + part if part or lead else Text(), soft_wrap=True)
            if hang:
                before, hang = before + Text(" " * hang), 0


def _clock(entry: Entry) -> str:
    return f"{datetime.fromisoformat(entry['at']).astimezone():%H:%M:%S}"


def printable(text: str) -> str:
    """Nothing in it that a terminal obeys; blanks stay."""
    spaced = text.translate(_TABS)
    return spaced if spaced.isprintable() else "".join(char if char.isprintable() else " " for char in spaced)
