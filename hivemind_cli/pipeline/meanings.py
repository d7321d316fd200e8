"""Vectors follow: of the index's documents, and of the texts that people and agents wrote in their own words.

What a tool was called with and what it printed is found by its words only: it is most of all text and says least in
prose. An unchanged part is not embedded again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hivemind_cli.core.records import EventKind
from hivemind_cli.index import parts
from hivemind_cli.index.base import Document, Index, Place, Text, Vectors
from hivemind_cli.pipeline import texts
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

MEANT = frozenset(
    {
        EventKind.PROMPT.value,
        EventKind.STEER.value,
        EventKind.REPLY.value,
        EventKind.SUBAGENT_START.value,
        EventKind.SUBAGENT_STOP.value,
        EventKind.TOOL_FAILURE.value,
        EventKind.TOOL_DENIED.value,
        "correction",
        "skill",
        "memory",
        "session",
    }
)
"""Kinds of Text that are compared by meaning."""
CHARS_MIN = 3
"""Shorter texts mean nothing by themselves."""
AT_ONCE = 8
"""Parts embedded and written down together: at most so much is done again after `kill -9`."""
RECORDS = 64
"""Read at a time."""
T = TypeVar("T", Document, Text)


@dataclass(frozen=True, slots=True)
class Documents:
    """How far the documents' vectors are."""

    documents: int = 0
    embedded: int = 0
    """Of these, those whose vectors are as they should be."""


def documents(index: Index, vectors: Vectors, embed: "Embed") -> Iterator[Documents]:
    """Bring the documents' vectors up to the index, the newest first, a few at a time; each time how far they are.

    What `embed` raises goes through; what was done stays done.
    """
    cursor, begun = index.cursor(), vectors.cursor()
    known = index.all()
    there = vectors.digests()
    gone = sorted(set(there) - {document.id for document in known})
    if gone:
        _update(vectors, [], embed, gone, cursor=begun)
    stale = [one for one in known if there.get(one.id) != _digests(_of_document(one))]
    stale.sort(key=lambda document: -document.occurred_at_ms)
    done = len(known) - len(stale)
    yield Documents(len(known), done)
    for some in _bundles(stale, _of_document):
        _update(vectors, [pair for one in some for pair in _of_document(one)], embed, [], cursor=begun)
        done += len(some)
        yield Documents(len(known), done)
    if vectors.cursor() == begun != cursor:  # 0, should they have turned out damaged meanwhile
        _update(vectors, [], embed, [], cursor=cursor)


def follow_texts(store: Store, vectors: Vectors, embed: "Embed") -> Iterator[int]:
    """Bring the texts' vectors up to the store's next records, a few at a time; each time how many were embedded.

    Nothing, if all was read. What `embed` raises goes through; what was done stays done.
    """
    begun = vectors.cursor()
    batch = texts.read(store, begun, limit=RECORDS)
    if batch is None:
        return
    fresh = [text for text in batch.put if _meant(text)]
    there = vectors.digests([text.id for text in fresh])
    stale = [text for text in fresh if there.get(text.id) != _digests(_of_text(text))]
    for some in _bundles(stale, _of_text):
        pairs = [pair for text in some for pair in _of_text(text)]
        _update(vectors, pairs, embed, [], cursor=begun)
        yield len(pairs)
        if vectors.cursor() != begun:  # they turned out damaged meanwhile
            return
    kept = {text.id for text in fresh}
    drop = [*batch.drop, *(text.id for text in batch.put if text.id not in kept)]
    _update(vectors, [], embed, drop, cursor=batch.cursor, gone=batch.gone)
    yield 0


def begin(store: Store, vectors: Vectors) -> bool:
    """Empty texts' vectors that know records the store does not (its database was moved away); was it so?"""
    if not texts.ahead(store, vectors.cursor()):
        return False
    vectors.clear()
    return True


def _meant(text: Text) -> bool:
    return text.kind in MEANT and len(text.text) + len(text.title) >= CHARS_MIN


def _update(
    vectors: Vectors,
    pairs: Sequence[tuple[Place, str]],
    embed: "Embed",
    drop: Sequence[str],
    *,
    cursor: int,
    gone: Sequence[tuple[str, str]] = (),
) -> None:
    import numpy as np

    rows = embed([text for _, text in pairs]) if pairs else np.zeros((0, 0), np.float32)
    vectors.update([place for place, _ in pairs], rows, drop, cursor=cursor, gone=gone)


def _bundles(many: Sequence[T], of: Callable[[T], list[tuple[Place, str]]]) -> Iterator[list[T]]:
    """`many` in order, together about AT_ONCE parts each: a thing's parts are never written apart."""
    some: list[T] = []
    size = 0
    for one in many:
        some.append(one)
        size += len(of(one))
        if size >= AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _digests(pairs: Sequence[tuple[Place, str]]) -> frozenset[str]:
    return frozenset(place.digest for place, _ in pairs)


def _of_document(document: Document) -> list[tuple[Place, str]]:
    scope = f"{document.workspace_id}\0{document.project_id}\0"  # where it applies may change, the words staying
    return [
        (
            Place(
                id=document.id,
                part=part,
                digest=parts.digest(part, scope + text),
                workspace_id=document.workspace_id,
                project_id=document.project_id,
                kind=document.kind,
                at_ms=document.occurred_at_ms,
            ),
            text,
        )
        for part, text in parts.of_document(document)
    ]


def _of_text(text: Text) -> list[tuple[Place, str]]:
    return [
        (
            Place(
                id=text.id,
                part=part,
                digest=parts.digest(part, said),
                workspace_id=text.workspace_id,
                project_id=text.project_id,
                kind=text.kind,
                host=text.host,
                session_id=text.session_id,
                at_ms=text.at_ms,
                number=text.number,
            ),
            said,
        )
        for part, said in parts.of_text(text)
    ]
