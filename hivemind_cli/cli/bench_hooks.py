"""What a hook costs an agent's turn, measured as the host runs it: through `/bin/sh -c`, against a bare interpreter."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hivemind_cli.cli.bench_figures import percentile
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.hook_settings import HookSettings, write
from hivemind_cli.core.paths import Paths

BARE = "bare interpreter"
CAPTURE = "capture"
RECALL = "recall, daemon warm"
FALLBACK = "recall, no daemon"
RATIO_MAX = {CAPTURE: 1.5, RECALL: 2.5, FALLBACK: 3.5}
"""The budgets of the design; a bare interpreter is 1."""
_OUTPUT_BYTES = 4096
_RUN_SECONDS_MAX = 30
_SESSION_VARIABLES = ("HIVEMIND_", "CLAUDE")
"""The caller's own session must not switch the hook off."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One way to run the hook."""

    name: str
    median_ms: float
    ratio: float
    """To the bare interpreter of the same rounds."""
    ratio_max: float
    """The budget; 0: none."""
    answers: int
    """Rounds in which the hook said something: a silent recall is cheaper than one that speaks."""
    p95_ratio: float = 0.0
    """Its slowest twentieth to the bare interpreter's median."""


def bench_hooks(
    paths: Paths,
    command: str,
    rounds: int,
    *,
    prompts: Sequence[str],
    between: Callable[[int], object] = lambda _: None,
) -> list[BenchRow]:
    """Time four ways in turn, `rounds` times each after one that does not count; medians in milliseconds.

    command  what a host runs before the event's name (hosts/command.py), its hook installed under `paths`
    prompts  asked one after the other; the dearest are those that the snapshot of `paths` has an answer to
    between  called with each round's number, from 1, to measure something else under the same noise

    The deliveries of "recall, daemon warm" stay in the spool of `paths`: give a home of its own.
    HivemindError: a run did not end as a hook must.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith(_SESSION_VARIABLES)}
    with tempfile.TemporaryDirectory(prefix="hm") as folder:
        alone = _without_daemon(paths, Path(folder))
        elsewhere = command.replace(str(paths.root), str(alone.root))
        ways: dict[str, tuple[str, Callable[[int], bytes]]] = {
            BARE: (f"exec {shlex.quote(_python(command))} -I -S -c pass", _tool_result),
            CAPTURE: (f"{elsewhere} PostToolUse", _tool_result),
            RECALL: (f"{command} UserPromptSubmit", lambda n: _prompt(n, prompts[n % len(prompts)])),
            FALLBACK: (f"{elsewhere} UserPromptSubmit", lambda n: _prompt(n, prompts[n % len(prompts)])),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        answers = dict.fromkeys(ways, 0)
        for number in range(rounds + 1):
            for name, (line, payload) in ways.items():
                seconds, said = _run(line, payload(number), env)
                if number:
                    times[name].append(seconds)
                    answers[name] += bool(said)
            if number:
                between(number)
    return _rows(times, answers)


def _rows(times: dict[str, list[float]], answers: dict[str, int]) -> list[BenchRow]:
    """From seconds by name, one of them BARE."""
    bare = percentile(times[BARE], 0.5)
    return [
        BenchRow(
            name,
            median_ms=percentile(found, 0.5) * 1000,
            ratio=percentile(found, 0.5) / bare,
            ratio_max=RATIO_MAX.get(name, 0.0),
            answers=answers[name],
            p95_ratio=percentile(found, 0.95) / bare,
        )
        for name, found in times.items()
    ]


def _without_daemon(paths: Paths, root: Path) -> Paths:
    """A root with the same hook and snapshot, whose daemon ends at once."""
    alone = Paths(root=root, home=paths.home)
    alone.make()
    for file in paths.hook.parent.glob("*.py"):
        shutil.copy(file, alone.hook.parent)
    settings = HookSettings.parse(paths.hook_settings.read_bytes())
    write(alone.hook_settings, replace(settings, daemon=("/bin/sh", "-c", ":")))
    if paths.snapshot.exists():
        shutil.copy(paths.snapshot, alone.snapshot)
    return alone


def _python(command: str) -> str:
    """The interpreter in a hook's command: the word before -I."""
    words = shlex.split(command)
    if "-I" not in words[1:]:
        raise HivemindError("There is no interpreter in the hook's command.", why=command)
    return words[words.index("-I") - 1]


def _run(line: str, payload: bytes, env: dict[str, str]) -> tuple[float, bytes]:
    start = time.perf_counter()
    done = subprocess.run(
        ["/bin/sh", "-c", line], input=payload, capture_output=True, env=env, timeout=_RUN_SECONDS_MAX, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode or done.stderr:
        why = done.stderr.decode("utf-8", "replace").strip() or f"Exit code {done.returncode}."
        raise HivemindError(f"A hook did not end as it must: {line}", why=why)
    return seconds, done.stdout


def _tool_result(number: int) -> bytes:
    return _payload(number, hook_event_name="PostToolUse", tool_name="Bash", tool_response="x" * _OUTPUT_BYTES)


def _prompt(number: int, prompt: str) -> bytes:
    return _payload(number, hook_event_name="UserPromptSubmit", prompt=prompt)


def _payload(number: int, **fields: str) -> bytes:
    """Each round is a session of its own: what was said in one is not said again."""
    return json.dumps({"session_id": f"bench-{os.getpid()}-{number}", "cwd": str(Path.cwd()), **fields}).encode()
