"""The rules of the Store port that every engine shares: what is new, and what is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hivemind_cli.core.errors import CursorMoved, StoreError, VersionTaken
from hivemind_cli.core.records import (
    Correction,
    Event,
    Experience,
    Judgement,
    Notice,
    Outcome,
    Recall,
    Record,
    SkillRevision,
    Tombstone,
)
from hivemind_cli.storage.forgetting import cites

NativeKey = tuple[str, str, str]
"""host, session_id, native_key."""
Session = tuple[str, str]
"""host, session_id."""
SkillVersion = tuple[str, int]
"""skill_id, version."""
BURIED_WITH = (Event, Correction, Judgement, Experience, Recall)
"""Not stored for a session that has a tombstone."""


def native_key(event: Event) -> NativeKey:
    """What makes two deliveries the same event."""
    return event.host, event.session_id, event.native_key


@dataclass(slots=True)
class Known:
    """What a store has already, as far as one append needs to know."""

    ids: set[tuple[str, str]] = field(default_factory=set)
    """Class name of the record, id."""
    native_keys: set[NativeKey] = field(default_factory=set)
    versions: set[SkillVersion] = field(default_factory=set)
    """Of the skills in question."""
    buried: set[Session] = field(default_factory=set)
    """Sessions with a tombstone."""
    gone: set[str] = field(default_factory=set)
    """Corrections pruned since the store was opened: what a stage under way makes of them comes too late."""

    def add(self, records: Iterable[Record]) -> None:
        """`records` are stored."""
        for record in records:
            self.ids.add((type(record).__name__, record.id))
            if isinstance(record, Event):
                self.native_keys.add(native_key(record))
            elif isinstance(record, Tombstone):
                self.buried.add((record.host, record.session_id))
            elif isinstance(record, SkillRevision):
                self.versions.add((record.skill_id, record.version))

    def knows(self, record: Record) -> bool:
        """Whether storing `record` would change nothing."""
        if (type(record).__name__, record.id) in self.ids:
            return True
        if isinstance(record, Event) and native_key(record) in self.native_keys:
            return True
        return self._forgotten(record)

    def _forgotten(self, record: Record) -> bool:
        if isinstance(record, BURIED_WITH):
            return (record.host, record.session_id) in self.buried
        if isinstance(record, Outcome):  # It does not name its host: its recall does.
            buried = any(session_id == record.session_id for _, session_id in self.buried)
            return buried and (Recall.__name__, record.recall_id) not in self.ids
        return cites(record, self.gone)


def admit(records: Sequence[Record], known: Known) -> list[Record]:
    """The new ones of `records`, in order; `known` then knows them.

    VersionTaken, and `known` as it was, if one is a version of a skill that another revision is already.
    """
    _check_versions(records, known)
    fresh = []
    refused: set[str] = set()
    for record in records:
        if isinstance(record, SkillRevision) and cites(record, known.gone):
            refused.add(record.name)
        if isinstance(record, Notice) and record.subject in refused:
            continue
        if not known.knows(record):
            known.add((record,))
            fresh.append(record)
    return fresh


def _check_versions(records: Sequence[Record], known: Known) -> None:
    taken: dict[SkillVersion, str] = {}
    for one in records:
        if isinstance(one, SkillRevision) and not known.knows(one):
            version = (one.skill_id, one.version)
            if version in known.versions or taken.setdefault(version, one.id) != one.id:
                raise VersionTaken(
                    f"Version {one.version} of the skill {one.name} exists already; nothing was stored.",
                    why="Someone else changed the skill meanwhile.",
                    fix="Look at the skill as it is now, and do it again.",
                )


def cursor_moved(stage: str, *, expected: int, current: int) -> CursorMoved:
    """Someone else committed `stage` meanwhile."""
    return CursorMoved(
        f"The cursor of {stage!r} is at {current}, not at {expected}; nothing was stored.",
        why="Someone else committed this stage meanwhile.",
        fix="Read the cursor again and repeat the batch.",
    )


def checked_tombstone(host: str, session_id: str, tombstone: Record) -> Tombstone:
    """`tombstone`; StoreError unless it buries exactly this session."""
    if not isinstance(tombstone, Tombstone) or (tombstone.host, tombstone.session_id) != (host, session_id):
        raise StoreError(f"The tombstone does not name session {session_id!r} of {host!r}; nothing was deleted.")
    return tombstone
