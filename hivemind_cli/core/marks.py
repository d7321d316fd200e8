"""Records of hivemind's own work: which projects there are, how far files were read, what people should know.

They are imported from records.py, like all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

JSON = Mapping[str, Any]
"""A JSON object: str keys; values are str, int, float, bool, None, lists and JSON objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One working tree of a repository or folder; worktrees and clones of one remote share a project_id."""

    id: str
    workspace_id: str
    project_id: str
    name: str
    root: str
    remote: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptMark:
    """How far a session's transcript has been read. The newest row of a path counts."""

    id: str
    workspace_id: str
    host: str
    session_id: str
    path: str
    offset: int
    """Bytes."""
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMark:
    """One session as an import has read it to its end; stored with the last of its events. A path's newest counts."""

    id: str
    workspace_id: str
    host: str
    session_id: str
    """"" if it showed nothing."""
    occurred_at: datetime
    path_sha256: str
    """Of the session's path: the path itself may tell of a session that was pruned."""
    stamp: str
    """Size and time of change of its file, and the reader's version: while it stays, nothing need be read again."""
    told: JSON = field(default_factory=dict)
    """What it gave: counts by name, first_at, last_at, fault; original (host:session_id) of a kept history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know; `doctor` and `status` show it."""

    id: str
    workspace_id: str
    occurred_at: datetime
    about: str
    """A short code: quarantined, clock_back, skill_edited, provider_failed, published, ..."""
    text: str
    fix: str = ""
    subject: str = ""
    """File, session, skill or host it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A session that a person pruned: nothing of it is stored again."""

    id: str
    workspace_id: str
    host: str
    session_id: str
    occurred_at: datetime
