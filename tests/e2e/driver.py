"""Runs inside the namespace: plays a plan's steps against the stub and writes down what came of each.

    python -m tests.e2e.driver PLAN.json

Started as process 1 it becomes a small init: a child plays the plan, orphans are reaped, and when the child ends
the namespace dies with all that is left in it. World (world.py) writes the plan and reads the results.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.models import MODELS_PORT, Models
from tests.e2e.stub import Stub
from tests.e2e.terminal import Terminal

_POLL_S = 0.2
_LINKS_S = 10.0
RECORD_END = b"\x1e"
"""Ends each record that a fake program writes (world.py)."""


def main(plan_file: Path) -> int:
    """Play the plan; 0 if every step that must succeed did."""
    raise_loopback()
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    player = Player(plan)
    try:
        return player.play(plan["steps"])
    except Exception:  # noqa: BLE001 - the outside must read what went wrong in here
        player.note({"name": "driver", "ok": False, "error": traceback.format_exc()})
        return 1


class Player:
    """Does one step after the other; each is one line of the results file."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._results = Path(plan["results"])
        self._stub = Stub(Path(plan["requests"]), self._observe)
        self._models = Models(
            Path(plan["requests"]),
            self._stub.answers,
            port=MODELS_PORT,
            script=self._stub.script,
            observe=self._observe,
        )
        self._env: dict[str, str] = {**plan["env"], "ANTHROPIC_BASE_URL": self._stub.url}
        self._kinds: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "run": self._run,
            "answers": self._answers,
            "session": self._session,
            "terminal": self._terminal,
            "put": self._put,
            "read": self._read,
            "wait": self._wait,
            "poll": self._poll,
            "skills": self._skills,
            "processes": self._processes,
        }

    def play(self, steps: list[dict[str, Any]]) -> int:
        """A step that failed and says `must` is the last; then come the plan's questions about it."""
        for step in steps:
            if not self._step(step) and step.get("must"):
                for question in self._plan["questions"]:
                    self._step(question)
                return 1
        return 0

    def _step(self, step: dict[str, Any]) -> bool:
        started = time.monotonic()
        result = {"name": step.get("name", step["do"]), "ok": True, **self._kinds[step["do"]](step)}
        self.note({**result, "seconds": round(time.monotonic() - started, 2), "facts": self._observe()})
        return bool(result["ok"])

    def note(self, result: dict[str, Any]) -> None:
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")

    def _observe(self) -> dict[str, Any]:
        """How often fake programs ran so far, and what the watched files hold."""
        log = Path(self._plan["programs_log"])
        runs = log.read_bytes().count(RECORD_END) if log.exists() else 0
        return {"runs": runs, "files": {path: _digest(Path(path)) for path in self._plan["watched"]}}

    def _answers(self, step: dict[str, Any]) -> dict[str, Any]:
        """What hivemind's own questions are answered from now on."""
        self._stub.answers.load(step["spec"])
        return {}

    def _session(self, step: dict[str, Any]) -> dict[str, Any]:
        self._stub.script.load(step["name"], step["turns"])
        return self._run(step)

    def _run(self, step: dict[str, Any]) -> dict[str, Any]:
        try:
            done = subprocess.run(
                step["argv"],
                cwd=step["cwd"],
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=step["timeout_s"],
            )
        except subprocess.TimeoutExpired as late:
            return {"ok": False, "rc": None, "stdout": _text(late.stdout), "stderr": _text(late.stderr), "late": True}
        return {"ok": done.returncode == 0, "rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    def _terminal(self, step: dict[str, Any]) -> dict[str, Any]:
        self._stub.script.load(step["name"], step["turns"])
        with Terminal(Path(self._plan["socket"]), step["argv"], step["cwd"], self._env) as terminal:
            return terminal.act(step["actions"], lambda: all(map(self._step, step.get("beside", ()))))

    def _put(self, step: dict[str, Any]) -> dict[str, Any]:
        for name, content in step["files"].items():
            path = Path(name)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
        return {}

    def _read(self, step: dict[str, Any]) -> dict[str, Any]:
        path = Path(step["path"])
        return {"text": path.read_bytes().decode("utf-8", "backslashreplace") if path.is_file() else None}

    def _wait(self, step: dict[str, Any]) -> dict[str, Any]:
        """Until a file fits the pattern."""
        found: list[str] = []

        def there() -> bool:
            found[:] = sorted(str(path) for path in Path(step["root"]).glob(step["glob"]))
            return bool(found)

        return {"ok": _until(there, step["timeout_s"]), "found": found}

    def _poll(self, step: dict[str, Any]) -> dict[str, Any]:
        """Until the command's stdout fits every regex of `until`."""
        result: dict[str, Any] = {}

        def fits() -> bool:
            result.update(self._run(step))
            return all(re.search(pattern, result["stdout"]) for pattern in step["until"])

        fitted = _until(fits, step["within_s"])
        return {**result, "ok": fitted}

    def _skills(self, step: dict[str, Any]) -> dict[str, Any]:
        """Every skill folder of the project, a copy kept for the validator, and what stands beside it for others.

        The file is there a moment before the links to it are.
        """
        skills: list[dict[str, Any]] = []

        def seen_by_others() -> bool:
            skills[:] = self._skills_now(step)
            return bool(skills) and all(one["linked"] or one["same"] for one in skills)

        _until(seen_by_others, _LINKS_S)
        return {"skills": skills}

    def _skills_now(self, step: dict[str, Any]) -> list[dict[str, Any]]:
        skills = []
        for folder in sorted(Path(step["root"]).glob(".claude/skills/*")):
            other = Path(step["root"]) / ".agents/skills" / folder.name
            keep = Path(step["keep"]) / folder.name
            shutil.copytree(folder, keep, dirs_exist_ok=True)
            text = (folder / "SKILL.md").read_text(encoding="utf-8") if (folder / "SKILL.md").exists() else ""
            same = (other / "SKILL.md").is_file() and (other / "SKILL.md").read_text(encoding="utf-8") == text
            linked = other.exists() and other.resolve() == folder.resolve()
            skills.append({"name": folder.name, "copy": str(keep), "text": text, "same": same, "linked": linked})
        return skills

    def _processes(self, step: dict[str, Any]) -> dict[str, Any]:
        """Everything that runs in the namespace besides us, once it had `timeout_s` to leave."""
        left: list[str] = []

        def none_left() -> bool:
            left[:] = _others()
            return not left

        return {"ok": _until(none_left, step["timeout_s"]), "left": left}


def _until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def _others() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) in (1, os.getpid()):
            continue
        with contextlib.suppress(OSError):  # it may end while we look
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            if state != "Z":
                found.append(f"{folder.name} {words or (folder / 'comm').read_text().strip()}")
    return sorted(found)


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return None


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""


def raise_loopback() -> None:
    """Bring `lo` up: a fresh network namespace has nothing else, and even that is down."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14s", b"lo", 0, b"")
        flags = struct.unpack("16sh14s", fcntl.ioctl(sock, get_flags, request))[1]
        fcntl.ioctl(sock, set_flags, struct.pack("16sh14s", b"lo", flags | up, b""))


def _as_init(run: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        os._exit(run())
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    plan_path = Path(sys.argv[1])
    sys.exit(_as_init(lambda: main(plan_path)) if os.getpid() == 1 else main(plan_path))
