"""The Index port: derived from the store, rebuilt at will; missing, old or damaged is never an error."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hivemind_cli.core.records import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A live skill or a provisional memo, as recall sees it."""

    id: str
    """skill_id, or the correction's id."""
    kind: str
    """skill or memo."""
    version: int
    name: str
    workspace_id: str
    project_id: str
    """"" for user and team scope: it applies in every project of the workspace."""
    trigger: str
    """When it applies: the description, or the task of a memo."""
    text: str
    """What the agent is to read: Markdown without the front matter."""
    rule: str = ""
    """Only the person's words in it, without our scaffolding: what scores count. "" stands for `text`."""
    tasks: tuple[str, ...] = ()
    """Prompts under which the mistake happened."""
    acts: tuple[JSON, ...] = ()
    origin: tuple[str, ...] = ()
    """Reaction event ids: what is not to be recalled at the very prompt that is the correction."""
    recurrence_keys: tuple[str, ...] = ()
    holds: bool = True
    """May a call be held for it: are the words behind a skill about the very act, and are a memo's a rule about it?"""
    occurred_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One document found, with its raw BM25 scores (unbounded, higher is better)."""

    document: Document
    bm25_text: float
    """Over everything."""
    bm25_trigger: float = 0.0
    """Over name, trigger and tasks."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a session may see: its workspace; its project's and those without a project."""

    workspace_id: str
    project_id: str = field(default="")


class Index(Protocol):
    """Full text over documents, in this process. Safe to share between threads."""

    def cursor(self) -> int:
        """What the last `update` said; 0 for a new or rebuilt index."""

    def update(self, put: Sequence[Document], drop: Sequence[str], *, cursor: int) -> None:
        """Replace or add `put`, remove ids in `drop`, and remember `cursor`, all in one commit."""

    def search(self, query: str, scope: Scope, *, limit: int) -> list[Hit]:
        """Best first. Documents outside `scope` never appear. A reader sees its own writes."""

    def all(self, scope: Scope | None = None) -> list[Document]:
        """Every document, or every one in `scope`."""

    def close(self) -> None:
        """Release files. Idempotent."""
