"""Where files live. Nobody else builds a path under hivemind's home; HIVEMIND_HOME moves them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Paths:
    """Every file and folder hivemind owns, under one root; and the person's home."""

    root: Path
    """HIVEMIND_HOME, else ~/.hivemind."""
    home: Path
    """The person's home, where the hosts keep their settings."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Paths":
        """As the environment says. A relative HIVEMIND_HOME is taken from the current folder."""
        home = Path(env.get("HOME") or Path.home())
        root = env.get("HIVEMIND_HOME", "")
        return cls(root=Path(root).expanduser().absolute() if root else home / ".hivemind", home=home)

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def workspaces(self) -> Path:
        """JSON: project id or root -> workspace, as `HIVEMIND_WORKSPACE_ID=x hivemind install` kept them."""
        return self.root / "workspaces.json"

    @property
    def hook(self) -> Path:
        """The installed copy of the hook; its path never changes."""
        return self.root / "bin" / "hivemind_hook.py"

    @property
    def hook_settings(self) -> Path:
        """What the hook must know, written by hivemind: lines `key=value`, see core/hook_settings.py."""
        return self.root / "bin" / "hook.settings"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def spool_new(self) -> Path:
        return self.spool / "new"

    @property
    def spool_tmp(self) -> Path:
        return self.spool / "tmp"

    @property
    def spool_checked(self) -> Path:
        """The last delivery that only asked whether deliveries arrive, until whoever asked takes it."""
        return self.spool / "checked"

    @property
    def quarantine(self) -> Path:
        """Deliveries that could not be decoded; kept for `capture.quarantine_days`."""
        return self.spool / "quarantine"

    @property
    def socket(self) -> Path:
        return self.root / "run" / "daemon.sock"

    @property
    def memory_socket(self) -> Path:
        """For the agents' own tables: a hook never waits behind a query."""
        return self.root / "run" / "memory.sock"

    @property
    def handed(self) -> Path:
        """Big batches of rows on their way to the daemon: see tables/handed.py."""
        return self.root / "run" / "handed"

    @property
    def lock(self) -> Path:
        """Whoever holds it owns the store and the indexes."""
        return self.root / "run" / "daemon.lock"

    @property
    def answers(self) -> Path:
        """Paid answers of a batch that is under way, or was broken off: see llm/kept.py."""
        return self.root / "run" / "answers"

    @property
    def injected(self) -> Path:
        """A file a session (`session_file`), lines `id@version`: what its agent was given."""
        return self.root / "injected"

    @property
    def database(self) -> Path:
        return self.root / "db" / "hivemind.duckdb"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def vectors(self) -> Path:
        """Of skills and memos, and of texts: a folder each."""
        return self.root / "index" / "vectors"

    @property
    def snapshot(self) -> Path:
        """Read-only SQLite file for recall without a daemon."""
        return self.root / "index" / "snapshot.sqlite"

    @property
    def models(self) -> Path:
        """Exported sentence-embedding models, a folder each."""
        return self.root / "models"

    @property
    def receipts(self) -> Path:
        """What install changed, a file a host."""
        return self.root / "receipts"

    @property
    def log(self) -> Path:
        return self.root / "logs" / "daemon.log"

    @property
    def crash(self) -> Path:
        return self.root / "logs" / "crash"

    @property
    def key(self) -> Path:
        """32 random bytes of this machine: line hashes are keyed with them, so text cannot be guessed back."""
        return self.root / "machine.key"

    @property
    def tokens(self) -> Path:
        """Bearer tokens of `hivemind serve`, hashed: see app/tokens.py."""
        return self.root / "tokens.json"

    @property
    def work(self) -> Path:
        """The neutral folder in which providers run; a session there is refused."""
        return self.root / "work"

    def session_file(self, host: str, session_id: str) -> Path:
        """The session's file in `injected`. The hook computes the same name."""
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in session_id[:100])
        return self.injected / f"{host}-{safe}"

    def make(self) -> None:
        """Create the folders, 0700. Idempotent."""
        for folder in (
            self.root,
            self.hook.parent,
            self.spool,
            self.spool_new,
            self.spool_tmp,
            self.quarantine,
            self.socket.parent,
            self.injected,
            self.database.parent,
            self.index,
            self.receipts,
            self.log.parent,
            self.work,
        ):
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
