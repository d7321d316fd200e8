"""`kill -9` of `hivemind install` and `uninstall` at any moment: every file is whole, and uninstall restores all."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hivemind_cli.app import memory_skill
from hivemind_cli.core.assets import asset
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.paths import Paths
from hivemind_cli.pipeline.spool import Spool
from tests.crash.wired import Told, Wired

ORIGINAL = b'{\n\t"model": "opus",\n\t"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "bell"}]}]}\n}'
EVENT = "PostToolUse"
FILES = ("hivemind_hook.py", "hivemind_hook_recall.py", "hivemind_hook_snapshot.py")


@pytest.mark.parametrize(
    "rounds", [pytest.param(8, marks=pytest.mark.thorough), pytest.param(200, marks=pytest.mark.slow)]
)
def test_a_killed_install_leaves_whole_files_and_hooks_that_work(own_home: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    paths = Paths.from_env(os.environ)
    wired = Wired(paths, {})
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(ORIGINAL)
    begin = time.monotonic()
    assert wired.command("install", "-y").returncode == 0
    usual_s = time.monotonic() - begin
    killed = worked = 0
    for number in range(rounds):
        words = ["install", "-y"] if number % 3 else ["uninstall", "--purge", "--yes"]
        killed += killed_at(usual_s * chance.uniform(0.2, 1.1), words)
        worked += look(wired, settings)
    for _ in range(2):
        assert wired.command("uninstall").returncode == 0
        assert settings.read_bytes() == ORIGINAL
        assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]
        assert not (own_home / ".agents").exists()
    print(f"{killed} killed in {rounds} rounds, {worked} times the hooks were wired, usually {usual_s:.2f} s")
    assert killed > rounds / 4
    assert worked


def killed_at(seconds: float, words: list[str]) -> bool:
    command = subprocess.Popen(
        [sys.executable, "-m", "hivemind_cli", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with command:
        time.sleep(seconds)
        command.kill()
    return command.returncode < 0


def look(wired: Wired, settings: Path) -> bool:
    """What stands there now is whole; are the hooks wired? Then they deliver."""
    hooks = json.loads(settings.read_bytes())["hooks"]
    for name in FILES:
        copy = wired.paths.hook.with_name(name)
        assert not copy.exists() or copy.read_bytes() == asset("hooks", name).read_bytes()
    skill = settings.parent / "skills" / memory_skill.NAME / "SKILL.md"
    assert not skill.exists() or skill.read_text() == memory_skill.text()
    if wired.paths.hook_settings.exists():
        raw = wired.paths.hook_settings.read_bytes()
        assert HookSettings.parse(raw).render() == raw
    if EVENT not in hooks:
        assert settings.read_bytes() == ORIGINAL
        return False
    spool = Spool(wired.paths)
    before = len(spool.pending())
    now_wired = Wired(wired.paths, {EVENT: hooks[EVENT][-1]["hooks"][0]["command"]})
    assert now_wired.hook(EVENT, {"session_id": "s"}) == Told(0, b"", b"")
    return not wired.paths.hook.exists() or len(spool.pending()) == before + 1
