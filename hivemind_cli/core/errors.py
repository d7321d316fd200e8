"""Everything hivemind raises on purpose.

HivemindError                exit 1
├── ConfigError              exit 2   a setting is missing, misspelt or contradictory
├── HostError                exit 3   an agent host's files are not what we expect
├── StoreError               exit 4
│   ├── StoreLocked                   another process owns the database
│   ├── StoreDamaged                  the database cannot be read
│   ├── CursorMoved                   someone else committed this stage meanwhile
│   ├── VersionTaken                  someone else changed this skill meanwhile
│   └── TablesError                   an agent's tables: statement, values or branch will not do; nothing changed
│       ├── SQLError                  not one statement that can be read, or not one that may be run here
│       ├── Forbidden                 reading only, another workspace, or what belongs to hivemind itself
│       ├── UnknownTable              no such table or column
│       ├── WrongValue                a value does not fit its column: type, dimension, NaN, NUL, size
│       ├── DuplicateKey              a row with this primary key is there
│       └── BranchError               no such branch, a name that is none, or a branch that is in the way
│           └── MergeConflict         both branches changed the same rows, and the policy is `fail`
├── ProviderError            exit 5   an LLM or embedding service said no
│   ├── ProviderUnavailable           ... but may say yes later: the stage waits and retries
│   └── ModelError                    a sentence-embedding model or its runtime is missing, damaged or dead
├── SyncError                exit 6
└── DaemonError              exit 7   the daemon does not answer

An error is advice: what happened, why, and what to do next.
"""


class HivemindError(Exception):
    """Something went wrong that the person can act on."""

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)


class ConfigError(HivemindError):
    """A setting is missing, misspelt or contradictory."""

    exit_code = 2


class HostError(HivemindError):
    """An agent host's files are not what we expect; nothing was changed."""

    exit_code = 3


class StoreError(HivemindError):
    """The store could not do what was asked."""

    exit_code = 4


class StoreLocked(StoreError):
    """Another process owns the database."""


class StoreDamaged(StoreError):
    """The database file cannot be read."""


class CursorMoved(StoreError):
    """A commit named a cursor position that is no longer the current one; nothing was stored."""


class VersionTaken(StoreError):
    """Another revision is that version of its skill already; nothing was stored. Read the skill again, then repeat."""


class TablesError(StoreError):
    """A statement, a value or a branch of an agent's own tables will not do; nothing was changed."""


class SQLError(TablesError):
    """Not one statement that can be read, or not one that may be run here."""


class Forbidden(TablesError):
    """Reading only, another workspace, or what belongs to hivemind itself."""


class UnknownTable(TablesError):
    """No such table, view or column."""


class WrongValue(TablesError):
    """A value does not fit its column: type, dimension, NaN, NUL, size."""


class DuplicateKey(TablesError):
    """A row with this primary key is there already."""


class BranchError(TablesError):
    """No such branch, a name that is none, or a branch that is in the way."""


class MergeConflict(BranchError):
    """Both branches changed the same rows, and the policy is `fail`."""


class ProviderError(HivemindError):
    """An LLM or embedding service said no."""

    exit_code = 5


class ProviderUnavailable(ProviderError):
    """The service said no, but may say yes later."""


class ModelError(ProviderError):
    """A sentence-embedding model or its runtime is missing, damaged, or gave no vectors."""


class SyncError(HivemindError):
    """Two machines' records could not be exchanged."""

    exit_code = 6


class DaemonError(HivemindError):
    """The daemon does not answer."""

    exit_code = 7
