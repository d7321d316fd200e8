"""The Host protocol: what each agent's file must say. A host is a module; HOSTS in `hosts/__init__` lists them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from hivemind_cli.core.records import JSON, CorrectionKind, EventKind, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing a host showed, before it is given a project, redacted and made an Event."""

    kind: EventKind
    session_id: str
    native_key: str
    """See records.Event. A trailing `#?` is replaced by the count of equal keys before it in the session."""
    occurred_at: datetime | None = None
    """None: the delivery's own time."""
    tool: str = ""
    cwd: str = ""
    payload: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tail:
    """What a transcript holds after an offset."""

    seen: Sequence[Seen]
    offset: int
    """Bytes read up to the last whole line."""
    skipped: int = 0
    """Lines that could not be read: torn, or longer than any message."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One file that install would write: plain bytes before and after, so dry runs and receipts come for free."""

    path: Path
    before: bytes | None
    """None: the file is not there yet."""
    after: bytes | None
    """None: the file is to be removed (uninstall of a file we created)."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What recall wants to say, before a host puts it in its own words."""

    moment: Moment
    text: str
    hold: bool = False
    """Deny this tool call once, with `text` as the reason."""
    notice: str = ""
    """One line for the person, not the model (session start)."""


@dataclass(slots=True)
class Reading:
    """What a reader tells, beside what it has seen, of the session it is reading."""

    bytes_read: int = 0
    """Of the file, for a progress bar; 0 where the reader does not say."""
    skipped: Counter[str] = field(default_factory=Counter)
    """What could not be read, in words that follow a number ("line torn or strange") -> how often."""


_READING: ContextVar[Reading | None] = ContextVar("reading", default=None)


def reading() -> Reading:
    """Where a reader tells it; into the air if nobody listens."""
    return _READING.get() or Reading()


@contextmanager
def listening() -> Iterator[Reading]:
    """What the reader that is iterated inside the block tells."""
    told = Reading()
    token = _READING.set(told)
    try:
        yield told
    finally:
        _READING.reset(token)


class Reader(Protocol):
    """Past sessions of one agent program; all that a host must have for `hivemind import`.

    A session is named by a path. Where one file holds many (a database, a running history) the session's own id
    stands behind a `#`: `state.db#3f2a`; such a path is only ever made and read by the same reader.
    """

    NAME: str
    """Its id: claude, codex, ..."""
    CONFIG_ENV: str
    """The environment variable that moves the host's own folder; "" if it has none."""

    def find_sessions(self, home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
        """Every past session on the machine, each followed by those of its subagents."""

    def sessions_in(self, path: Path) -> Sequence[Path]:
        """The sessions in one file a person names; () if the file is none of this host's. Cheap, never raises."""

    def read_transcript(self, path: Path) -> Iterator[Seen]:
        """All of one session, in order, as a stream. OSError if it cannot be read.

        What is torn is skipped, and told in `reading().skipped`.
        """


class Keeper(Reader, Protocol):
    """A program that keeps histories of agents' sessions within the projects."""

    def histories_in(self, root: Path) -> Sequence[Path]:
        """The sessions kept in the working tree `root`."""

    def original(self, path: Path) -> tuple[str, str] | None:
        """(host, session_id) of the agent's own session that `path` is a history of; None if it does not say."""


class Verified(StrEnum):
    """What our word about a host rests on."""

    CLIENT = "real client"
    """Tests run the program itself, offline."""
    PAYLOADS = "recorded payloads"
    """Tests decode what the program was seen to send."""
    DOCS = "docs only"


class Host(Reader, Protocol):
    """An agent program we plug into.

    `config_dir` is the folder named by the person's own `CONFIG_ENV` variable, read at the door (and kept in the
    install receipt for the daemon); None means the host's usual place under `home`.
    """

    LABEL: str
    """As people call it: Claude Code."""
    PROGRAM: str
    """What it is started with; "" for an editor."""
    KNOWN_GOOD: str
    """The version our tests ran, or our source describes."""
    VERIFIED: Verified
    LIMITS: tuple[str, ...]
    """What it does not allow us, a sentence each, for people."""
    CORRECTIONS: frozenset[CorrectionKind]
    """The kinds it shows us, beside those that are read from what the agent did."""
    HOOK_NAME: str
    """The host named in our entries' command: NAME, but for a host that runs the entries of another."""
    EVENTS: dict[str, Moment | None]
    """Hook events we register -> the moment at which the host waits for text, or None."""
    ENDS: tuple[str, ...]
    """Those of EVENTS that end a turn or a session: work is due."""
    DENIES: frozenset[str]
    """Those of EVENTS whose answer can deny the call before it runs."""
    AFTER_INSTALL: str
    """What a person does once so that the hooks run, a sentence for people."""
    TEXT_CHARS_MAX: int
    """What reaches the model of one text of ours; a longer one is not said."""

    def installed(self, home: Path, *, config_dir: Path | None = None) -> bool:
        """Is this host on the machine, by its own folder or program?"""

    def wired(self, home: Path, command: str, *, config_dir: Path | None = None) -> bool:
        """Do the host's settings hold all of our hooks, with this command?"""

    def notices(self, home: Path, *, config_dir: Path | None = None) -> list[str]:
        """What on this machine keeps our hooks from running although they are wired, a sentence each."""

    def plan_install(self, home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
        """What would be written so that each event runs `command` + " " + event. HostError: we would not dare."""

    def plan_uninstall(self, home: Path, command: str, *, config_dir: Path | None = None) -> list[Edit]:
        """What would be written to remove every entry of ours, and only these."""

    def decode(self, event: str, payload: dict[str, Any]) -> list[Seen]:
        """What the payload shows; [] for what we do not use. KeyError, TypeError, ValueError: a fault worth seeing."""

    def transcript_of(self, home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
        """The session's transcript, only if it lies under the host's own roots."""

    def read_tail(self, path: Path, offset: int) -> Tail:
        """What the transcript says after `offset` bytes; a line still being written is left for next time."""

    def encode_answer(self, event: str, answer: Answer) -> bytes:
        """The one line of stdout that gives the host our answer; b"" where it has no way to take it at this event."""

    def skill_folders(self, tree: Path) -> list[Path]:
        """Where this host looks for skills in `tree`, a project or the home; its own folder first, [] for none."""
