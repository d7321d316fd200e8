"""The sidecars' ports: derived from the store, rebuilt at will; missing, old or damaged is never an error.

Index    skills and memos, by their words: what recall ranks
Corpus   everything that can be searched, by its words: events, sessions, corrections, skills, memories
Vectors  both, by their meaning
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hivemind_cli.core.records import JSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
class Matched:
    """One document beside a query: BM25 scores, scaled (index/fields.py) to compare between queries and collections."""

    document: Document
    words: float = 0.0
    """Of whole words, over everything."""
    named: float = 0.0
    """Of whole words, over name, trigger and tasks."""
    terms: float = 0.0
    """Of terms, over everything."""
    covered: float = 0.0
    """How much of the query's terms, by their rarity, stands in name, trigger and tasks; 0..1."""


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

    def match(self, query: str, scope: Scope, *, limit: int, ids: Collection[str] = ()) -> list[Matched]:
        """What ranking looks at, in no order: the best `limit` by the sum of the BM25 scores, and `ids` with theirs.

        Documents outside `scope` never appear. A reader sees its own writes.
        """

    def all(self, scope: Scope | None = None) -> list[Document]:
        """Every document, or every one in `scope`."""

    def close(self) -> None:
        """Release files. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One thing that can be searched."""

    id: str
    """Of the event, correction, skill or memory; host:session_id of a session."""
    kind: str
    """An EventKind, or session, correction, skill, memory."""
    workspace_id: str
    project_id: str = ""
    host: str = ""
    session_id: str = ""
    at_ms: int = 0
    title: str = ""
    """Short, and says most: a skill's name and description, a session's first prompt, a command; "" for none."""
    text: str = ""
    paths: tuple[str, ...] = ()
    """Files it is about, as they were written."""
    number: int = 0
    """Its place in an order of the caller's own; `Where.before` bounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What may be found. Empty means any; all that is given must hold."""

    workspace_id: str
    project_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    """Not included."""
    path: str = ""
    """A file: its whole path, or as much of its end as is given (`app.py`, `src/app.py`)."""
    before: int | None = None
    """Only what has a smaller number."""


@dataclass(frozen=True, slots=True)
class Found:
    """One text found, with its raw BM25 score (unbounded, higher is better)."""

    text: Text
    bm25: float
    share: float = 0.0
    """Of what a text of average length with each of the query's words once would score: comparable between queries."""


class Corpus(Protocol):
    """Full text over `Text`s, in this process. Safe to share between threads."""

    def cursor(self) -> int:
        """What the last `update` said; 0 for a new or rebuilt corpus."""

    def update(
        self,
        put: Sequence[Text],
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        """Replace or add `put`, remove ids in `drop` and all of the sessions in `gone`, and remember `cursor`.

        gone     (host, session_id) each
        pause    called between a few texts and the next: it returns when the work may go on
        One commit. Removes first, then puts: what is in both is there.
        """

    def clear(self) -> None:
        """Remove everything; the cursor is 0."""

    def search(self, query: str, where: Where, *, limit: int, ids: Collection[str] | None = None) -> list[Found]:
        """Best first, then by id; of `ids` only, where given. A reader sees its own writes."""

    def get(self, ids: Collection[str], where: Where) -> dict[str, Text]:
        """Those of `ids` that are there and inside `where`."""

    def latest(self, where: Where, *, limit: int) -> list[Text]:
        """What is inside `where`, newest first, then by id."""

    def count(self) -> int:
        """How many texts."""

    def close(self) -> None:
        """Release files. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a vector is of, and what a filter looks at."""

    id: str
    """Of the Document or Text."""
    part: str
    """What of it was embedded (index/parts.py)."""
    digest: str
    """Of the embedded text: while it stays, nothing need be embedded again."""
    workspace_id: str
    project_id: str = ""
    kind: str = ""
    host: str = ""
    session_id: str = ""
    at_ms: int = 0
    number: int = 0


class Vectors(Protocol):
    """Unit vectors of one model, with what they are of. Safe to share between threads."""

    model: str
    """Name of the embedder whose vectors these are; a folder of another model's is begun anew."""

    def cursor(self) -> int:
        """What the last `update` said; 0 for new or rebuilt ones."""

    def update(
        self,
        put: Sequence[Place],
        vectors: "NDArray[np.float32]",
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Replace all vectors of the ids in `put` (a row of `vectors` each), remove ids in `drop`; one commit.

        gone     (host, session_id) of sessions whose vectors are removed first
        """

    def near(
        self, vector: "NDArray[np.float32]", where: Where, *, limit: int, ids: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """(id, cosine of its nearest part), best first, each id once; of `ids` only, where given.

        `where.path` is not known here: who filters by it gives `ids`.
        """

    def parts(self, vector: "NDArray[np.float32]", ids: Collection[str]) -> dict[str, dict[str, float]]:
        """id -> part -> cosine (the best, where a part has several vectors); ids without vectors are left out."""

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, frozenset[str]]:
        """id -> digests of its parts; of `ids` only, where given. Ids without vectors are left out."""

    def ids(self, where: Where) -> list[str]:
        """Those inside `where`, in no order."""

    def count(self) -> int:
        """How many vectors."""

    def clear(self) -> None:
        """Forget everything; the cursor is 0."""

    def maintain(self) -> bool:
        """Tidy up, a little at a time, where that is needed; is more under way? For whoever updates, now and then."""

    def close(self) -> None:
        """Release files. Idempotent."""
