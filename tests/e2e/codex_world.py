"""A world with Codex beside Claude Code: each talks to a stand-in of its own; home, project and hive are shared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.clients import codex_config
from tests.e2e.models import MODELS_PORT
from tests.e2e.world import HIVEMIND, SESSION_S, Step, World

STEP_S = "90"
_ALLOWED = "--dangerously-bypass-approvals-and-sandbox"
"""In a namespace of its own there is nobody to ask; hooks are not touched by it: those need consent even so."""


class CodexWorld(World):
    """Fresh folders; `codex` is on PATH, and its home asks the stand-in."""

    def __init__(
        self, root: Path, client: Path, namespaces: Sequence[str], codex: Path, cli: Sequence[str] = HIVEMIND
    ) -> None:
        super().__init__(root, client, namespaces, cli)
        self.codex_home = self.home / ".codex"
        self.codex_home.mkdir()
        trusted = f'[projects."{self.project}"]\ntrust_level = "trusted"\n'
        config = f"{codex_config(f'http://127.0.0.1:{MODELS_PORT}')}{trusted}"
        (self.codex_home / "config.toml").write_text(config, encoding="utf-8")
        self.add_to_path("codex", codex)
        self._codex = codex

    def codex(self, name: str, words: Sequence[str], turns: Sequence[Mapping[str, Any]]) -> Step:
        """A run of `codex exec` without a screen, and what the model says in it."""
        argv = [str(self._codex), "exec", _ALLOWED, *words]
        step = {**self._run(name, argv, cwd=self.project), "do": "session", "turns": list(turns)}
        return {**step, "timeout_s": SESSION_S}

    def codex_screen(
        self, name: str, words: Sequence[str], turns: Sequence[Mapping[str, Any]], actions: Sequence[Any]
    ) -> Step:
        """Codex with its screen, driven by `actions` (terminal.py)."""
        return self._screen(name, [str(self._codex), "--no-alt-screen", *words], turns, actions)

    def agree(self, name: str) -> Step:
        """A person reads what `hivemind codex trust` shows, and says yes."""
        actions = [["see", r"\[y/N\]", STEP_S], ["say", "y"], ["gone", STEP_S]]
        return self._screen(name, [*self.cli, "codex", "trust"], [], actions)

    def _screen(
        self, name: str, argv: Sequence[str], turns: Sequence[Mapping[str, Any]], actions: Sequence[Any]
    ) -> Step:
        base = {"do": "terminal", "name": name, "must": True, "argv": list(argv), "cwd": str(self.project)}
        return {**base, "turns": list(turns), "actions": list(actions)}
