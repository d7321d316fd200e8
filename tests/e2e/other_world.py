"""A world with another client than Claude Code: the same person, projects and hive; the model is the stand-in's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.clients import Home, settle
from tests.e2e.models import MODELS_PORT
from tests.e2e.world import SESSION_S, Step, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How one client is run without its screen, and what its tools are called."""

    host: str
    settings: str
    """The file that its install edits or makes, below the home."""
    words: tuple[str, ...]
    """Behind the prompt: nobody is asked anything, and nothing is fetched."""
    new: tuple[str, ...]
    """Further words of a session's first prompt."""
    again: tuple[str, ...]
    """Instead of these, what goes on with the last session."""
    shell: str
    read: str
    path: str
    """What `read` calls the file it reads."""
    opens: str
    """How our fence reaches the model."""


GEMINI = Client(
    host="gemini",
    settings=".gemini/settings.json",
    words=("--approval-mode", "yolo", "--model", "gemini-2.5-pro"),
    new=(),
    again=("--resume", "latest"),
    shell="run_shell_command",
    read="read_file",
    path="file_path",
    opens="&lt;hivemind-recall&gt;",
)
COPILOT = Client(
    host="copilot",
    settings=".copilot/hooks/hivemind.json",
    words=("--allow-all-tools", "--no-auto-update"),
    new=("--trust-folder",),
    again=("--continue",),
    shell="bash",
    read="view",
    path="path",
    opens="<hivemind-recall>",
)
CLIENTS = {"gemini": GEMINI, "copilot": COPILOT}


class OtherWorld(World):
    """Fresh folders, with the client's own files in the home."""

    def __init__(self, root: Path, program: Path, namespaces: Sequence[str], client: Client) -> None:
        super().__init__(root, program, namespaces)
        self.kind = client
        (self.home / f".{client.host}").mkdir()
        home = Home(self.home, f"http://127.0.0.1:{MODELS_PORT}", self.root / "traps")
        self._client_env = settle(client.host, home)
        self.killed = self.root / "killed"
        """A program that does not live to say anything."""
        self.killed.write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
        self.killed.chmod(0o755)

    @property
    def wiring(self) -> Path:
        """The file with our hooks."""
        return self.home / self.kind.settings

    def say(self, name: str, prompt: str, turns: Sequence[Any], *, again: bool = False) -> Step:
        """A person's prompt in a session of its own, or in the last one."""
        argv = [str(self.client), "-p", prompt, *self.kind.words, *(self.kind.again if again else self.kind.new)]
        step = {**self._run(name, argv, cwd=self.project), "do": "session", "turns": list(turns)}
        return {**step, "timeout_s": SESSION_S}

    def command(self, line: str) -> dict[str, Any]:
        """The model runs a command."""
        return {"name": self.kind.shell, "input": {"command": line, "description": "Run it"}}

    def reads(self, name: str) -> dict[str, Any]:
        """The model reads a file of the project."""
        return {"name": self.kind.read, "input": {self.kind.path: str(self.project / name)}}

    def _env(self) -> dict[str, str]:
        own = {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true", "NO_BROWSER": "1"}
        return {**super()._env(), **own, **self._client_env}
