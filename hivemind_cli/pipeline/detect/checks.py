"""`red_after_done`: the agent said that it was done, and the next test, build or lint run fails."""

import re
from collections.abc import Iterator

from hivemind_cli.core.acts import SHELL
from hivemind_cli.core.records import CorrectionKind, Event, EventKind
from hivemind_cli.pipeline.detect.errors import COLOUR, normal_error
from hivemind_cli.pipeline.detect.finding import Finding, History, act_of, edited, said_in
from hivemind_cli.pipeline.detect.runners import checks_of

_NOT_RUN = re.compile(
    r"command not found|no module named (?:pytest|mypy|ruff|tox)|missing script|is not recognized as"
    r"|no rule to make target|unrecognized arguments?|unknown (?:option|argument|flag)|no such option"
    r"|unexpected argument|timed? ?out\b"
    r"|permission denied|no tests? (?:ran|found|to run)|collected 0 items|could not find a version|cannot find command"
    r"|no such file or directory: '?(?:pytest|npm|make)|not a git repository",
    re.IGNORECASE,
)
_RED = re.compile(
    r"\bexit(?:ed)?(?:[ _]with)?(?:[ _](?:code|status))?(?: is)?[ :=]+(?:[1-9]\d*)\b|\brc[=:] ?[1-9]"
    r"|\b[1-9]\d* (?:tests? |specs? |checks? |suites? )?(?:failed|failing|failures?|errors?|error\(s\))"
    r"(?!\w| \([1-9]\d* fixed, 0 remaining)"
    r"|\b(?:failed|failures?|errors?)[=:] ?[1-9]|(?-i:^(?:FAILED|FAIL)\b)|^--- FAIL|test result: FAILED"
    r"|\bBUILD FAIL(?:ED|URE)\b|^Build FAILED|^error(?:\[\w+\])?:|: error(?: \w+\d+)?:|\berror TS\d+"
    r"|^npm (?:ERR!|error) |ELIFECYCLE"
    r"|^g?make(?:\[\d+\])?: \*\*\*|[✖✗] [1-9]\d* problems? \((?!0 errors)|^not ok \d|^thread '.*' panicked"
    r"|^panic: |Segmentation fault"
    r"|\*\* TEST FAILED \*\*|\*\* BUILD FAILED \*\*|^Failed!|^FAILURES!|^\d+ examples?, [1-9]\d* failures?",
    re.MULTILINE | re.IGNORECASE,
)
_PASTED = re.compile(
    r"^=+ .{0,200}\b[1-9]\d* (?:failed|errors?)\b.{0,200} in [\d.]{1,9}s|^FAILED \S+::|^--- FAIL: |test result: FAILED"
    r"|^Tests:\s+[1-9]\d* failed"
    r"|\berror TS\d+: |^error\[E\d+\]: |\bBUILD FAIL(?:ED|URE)\b|^npm (?:ERR!|error) |^g?make(?:\[\d+\])?: \*\*\*"
    r"|^Tests run: \d+, Failures: [1-9]|[✖✗] [1-9]\d* problems? \((?!0 errors)|^not ok \d"
    r"|^FAILED \((?:failures|errors)=[1-9]"
    r"|^\d+ examples?, [1-9]\d* failures?|^Found [1-9]\d* errors?\b|^[ \t]*[1-9]\d* failing$|^error: could not compile"
    r"|^Failed! +- Failed: +[1-9]|^Tests: \d+, Assertions: \d+, (?:Failures|Errors): [1-9]"
    r"|^\S+:\d+(?::\d+)?: (?:fatal )?error: ",
    re.MULTILINE,
)
_FAILING = re.compile(
    r"^(?:FAILED|ERROR|FAIL:?) +\S.*|^[ \t]*--- FAIL: \S+|^[ \t]*(?:[✗✕×✖●]|not ok \d+ -?|\(fail\)) ?\S.*"
    r"|^test \S+ \.\.\. FAILED|^[ \t]+\d+\) \S.*",
    re.MULTILINE,
)
"""Lines that name a failing test."""
_ERRORS = re.compile(r"^.*\berror(?: TS\d+|\[\w+\])?: .*|^E  +\S.*", re.MULTILINE)
_NPM = re.compile(r"^npm .*$", re.MULTILINE)
_SENTENCE = re.compile(r"[.!?。！？\n;]+")
_FAILS = re.compile(
    r"\bfail|\bbroken|\bstill red|does(?:n't| not) pass|do(?:n't| not) pass|not (?:yet )?(?:pass|work|compile|build)"
    r"|\bunresolved|\bincomplete|could(?:n't| not) (?:run|fix|verify|get)|unable to|known (?:issue|failure)"
    r"|\bfehl|schl(?:ä|a)gt|échou|\bfalla|\bfalha|\bfallisc|не проход|пада|упал|失败|未通过|失敗|실패",
    re.IGNORECASE,
)
_SOME_FAIL = re.compile(
    r"\b(?:[1-9]\d*|one|two|some|several|a few)\b[^.]{0,30}\bfail|\bstill\b[^.]{0,20}\bfail", re.IGNORECASE
)
_IS_WELL = re.compile(
    r"\bfix|resolv|\bno longer|no (?:more )?fail|\bpass(?:es|ed|ing)?\b|\b0 fail|without|\bhandl|now (?:work|green)"
    r"|behoben|corrig|gefixt|исправ|修复|修正|해결",
    re.IGNORECASE,
)
TURNS_MAX = 2
"""Turns between the agent's edits and the reply that calls them done."""
_ENDS = (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE)
_ASIDE = EventKind.STEER
TAIL_CHARS = 6000
"""Runners sum up at the end."""
PASTED_CHARS_MAX = 20_000
FAILING_MAX = 50
FAILING_CHARS_MAX = 200


def red(output: str) -> bool:
    """Does a check's output say that it failed, whatever its exit code was (a pipe hides it)?"""
    return not not_run(output) and _RED.search(_plain(output)[-TAIL_CHARS:]) is not None


def not_run(output: str) -> bool:
    """Did the check itself not run: not installed, called wrongly, out of time, nothing to check?"""
    text = _plain(output)[-TAIL_CHARS:]
    return _NOT_RUN.search(text) is not None and not pasted(_NPM.sub("", text))


def pasted(text: str) -> bool:
    """Do a person's words hold a runner's own report of a failure?"""
    return _PASTED.search(_plain(text[-PASTED_CHARS_MAX:])) is not None


def failing(output: str) -> frozenset[str]:
    """The lines that name what failed, numbers and folders folded; the last lines if none does."""
    lines = list(failing_lines(output)) or output.strip().splitlines()[-3:]
    return frozenset(filter(None, (normal_error(line) for line in lines)))


def failing_lines(output: str) -> list[str]:
    """What failed as the runner wrote it: names of tests, else errors; [] if it wrote no such line."""
    text = _plain(output)
    found = _FAILING.findall(text) or _ERRORS.findall(text)
    return [" ".join(line.split())[:FAILING_CHARS_MAX] for line in found[:FAILING_MAX]]


def _plain(text: str) -> str:
    return COLOUR.sub("", text)


def red_after_done(event: Event, history: History) -> Iterator[Finding]:
    """The agent said it was done, and the next test, build or lint run fails with nothing changed between.

    A run of the agent's, of the person's in the host's shell, or one whose output the person pasted.
    """
    failed = _failed(event)
    if failed is None:
        return
    name, output = failed
    done = _done(event, name, history)
    if done is None:
        return
    reply, last = done
    if _announces(said_in(reply)) or _red_before(last, name, output, history):
        return
    what = ", ".join(dict.fromkeys(failing_lines(output[-TAIL_CHARS:])))[:200]
    yield Finding(
        kind=CorrectionKind.RED_AFTER_DONE,
        reaction=event,
        act_event=last,
        act=act_of(last),
        quote="",
        task=history.task(),
        confidence=0.8,
        durable=None,
        cause=f"said done, then `{name}` failed{f': {what}' if what else ''}",
        after=_plain(output)[-2000:],
    )


def _failed(event: Event) -> tuple[str, str] | None:
    """The check that fails in `event`, and its output."""
    if event.kind is EventKind.PROMPT:
        text = said_in(event)
        return ("the run the person pasted", text) if pasted(text) else None
    checks = _checks(event)
    if not checks:
        return None
    if event.kind is EventKind.TOOL_FAILURE:
        error = str(event.payload.get("error", ""))
        stopped = event.payload.get("interrupted") or event.payload.get("not_run")
        return None if stopped or not_run(error) else (_blamed(checks, error), error)
    output = str(event.payload.get("output", ""))
    return (_blamed(checks, output), output) if red(output) else None


def _blamed(names: tuple[str, ...], output: str) -> str:
    """Of several checks in one command, the last whose name the output holds; else the first."""
    return next((name for name in reversed(names) if name.split()[0] in output), names[0])


def _checks(event: Event) -> tuple[str, ...]:
    """The names of the checks that a command of the agent's or the person's runs."""
    act = act_of(event) if event.kind in _ENDS else None
    command = act.command if act and act.kind == SHELL else str(event.payload.get("ran", ""))
    return tuple(check.name for check in checks_of(command)) if command else ()


def _done(event: Event, name: str, history: History) -> tuple[Event, Event] | None:
    """The reply that ended the agent's work, and its last edit before it."""
    for n in range(len(history.events) - 1, -1, -1):
        earlier = history.events[n]
        if edited(earlier) or (event.kind is not EventKind.PROMPT and name in _checks(earlier)):
            return None
        if earlier.kind is EventKind.REPLY:
            if said_in(earlier).rstrip().endswith(("?", "？")):
                return None
            last = next((one for one in reversed(history.events[:n]) if edited(one)), None)
            recent = last is not None and earlier.turn - last.turn <= TURNS_MAX
            return (earlier, last) if last and recent and (last.turn < event.turn or event.kind is _ASIDE) else None
    return None


def _red_before(last: Event, name: str, output: str, history: History) -> bool:
    """Did the same check fail in the same places before the agent's edits?"""
    first = next((e for e in history.events if edited(e) and e.turn >= last.turn - TURNS_MAX), last)
    now = failing(output)
    for earlier in history.events:
        if earlier is first:
            return False
        failed = _failed(earlier)
        if failed and (failed[0] == name or earlier.kind is EventKind.PROMPT) and now <= failing(failed[1]):
            return True
    return False


def _announces(reply: str) -> bool:
    """Does the agent itself say that something fails?"""
    return any(
        _FAILS.search(sentence) and (_SOME_FAIL.search(sentence) or not _IS_WELL.search(sentence))
        for sentence in _SENTENCE.split(reply)
    )
