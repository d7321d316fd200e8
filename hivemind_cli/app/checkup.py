"""What `hivemind doctor` looks at: each finding says what is, and what to do where it is not well."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivemind_cli.app import llm_setting
from hivemind_cli.app.installing import HOOK_FILES, chosen_hosts, plan
from hivemind_cli.app.listing import HostListing, listings
from hivemind_cli.app.status import HostStatus
from hivemind_cli.core.assets import asset
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ConfigError, HostError
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Notice
from hivemind_cli.hosts.apply import read_receipt
from hivemind_cli.hosts.base import Host
from hivemind_cli.hosts.command import base_python
from hivemind_cli.llm import choose
from hivemind_cli.pipeline.spool import WHY, Spool

OK, NOTE, WARN, BAD = "ok", "note", "warn", "bad"
"""NOTE: neither well nor wrong, but good to know."""
FREE_BYTES_MIN = 200 << 20
PENDING_MAX = 200
"""Deliveries that may wait; more says that the daemon does not take them."""
LEFT_ASIDE_MAX = 20
_CHORES = {"open": "open its store", "drain": "capture", "work": "work on what it captured", "tick": "do its chores"}
SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: str
    """ok, note, warn or bad."""
    what: str
    fix: str = ""
    figures: Mapping[str, Any] | None = None
    """What was counted, for programs."""


def look(paths: Paths, config: Config, env: Mapping[str, str]) -> Iterator[Finding]:
    """Findings that need no store: files, interpreter, spool, disk."""
    yield from _hook(paths)
    yield from _spool(paths)
    yield from _disk(paths)
    yield from _snapshot(paths)
    yield from _crashes(paths)
    if config.llm.allow and config.llm.provider != "none":
        choice = choose(llm_setting(paths, config, env))
        if choice.provider is None:
            yield Finding(WARN, f"No model drafts skills: {choice.reason}.", "`hivemind status` says what can be done.")


def look_at_wiring(paths: Paths, hosts: Mapping[str, Host], env: Mapping[str, str]) -> Iterator[Finding]:
    """What would stop install and uninstall: settings that cannot be edited, receipts that cannot be read."""
    for one in plan(paths, chosen_hosts(paths, hosts, (), env), env, hosts).hosts:
        if one.problem is not None:
            said = f"{one.problem.what} {one.problem.why}".strip()
            yield Finding(BAD, f"{one.host.LABEL}: {said}", one.problem.fix)
    for name in hosts:
        try:
            read_receipt(paths.receipts, name)
        except (HostError, OSError) as problem:
            what, fix = (problem.what, problem.fix) if isinstance(problem, HostError) else (str(problem), "")
            yield Finding(BAD, what, fix)


def look_at_daemon(state: Mapping[str, Any]) -> Iterator[Finding]:
    """What it tries again and again in vain."""
    for chore in state.get("failing", ()):
        yield Finding(
            BAD,
            f"The daemon cannot {_CHORES.get(chore['stage'], chore['stage'])}: {chore['what']}",
            f"It tries again in {chore['retry_in_s']:.0f} s, and nothing that waits is lost. `hivemind daemon log` "
            "says more.",
        )


def look_at_hosts(hosts: tuple[HostStatus, ...]) -> Iterator[Finding]:
    """Whether the agents are wired and speak."""
    for host in hosts:
        if host.silent:
            yield Finding(
                BAD,
                f"{host.label}'s transcripts grow, but its hooks deliver nothing.",
                "Open it once and accept the folder's trust dialog; then run `hivemind install`. "
                "If hooks are switched off in its settings, switch them on.",
            )
        elif host.wired:
            yield _wired(host)
        elif host.installed:
            yield Finding(WARN, f"{host.label} is here, but not wired.", "Run `hivemind install`.")
        for notice in host.notices:
            yield Finding(WARN, notice)
        for path in host.drift:
            yield _drifted(host, path)


def _wired(host: HostStatus) -> Finding:
    event = f"its last event came at {host.last_event_at:%Y-%m-%d %H:%M}" if host.last_event_at else "no event yet"
    told = f", and it was last told something at {host.last_injection_at:%H:%M}" if host.last_injection_at else ""
    agreed = {True: ", and you agreed to its hooks", False: ", but you have not agreed to its hooks", None: ""}
    return Finding(
        WARN if host.trusted is False else OK, f"{host.label} is wired{agreed[host.trusted]}; {event}{told}."
    )


def _drifted(host: HostStatus, path: str) -> Finding:
    if host.wired:
        return Finding(OK, f"{path} was changed since the install; our hooks in it are whole.")
    said = f"{path} was changed since the install, and our hooks in it are not whole: {host.label} is not wired."
    return Finding(WARN, said, "Run `hivemind install`.")


def look_at_notices(notices: tuple[Notice, ...]) -> Iterator[Finding]:
    """What the daemon wrote down for the person."""
    for notice in notices[:SHOWN_MAX]:
        yield Finding(WARN, f"{notice.occurred_at:%Y-%m-%d %H:%M}  {notice.text}", notice.fix)
    if len(notices) > SHOWN_MAX:
        yield Finding(WARN, f"{len(notices) - SHOWN_MAX} more notices.", "`hivemind status --json` lists them all.")


def look_at_listings(paths: Paths, cwd: Path, env: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each agent's list of skills holds all of them, for a session that begins in `cwd`."""
    for one in listings(paths.home, cwd, env):
        if one.skills or one.broken:
            yield _listing(one)


def _listing(one: HostListing) -> Finding:
    figures = {**asdict(one), "over": one.over}
    mine = f", {one.ours} of them from hivemind" if one.ours else ""
    said = (
        f"{one.label} lists {one.skills} {'skill' if one.skills == 1 else 'skills'}{mine}, in {one.chars:,} characters"
    )
    if one.chars_max is None:
        said += "; how many it has room for is not known."
    elif not one.over:
        said += f" of {one.chars_max:,}."
    else:
        said += f", and has room for {one.chars_max:,}."
    lost = [*one.dropped, *(name for name in one.cut if name not in one.dropped)]
    if lost:
        what = "are left out or lose words of their description" if one.dropped else "lose words of their description"
        order = f" ({one.order})" if one.order and one.over else ""
        said += f" As far as is known {len(lost)} {what}{order}: {_some(lost)}."
        said += f" {one.ours_lost} of these are hivemind's." if one.ours_lost else ""
    if one.broken:
        said += f" Not counted, for they cannot be read: {_some(one.broken)}."
    if not lost:
        return Finding(WARN if one.broken else OK, said, "", figures)
    ways = [f"Shorten the longest descriptions ({', '.join(one.longest)}) or remove skills that nobody needs"]
    ways += ["`hivemind skillify retire NAME` takes one of hivemind's out"] if one.ours else []
    ways += [f"or raise {one.setting}"] if one.setting and one.over else []
    recall = "What hivemind learned reaches a wired agent by recall when it matters, listed or not."
    return Finding(WARN, said, f"{'; '.join(ways)}. {recall}", figures)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return f"{', '.join(names[:SHOWN_MAX])}{more}"


def _hook(paths: Paths) -> Iterator[Finding]:
    missing = [name for name in HOOK_FILES if not (paths.hook.parent / name).is_file()]
    if missing:
        yield Finding(WARN, "The hook is not installed.", "Run `hivemind install`.")
        return
    stale = [
        name for name in HOOK_FILES if (paths.hook.parent / name).read_bytes() != asset("hooks", name).read_bytes()
    ]
    if stale:
        yield Finding(
            WARN, "The installed hook differs from this version's: it is older, or damaged.", "Run `hivemind install`."
        )
    else:
        yield Finding(OK, f"The hook stands at {paths.hook}.")
    if not _settings_sound(paths):
        yield Finding(
            BAD,
            f"The hook's settings in {paths.hook_settings} are missing or damaged: hooks capture, but recall nothing.",
            "Run `hivemind install`.",
        )
    try:
        python = base_python()
        yield Finding(OK, f"Hooks run with {python}.")
    except HostError as problem:
        yield Finding(BAD, problem.what, problem.fix)


def _settings_sound(paths: Paths) -> bool:
    """Is every line one that hivemind has written?"""
    try:
        raw = paths.hook_settings.read_bytes()
        return HookSettings.parse(raw).render() == raw
    except (OSError, ConfigError):
        return False


def _spool(paths: Paths) -> Iterator[Finding]:
    spool = Spool(paths)
    waiting = len(spool.pending())
    if waiting > PENDING_MAX:
        yield Finding(
            WARN, f"{waiting} deliveries wait in the spool.", "Run `hivemind daemon --once` to take them now."
        )
    else:
        yield Finding(OK, f"{waiting} deliveries wait in the spool.")
    aside = len(list(paths.spool_tmp.iterdir())) if paths.spool_tmp.is_dir() else 0
    if aside > LEFT_ASIDE_MAX:
        yield Finding(WARN, f"{aside} deliveries were begun and not finished: their hooks were killed.")
    whys = sorted(paths.quarantine.glob(f"*{WHY}")) if paths.quarantine.is_dir() else []
    for why in whys[-SHOWN_MAX:]:
        reason = why.read_text("utf-8", "replace").strip()
        yield Finding(
            WARN,
            f"A delivery was set aside: {reason}.",
            f"It is kept as {why.with_suffix('')}; nothing else was touched.",
        )
    if len(whys) > SHOWN_MAX:
        yield Finding(WARN, f"{len(whys) - SHOWN_MAX} more deliveries were set aside in {paths.quarantine}.")
    errors = spool.hook_errors()
    if errors or (paths.spool / "hook.errors").exists():
        said = f"{len(errors)} deliveries could not be written; the last: {_told(errors[-1])}." if errors else ""
        yield Finding(
            BAD,
            said or "Deliveries could not be written, nor how many: the disk was full.",
            f"Free some space, or check the permissions of {paths.spool}. What transcripts hold is read at the next "
            f"prompt. Delete {paths.spool / 'hook.errors'} when it is solved.",
        )


def _told(line: str) -> str:
    """`<time_ns> <host>:<event> errno=<n>` in words."""
    time_ns, _, rest = line.partition(" ")
    event, _, errno = rest.partition(" errno=")
    when = datetime.fromtimestamp(int(time_ns) / 1e9, UTC).strftime("%Y-%m-%d %H:%M") if time_ns.isdigit() else "?"
    return f"{event} at {when}: {os.strerror(int(errno)) if errno.isdigit() else errno}"


def _disk(paths: Paths) -> Iterator[Finding]:
    folder = next(parent for parent in (paths.root, *paths.root.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        yield Finding(
            BAD, f"Only {free >> 20} MB are free at {folder}.", "Free some space: nothing can be captured without."
        )
    else:
        yield Finding(OK, f"{free >> 30} GB are free at {folder}.")
    if paths.root.exists() and paths.root.stat().st_mode & 0o077:
        yield Finding(WARN, f"{paths.root} can be read by others.", f"chmod 700 {paths.root}")


def _snapshot(paths: Paths) -> Iterator[Finding]:
    try:
        with sqlite3.connect(":memory:") as memory:
            memory.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    except sqlite3.Error:
        yield Finding(WARN, "This Python's SQLite has no full-text search.", "Recall needs the daemon; all else works.")
        return
    if not paths.snapshot.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{paths.snapshot.as_uri()}?mode=ro&immutable=1", uri=True)) as there:
            sound = there.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.Error:
        sound = False
    if sound:
        yield Finding(OK, "Recall works without the daemon, too: the snapshot is there.")
    else:
        yield Finding(
            WARN,
            f"The snapshot {paths.snapshot} is damaged; hooks do without it.",
            "`hivemind daemon restart` writes it anew.",
        )


def _crashes(paths: Paths) -> Iterator[Finding]:
    reports = sorted(paths.crash.glob("*")) if paths.crash.is_dir() else []
    if reports:
        yield Finding(
            WARN,
            f"{len(reports)} crash reports; the newest is {reports[-1]}.",
            "Please attach it to an issue, then delete it.",
        )
