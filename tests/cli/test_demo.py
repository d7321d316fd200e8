"""`hivemind demo`: the whole loop, told; and nothing of it is left behind, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.terminal import heeds_interrupts

ROOT = Path(__file__).parents[2]


def start(temporary: Path, *words: str, **env: str) -> "subprocess.Popen[str]":
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "hivemind_cli", "demo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1", **env},
        preexec_fn=heeds_interrupts,
    )


def processes_in(folder: Path) -> list[str]:
    """Command lines and working files of processes that know `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(f"{folder}/hivemind-demo-") in said:
            found.append(said.decode("utf-8", "replace"))
    return found


def nothing_is_left(temporary: Path) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not list(temporary.iterdir()) and not processes_in(temporary):
            return True
        time.sleep(0.05)
    return False


def test_the_demo_learns_recalls_and_holds(tmp_path: Path) -> None:
    process = start(tmp_path / "t", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    seen = json.loads(out)
    print(f"the demo took {seen['seconds']} s")
    assert seen["recalled"] and seen["held"] and seen["repeat_passes"]
    assert "<!-- hm:" in seen["skill"]
    assert not err
    assert nothing_is_left(tmp_path / "t")


def test_the_persons_own_settings_do_not_reach_the_demo(tmp_path: Path) -> None:
    own = {
        "HIVEMIND_RECALL_HOLD": "never",
        "HIVEMIND_CAPTURE": "false",
        "HIVEMIND_CODIFY_PUBLISH": "review",
        "HIVEMIND_STORAGE_ENGINE": "inmemory",
        "HIVEMIND_WORKSPACE_ID": "team",
    }
    process = start(tmp_path / "t", "--json", **own)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    seen = json.loads(out)
    assert seen["held"]
    assert (seen["engine"], seen["tier"], seen["drafter"]) == ("duckdb", "lexical", "extractive")
    assert nothing_is_left(tmp_path / "t")


def test_the_story_is_told_without_colours_in_a_pipe(tmp_path: Path) -> None:
    process = start(tmp_path / "t")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    for part in ("Monday.", "SKILL.md", "Tuesday.", "<hivemind-recall>", "held once", "hivemind install"):
        assert part in out
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    for number, seen in enumerate(("", "Monday.")):
        temporary = tmp_path / str(number)
        process = start(temporary)
        assert process.stdout is not None
        while seen and seen not in process.stdout.readline():
            pass
        deadline = time.monotonic() + 60
        while not list(temporary.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode in (130, 0, -signal.SIGINT), err  # the last two: it was (as good as) over before
        assert "Traceback" not in err
        assert nothing_is_left(temporary)
    assert not (Path(os.environ["HOME"]) / ".hivemind").exists()
