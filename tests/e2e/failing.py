"""Runs inside a namespace: a correction is codified while the model, asked with the real client or SDK, fails.

    python -m tests.e2e.failing PLAN.json

Each case has a home, a project and a database of its own; the owner of the database runs in this process.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hivemind_cli.app import Hivemind
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import LLMCall, SkillRevision
from tests.app.talk import Talk
from tests.e2e.asking import running
from tests.e2e.driver import raise_loopback
from tests.e2e.stub import FAKE_KEY, Stub

CASES: dict[str, dict[str, Any]] = {
    "busy": {"status": 429},
    "stalled": {"stall_s": 60},
    "killed": {"stall_s": 60},
    "no json": {"text": "I would rather not say."},
    "wrong form": {"value": {"advice": "use pnpm"}},
}
TIMEOUT_S = 4.0
KILLED_IN = {"claude": "--json-schema", "anthropic": "hivemind_cli.llm.worker"}
"""What the command line of the process holds that is killed in mid-call."""


def main(plan: Path) -> None:
    """Play every case of the plan's provider."""
    raise_loopback()
    asked = json.loads(plan.read_text(encoding="utf-8"))
    for name, answer in CASES.items():
        root = Path(asked["root"], name.replace(" ", "-"))
        found = _played(name, answer, root, asked["provider"], asked["program"])
        (root / "found.json").write_text(json.dumps(found, default=str), encoding="utf-8")


def _played(name: str, answer: dict[str, Any], root: Path, provider: str, program: str) -> dict[str, Any]:
    tree = root / "home" / "work" / "app"
    for folder in (tree, root / "tmp", root / "bin"):
        folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    if provider == "claude":
        (root / "bin" / "claude").symlink_to(program)
    log = root / "requests.jsonl"
    stub = Stub(log)
    stub.answers.load({"always": answer})
    env = {
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": stub.url,
        "ANTHROPIC_API_KEY": FAKE_KEY,
    }
    timeout_s = 30.0 if name == "killed" else TIMEOUT_S if name == "stalled" else 20.0
    config = Config(llm=LLMConfig(allow=True, provider=provider, timeout_s=timeout_s))
    paths = Paths.from_env(env)
    owner = Hivemind.own(paths, config, env=env)
    try:
        _mistake_and_correction(Talk(paths, tree))
        killer = threading.Thread(target=_kill, args=(KILLED_IN[provider], stub), daemon=True)
        if name == "killed":
            killer.start()
        started = time.monotonic()
        settled = owner.settle(60)
        return {
            "settled": settled,
            "seconds": round(time.monotonic() - started, 2),
            "receipts": [asdict(row.record) for row in owner.store.find(LLMCall)],
            "skills": [asdict(row.record) for row in owner.store.find(SkillRevision)],
            "files": [path.read_text("utf-8") for path in tree.glob(".claude/skills/*/SKILL.md")],
            "asked": len(log.read_bytes().splitlines()) if log.exists() else 0,
            "processes": running(),
            "left": [path.name for path in paths.work.glob("ask-*")],
        }
    finally:
        owner.close()
        stub.close()


def _mistake_and_correction(talk: Talk) -> None:
    talk.starts()
    talk.says("add the left-pad package")
    talk.runs("npm install left-pad")
    talk.replies()
    talk.says("no, we use pnpm in this repo, never npm")
    talk.replies()
    talk.ends()


def _kill(words: str, stub: Stub) -> None:
    """Kill the process that asks, once the model's stand-in has the question."""
    stub.asked.wait(40)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mine = int(folder.name) != os.getpid() and words in (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if mine:
            os.kill(int(folder.name), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
