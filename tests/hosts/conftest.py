"""Recorded payloads, and the command as `install` would give it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts.command import hook_command

CLAUDE = Path(__file__).parent / "payloads" / "claude"


@pytest.fixture
def recorded() -> Path:
    """The folder of Claude Code's recorded payloads."""
    return CLAUDE


@pytest.fixture
def payload() -> Callable[[str], dict[str, Any]]:
    """payload("Stop"): the recorded payload of that name."""

    def read(name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((CLAUDE / f"{name}.json").read_text(encoding="utf-8"))
        return value

    return read


@pytest.fixture
def command(own_home: Path) -> str:
    """The hook command for this test's home."""
    hook = own_home / ".hivemind" / "bin" / "hivemind_hook.py"
    return hook_command(Path("/usr/bin/python3"), hook, "claude")
