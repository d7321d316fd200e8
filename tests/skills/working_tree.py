"""A working tree with real git, for the tests of skill files."""

import subprocess
from pathlib import Path

from hivemind_cli.skills.disk import FileState, Published, observe, publish

FOLDERS = [Path(".claude/skills"), Path(".agents/skills")]
NAME = "reversible-migrations"


def skill(version: int = 1, rule: str = "Write it reversible.", skill_id: str = "sk_1") -> str:
    return (
        f'---\nname: {NAME}\ndescription: "Use when adding a migration."\nmetadata:\n  hivemind-id: {skill_id}\n'
        f'  hivemind-version: "{version}"\n---\n# Migrations\n## Do\n- {rule}\n'
    )


class Tree:
    """A working tree with git, and hivemind's receipts beside it."""

    def __init__(self, root: Path, receipts: Path) -> None:
        self.root, self.receipts = root, receipts
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        (root / "README").write_text("hello\n")
        self.commit("start")

    @property
    def file(self) -> Path:
        return self.root / ".claude/skills" / NAME / "SKILL.md"

    @property
    def link(self) -> Path:
        return self.root / ".agents/skills" / NAME

    def git(self, *arguments: str) -> str:
        options = ["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *options, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def publish(self, text: str = skill(), name: str = NAME) -> Published:
        return publish(self.root, [self.root / one for one in FOLDERS], text, name, self.receipts)

    def states(self) -> list[tuple[FileState, str]]:
        return [(one.state, one.text) for one in observe(self.root, self.receipts)]

    def state(self) -> FileState:
        [(state, _)] = self.states()
        return state

    def files(self) -> set[str]:
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if ".git" not in path.parts)
        return {path.as_posix() for path in found}
