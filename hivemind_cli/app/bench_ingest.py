"""A flood for measuring: deliveries as Claude Code's hooks leave them, 4 KB each on average, in the spool of a home.

Several sessions at once, each with prompts, calls, results, edits and replies; every two-hundredth output holds a
secret. What is said is made up, and the same at every run.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.pipeline.spool import Delivery, Spool

AT_ONCE = 4
"""Sessions that take turns."""
SESSION_EVENTS = 120
OUTPUT_CHARS = 7_700
"""Of a command's output: with the small payloads between them, 4 KB each."""
SECRET_EVERY = 200
AGO_NS = 3600 * 10**9
"""When the last of them happened: before any file of the working tree was written."""
FILES = 12
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ho", "ka", "lu", "me", "ni", "po", "ra", "si", "to", "vu", "za")
_LINES = (
    "{time} INFO  [{word}.{word}] request_id={hex} path=/{word}/{word} status=200 took={n}ms",
    "{word}/{word}_{word}.py:{n}: in {word}_{word}({word}={n}, at={word!r})",
    "    def {word}_{word}(self, {word}: str, {word}: {word} | None = None) -> dict[str, int]:",
    "        return self.{word}.{word}({word}, {word}={word}, limit={n})  # {word} {word} {word}",
    "tests/{word}/test_{word}.py::test_{word}_{word} PASSED                                     [ {n}%]",
    "drwxr-xr-x  {n} dev dev  4096 Nov  3 10:{n} {word}_{word}",
    'export const {word} = ({word}: {{ {word}: string }}) => fetch(`/api/{word}/${{id}}`, {{ method: "POST" }});',
    "+++ b/src/{word}/{word}.ts\t@@ -{n},7 +{n},9 @@ {word} {word} {word} {word}",
    "{word} {word} {word}: the {word} of the {word} is {n} of {n}, see https://{word}.example/{word}/{hex}",
)
_SENTENCES = (
    "Add a column for {0} beside the one for {1} and fill it from {2}.",
    "The page for {0} shows each {1} with its {2}.",
    "Write a report of {0} by {1}, sorted by {2}.",
    "Please look up how {0} is read by {1} and tell me what {2} does with it.",
)
_NAMED = "    async def {word}_{word}(self, {word}: str, token: {word}Token | None = None) -> dict[str, int]:"
"""Names what secrets stand beside, as about two lines of ordinary output in 4 KB do."""
_NAMED_SHARE = 0.03
_CALLS = ("Bash", "Bash", "Bash", "Edit", "Read", "Bash")
_SECRET = "DATABASE_PASSWORD={hex}Zq9"


def fill(paths: Paths, tree: Path, count: int, *, first: int = 0) -> int:
    """Write `count` deliveries to the spool of `paths`, from number `first` on; the bytes of their payloads.

    tree  the working tree that they happen in; a git repository, for what happens nowhere is less work
    """
    paths.make()
    spool = Spool(paths)
    size = 0
    for delivery in deliveries(tree, count, first=first):
        spool.put(delivery)
        size += len(delivery.raw)
    return size


def deliveries(tree: Path, count: int, *, first: int = 0) -> Iterator[Delivery]:
    """`count` deliveries in their order, from number `first` on."""
    texts = _Texts()
    begun = time.time_ns() - AGO_NS - (first + count) * 1_000_000
    for n in range(first, first + count):
        block, place = divmod(n, AT_ONCE * SESSION_EVENTS)
        step, which = divmod(place, AT_ONCE)
        session = block * AT_ONCE + which
        event, fields = _step(texts, tree, session, step)
        session_id = f"{session:08x}-0000-4000-8000-00000000be7c"
        common = {
            "session_id": session_id,
            "transcript_path": str(tree.parent / "transcripts" / f"{session_id}.jsonl"),
            "cwd": str(tree),
            "prompt_id": f"{session:08x}-{step // 20:04x}-4000-8000-00000000be7c",
            "permission_mode": "acceptEdits",
            "effort": {"level": "medium"},
            "hook_event_name": event,
        }
        at_ns = begun + n * 1_000_000
        yield Delivery(
            id=derived_id(from_ns(at_ns), "bench", str(n)),
            time_ns=at_ns,
            host="claude",
            event=event,
            raw=json.dumps({**common, **fields}).encode(),
            cwd=str(tree),
            entrypoint="cli",
        )


def _step(texts: "_Texts", tree: Path, session: int, step: int) -> tuple[str, dict[str, Any]]:
    """The event of a session at one step, and its own fields: turns of a prompt, nine calls, and a reply."""
    if step == 0:
        return "SessionStart", {"source": "startup", "model": "a-model"}
    if step == SESSION_EVENTS - 1:
        return "SessionEnd", {"reason": "other"}
    turn, place = divmod(step - 1, 20)
    if place == 0:
        return "UserPromptSubmit", {"prompt": texts.said(session * 7 + turn, 400)}
    if place == 19:
        return "Stop", {"stop_hook_active": False, "last_assistant_message": texts.said(session * 5 + turn, 900)}
    number = session * SESSION_EVENTS + step
    call = (place - 1) // 2
    tool = _CALLS[(session + call) % len(_CALLS)]
    told, response = _call(texts, tree, tool, session * 100 + turn * 10 + call)
    common = {"tool_name": tool, "tool_input": told, "tool_use_id": f"toolu_{session:06}{turn:03}{call:03}"}
    if place % 2:
        return "PreToolUse", common
    if tool == "Bash" and number % SECRET_EVERY == 0:
        response["stdout"] += "\n" + _SECRET.format(hex=f"{number:012x}")
    return "PostToolUse", {**common, "tool_response": response, "duration_ms": 40 + step}


def _call(texts: "_Texts", tree: Path, tool: str, n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A tool's input and its response."""
    path = str(tree / "src" / f"part_{n % FILES}.py")
    if tool == "Bash":
        command = f"./run {texts.word(n)} --{texts.word(n + 1)} {n % 50} && cat {texts.word(n + 2)}.log"
        out = texts.output(n, OUTPUT_CHARS)
        return {"command": command, "description": texts.said(n, 40)}, {
            "stdout": out,
            "stderr": "",
            "interrupted": False,
        }
    if tool == "Read":
        file = {"filePath": path, "content": texts.output(n, OUTPUT_CHARS), "numLines": 90, "startLine": 1}
        return {"file_path": path}, {"type": "text", "file": file}
    before = texts.output(n % FILES, OUTPUT_CHARS // 2)
    old = before.split("\n", 3)[2]
    new = old + f"\n{texts.output(n, 600)}"
    told = {"file_path": path, "old_string": old, "new_string": new, "replace_all": False}
    hunk = {"oldStart": 3, "oldLines": 1, "newStart": 3, "newLines": 8, "lines": [f"+{one}" for one in new.split("\n")]}
    response = {"filePath": path, "oldString": old, "newString": new, "originalFile": before, "userModified": False}
    return told, {**response, "replaceAll": False, "structuredPatch": [hunk]}


class _Texts:
    """Made-up words and lines, the same at every run."""

    def __init__(self) -> None:
        chance = random.Random(4)
        self._words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 3))) for _ in range(2000)]
        self._lines = [self._line(chance) for _ in range(4000)]

    def _line(self, chance: random.Random) -> str:
        template = _NAMED if chance.random() < _NAMED_SHARE else chance.choice(_LINES)
        makers: dict[str, Callable[[], str]] = {
            "{word!r}": lambda: repr(chance.choice(self._words)),
            "{word}": lambda: chance.choice(self._words),
            "{n}": lambda: str(chance.randint(10, 99)),
            "{hex}": lambda: f"{chance.getrandbits(64):016x}",
            "{time}": lambda: f"2026-11-{chance.randint(10, 28)}T10:{chance.randint(10, 59)}:07Z",
        }
        for name, make in makers.items():
            while name in template:
                template = template.replace(name, make(), 1)
        return template.replace("{{", "{").replace("}}", "}")

    def word(self, n: int) -> str:
        return self._words[n % len(self._words)]

    def said(self, n: int, chars: int) -> str:
        """Plain requests and tales of about `chars` characters."""
        chance = random.Random(n)
        found = ""
        while len(found) < chars:
            found += chance.choice(_SENTENCES).format(*(f"q{chance.randrange(4000)}" for _ in range(3))) + " "
        return found[:chars]

    def output(self, n: int, chars: int) -> str:
        """Lines of about `chars` characters."""
        found: list[str] = []
        size = at = 0
        while size < chars:
            found.append(self._lines[(n * 97 + at * 13) % len(self._lines)])
            size += len(found[-1]) + 1
            at += 1
        return "\n".join(found)
