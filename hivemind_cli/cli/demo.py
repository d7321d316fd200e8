"""`hivemind demo`: the whole loop in seconds, in a temporary home that is gone afterwards.

The packaged sample is played through the real hook, spool, daemon, store, skill files and recall. Only the
agent is missing: its payloads are the sample.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import print_json, quoted, say, show_text

WAIT_S = 60.0
_UNHURRIED = "[recall]\ndeadline_ms = 5000\ndeadline_start_ms = 5000\n"
"""A slow machine shows the same story; how long an answer takes is `doctor --bench-hooks`'s to tell."""
_SAMPLE = Path(__file__).with_name("demo_sample.json")


def demo(
    json: Annotated[bool, typer.Option("--json", help="For programs: what was seen.")] = False,
) -> None:
    """Watch one correction become a skill, and the skill stop the mistake. Leaves nothing behind."""
    from hivemind_cli.core.errors import HivemindError

    started = time.monotonic()
    with _stage() as stage:
        seen = _play(stage, quiet=json)
    seen["seconds"] = round(time.monotonic() - started, 1)
    worked = bool(seen["recalled"] and seen["held"] and seen["repeat_passes"])
    if json:
        print_json(seen)
        if not worked:
            raise typer.Exit(1)
        return
    if not worked:
        raise HivemindError(
            "The demo did not end as it should.",
            why="The skill was not recalled, or the call was not held once.",
            fix="Please report this, with the output of `hivemind demo --json`.",
        )
    say()
    say(
        f"[dim]{seen['seconds']} s, on {seen['engine']}, with {seen['tier']} recall and the {seen['drafter']} drafter; "
        "the temporary home is gone again.[/]"
    )
    say("Now for real: [bold]hivemind install[/]")


@dataclass(frozen=True, slots=True)
class _Stage:
    """A home, a project and a wired agent, all temporary."""

    door: Door
    project: Path
    commands: dict[str, str]
    """Event -> the command the host would run."""

    def hook(self, event: str, session: str, **fields: Any) -> dict[str, Any]:
        """Run the hook as the host does; its answer, or {}."""
        payload = {"session_id": session, "cwd": str(self.project), "hook_event_name": event, **fields}
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.door.paths.home), "LANG": "C.UTF-8"}
        with _interrupts_wait():  # left alone, a hook would start the daemon again that is being stopped
            done = subprocess.run(
                ["/bin/sh", "-c", self.commands[event]],
                input=json.dumps(payload).encode() + b"\n",
                capture_output=True,
                cwd=self.project,
                env=env,
                timeout=WAIT_S,
                check=False,
            )
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {}


@contextmanager
def _stage() -> Iterator[_Stage]:
    from datetime import UTC, datetime

    from hivemind_cli.app import installing
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.daemon.spawn import command

    with ExitStack() as stack:
        with _interrupts_wait():
            folder = Path(tempfile.mkdtemp(prefix="hivemind-demo-")).resolve()
            door = Door.apart(Paths(root=folder / "home" / ".hivemind", home=folder / "home"))
            stack.callback(_clear, door, folder)
        project = folder / "shop"
        (project / ".git").mkdir(parents=True)
        (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (project / ".git" / "config").write_text("[core]\n\tbare = false\n")
        (folder / "home" / ".claude").mkdir(parents=True)
        door.paths.make()
        door.paths.config.write_text(_UNHURRIED)
        host = door.hosts["claude"]
        only = {host.NAME: host}
        plan = installing.plan(door.paths, [host], {}, only)
        installing.install(door.paths, door.config, plan, daemon=command(), env={}, now=datetime.now(UTC), hosts=only)
        base = installing.command_for(door.paths, host)
        with _interrupts_wait():
            door.client.ensure()  # a daemon that has only just been started could not be stopped yet
        yield _Stage(door, project, {event: f"{base} {event}" for event in host.EVENTS})


def _clear(door: Door, folder: Path) -> None:
    with _interrupts_wait():
        try:
            door.client.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """A Ctrl-C in the block is raised at its end. By a handler: children would inherit a mask."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _play(stage: _Stage, *, quiet: bool) -> dict[str, Any]:
    sample = json.loads(_SAMPLE.read_text("utf-8"))
    tell = (lambda text="": None) if quiet else say
    first, second, third = sample["first"], sample["second"], sample["third"]

    tell("[bold]Monday.[/] A session with your agent.")
    tell(f"  you    {quoted(first['prompt'])}")
    stage.hook("SessionStart", "monday", source="startup")
    stage.hook("UserPromptSubmit", "monday", prompt=first["prompt"], prompt_id="p1")
    call = {"tool_name": "Bash", "tool_input": {"command": first["command"]}, "tool_use_id": "t1", "prompt_id": "p1"}
    stage.hook("PreToolUse", "monday", **call)
    response = {"stdout": "", "stderr": "", "interrupted": False}
    stage.hook("PostToolUse", "monday", **call, tool_response=response)
    stage.hook("Stop", "monday", prompt_id="p1", last_assistant_message=first["reply"], stop_hook_active=False)
    tell(f"  agent  [red]{quoted(first['command'])}[/]   “{quoted(first['reply'])}”")
    tell(f"  you    [bold]{quoted(first['correction'])}[/]")
    stage.hook("UserPromptSubmit", "monday", prompt=first["correction"], prompt_id="p2")
    stage.hook("Stop", "monday", prompt_id="p2", last_assistant_message="Understood.", stop_hook_active=False)
    stage.hook("SessionEnd", "monday", reason="prompt_input_exit")

    skill = _wait_for_skill(stage)
    tell()
    tell("[bold]hivemind[/] noticed the correction and wrote")
    tell(f"  [green]{quoted(str(skill.relative_to(stage.project)))}[/]:")
    text = skill.read_text("utf-8")
    if not quiet:
        show_text(text)

    tell("[bold]Tuesday.[/] A new session, a new process.")
    tell(f"  you    {quoted(second['prompt'])}")
    stage.hook("SessionStart", "tuesday", source="startup")
    answer = stage.hook("UserPromptSubmit", "tuesday", prompt=second["prompt"], prompt_id="p3")
    given = str(answer.get("hookSpecificOutput", {}).get("additionalContext", ""))
    tell("  [green]before the agent does anything, it reads:[/]")
    if not quiet:
        show_text(given)

    tell("[bold]Wednesday.[/] Nothing in the prompt names it.")
    tell(f"  you    {quoted(third['prompt'])}")
    stage.hook("SessionStart", "wednesday", source="startup")
    stage.hook("UserPromptSubmit", "wednesday", prompt=third["prompt"], prompt_id="p4")
    call = {"tool_name": "Bash", "tool_input": {"command": third["command"]}, "prompt_id": "p4"}
    held = stage.hook("PreToolUse", "wednesday", **call, tool_use_id="t2", permission_mode="bypassPermissions")
    told = "PreToolUse:Bash hook error: " + str(held.get("hookSpecificOutput", {}).get("permissionDecisionReason", ""))
    stage.hook("PostToolBatch", "wednesday", tool_calls=[{**call, "tool_use_id": "t2", "tool_response": told}])
    again = stage.hook("PreToolUse", "wednesday", **call, tool_use_id="t3", permission_mode="bypassPermissions")
    denied = held.get("hookSpecificOutput", {}).get("permissionDecision") == "deny"
    passes = again.get("hookSpecificOutput", {}).get("permissionDecision") != "deny"
    tell(f"  agent  [red]{quoted(third['command'])}[/]")
    tell("  [green]held once, with your words as the reason[/]; repeated, it would pass." if denied else "  not held")
    from hivemind_cli.core.fence import OPEN

    return {
        "skill": text,
        "given": given,
        "recalled": given.count(OPEN) == 1,
        "held": denied,
        "repeat_passes": passes,
        **_made_with(stage),
    }


def _made_with(stage: _Stage) -> dict[str, str]:
    """What took part, as the records and the settings of the demo's home say."""
    from hivemind_cli.core.records import Recall, SkillRevision

    store = stage.door.store
    tiers = {row.record.tier for row in store.find(Recall)}
    drafters = {row.record.drafter for row in store.find(SkillRevision)}
    return {
        "engine": stage.door.config.storage.engine,
        "tier": ", ".join(sorted(tiers)),
        "drafter": ", ".join(sorted(drafters)),
    }


def _wait_for_skill(stage: _Stage) -> Path:
    from hivemind_cli.core.errors import DaemonError

    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for path in stage.project.glob(".claude/skills/*/SKILL.md"):
            return path
        time.sleep(0.02)
    raise DaemonError(
        "The demo saw no skill appear.",
        why=f"The daemon did not codify within {WAIT_S:.0f} s.",
        fix="Run `hivemind doctor`, and report this.",
    )
