"""Plays the first session of a story with a model that may be asked: what it drafts is what becomes the skill."""

import json
from pathlib import Path
from typing import Any

from hivemind_cli.hosts.command import base_python, hook_command
from tests.e2e import play, story
from tests.e2e.clients import codex_config
from tests.e2e.models import MODELS_PORT
from tests.e2e.world import Played, World

STORY = "left-pad"
SAID = "we use pnpm in this repo, never npm"
COST, RECEIPTS, SKILLIFY = "cost", "receipts", "skillify"
DRAFT: dict[str, Any] = {
    "decision": "keep",
    "target": "",
    "reason": "The person names the package manager of this repository.",
    "name": "add-packages-with-pnpm",
    "title": "Use pnpm in this repo, never npm",
    "description": "Use when about to add a package in this repo, or to run npm install.",
    "lines": [
        {"section": "do", "text": "Use pnpm in this repo.", "corrections": ["c1"], "replaces": ""},
        {"section": "do_not", "text": "Never use `npm install` here.", "corrections": ["c1"], "replaces": ""},
    ],
}
ANSWERS: dict[str, Any] = {
    "by_form": [
        [["decision", "description"], {"value": DRAFT}],
        [["verdict", "words"], {"carried": SAID}],
    ]
}


def play_with(provider: str, world: World, program: Path) -> Played:
    """The correction, captured through the real client; then `provider` is asked. The world must be fresh.

    program  the provider's own, where it is a client
    """
    told = story.load(story.FOLDER / f"{STORY}.json")
    world.add_projects(told.files)
    for stands_in in told.programs:
        world.add_program(stands_in)
    if provider == "claude":
        world.add_to_path("claude", program)
    if provider == "codex":
        _settle_codex(world, program)
    steps = [
        *(world.hivemind(f"set {key}", "config", "set", key, value) for key, value in _settings(provider).items()),
        world.answers(ANSWERS),
        world.hivemind(play.INSTALL, "install", "--only", "claude", "--yes"),
        *play.correct(told, world),
        world.hivemind(COST, "cost", "--json"),
        world.hivemind(RECEIPTS, "cost", "--receipts", "--json"),
        world.hivemind(SKILLIFY, "skillify", "--json"),
        world.hivemind(play.UNINSTALL, "uninstall"),
        world.processes(play.PROCESSES, within_s=play.LEAVE_S),
    ]
    return world.play(steps)


def _settings(provider: str) -> dict[str, str]:
    return {"llm.allow": "true", "llm.provider": provider, "llm.timeout_s": "30"}


def _settle_codex(world: World, program: Path) -> None:
    """Codex with our hook at its events, and as if the person had reviewed it."""
    world.add_to_path("codex", program, first=["--dangerously-bypass-hook-trust"])
    command = hook_command(base_python(), world.home / ".hivemind" / "bin" / "hivemind_hook.py", "codex")
    events = ("SessionStart", "UserPromptSubmit", "Stop")
    hooks = {event: [{"hooks": [{"type": "command", "command": f"{command} {event}"}]}] for event in events}
    folder = world.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(codex_config(f"http://127.0.0.1:{MODELS_PORT}"), "utf-8")
    (folder / "hooks.json").write_text(json.dumps({"hooks": hooks}), "utf-8")
