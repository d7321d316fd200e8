"""Runs inside a namespace: real clients are asked one question each, against a stand-in for their model.

    python -m tests.e2e.asking PLAN.json

The plan is a list of Ask; what came of each stands in `asked.json` of its root. `ask_all` does it from outside.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hivemind_cli.core.child import GUARD
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.hosts.headless import HEADLESS
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.headless import Headless
from tests.e2e.answers import Answer, Answers
from tests.e2e.clients import Home, settle
from tests.e2e.driver import raise_loopback
from tests.e2e.models import Models
from tests.e2e.stub import Stub

REPOSITORY = Path(__file__).resolve().parents[2]
ALL_S = 240
SYSTEM = "You name things, in one word."
ANSWER = {"name": "größe"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}},
    "required": ["name"],
    "additionalProperties": False,
}
SECRET = "a-line-of-a-file-nobody-showed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question."""

    host: str
    program: str
    root: str
    """Its own folder: home, work folder, log of the model's requests."""
    mark: str = "the-question"
    """Stands in the question, to be found again wherever it was written down."""
    hooks: dict[str, Any] = field(default_factory=dict)
    """Files of the home with our hooks -> content: laid over what `settle` writes."""
    without: tuple[str, ...] = ()
    """Guards that are taken away: hooks (the child's are on), guard (the variable), work (it runs elsewhere)."""


def ask_all(asks: Sequence[Ask], namespaces: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Ask them all in one namespace; what came of each, in order."""
    plan = folder / "plan.json"
    plan.write_text(json.dumps([asdict(ask) for ask in asks]), encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8"}
    call = [*namespaces, sys.executable, "-m", "tests.e2e.asking", str(plan)]
    done = subprocess.run(
        call, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ALL_S
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads((Path(ask.root) / "asked.json").read_text(encoding="utf-8")) for ask in asks]


def main(plan: Path) -> None:
    """Play the plan."""
    raise_loopback()
    for ask in json.loads(plan.read_text(encoding="utf-8")):
        root = Path(ask["root"])
        (root / "asked.json").write_text(json.dumps(_asked(Ask(**ask), root)), encoding="utf-8")


def _asked(ask: Ask, root: Path) -> dict[str, Any]:
    home, work = root / "home", root / "hivemind" / "work"
    for folder in (home, work, root / "tmp", root / "elsewhere"):
        folder.mkdir(parents=True, exist_ok=True)
    (work / "secret").write_text(SECRET, encoding="utf-8")
    log, answers = root / "requests.jsonl", Answers(by_form=[(frozenset(SCHEMA["properties"]), Answer(value=ANSWER))])
    server = Stub(log, answers=answers) if ask.host == "claude" else Models(log, answers)
    env = settle(ask.host, Home(home, server.url, root / "traps"))
    for name, content in ask.hooks.items():
        Home(home, server.url, root / "traps").put(name, content)
    env |= {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(root / "tmp"), "LANG": "C.UTF-8"}
    program = _loosened(ask, root) if ask.without else Path(ask.program)
    provider = Headless(ask.host, HEADLESS[ask.host].command(str(program), ""), env=env, work=work, timeout_s=60)
    prompt = json.dumps({"said": f"{ask.mark}: größe @secret and @{work}/secret !ls"}, ensure_ascii=False)
    started = time.monotonic()
    try:
        reply: Reply | None = provider.complete(Request(purpose="codify", system=SYSTEM, prompt=prompt, schema=SCHEMA))
        error = ""
    except ProviderError as exc:
        reply, error = None, str(exc)
    server.close()
    return {
        "reply": asdict(reply) if reply else None,
        "error": error,
        "seconds": round(time.monotonic() - started, 2),
        "requests": [json.loads(line) for line in log.read_text("utf-8").split("\n") if line] if log.exists() else [],
        "traps": (root / "traps").read_text("utf-8") if (root / "traps").exists() else "",
        "left": sorted(path.name for path in work.iterdir()),
        "processes": running(),
    }


def _loosened(ask: Ask, root: Path) -> Path:
    """The program behind one that takes guards away before it runs."""
    lines = [f"#!{sys.executable} -IS", "import os, sys", "argv = sys.argv[1:]"]
    if "hooks" in ask.without and ask.host == "claude":
        lines.append("at = argv.index('--settings'); del argv[at:at + 2]")
    if "hooks" in ask.without and ask.host == "codex":
        lines.append("at = argv.index('features.hooks=false'); del argv[at - 1:at + 1]")
    if ask.host == "codex":  # our hooks count as reviewed by the person: else none would ever run here
        lines.append("argv.insert(1, '--dangerously-bypass-hook-trust')")
    if "guard" in ask.without:
        lines.append(f"os.environ.pop({GUARD!r})")
    if "work" in ask.without:
        lines.append(f"os.chdir({str(root / 'elsewhere')!r})")
    lines.append(f"os.execv({ask.program!r}, [{ask.program!r}, *argv])")
    path = root / "bin" / HEADLESS[ask.host].program
    path.parent.mkdir()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def running() -> list[str]:
    """What else runs in the namespace; a client's last breath is waited for."""
    end = time.monotonic() + 2
    while (left := _now()) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def _now() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if int(folder.name) != os.getpid() and state != "Z":
            found.append(words)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
