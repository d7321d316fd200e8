"""The state at a glance, and what a person should look into."""

import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from hivemind_cli.app import decay, memory_skill, skill_places
from hivemind_cli.app.installing import command_for, config_dir, installed_dirs
from hivemind_cli.app.reading import WAITING, current_skills
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import (
    Correction,
    Event,
    Notice,
    Outcome,
    Project,
    Recall,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.hosts.apply import read_receipt
from hivemind_cli.hosts.base import Host
from hivemind_cli.hosts.consent import CONSENT
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.spool import Spool
from hivemind_cli.storage.base import Store

SILENT_AFTER = timedelta(minutes=3)
"""A transcript that grew so long after the last event says that hooks do not fire."""
TRANSCRIPTS_MAX = 5000
DECISIONS_MAX = 300
"""Of a host, newest first, in which its last injection is looked for."""
COUNTED_MAX = 1000
"""Corrections that wait are counted up to here: it is read to say "many"."""
NOTICE_DAYS = 14
PROJECTS_MAX = 5
"""Projects whose git is asked for untracked skills."""
SKILL_FOLDERS = (".claude/skills",)
"""The other hosts' folders hold links to it."""
GIT_WAIT_S = 1.0
_QUIET = frozenset({"published", "announced", "kept"})
"""Notices that tell news, not trouble."""
_OF_VERSION = frozenset({"conflict", "review", "draft", "skill_unreadable", "skill_test_failed"})
"""Notices about a skill as it was then: a later version answers them."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host at a glance."""

    name: str
    label: str
    installed: bool
    wired: bool
    last_event_at: datetime | None
    last_injection_at: datetime | None
    """When it was last told something, among its last decisions."""
    transcripts_at: datetime | None
    """When its newest transcript last grew."""
    silent: bool
    """Wired, and its transcripts grow, but no event arrives."""
    notices: tuple[str, ...] = ()
    trusted: bool | None = None
    """Did the person agree that it runs our hooks? None: it does not ask, or that cannot be known."""
    drift: tuple[str, ...] = ()
    """Files of ours that were changed since the install."""


@dataclass(frozen=True, slots=True)
class Status:
    """What `hivemind status` shows."""

    hosts: tuple[HostStatus, ...]
    events: int
    sessions_today: int
    corrections: dict[str, int]
    skills: dict[str, int]
    unneeded: int
    """Live skills that are proposed for retirement."""
    recalls: dict[str, int]
    outcomes: dict[str, int]
    waiting: dict[str, int]
    recall_tier: str
    """hybrid, lexical or off, and why."""
    provider: str
    judge: str
    """Whether a model decides what the detector is unsure of, and why not."""
    embeddings: str
    index: Mapping[str, object] = field(default_factory=dict)
    """What the owner says of its indexes (its verb `index.state`)."""
    untracked: tuple[str, ...] = ()
    """Folders of live project skills that git does not know: they stay on this machine."""
    trouble: tuple[Notice, ...] = field(default=())


def status(
    store: Store,
    paths: Paths,
    config: Config,
    hosts: Mapping[str, Host],
    env: Mapping[str, str],
    *,
    provider: str,
    judge: str = "",
    embeddings: str = "",
    index: Mapping[str, object] | None = None,
    now: datetime,
) -> Status:
    """Everything `hivemind status` shows, from the store and the hosts' own files."""
    spool = Spool(paths)
    decisions, held = store.count(Recall), store.count(Recall, held=True)
    outcomes: dict[tuple[str, str], str] = {}
    for outcome in store.find(Outcome):
        outcomes[outcome.record.recall_id, outcome.record.subject_id] = outcome.record.verdict
    since = now - timedelta(days=1)
    skills = current_skills(store)
    return Status(
        hosts=hosts_status(hosts, store, paths, env),
        events=store.count(Event),
        sessions_today=len({row.record.session_id for row in store.find(Event, since=since, kind="session_start")}),
        corrections=dict(Counter(one.kind.value for one in judged.called(store))),
        skills=dict(Counter(revision.state.value for revision in skills)),
        unneeded=len(decay.unneeded(store, config.codify.retire_after_days, now, skills=skills)),
        recalls={
            "decisions": decisions,
            "injected": decisions - held - store.count(Recall, text=""),
            "held": held,
        },
        outcomes=dict(Counter(outcomes.values())),
        waiting={
            "deliveries": len(spool.pending()),
            "set aside": sum(path.suffix != ".why" for path in _files(paths.quarantine)),
            "corrections to codify": len(_uncodified(store)),
            "skills to review": sum(revision.state in WAITING for revision in skills),
        },
        recall_tier=recall_tier(config, index or {}),
        provider=provider,
        judge=judge,
        embeddings=embeddings,
        index=index or {},
        untracked=tuple(_untracked(store, skills)),
        trouble=tuple(trouble(store, now)),
    )


def _untracked(store: Store, skills: Sequence[SkillRevision]) -> Iterator[str]:
    """Skill folders of ours in projects that are there, newest project first, and not in their git."""
    live: dict[str, set[str]] = {}
    for revision in skills:
        if revision.scope is Scope.PROJECT and revision.state is SkillState.LIVE:
            live.setdefault(revision.project_id, set()).add(revision.name)
    projects = store.find(Project, project_id=sorted(live), newest_first=True, limit=PROJECTS_MAX) if live else []
    for root in dict.fromkeys(row.record.root for row in projects):
        names = set().union(*(live[row.record.project_id] for row in projects if row.record.root == root))
        folders = dict.fromkeys(str(Path(*Path(file).parts[:3])) for file in _unknown_to_git(root))
        yield from (str(Path(root, folder)) for folder in folders if Path(folder).name in names)


def _unknown_to_git(root: str) -> list[str]:
    command = ["git", "-c", "core.fsmonitor=false", "-C", root, "ls-files", "-z", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(
            [*command, "--", *SKILL_FOLDERS], capture_output=True, text=True, timeout=GIT_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return []
    return [name for name in done.stdout.split("\0") if name]


def trouble(store: Store, now: datetime) -> list[Notice]:
    """Notices of the last days that ask for a look, newest first; what was said again counts once.

    What a person has decided since asks for nothing any more.
    """
    rows = store.find(Notice, newest_first=True, since=now - timedelta(days=NOTICE_DAYS), limit=200)
    found = [row.record for row in rows if row.record.about not in _QUIET]
    changed = _changed(store, {one.subject for one in found if one.about in _OF_VERSION})
    newest: dict[tuple[str, str], Notice] = {}
    for notice in found:
        answered = notice.about in _OF_VERSION and changed.get(notice.subject, notice.occurred_at) > notice.occurred_at
        if not answered:
            newest.setdefault((notice.about, notice.text), notice)
    return list(newest.values())


def _changed(store: Store, names: set[str]) -> dict[str, datetime]:
    """When each of these skills got its newest version."""
    rows = store.find(SkillRevision, name=sorted(names)) if names else []
    return {row.record.name: row.record.occurred_at for row in sorted(rows, key=lambda row: row.record.occurred_at)}


def recall_tier(config: Config, index: Mapping[str, object]) -> str:
    """One line: what recall goes by now, and why not by more. `index` is the owner's `index.state`."""
    if not config.recall.enabled:
        return "off. For recall: hivemind config set recall.enabled true"
    if index.get("tier") != "hybrid":
        why = index.get("why") or "no model takes part"
        return f"lexical: by words alone ({why})"
    left = int(str(index["documents"])) - int(str(index["embedded"]))
    waits = "the model is being loaded" if not index["ready"] else f"{left} more being embedded" if left > 0 else ""
    return f"hybrid: by words and by meaning{f'; {waits}' if waits else ''}"


def hosts_status(
    hosts: Mapping[str, Host], store: Store, paths: Paths, env: Mapping[str, str]
) -> tuple[HostStatus, ...]:
    """Each host; what is to be said of the skill about hivemind stands with the first that is wired."""
    found = [_host(host, store, paths, env) for host in hosts.values()]
    untold = tuple(memory_skill.notices(paths, memory_skill.places(paths, hosts, skill_places.wired(paths, hosts))))
    first = next((n for n, host in enumerate(found) if host.wired), None)
    if first is not None:
        found[first] = replace(found[first], notices=(*found[first].notices, *untold))
    return tuple(found)


def _host(host: Host, store: Store, paths: Paths, env: Mapping[str, str]) -> HostStatus:
    folder = _folder(host, paths, env)
    rows = store.find(Event, host=host.NAME, source="hook", newest_first=True, limit=1)
    last = rows[0].record.occurred_at if rows else None
    installed = host.installed(paths.home, config_dir=folder)
    here = installed or bool(skill_places.wired(paths, [host.NAME]))  # else another host's entries would do for it
    wired = here and host.wired(paths.home, command_for(paths, host), config_dir=folder)
    grown = _newest(host, paths, folder)
    wired_at = _installed_at(paths, host)
    heard = max((moment for moment in (last, wired_at) if moment), default=None)
    silent = bool(wired and grown and heard and grown - heard > SILENT_AFTER)
    return HostStatus(
        name=host.NAME,
        label=host.LABEL,
        installed=installed,
        wired=wired,
        last_event_at=last,
        last_injection_at=_injected_at(host, store) if last else None,
        transcripts_at=grown,
        silent=silent,
        notices=tuple(host.notices(paths.home, config_dir=folder)),
        trusted=consent(host, paths, folder) if wired else None,
        drift=tuple(_drift(host, paths)),
    )


def consent(host: Host, paths: Paths, folder: Path | None) -> bool | None:
    """Did the person agree that the host runs our hooks? None: it does not ask, or that cannot be known."""
    asking = CONSENT.get(host.NAME)
    return asking.trusted(paths.home, command_for(paths, host), config_dir=folder) if asking else None


def _injected_at(host: Host, store: Store) -> datetime | None:
    rows = store.find(Recall, host=host.NAME, newest_first=True, limit=DECISIONS_MAX)
    return next((row.record.occurred_at for row in rows if row.record.text), None)


def _drift(host: Host, paths: Paths) -> Iterator[str]:
    """Files that are not as the last install left them."""
    try:
        receipt = read_receipt(paths.receipts, host.NAME)
    except (HostError, OSError):
        return
    for file in receipt.files if receipt else ():
        try:
            content = Path(file.path).read_bytes()
        except OSError:
            content = b""
        if not file.is_ours(hashlib.sha256(content).hexdigest() if content else ""):
            yield file.path


def _folder(host: Host, paths: Paths, env: Mapping[str, str]) -> Path | None:
    return installed_dirs(paths, {host.NAME: host})[host.NAME] or config_dir(host, env)


def _installed_at(paths: Paths, host: Host) -> datetime | None:
    path = paths.receipts / f"{host.NAME}.json"
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None


def _newest(host: Host, paths: Paths, folder: Path | None) -> datetime | None:
    times = []
    for path in islice(host.find_sessions(paths.home, config_dir=folder), TRANSCRIPTS_MAX):
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _uncodified(store: Store) -> list[Correction]:
    rows = store.find(Correction, after=store.cursor("codify"), limit=COUNTED_MAX)
    return [one for one in judged.effective(store, [row.record for row in rows]) if judged.is_called(one)]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
