"""`hivemind corrections label`: say yourself what was a correction, one key a turn; and see your own numbers."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, note, print_json, quoted, say

if TYPE_CHECKING:
    from hivemind_cli.cli.screen import Screen

SAMPLE = 50
SAMPLE_ENOUGH = 100
"""Labels from which the intervals begin to say something (half-widths of about .1)."""
SKIP, UNDO, HELP, DURABLE, LEAVE = "s", "u", "?", "d", ("\x1b", "x")
LASTING, ONE_OFF = "+", "-"
"""Behind a key on standard input: `c+` lasts, `c-` does not."""
LINES_WAIT_S = 3.0
"""For the first label of a script."""


def label(
    project: Annotated[str, typer.Option("--project", help="Only turns of this project.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only since then: 7d, 4w, 2026-11-01.")] = "",
    session: Annotated[str, typer.Option("--session", help="Only this session; the beginning of its id.")] = "",
    all_turns: Annotated[bool, typer.Option("--all-turns", help="Every turn, in order.")] = False,
    sample: Annotated[int, typer.Option("--sample", help="How many turns to draw at random.", min=0)] = SAMPLE,
    report: Annotated[bool, typer.Option("--report", help="Ask nothing: print what your labels measure.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Ask nothing: write your labels to this file as JSON lines.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout: what would be asked, or the report.")
    ] = False,
) -> None:
    """Label your own turns, a key each, and see your own numbers.

    A label counts at once: for memos, skills and lists. Turns the detector is unsure of come mixed with turns drawn at
    random; the figures are of the random ones alone. Without a terminal, labels are read from standard input: lines
    of ID, a tab, and a key (c+ lasts, c- is one-off).
    """
    from hivemind_cli.cli import when

    door = Door.open()
    scope: dict[str, Any] = {"project": project, "session": session}
    if since:
        scope["since"] = when.since(since, datetime.now(UTC)).isoformat()
    if export is not None:
        _export(door, scope, export, json)
        return
    if report:
        _report(door.ask("label.report", **scope), json)
        return
    from hivemind_cli.cli.screen import Screen, is_terminal

    queue = door.ask("label.queue", sample=sample, all_turns=all_turns, **scope)
    waiting = [Waiting(one["event_id"], one["sampled"]) for one in queue["turns"]]
    if not is_terminal() and _is_given_lines():
        _from_lines(door, waiting, json)
        return
    if json:
        shown = (door.ask("label.show", event_id=one.event_id) for one in waiting)
        print_json({**queue, "turns": [one for one in shown if one]})
        return
    if not is_terminal():
        _no_terminal()
    if waiting:
        work = Labelling(door, waiting)
        with Screen().taken() as screen:
            work.run(screen)
        say(f"{counted(work.given, 'turn')} labelled; {work.left} left.")
    elif not queue["labelled"]:
        note("There is no turn to label yet. `hivemind import --all` reads past sessions.")
        return
    else:
        note("Every turn was labelled. `--sample` draws more at random, `--all-turns` asks about all.")
    _report(door.ask("label.report", **scope), json)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A turn to be asked about."""

    event_id: str
    sampled: bool

    @property
    def reason(self) -> str:
        """How it came to be asked about, as the label keeps it."""
        from hivemind_cli.app.labelling import PICKED, SAMPLED

        return SAMPLED if self.sampled else PICKED


@dataclass(slots=True)
class Labelling:
    """One sitting: where it is, and what was done, so that it can be undone."""

    door: Door
    waiting: list[Waiting]
    at: int = 0
    done: list[tuple[int, bool]] = field(default_factory=list)
    """(place, was it a label?) of what was answered, the newest last."""
    durable: bool | None = None
    message: str = ""

    @property
    def given(self) -> int:
        """Labels that stand; a skip is none."""
        return sum(labelled for _, labelled in self.done)

    @property
    def left(self) -> int:
        """Turns not answered yet."""
        return len(self.waiting) - self.at

    def run(self, screen: "Screen") -> None:
        """Ask until nothing is left or the person leaves."""
        while self.at < len(self.waiting):
            shown = self.door.ask("label.show", event_id=self.waiting[self.at].event_id)
            if shown is None:  # pruned, or nothing to ask
                self.at += 1
                continue
            if not self._answered(screen, shown):
                return

    def _answered(self, screen: "Screen", shown: dict[str, Any]) -> bool:
        """Ask about one turn until something came of it; False: the person leaves."""
        from hivemind_cli.cli.label_screen import KINDS, NEXT_DURABLE, turn_lines

        place = self.at
        while self.at == place:
            width, height = screen.size
            lines = turn_lines(
                shown,
                width=width,
                height=height,
                place=self._place(shown),
                durable=self.durable,
                message=self.message,
            )
            screen.show(lines)
            key = screen.key()
            self.message = ""
            if key in LEAVE:
                return False
            if key in KINDS:
                self._label(KINDS[key][0], True)
            elif key == SKIP:
                self._label("unknown", False)
            elif key == UNDO and self._undone():
                return True
            elif key == HELP:
                self._help(screen)
            elif key == DURABLE:
                self.durable = NEXT_DURABLE[self.durable]
            elif key and key != UNDO:
                self.message = "That key means nothing here: ? shows what they mean."
        return True

    def _place(self, shown: dict[str, Any]) -> str:
        moment = datetime.fromisoformat(shown["occurred_at"]).astimezone()
        drawn = " (drawn at random)" if self.waiting[self.at].sampled else ""
        return f"{self.at + 1} of {len(self.waiting)}{drawn}: {moment:%Y-%m-%d %H:%M}"

    def _label(self, said: str, labelled: bool) -> None:
        one = self.waiting[self.at]
        self.door.ask("label.set", event_id=one.event_id, said=said, durable=self.durable, reason=one.reason)
        self.done.append((self.at, labelled))
        self.at += 1
        self.durable = None

    def _undone(self) -> bool:
        from hivemind_cli.pipeline.judged import TAKEN_BACK

        if not self.done:
            self.message = "There is nothing to undo in this sitting."
            return False
        self.at, _ = self.done.pop()
        self.door.ask("label.set", event_id=self.waiting[self.at].event_id, said="unknown", reason=TAKEN_BACK)
        self.durable = None
        self.message = "Taken back: what is it?"
        return True

    def _help(self, screen: "Screen") -> None:
        from hivemind_cli.cli.label_screen import help_lines

        while True:
            screen.show(help_lines(*screen.size))
            if screen.key():
                return


def _is_given_lines() -> bool:
    """Does standard input hold anything? A pipe that says nothing for a while is only open, as agents leave it."""
    import select

    stream = sys.stdin.buffer
    if sys.stdin.isatty() or not isinstance(stream, BufferedReader):
        return False
    ready, _, _ = select.select([stream], [], [], LINES_WAIT_S)
    return bool(ready) and bool(stream.peek(1))


def _no_terminal() -> None:
    from hivemind_cli.core.errors import HivemindError

    raise HivemindError(
        "Labelling needs a terminal, or labels on standard input.",
        why="There is no terminal here, and standard input is empty.",
        fix="For scripts: `hivemind corrections label --json` lists turns; lines of ID, a tab and a key label them.",
    )


def _from_lines(door: Door, waiting: list[Waiting], json: bool) -> None:
    """Label what standard input says; a line that makes no sense is told, and the others count."""
    from hivemind_cli.core.errors import HivemindError

    known = {one.event_id: one for one in waiting}
    labelled = 0
    refused: list[dict[str, Any]] = []
    for number, event_id, said, durable, why in _lines():
        if not why:
            try:
                reason = known.get(event_id, Waiting(event_id, False)).reason
                door.ask("label.set", event_id=event_id, said=said, durable=durable, reason=reason)
                labelled += 1
                continue
            except HivemindError as exc:
                why = exc.what
        refused.append({"line": number, "why": why})
    if json:
        print_json({"labelled": labelled, "refused": refused})
    else:
        for one in refused:
            note(f"line {one['line']}: {quoted(one['why'], 200)}")
        say(f"{counted(labelled, 'turn')} labelled, {counted(len(refused), 'line')} refused.")
    if refused:
        raise typer.Exit(1)


def _lines() -> Iterator[tuple[int, str, str, bool | None, str]]:
    """(line number, turn's id, kind, durable, what is wrong with the line) of standard input; blank lines left out."""
    from hivemind_cli.cli.label_screen import KINDS

    for number, raw in enumerate(sys.stdin.buffer, 1):
        line = raw.decode("utf-8", "replace").strip()
        if not line:
            continue
        event_id, tab, key = line.partition("\t")
        letter, sign = key.strip()[:1].lower(), key.strip()[1:]
        durable = {"": None, LASTING: True, ONE_OFF: False}.get(sign)
        if not tab or sign not in ("", LASTING, ONE_OFF) or letter not in (*KINDS, SKIP):
            keys = ", ".join((*KINDS, SKIP))
            yield number, event_id, "", None, f"it is not an id, a tab, and one of {keys} (c+ lasts, c- is one-off)"
            continue
        yield number, event_id, KINDS[letter][0] if letter in KINDS else "unknown", durable, ""


def _export(door: Door, scope: dict[str, Any], path: Path, json: bool) -> None:
    from json import dumps

    from hivemind_cli.core.errors import HivemindError

    rows = door.ask("label.export", **scope)["rows"]
    text = "".join(f"{dumps(row, ensure_ascii=False)}\n" for row in rows)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise HivemindError(
            f"{path} cannot be written.", why=f"{exc.strerror or exc}.", fix="Name a file in a folder that is yours."
        ) from exc
    if json:
        print_json({"path": path, "turns": len(rows)})
    else:
        say(
            f"{counted(len(rows), 'labelled turn')} in {quoted(str(path), 200)}, for your eyes alone (0600). "
            f"`hivemind bench detect {quoted(str(path), 200)} --labels` measures the detector on them."
        )


def _report(found: dict[str, Any], json: bool) -> None:
    if json:
        print_json(found)
        return
    if not found["n"]:
        note("No turn that was drawn at random is labelled yet, so nothing can be said of the detector.")
        return
    say(f"[bold]The detector on {counted(found['n'], 'turn')} of yours, drawn at random[/]  [dim](95 % intervals)[/]")
    say(f"  {'':<9} {'precision':<24} {'recall':<24} F1")
    for name in ("strict", "pushback", "durable"):
        one = found[name]
        f1 = "-" if one["f1"] is None else f"{one['f1']:.2f} {_interval(one['f1_interval'])}"
        say(f"  {name:<9} {_share(one['precision']):<24} {_share(one['recall']):<24} {f1}")
    say("  [dim]strict: corrections; pushback: and failure reports; durable: lasting ones[/]")
    say("[bold]Does its confidence mean what it says?[/]")
    for one in found["calibration"]:
        if one["were"]["n"]:
            said = f"{one['low']:.2f}-{one['high']:.2f}, on average {one['mean']:.2f}:"
            say(f"  {said:<28} {_share(one['were'])} were corrections")
    if found["n"] < SAMPLE_ENOUGH:
        note(f"With so few turns the intervals are wide; {SAMPLE_ENOUGH} say more: `--sample {SAMPLE_ENOUGH}`.")
    if found["chosen"]:
        note(f"{counted(found['chosen'], 'label')} of turns that were not drawn at random count in no figure.")


def _share(share: dict[str, Any]) -> str:
    if not share["n"]:
        return "-"
    return f"{share['k'] / share['n']:.2f} {_interval(share['interval'])} {share['k']}/{share['n']}"


def _interval(bounds: "list[float] | None") -> str:
    return f"({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds else ""
