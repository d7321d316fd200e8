"""A session that hivemind itself causes is never captured: each of the guards alone is enough, with real clients.

Our hooks are wired as `install` would (Codex's by hand), and count as reviewed. Without any guard the session is
captured: that shows that the others were not silent by accident.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.assets import asset
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.command import base_python, hook_command
from tests.e2e.asking import Ask, ask_all
from tests.e2e.conftest import Grounds

HOSTS = ["claude", "codex"]
GUARDS = ("hooks", "guard", "work")
NONE_LEFT = "none"
EVENTS = ("SessionStart", "UserPromptSubmit", "Stop")

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("host", HOSTS)]
Asked = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def asked(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Guard that alone is left -> what came of the question, and what the hooks wrote down."""

    @cache
    def of(host: str) -> dict[str, dict[str, Any]]:
        grounds, folder = client_of(host), tmp_path_factory.mktemp(host)
        asks = []
        for left in (*GUARDS, NONE_LEFT):
            root = folder / left
            hooks = _wired(host, root)
            without = tuple(one for one in GUARDS if one != left)
            asks.append(
                Ask(host=host, program=str(grounds.client), root=str(root), hooks=hooks, without=without, mark=left)
            )
        found = ask_all(asks, grounds.namespaces, folder)
        spools = [_delivered(Path(ask.root)) for ask in asks]
        return {ask.mark: {**one, "delivered": spool} for ask, one, spool in zip(asks, found, spools, strict=True)}

    return of


@pytest.mark.parametrize("left", GUARDS)
def test_one_guard_is_enough(host: str, left: str, asked: Asked) -> None:
    found = asked(host)[left]
    assert found["reply"], found["error"]
    assert found["delivered"] == []


def test_without_any_guard_it_would_be_captured(host: str, asked: Asked) -> None:
    found = asked(host)[NONE_LEFT]
    assert found["reply"], found["error"]
    assert any(NONE_LEFT in delivery for delivery in found["delivered"])


def _wired(host: str, root: Path) -> dict[str, Any]:
    """Our hook in a hivemind folder of its own, and the host's file that calls it at each event."""
    paths = Paths(root=root / "hivemind", home=root / "home")
    paths.make()
    program = paths.root / "bin"
    program.mkdir(exist_ok=True)
    for name in ("hivemind_hook.py", "hivemind_hook_recall.py", "hivemind_hook_snapshot.py"):
        (program / name).write_bytes(asset("hooks", name).read_bytes())
    (program / "hook.settings").write_text("capture=1\nonly_cli=0\nrecall=0\n", encoding="utf-8")
    command = hook_command(base_python(), program / "hivemind_hook.py", host)
    hooks = {event: [{"hooks": [{"type": "command", "command": f"{command} {event}"}]}] for event in EVENTS}
    return {".claude/settings.json" if host == "claude" else ".codex/hooks.json": {"hooks": hooks}}


def _delivered(root: Path) -> list[str]:
    """Every file of the spool, aside and delivered."""
    files = (path for path in (root / "hivemind" / "spool").rglob("*") if path.is_file())
    return [path.read_text(encoding="utf-8", errors="replace") for path in files]
