"""Skills on disk follow the store; what a person does to the files follows them back into it.

A live project skill is written where its correction happened; other trees of the project get it when a session
starts there. One for every project stands in the person's home. A person's edit or delete becomes a revision of
theirs, and only a later command of theirs overwrites it. What an agent or git
put into a file is nobody's word: it stays where it is, is told, and never becomes a revision.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hivemind_cli.app import skill_places
from hivemind_cli.app.skillset import IN_FILE, edited
from hivemind_cli.app.tampering import touched_by_agent
from hivemind_cli.core import redact
from hivemind_cli.core.clock import Clock
from hivemind_cli.core.errors import CursorMoved, HivemindError, VersionTaken
from hivemind_cli.core.ids import derived_id, new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import identify
from hivemind_cli.core.records import (
    Correction,
    Event,
    Notice,
    Project,
    Record,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.hosts.base import Host
from hivemind_cli.index import base as index_base
from hivemind_cli.pipeline.hand import PERSON, by_hand, commanded
from hivemind_cli.skills import disk, history
from hivemind_cli.skills.format import SkillFault, parse, render
from hivemind_cli.storage.base import Store

logger = logging.getLogger(__name__)

STAGE = "publish"
ANNOUNCED_MAX = 5
_BATCH = 10
"""Revisions written in one go: recall may wait that long for the records to stand still."""
_BACKLOG_S = 600.0
"""A delivery that waits longer cannot be read, and is not waited for."""


class Publishing:
    """Writes, withdraws and observes SKILL.md files. One thread at a time, but `announce`, which only reads files."""

    def __init__(
        self, paths: Paths, store: Store, index: index_base.Index, hosts: dict[str, Host], clock: Clock
    ) -> None:
        self._paths = paths
        self._store = store
        self._index = index
        self._hosts = hosts
        self._clock = clock

    def run(self) -> int:
        """Bring the files up to the newest revisions; how many revisions were read."""
        start = self._store.cursor(STAGE)
        rows = self._store.find(SkillRevision, after=start, limit=_BATCH)
        if not rows:
            return 0
        notices: list[Record] = []
        for skill_id in dict.fromkeys(row.record.skill_id for row in rows):
            notices.extend(self._placed(self._current(skill_id)))
        try:
            self._store.commit(STAGE, notices, cursor_from=start, cursor_to=rows[-1].seq)
        except CursorMoved:
            logger.info("another thread published first")
        return len(rows)

    def sync(self, cwd: str) -> None:
        """A session begins in `cwd`: its tree gets the live skills of its project that it never had, or had older."""
        identity = identify(cwd, self._paths.home)
        tree = Path(identity.root)
        if not identity.id or not tree.is_dir():
            return
        self._observe(tree)
        for one in disk.observe(tree, self._paths.receipts):
            if self._store.count(SkillRevision, skill_id=one.skill_id):
                current = self._current(one.skill_id)
                if current.state is not SkillState.LIVE or current.scope is not Scope.PROJECT:
                    self._store.append(list(self._withdrawn(current, tree)))
        stands = {one.name: one.state for one in disk.observe(tree, self._paths.receipts)}
        for revision in self._live(identity.id):
            if stands.get(revision.name, disk.FileState.UNCHANGED) is disk.FileState.UNCHANGED:
                self._store.append(list(self._bring(revision, tree)))

    def observe(self) -> None:
        """What people did to the files since the last look becomes revisions of theirs."""
        for tree in self._all_trees():
            self._observe(tree)

    def announce(self, scope: index_base.Scope) -> str:
        """One line for the person, about skills they have not been told of; "" if there are none."""
        fresh: list[tuple[str, index_base.Document]] = []
        for document in self._index.all(scope):
            if document.kind != "skill" or len(fresh) >= ANNOUNCED_MAX:
                continue
            subject = f"{document.id}@{document.version}"
            if not self._store.count(Notice, about="announced", subject=subject):
                fresh.append((subject, document))
        self._store.append([self._notice("announced", f"Told of {one.name}.", "", subject) for subject, one in fresh])
        news = [document.name for _, document in fresh if not self._made_by_person(document.id)]
        if not news:
            return ""
        return (
            f"hivemind learned from your corrections: {', '.join(news)}. Not right? `hivemind skillify undo {news[0]}`"
        )

    def _made_by_person(self, skill_id: str) -> bool:
        """Is the newest version their own edit or command? They need not be told of it."""
        rows = self._store.find(SkillRevision, skill_id=skill_id, newest_first=True, limit=1)
        return any(by_hand(row.record) for row in rows)

    def _placed(self, revision: SkillRevision) -> Iterable[Notice]:
        """The skill's file where `revision` belongs, and nowhere else."""
        told = [notice for tree in self._trees(revision) for notice in self._bring(revision, tree)]
        yield from told
        if not any(one.about == "publish_failed" for one in told):  # else it would stand nowhere
            project = revision.scope is Scope.PROJECT
            for tree in [self._paths.home] if project else self._roots(revision.project_id):
                yield from self._withdrawn(revision, tree)

    def _withdrawn(self, revision: SkillRevision, tree: Path) -> Iterable[Notice]:
        """The skill's file in `tree` removed; not where a person changed it since the last look: that is kept first."""
        try:
            there = [one for one in disk.observe(tree, self._paths.receipts) if one.skill_id == revision.skill_id]
            if any(one.state is disk.FileState.EDITED and not one.foreign for one in there):
                return
            for one in there:
                for gone in disk.withdraw(tree, self._paths.receipts, one.name, one.skill_id):
                    if not gone.removed and gone.why:
                        yield self._notice("skill_left", f"{gone.path} was left: {gone.why}", "", revision.name)
        except (HivemindError, OSError) as problem:
            logger.warning("skill=%s could not be withdrawn: %s", revision.name, problem)
            yield self._once(revision, "publish_failed", str(problem), getattr(problem, "fix", ""))

    def _bring(self, revision: SkillRevision, tree: Path) -> Iterable[Notice]:
        """Make the file in `tree` what `revision` says."""
        if revision.state is not SkillState.LIVE:
            yield from self._withdrawn(revision, tree)
            return
        try:
            if revision.reason == IN_FILE and self._by_hand(revision, tree):
                return
            published = disk.publish(
                tree, self._folders(revision, tree), render(revision), revision.name, self._paths.receipts
            )
        except HivemindError as problem:
            logger.warning("skill=%s could not be written: %s", revision.name, problem)
            yield self._once(revision, "publish_failed", f"{problem.what} {problem.why}", problem.fix)
            return
        for why in published.skipped:
            said = f"Skill {revision.name} is at {published.path}, but not shown to every agent: {why}"
            fix = "Rename or remove what is in the way, if hivemind may show the skill there."
            yield self._once(revision, "skill_not_shown", said, fix)
        if published.written:
            fix = f"`hivemind skillify undo {revision.name}` takes it back."
            yield self._notice("published", f"Skill {revision.name} v{revision.version} is live.", fix, revision.name)

    def _folders(self, revision: SkillRevision, tree: Path) -> list[Path]:
        """Where skills live in `tree`, so that every wired host sees them."""
        there = skill_places.wired(self._paths, self._hosts)
        if revision.scope is Scope.PROJECT:
            return skill_places.in_project(tree, self._hosts, there)
        return skill_places.in_home(tree, self._hosts, there)

    def _by_hand(self, revision: SkillRevision, tree: Path) -> bool:
        """Does the skill's file in `tree` say what a person wrote there, in this or an earlier version?"""
        for one in disk.observe(tree, self._paths.receipts):
            if one.name == revision.name and one.path.is_file():
                try:
                    parsed = parse(redact.text(one.path.read_text("utf-8", "replace")))
                except (SkillFault, OSError):
                    return True
                rows = self._store.find(SkillRevision, skill_id=revision.skill_id, drafter=PERSON)
                said = (parsed.description, parsed.body)
                return any(said == (row.record.trigger, row.record.body) for row in rows)
        return False

    def _observe(self, tree: Path) -> None:
        try:
            observed = disk.observe(tree, self._paths.receipts)
        except (HivemindError, OSError) as problem:
            logger.warning("skills in a tree could not be looked at: %s", problem)
            return
        for one in observed:
            if one.foreign or one.state not in (disk.FileState.EDITED, disk.FileState.DELETED):
                continue
            if not self._store.count(SkillRevision, skill_id=one.skill_id):
                continue
            if self._backlog():
                return  # an agent's own word about this change may still be waiting: the next look tells
            current = self._current(one.skill_id)
            notice = self._by_nobody(tree, one, current)
            records = [notice] if notice else self._by_person(one, current)
            try:
                self._store.append(records)
            except VersionTaken:  # a command of theirs came between: the next look tells
                continue
            if notice is not None:
                disk.disown(tree, one, self._paths.receipts)
            elif all(isinstance(record, SkillRevision) for record in records):
                disk.adopt(tree, one, self._paths.receipts)

    def _backlog(self) -> bool:
        """Do deliveries wait to be read? Every hook delivers before its tool runs."""
        oldest = time.time() - _BACKLOG_S
        try:
            return any(one.stat().st_mtime >= oldest for one in self._paths.spool_new.iterdir())
        except FileNotFoundError:  # one was taken just now
            return self._paths.spool_new.is_dir()

    def _by_nobody(self, tree: Path, one: disk.Observed, current: SkillRevision) -> Notice | None:
        """What to tell of a change that an agent made, or that came by git; None for a person's."""
        if current.state is SkillState.RETIRED and one.state is disk.FileState.DELETED:
            return None
        kept = f"hivemind keeps to version {current.version}"
        fix = (
            f"Compare it with `hivemind skillify show {one.name}`. To drop the change, put that text back; "
            "to keep it, put that text back, wait a minute, and make the change yourself."
        )
        since = datetime.fromtimestamp(one.since, UTC)
        if touched_by_agent(self._store, one.path, one.name, since, deleted=one.state is disk.FileState.DELETED):
            did = "deleted" if one.state is disk.FileState.DELETED else "changed"
            said = f"{one.path} was {did} while an agent worked on it; {kept}."
            return self._once(current, "skill_changed_by_agent", said, fix, one.text)
        if one.state is not disk.FileState.EDITED:
            return None
        path = one.path.relative_to(tree).as_posix()
        if history.committed(tree.resolve(), path) == one.text.replace("\r\n", "\n"):
            said = f"{one.path} came by git with other words than hivemind's; {kept}."
            return self._once(current, "skill_changed_by_git", said, fix, one.text)
        return None

    def _by_person(self, one: disk.Observed, current: SkillRevision) -> Sequence[SkillRevision | Notice]:
        """The revision that a person made by editing or deleting the file; after it, what they commanded since.

        None if the store has it: we were killed before the receipt said so.
        """
        now = self._clock()
        if one.state is disk.FileState.DELETED:
            if current.state is SkillState.RETIRED:
                return []
            gone = replace(current, id=new_id(now), version=current.version + 1, drafter=PERSON, occurred_at=now)
            return [replace(gone, state=SkillState.RETIRED, reason="a person deleted the file")]
        try:
            following = edited(current, one.text, now, IN_FILE)
        except SkillFault as fault:
            notice = self._notice("skill_unreadable", f"{one.path}: {fault.what} {fault.why}", fault.fix, one.name)
            return [replace(notice, id=derived_id(current.occurred_at, "unreadable", one.skill_id, one.text))]
        if current.reason == IN_FILE and (current.trigger, current.body) == (following.trigger, following.body):
            return []
        if commanded(current) and _changed_at(one.path) <= current.occurred_at:
            return [following, replace(current, id=new_id(now), version=following.version + 1, occurred_at=now)]
        return [following]

    def _trees(self, revision: SkillRevision) -> list[Path]:
        """Where this revision's file belongs, or may stand."""
        if revision.scope is not Scope.PROJECT:
            return [self._paths.home]
        if revision.state is not SkillState.LIVE:
            return self._roots(revision.project_id)
        ids = sorted({one for line in revision.lines for one in line.correction_ids})
        reactions = [row.record.reaction_event_id for row in self._store.find(Correction, id=ids)] if ids else []
        events = [row.record for row in self._store.find(Event, id=reactions)] if reactions else []
        found = dict.fromkeys(
            Path(identity.root)
            for event in events
            if (identity := identify(event.cwd, self._paths.home)).id == revision.project_id
        )
        trees = [tree for tree in found if tree.is_dir()]
        return trees or self._roots(revision.project_id)[:1]

    def _roots(self, project_id: str) -> list[Path]:
        rows = self._store.find(Project, project_id=project_id, newest_first=True)
        return [root for row in rows if (root := Path(row.record.root)).is_dir()]

    def _all_trees(self) -> list[Path]:
        roots = {Path(row.record.root) for row in self._store.find(Project)}
        return [root for root in sorted(roots | {self._paths.home}) if root.is_dir()]

    def _live(self, project_id: str) -> list[SkillRevision]:
        rows = self._store.find(SkillRevision, project_id=project_id)
        current = [self._current(skill_id) for skill_id in dict.fromkeys(row.record.skill_id for row in rows)]
        return [one for one in current if one.state is SkillState.LIVE and one.scope is Scope.PROJECT]

    def _current(self, skill_id: str) -> SkillRevision:
        rows = self._store.find(SkillRevision, skill_id=skill_id)
        return max((row.record for row in rows), key=lambda revision: revision.version)

    def _once(self, revision: SkillRevision, about: str, text: str, fix: str, *content: str) -> Notice:
        """A notice that is stored once for this revision, however often it is made."""
        notice = self._notice(about, text, fix, revision.name)
        return replace(notice, id=derived_id(revision.occurred_at, about, revision.id, text, *content))

    def _notice(self, about: str, text: str, fix: str, subject: str) -> Notice:
        now = self._clock()
        return Notice(
            id=new_id(now), workspace_id="default", occurred_at=now, about=about, text=text, fix=fix, subject=subject
        )


def _changed_at(path: Path) -> datetime:
    """When its file was last written; now, if it is gone."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)
