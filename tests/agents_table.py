"""The README's table of agents, made from the adapters: `python -m tests.agents_table` writes it."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hivemind_cli.core.acts import READ
from hivemind_cli.core.records import CorrectionKind, EventKind, Moment
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.base import Answer, Host
from hivemind_cli.hosts.headless import HEADLESS

README = Path(__file__).parents[1] / "README.md"
PAYLOADS = Path(__file__).parent / "hosts" / "payloads"
BEGIN, END = "<!-- agents -->\n", "<!-- /agents -->\n"
_SAID = {
    CorrectionKind.SAID: "said",
    CorrectionKind.REJECTED: "refused",
    CorrectionKind.INTERRUPTED: "interrupted",
}
_MOMENTS = (Moment.SESSION_START, Moment.PROMPT, Moment.TOOL_CALL)
_HEAD = ("agent", "captured", "corrections seen", "told at its start", "at a prompt", "at a call", "calls held",
         "skills", "may draft", "verified with")  # fmt: skip


def table() -> str:
    """Markdown, a line for each agent."""
    rows = [_HEAD, ("---",) * len(_HEAD), *(tuple(_row(host)) for host in HOSTS.values())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(host: Host) -> Iterator[str]:
    yield f"{host.LABEL} (`{host.NAME}`)"
    yield _mark(bool(host.EVENTS))
    yield ", ".join(word for kind, word in _SAID.items() if kind in host.CORRECTIONS)
    for moment in _MOMENTS:
        yield _mark(_takes(host, moment))
    yield _mark(_takes(host, Moment.TOOL_CALL, hold=True) and not _always_asks(host))
    yield _skills(host)
    yield _mark(host.NAME in HEADLESS)
    yield f"{host.VERIFIED}, {host.KNOWN_GOOD}".rstrip(", ")


def _takes(host: Host, moment: Moment, *, hold: bool = False) -> bool:
    """Has the host words for an answer at one of its events of that moment?"""
    events = [event for event, at in host.EVENTS.items() if at is moment and (event in host.DENIES or not hold)]
    return any(host.encode_answer(event, Answer(moment, "Words.", hold=hold)) for event in events)


def _always_asks(host: Host) -> bool:
    """Does every call in the payloads we have say that a person may be asked about it, whatever the mode?"""
    seen = [one for event in host.DENIES for payload in _payloads(host, event) for one in host.decode(event, payload)]
    calls = [one for one in seen if one.kind is EventKind.TOOL_CALL and one.payload["act"]["kind"] != READ]
    return bool(calls) and all(one.payload.get("asks") for one in calls)


def _payloads(host: Host, event: str) -> Iterator[dict[str, Any]]:
    for path in sorted((PAYLOADS / host.NAME).glob(f"{event}*.json")):
        payload = json.loads(path.read_bytes())
        if "permission_mode" in payload:
            payload["permission_mode"] = "bypassPermissions"
        yield payload


def _skills(host: Host) -> str:
    """In projects, in the home (where its own folder is there), or in both."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        project = bool(host.skill_folders(tree))
        (tree / f".{host.NAME}").mkdir()
        home = bool(host.skill_folders(tree))
    return "project, home" if project and home else "home" if home else "·"


def _mark(there: bool) -> str:
    return "✓" if there else "·"


def written(text: str) -> str:
    """`text` of the README with the table as it is to be."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text("utf-8")), "utf-8")
