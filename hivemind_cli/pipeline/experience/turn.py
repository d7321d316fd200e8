"""One turn of an agent's work, as its events and a person's corrections tell it. Facts only: see weigh.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.fence import unfenced
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind, Event, EventKind
from hivemind_cli.pipeline.detect.checks import failing_lines, not_run, red
from hivemind_cli.pipeline.detect.errors import error_lines
from hivemind_cli.pipeline.detect.finding import act_of, said_in
from hivemind_cli.pipeline.detect.retry import only_looks
from hivemind_cli.pipeline.detect.runners import checks_of

TASK_CHARS_MAX = 2000
STEP_CHARS_MAX = 160
STEPS_MAX = 10
FILES_MAX = 20
FILES_NAMED_MAX = 4
"""In one step that edits many."""
TOOLS_MAX = 12
ERROR_CHARS_MAX = 1500
TERMS_MIN = 2
"""Content words of a prompt that says what is wanted by itself; "go on" belongs to the prompt before."""
_LAST = (EventKind.REPLY, EventKind.SESSION_END, EventKind.INTERRUPT)
_ENDS = (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE, EventKind.TOOL_DENIED)


@dataclass(frozen=True, slots=True)
class Checked:
    """The last run of one check in a turn."""

    name: str
    passed: bool
    output: str
    edits_before: int
    """Edits of the turn that it saw."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done, or tried."""

    kind: str
    """edit, run, call."""
    text: str
    how: str = ""
    """"" if it went through; failed, refused."""


@dataclass(frozen=True)
class Turn:
    """A prompt, and everything up to the next one."""

    prompt: Event
    events: Sequence[Event]
    """After the prompt, in the order of storing; subagents' too."""
    later: Sequence[Event] = ()
    """What is known of the session's next turns."""
    corrections: Sequence[Correction] = ()
    """Effective and called, of the whole session."""
    root: Event | None = None
    """The earlier prompt whose task this turn goes on with; None: its own."""
    put_right: Sequence[Correction] = field(default=())
    """What the person put right by this turn's prompt."""

    @property
    def task(self) -> str:
        """What was asked for."""
        return unfenced(said_in(self.root or self.prompt))[:TASK_CHARS_MAX].strip()

    @cached_property
    def next_prompt(self) -> Event | None:
        """Where the person spoke again."""
        return next((one for one in self.later if one.kind is EventKind.PROMPT), None)

    @property
    def ended(self) -> bool:
        """Or is it still under way, for all that is stored?"""
        return self.next_prompt is not None or (bool(self.events) and self.events[-1].kind in _LAST)

    @cached_property
    def steps(self) -> list[Step]:
        """What changed or ran something, in order, each once; what failed before it went through is left out."""
        found: dict[tuple[str, str], Step] = {}
        asked = {one.payload.get("call_id"): act_of(one) for one in self.events if one.kind is EventKind.TOOL_CALL}
        for event in self.events:
            step = _step(event, asked.get(event.payload.get("call_id")))
            if step:
                found.pop((step.kind, step.text), None)
                found[step.kind, step.text] = step
        return list(found.values())

    @property
    def approach(self) -> str:
        """The steps on a line each: `edit src/a.py`, `pytest -q`."""
        lines: list[str] = []
        edits: list[str] = []
        for step in [*self.steps, None]:
            if step and step.kind == "edit" and not step.how:
                edits.append(step.text)
                continue
            if edits:
                more = len(edits) - FILES_NAMED_MAX
                lines.append(f"edit {', '.join(edits[:FILES_NAMED_MAX])}{f' and {more} more' if more > 0 else ''}")
                edits = []
            if step:
                verb = "edit " if step.kind == "edit" else ""
                lines.append(f"{verb}{step.text}{f' ({step.how})' if step.how else ''}")
        if len(lines) > STEPS_MAX:
            half = STEPS_MAX // 2
            lines = [*lines[:half], f"… {len(lines) - 2 * half} more", *lines[-half:]]
        return "\n".join(lines)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Programs and tools that were used, in order."""
        found: dict[str, None] = {}
        for event in self.events:
            act = act_of(event) if event.kind in _ENDS else None
            if act and act.kind == SHELL:
                found.update(dict.fromkeys(act.heads))
            elif act and act.tool:
                found[act.tool] = None
        return tuple(found)[:TOOLS_MAX]

    @cached_property
    def checks(self) -> list[Checked]:
        """The last run of each check: tests, builds, linters."""
        found: dict[str, Checked] = {}
        edits = 0
        for event in self.events:
            act = act_of(event) if event.kind in _ENDS else None
            edits += _went_through(event) and act is not None and act.kind == EDIT
            command = act.command if act and act.kind == SHELL else str(event.payload.get("ran", ""))
            named = checks_of(command) if command else ()
            passed = _passed(event) if named else None  # its output is looked through only if it is one
            if passed is not None:
                found |= {check.name: Checked(check.name, passed, _shown(event), edits) for check in named}
        return list(found.values())

    @cached_property
    def edits(self) -> int:
        """Edits that went through."""
        return sum(_went_through(one) and (act := act_of(one)) is not None and act.kind == EDIT for one in self.events)

    @cached_property
    def files(self) -> list[str]:
        """That were edited."""
        return list(dict.fromkeys(step.text for step in self.steps if step.kind == "edit" and not step.how))[:FILES_MAX]

    @cached_property
    def lines_written(self) -> int:
        """By edits and commands, as far as the host tells."""
        wrote: list[object] = []
        for event in self.events:
            stood = event.payload.get("stood")
            wrote += [event.payload.get("wrote"), *(stood if isinstance(stood, list) else ())]
        return sum(len(one.get("written", ())) for one in wrote if isinstance(one, Mapping))

    @cached_property
    def lines_changed(self) -> int:
        """Of them, those that a person's hand had changed when they spoke next."""
        calls = {str(event.payload["call_id"]) for event in self.events if event.payload.get("call_id")}
        edited = [
            edit
            for event in self.later
            if event.kind is EventKind.PROMPT
            for edit in event.payload.get("edited", ())
            if str(edit.get("call_id", "")) in calls
        ]
        return sum(len(edit.get("removed", ())) for edit in edited)

    @cached_property
    def corrected(self) -> list[Correction]:
        """What a person, or a run, put right of this turn, in order; errors that the agent got over itself are none."""
        own = {event.id for event in self.events}
        following = self.next_prompt.id if self.next_prompt else ""
        return [
            one
            for one in self.corrections
            if one.kind is not CorrectionKind.TOOL_RETRY
            and (
                one.act_event_id in own
                or one.reaction_event_id in own
                or (not one.act_event_id and one.reaction_event_id == following)
            )
        ]

    @property
    def stopped(self) -> bool:
        """Did the person stop the agent?"""
        return any(event.kind is EventKind.INTERRUPT for event in self.events)

    @property
    def all_failed(self) -> bool:
        """Did nothing that was tried go through?"""
        return bool(self.steps) and all(step.how for step in self.steps)

    @property
    def error(self) -> str:
        """The lines that tell what went wrong last; "" if nothing did."""
        failed = [check for check in self.checks if not check.passed]
        if failed:
            output = failed[-1].output
            return ("\n".join(failing_lines(output)) or error_lines(output))[:ERROR_CHARS_MAX]
        broke = [event for event in self.events if event.kind is EventKind.TOOL_FAILURE and not _stopped(event)]
        return error_lines(_shown(broke[-1]))[:ERROR_CHARS_MAX] if broke else ""

    @property
    def seconds(self) -> float:
        """From the prompt to the last thing that was done."""
        ends = [event.occurred_at for event in self.events]
        return max((max(ends) - self.prompt.occurred_at).total_seconds(), 0.0) if ends else 0.0


def says_little(prompt: Event) -> bool:
    """Is it too short to be a task by itself?"""
    return len(content(unfenced(said_in(prompt))[:TASK_CHARS_MAX])) < TERMS_MIN


def _step(event: Event, asked: Act | None) -> Step | None:
    """`asked`: the act of its call, which hosts do not tell again of one that was refused."""
    act = act_of(event) if event.kind in _ENDS else None
    if act and asked and not (act.command or act.path or act.text):
        act = asked
    if act is None or act.kind == READ or (act.kind == SHELL and only_looks(act)):
        return None
    if event.kind is EventKind.TOOL_DENIED and event.payload.get("by") != "person":
        return None
    how = "" if event.kind is EventKind.TOOL_RESULT else "failed"
    if event.kind is EventKind.TOOL_DENIED or _stopped(event):
        how = "refused"
    if act.kind == EDIT:
        return Step("edit", act.path or act.tool, how)
    if act.kind == SHELL:
        return Step("run", " ".join(act.command.split())[:STEP_CHARS_MAX], how)
    return Step("call", f"{act.tool} {_input(act)}".strip()[:STEP_CHARS_MAX], how)


def _input(act: Act) -> str:
    """What a tool was given, where it is a path or words; of anything else the tool's name says enough."""
    said = act.path or " ".join(act.text.split())
    return "" if said.startswith(("{", "[")) else said


def _went_through(event: Event) -> bool:
    return event.kind is EventKind.TOOL_RESULT


def _stopped(event: Event) -> bool:
    return bool(event.payload.get("interrupted") or event.payload.get("not_run"))


def _passed(event: Event) -> bool | None:
    """Of a check's end: None if it did not run."""
    if _stopped(event) or event.kind is EventKind.TOOL_DENIED or not_run(_shown(event)):
        return None
    return event.kind is not EventKind.TOOL_FAILURE and not red(_shown(event))


def _shown(event: Event) -> str:
    return str(event.payload.get("error") or event.payload.get("output") or "")
