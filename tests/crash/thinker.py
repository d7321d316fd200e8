"""A stand-in for the `claude` program that writes down when it is asked and when it has answered."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.crash.lesson import RULE

_PROGRAM = """#!{python} -IS
import json, os, sys, time, zlib
here = {here!r}
def note(what):
    log = os.open(here + "/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, ("%s %08x %d\\n" % (what, zlib.crc32(question.encode()), os.getpid())).encode())
    os.close(log)
question = sys.stdin.read()
asked = json.loads(question)
purpose = "codify" if "corrections" in asked else "check"
note("asked " + purpose)
time.sleep(float(open(here + "/seconds").read()))
if purpose == "check":
    answer = {{"lines": [{{"id": one["id"], "verdict": "carried", "words": {rule!r}}} for one in asked["lines"]]}}
else:
    skills = [one["name"] for one in asked.get("existing_skills", ())]
    carrying = [one["id"] for one in asked["corrections"]]
    answer = {{
        "decision": "merge" if skills else "keep",
        "target": skills[0] if skills else "",
        "reason": "",
        "name": "use-the-drawing-module",
        "title": "Use the drawing module of this repo",
        "description": "Use when asked to add a chart to a page of this repo.",
        "lines": [{{"section": "do", "text": {rule!r}, "corrections": carrying, "replaces": ""}}],
    }}
said = {{"type": "result", "is_error": False, "structured_output": answer, "total_cost_usd": 0,
        "usage": {{"input_tokens": 5, "output_tokens": 3}}}}
note("answered " + purpose)
print(json.dumps(said), flush=True)
"""


@dataclass(frozen=True)
class Thinker:
    """The program and its log, in a folder that is the daemon's PATH."""

    folder: Path

    @classmethod
    def installed(cls, folder: Path, seconds: float) -> "Thinker":
        folder.mkdir()
        program = folder / "claude"
        program.write_text(_PROGRAM.format(python=sys.executable, here=str(folder), rule=RULE))
        program.chmod(0o755)
        thinker = cls(folder)
        thinker.takes(seconds)
        return thinker

    def takes(self, seconds: float) -> None:
        """How long it thinks."""
        (self.folder / "seconds").write_text(json.dumps(seconds))

    def count(self, what: str) -> int:
        """How often it noted `what`: "asked codify", "answered check", ..."""
        return sum(line.startswith(what) for line in self._lines())

    def answered(self) -> list[str]:
        """A mark for each question it has answered, in order: the same for the same question."""
        return [line.split(" ")[-2] for line in self._lines() if line.startswith("answered")]

    def alive(self) -> list[int]:
        """Those of its processes that still run."""
        return sorted({pid for line in self._lines() if _runs(pid := int(line.rsplit(" ", 1)[1]), self.folder)})

    def _lines(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


def _runs(pid: int, folder: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    command = Path(f"/proc/{pid}/cmdline")
    return not command.exists() or str(folder) in command.read_bytes().decode("utf-8", "replace")
