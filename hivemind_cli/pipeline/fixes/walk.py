"""From an error's event to what fixed it: a walk through what its session did next.

A person's words are evidence as they stand; a tool's output only tells that an error was there, or had gone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from hivemind_cli.core.acts import EDIT, OTHER, READ, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, Event, EventKind
from hivemind_cli.index.base import Text
from hivemind_cli.pipeline.detect.checks import red
from hivemind_cli.pipeline.detect.errors import TELLS
from hivemind_cli.pipeline.detect.finding import act_of, edited
from hivemind_cli.pipeline.detect.retry import (
    call_failed,
    changed_lines,
    changing_command,
    only_looks,
    same_job,
    stands_in,
)
from hivemind_cli.pipeline.detect.runners import checks_of
from hivemind_cli.pipeline.fixes.likeness import LIKE_MIN, Signature
from hivemind_cli.pipeline.spoken import own_words
from hivemind_cli.pipeline.texts import of_event
from hivemind_cli.storage.base import Row, Store

ERROR_KINDS = (EventKind.TOOL_FAILURE, EventKind.TOOL_RESULT, EventKind.PROMPT, EventKind.STEER)
"""Events that may show an error: calls that failed, output, what a person pasted."""
WINDOW_EVENTS = 240
"""Looked through after an error."""
CALLS_MAX = 60
"""Calls between an error and what worked."""
TURNS_MAX = 2
"""Prompts of the person's in between."""
STEPS_MAX = 5
FILES_MAX = 3
"""Files edited in between; with more nobody can say which of them it was."""
ERROR_LINES_MAX = 6
WORDS_CHARS_MAX = 600
CALL_CHARS_MAX = 300

PASSED, OTHERWISE, CHANGED, GONE, TURN, SAID = "passed", "otherwise", "changed", "gone", "turn", "said"
HOW = {
    PASSED: "the same call then worked",
    OTHERWISE: "called otherwise, it worked",
    CHANGED: "this error was gone; it then failed otherwise",
    GONE: "the output no longer showed the error",
    TURN: "the person did not report it again",
    SAID: "what the person said when it happened; whether it helped was not seen",
}
_SURE = {PASSED: 0.9, OTHERWISE: 0.8, CHANGED: 0.6, GONE: 0.5, TURN: 0.4, SAID: 0.3}
_BY_CHANCE = 0.4
"""Nothing was done in between: it may have been the weather."""
_PER_TURN = 0.8
_CALLED_OTHERWISE = 0.7
"""It failed otherwise, but it was not the same call either."""
_MANY_FILES = 0.5
_OF_OTHER_TOOLS = 0.7
"""What a page or a service answers may be otherwise the next time by itself."""
_SAID_CALLS_MAX = 3
"""After an error nobody saw go: so soon the person must have spoken to have spoken of it."""
_ALIKE_MIN = 0.6
"""Of two looks one after the other, to be the same one."""
_ENDS = (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE)
_WORDS = (EventKind.PROMPT, EventKind.STEER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was done between an error and its end."""

    kind: str
    """ran (a command), edited (a file), called (another tool), said (the person)."""
    text: str
    """The command, the file's path, the call, or the words."""
    diff: tuple[str, ...] = ()
    """Of an edit, `-` and `+` lines, as far as they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What was done, and that the error was gone afterwards."""

    steps: tuple[Step, ...]
    """In order; () if the repeated call simply worked."""
    worked: str
    """The call without the error; "" where only the person's silence says that it was gone."""
    how: str
    """A key of HOW."""
    sure: float
    """0..1"""
    event_id: str
    """Where it was seen to be gone."""
    key: tuple[str, ...]
    """Equal for two fixes that did the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An error as it once was, and what fixed it then."""

    text: Text
    """Of its event: where and when."""
    likeness: float
    """0..1, to what was asked for."""
    error: str
    """Its lines that fit, as they stood."""
    tried: str
    """The call that failed; "" of words."""
    fix: Fix | None


def seen(store: Store, signature: Signature, texts: Sequence[Text], *, walks_max: int) -> list[Seen]:
    """Those of these texts of events that show the error, the likest first, with what fixed it.

    At most `walks_max` are followed, of each session its likest first; of the rest only calls that failed are told.
    Errors that one fix ended are one: the likest of them.
    """
    likes = sorted(((signature.likeness(text.text)[0], -n) for n, text in enumerate(texts)), reverse=True)
    alike = [texts[-n] for likeness, n in likes if likeness >= LIKE_MIN]
    walked = _spread(alike)[:walks_max]
    rows = {row.record.id: row for row in store.find(Event, id=[text.id for text in walked])} if walked else {}
    found: dict[str, Seen] = {}
    for text in walked:
        row = rows.get(text.id)
        one = _like(row.record, text, signature) if row else None
        if row and one:
            fixed = replace(one, fix=_fix(store, row, one))
            found.setdefault(fixed.fix.event_id if fixed.fix else text.id, fixed)
    for text in alike:
        if text.kind == EventKind.TOOL_FAILURE and text not in walked:
            found.setdefault(f"{text.host}:{text.session_id}", _told(text, signature))
    followed = {(one.text.host, one.text.session_id) for one in found.values() if one.text in walked}
    kept = [one for one in found.values() if one.text in walked or (one.text.host, one.text.session_id) not in followed]
    return sorted(kept, key=lambda one: -round(one.likeness, 2))


def end_of(event: Event, after: Sequence[Event]) -> Seen | None:
    """A call that failed, and what ended its error among the events `after` it; None: it shows none that says anything.

    `after`: of the same session and agent, a person's words too.
    """
    text, signature = of_event(event), Signature.of(_shown(event))
    one = _like(event, text, signature) if text and signature else None
    return replace(one, fix=_Walk(event, one, after[:WINDOW_EVENTS]).fix()) if one else None


def _spread(texts: Sequence[Text]) -> list[Text]:
    """The first of each session, then the second of each, and so on."""
    nth: Counter[tuple[str, str]] = Counter()
    places: list[tuple[int, int]] = []
    for n, text in enumerate(texts):
        places.append((nth[text.host, text.session_id], n))
        nth[text.host, text.session_id] += 1
    return [texts[n] for _, n in sorted(places)]


def _told(text: Text, signature: Signature) -> Seen:
    """One that is not followed."""
    likeness, lines = signature.likeness(text.text)
    error = "\n".join(dict.fromkeys(lines[:ERROR_LINES_MAX]))
    return Seen(text=text, likeness=likeness, error=error, tried=text.title, fix=None)


def _like(event: Event, text: Text, signature: Signature) -> Seen | None:
    """The event as one that shows the error; None if it does not."""
    act = act_of(event)
    shown = _shown(event)
    if not shown or (event.kind is EventKind.TOOL_RESULT and (act is None or act.kind in (READ, EDIT))):
        return None
    likeness, lines = signature.likeness(shown)
    if likeness < LIKE_MIN or (event.kind is not EventKind.TOOL_FAILURE and not _tells(lines, act, shown)):
        return None
    if event.kind is EventKind.TOOL_RESULT and act and act.kind == SHELL and only_looks(act):
        likeness *= 0.9  # a log is shown, or a text about an error: a call that failed says more
    error = "\n".join(dict.fromkeys(lines[:ERROR_LINES_MAX]))
    return Seen(text=text, likeness=likeness, error=error, tried=_call(act) if act else "", fix=None)


def _tells(lines: Sequence[str], act: Act | None, text: str) -> bool:
    """Does output, or do words, speak of an error there?"""
    if act and act.kind == SHELL and checks_of(act.command):
        return red(text)
    return any(TELLS.search(line) for line in lines)


def _shown(event: Event) -> str:
    payload = event.payload
    return str(payload.get("error") or payload.get("output") or payload.get("text") or "")


def _fix(store: Store, row: Row[Event], one: Seen) -> Fix | None:
    event = row.record
    rows = store.find(Event, host=event.host, session_id=event.session_id, after=row.seq, limit=WINDOW_EVENTS)
    agent = event.payload.get("agent_id")
    after = [each.record for each in rows if each.record.payload.get("agent_id") == agent or each.record.kind in _WORDS]
    if event.kind in _WORDS:
        return _fix_of_words(store, after)
    return _Walk(event, one, after).fix()


class _Walk:
    """Goes on from a call that showed an error."""

    def __init__(self, event: Event, one: Seen, after: Sequence[Event]) -> None:
        self._event, self._after = event, after
        self._shown, self._error = one.error, Signature.of(one.error)
        self._tried = act_of(event)
        self._calls = {e.payload.get("call_id"): e for e in after if e.kind is EventKind.TOOL_CALL}
        self._told = one.tried
        self._steps: list[Step] = []
        self._reads: dict[str, str] = {}
        """Reads among them, and of which file."""
        self._files: set[str] = set()
        self._turns = 0

    def fix(self) -> Fix | None:
        """None if the error was not seen to go."""
        tried, ends = self._tried, 0
        said: Fix | None = None
        if tried is None:
            return None
        for event in self._after:
            if event.kind in _WORDS:
                self._turns += event.kind is EventKind.PROMPT
                if self._turns > TURNS_MAX:
                    return said
                words = _said(event)
                self._steps += words
                if words and ends <= _SAID_CALLS_MAX and self._about(event, words[0].text):
                    steps = (*(said.steps if said else ()), *words)
                    said = Fix(
                        steps=steps,
                        worked="",
                        how=SAID,
                        sure=_SURE[SAID],
                        event_id=said.event_id if said else event.id,
                        key=(SAID,),
                    )
            elif event.kind in _ENDS and (act := act_of(event)):
                ends += 1
                if ends > CALLS_MAX:
                    return said
                how = self._ended(tried, act, event, first=ends == 1)
                if how:
                    return self._made(how, tried, act, event)
                if event.kind is EventKind.TOOL_RESULT:
                    self._step(event, act)
        return said

    def _ended(self, tried: Act, act: Act, event: Event, *, first: bool) -> str:
        """A key of HOW if this call shows that the error is gone, else ""."""
        if event.payload.get("interrupted") or event.payload.get("not_run"):
            return ""
        failed = event.kind is EventKind.TOOL_FAILURE or call_failed(event, act)
        if tried.kind != SHELL:
            otherwise = tried.path == act.path and _input(tried, act) and tried.kind != EDIT
            return "" if failed or not self._same_call(tried, act) else OTHERWISE if otherwise else PASSED
        if act.kind != SHELL or not act.heads or not tried.heads:
            return ""
        again = same_job(tried, act)
        called = self._event.kind is EventKind.TOOL_FAILURE and _looks_again(tried, act)
        if not again and not (first and (called or stands_in(tried, act))):
            return ""
        if self._error.stands_in(_shown(event)):
            return ""
        if failed:
            return CHANGED if self._steps or tried.command != act.command else ""
        if self._event.kind is EventKind.TOOL_RESULT and not checks_of(tried.command):
            return GONE
        return PASSED if again and (tried.command == act.command or checks_of(tried.command)) else OTHERWISE

    def _about(self, event: Event, words: str) -> bool:
        """Do the person's words belong to the error? Those said while the agent works do."""
        return event.kind is EventKind.STEER or bool(content(words) & content(self._shown))

    def _same_call(self, tried: Act, act: Act) -> bool:
        return act.kind == tried.kind and act.tool == tried.tool and (act.path == tried.path or not tried.path)

    def _step(self, event: Event, act: Act) -> None:
        """Remember what may have helped."""
        if edited(event):
            self._files.add(act.path)
            call = self._calls.get(event.payload.get("call_id"))
            self._steps.append(Step(kind="edited", text=act.path, diff=tuple(changed_lines(event, call))))
        elif act.kind == SHELL:
            command = changing_command(event)
            if command and self._tried_as(SHELL, OTHER) and command != self._told:
                self._steps.append(Step(kind="ran", text=command))
        elif act.kind == READ and self._tried_as(EDIT, READ):
            self._reads.setdefault(_call(act), act.path)
            self._steps.append(Step(kind="called", text=_call(act)))
        elif act.kind == OTHER and self._tried_as(OTHER):
            self._steps.append(Step(kind="called", text=_call(act)))

    def _tried_as(self, *kinds: str) -> bool:
        return self._tried is not None and self._tried.kind in kinds

    def _made(self, how: str, tried: Act, act: Act, event: Event) -> Fix:
        call = self._calls.get(event.payload.get("call_id"))
        worked = _call(act, call.payload.get("input") if call else None)
        steps = [step for step in self._steps if _same_file(self._reads.get(step.text, act.path), act.path)]
        about = content(" ".join([self._shown, worked, *(step.text for step in steps if step.kind != "said")]))
        steps = _together([step for step in steps if step.kind != "said" or about & content(step.text)])
        if len(self._files) > FILES_MAX:
            steps = [replace(step, diff=()) for step in steps]
        return Fix(
            steps=tuple(steps),
            worked=worked,
            how=how,
            sure=round(self._sure(how, tried, act), 2),
            event_id=event.id,
            key=_key(steps, worked, names_only=tried.kind in (EDIT, READ)),
        )

    def _sure(self, how: str, tried: Act, act: Act) -> float:
        sure = _SURE[how] * _PER_TURN**self._turns
        if len(self._files) > FILES_MAX:
            sure *= _MANY_FILES
        if tried.kind == OTHER:
            sure *= _OF_OTHER_TOOLS
        if how == CHANGED and _input(tried, act):
            sure *= _CALLED_OTHERWISE
        return sure if self._steps or _input(tried, act) else sure * _BY_CHANCE


def _key(steps: Sequence[Step], worked: str, *, names_only: bool = False) -> tuple[str, ...]:
    """What was done, else what worked; of edits and reads only the tools: their files differ from time to time."""
    done = [step.text for step in steps if step.kind != "said"] or [worked]
    return tuple(text.split(" ")[0] if names_only else " ".join(text.split()) for text in done)


def _same_file(one: str, other: str) -> bool:
    """Hosts tell paths from the project's root, or whole."""
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def _looks_again(tried: Act, act: Act) -> bool:
    """Is it the same look, called otherwise?"""
    alike = SequenceMatcher(None, tried.command[:CALL_CHARS_MAX], act.command[:CALL_CHARS_MAX])
    return only_looks(tried) and only_looks(act) and alike.ratio() >= _ALIKE_MIN


def _input(tried: Act, act: Act) -> bool:
    """Was it called with something else?"""
    return (tried.command, tried.path, tried.text) != (act.command, act.path, act.text)


def _together(steps: Sequence[Step]) -> list[Step]:
    """The last steps, each once; edits of one file together."""
    merged: dict[tuple[str, str], Step] = {}
    for step in steps:
        key = (step.kind, step.text)
        known = merged.pop(key, None)
        merged[key] = replace(step, diff=(*known.diff, *step.diff)) if known else step
    return list(merged.values())[-STEPS_MAX:]


def _fix_of_words(store: Store, after: Sequence[Event]) -> Fix | None:
    """What the agent changed after a person told of an error, if they did not tell of it again."""
    steps: list[Step] = []
    calls = {e.payload.get("call_id"): e for e in after if e.kind is EventKind.TOOL_CALL}
    turns, green = 0, ""
    files: set[str] = set()
    for event in after:
        act = act_of(event)
        if event.kind is EventKind.PROMPT:
            turns += 1
            pushed_back = bool(store.find(Correction, reaction_event_id=event.id, limit=1))
            if steps and not pushed_back:
                sure = _SURE[TURN] * _PER_TURN ** (turns - 1) + (0.2 if green else 0.0)
                sure *= _MANY_FILES if len(files) > FILES_MAX else 1.0
                return Fix(
                    steps=tuple(_together(steps)),
                    worked=green,
                    how=TURN,
                    sure=round(sure, 2),
                    event_id=event.id,
                    key=_key(steps, green),
                )
            if turns > TURNS_MAX:
                return None
            steps += _said(event)
        elif event.kind is EventKind.TOOL_RESULT and act:
            if edited(event):
                files.add(act.path)
                diff = tuple(changed_lines(event, calls.get(event.payload.get("call_id"))))
                steps.append(Step(kind="edited", text=act.path, diff=diff))
            elif act.kind == SHELL and (command := changing_command(event)):
                steps.append(Step(kind="ran", text=command))
            if act.kind == SHELL and checks_of(act.command):
                green = "" if call_failed(event, act) else _call(act)
    return None


def _said(event: Event) -> list[Step]:
    words = " ".join(own_words(str(event.payload.get("text", ""))).split())
    return [Step(kind="said", text=words[:WORDS_CHARS_MAX])] if words else []


def _call(act: Act, given: object = None) -> str:
    """A call in one line; of a read, what else it was given."""
    if act.kind == SHELL:
        return " ".join(act.command.split())[:CALL_CHARS_MAX]
    if act.kind == EDIT:
        return f"{act.tool} {act.path}".strip()
    told = act.path or " ".join(act.text.split())
    if act.kind == READ and isinstance(given, dict):
        more = [f"{name}={value}" for name, value in given.items() if isinstance(value, int)]
        told += f" ({', '.join(more)})" if more else ""
    return f"{act.tool} {told}".strip()[:CALL_CHARS_MAX]
