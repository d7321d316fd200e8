"""How much of its room each agent's list of skills takes, and what falls out of it. Reads files only.

A host's budget and folders: hosts/listing.py. What is predicted is what the host would do by what is known of it; it
counts skills of its own besides, so a list that just fits here may not fit there.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hivemind_cli.core.project import identify
from hivemind_cli.hosts.claude import listing as claude_listing
from hivemind_cli.hosts.listing import LISTINGS, Listing, Overflow
from hivemind_cli.skills.frontmatter import Value, read_front_matter

_FOLDERS_MAX = 2000
"""Looked at below one root."""
_BYTES_MAX = 1 << 20
FILE = "SKILL.md"
_ORDER = {
    Overflow.LEAST_USED_BARE: "the least used first",
    Overflow.ALL_CUT: "all at one length, then the person's own last in the alphabet",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One skill as a host lists it."""

    name: str
    description: str
    path: str
    ours: bool
    """hivemind wrote it."""
    scope: str
    """user, project or plugin."""


@dataclass(frozen=True, slots=True)
class HostListing:
    """One host's list, counted."""

    host: str
    label: str
    skills: int
    ours: int
    """Of these, how many hivemind wrote."""
    chars: int
    """Were every description listed whole, up to the host's own limit for one."""
    chars_max: int | None
    """None: not known."""
    cut: tuple[str, ...] = ()
    """Names of skills whose description is cut or gone, as far as can be told."""
    dropped: tuple[str, ...] = ()
    """Names of skills that are not listed at all."""
    ours_lost: int = 0
    """Of `cut` and `dropped`, how many hivemind wrote."""
    longest: tuple[str, ...] = ()
    """Skills with the longest descriptions, longest first."""
    broken: tuple[str, ...] = ()
    """Files and folders that could not be read: their skills are not counted."""
    order: str = ""
    """Which lose it first, in words; "" if that is not known."""
    setting: str = ""

    @property
    def over(self) -> bool:
        return self.chars_max is not None and self.chars > self.chars_max


def listings(home: Path, cwd: Path, env: Mapping[str, str]) -> list[HostListing]:
    """The list of every agent that is on this machine, for a session that begins in `cwd`."""
    found = []
    for host, listing in LISTINGS.items():
        folder = Path(env.get(listing.env) or home / listing.home) if listing.env else home / listing.home
        if folder.is_dir():
            found.append(_counted(host, listing, folder, home, cwd, env))
    return found


def _counted(host: str, listing: Listing, folder: Path, home: Path, cwd: Path, env: Mapping[str, str]) -> HostListing:
    used: Mapping[str, float] = {}
    plugins: Sequence[tuple[str, Path]] = ()
    if host == "claude":
        cap = claude_listing.description_chars_max(folder, cwd)
        room = claude_listing.chars_max(folder, cwd, env)
        listing = replace(
            listing,
            chars_max=room or listing.chars_max,
            description_chars_max=cap or listing.description_chars_max,
        )
        used, plugins = claude_listing.usage(folder, home), claude_listing.plugin_roots(folder, cwd)
    broken: list[str] = []
    skills = list(_found(_roots(listing, folder, home, cwd, plugins), listing, broken))
    cap = listing.description_chars_max or 1 << 30
    capped = [replace(one, description=one.description[:cap]) for one in skills]
    cut = {one.name for one in skills if len(one.description) > cap}
    bare, dropped = _lost(capped, listing, used)
    lost = cut | set(bare) | set(dropped)
    by_length = sorted(skills, key=lambda one: (-len(one.description), one.name))
    return HostListing(
        host=host,
        label=listing.label,
        skills=len(skills),
        ours=sum(one.ours for one in skills),
        chars=sum(_chars(one, listing) for one in capped),
        chars_max=listing.chars_max,
        cut=tuple(sorted(cut | set(bare))),
        dropped=tuple(dropped),
        ours_lost=sum(one.ours and one.name in lost for one in skills),
        longest=tuple(one.name for one in by_length[:3]),
        broken=tuple(broken),
        order=_ORDER.get(listing.overflow, ""),
        setting=listing.setting,
    )


def _roots(
    listing: Listing, folder: Path, home: Path, cwd: Path, plugins: Sequence[tuple[str, Path]]
) -> Iterator[tuple[str, str, Path]]:
    """(scope, prefix of the names, folder), in the order in which the host prefers them."""
    yield from (("user", "", folder / one) for one in listing.own)
    yield from (("user", "", home / one) for one in listing.user)
    root = Path(identify(str(cwd), home).root)
    above = (cwd, *(one for one in cwd.parents if one.is_relative_to(root))) if cwd.is_relative_to(root) else (cwd,)
    yield from (("project", "", one / project) for one in above for project in listing.project)
    yield from (("plugin", f"{name}:", path) for name, path in plugins)


def _found(roots: Iterable[tuple[str, str, Path]], listing: Listing, broken: list[str]) -> Iterator[Listed]:
    """Each skill once, though links lead to it by several ways."""
    seen: set[str] = set()
    names: set[str] = set()
    for scope, prefix, root in roots:
        for folder in _folders(root, listing.depth, broken):
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
            skill = _read(folder, scope, prefix, broken)
            if skill is not None and not (listing.one_a_name and skill.name in names):
                names.add(skill.name)
                yield skill


def _folders(root: Path, depth: int, broken: list[str]) -> Iterator[Path]:
    """Folders below `root` that hold a SKILL.md, by name; a skill's own folders are not looked into."""
    waiting, looked_at = [(root, 0)], 0
    while waiting and looked_at < _FOLDERS_MAX:
        folder, deep = waiting.pop(0)
        try:
            inside = sorted(one for one in folder.iterdir() if not one.name.startswith(".") and one.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            broken.append(str(folder))
            continue
        for one in inside:
            looked_at += 1
            try:
                there = (one / FILE).exists()
            except OSError:
                broken.append(str(one))
                continue
            if there:
                yield one
            elif deep + 1 < depth:
                waiting.append((one, deep + 1))


def _read(folder: Path, scope: str, prefix: str, broken: list[str]) -> Listed | None:
    """None: it cannot be read, has no description, or says that no model may call it."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            fields = _fields(file.read(_BYTES_MAX).decode("utf-8", "replace"))
    except OSError:
        fields = {}
    if not fields:
        broken.append(str(path))
        return None
    description, when = fields.get("description", ""), fields.get("when_to_use", "")
    hidden = str(fields.get("disable-model-invocation", "")).lower() in ("true", "yes", "on")
    if hidden or not isinstance(description, str) or not description.strip():
        return None
    if isinstance(when, str) and when:
        description = f"{description} - {when}"
    metadata = fields.get("metadata")
    ours = isinstance(metadata, dict) and "hivemind-id" in metadata
    return Listed(prefix + folder.name, " ".join(description.split()), str(path), ours, scope)


def _fields(text: str) -> dict[str, Value]:
    """The front matter; {} if there is none."""
    lines = text.removeprefix("\ufeff").splitlines()
    ends = (n for n, line in enumerate(lines[1:], start=1) if line.rstrip() == "---")
    return read_front_matter(lines[1:end]) if lines and lines[0].rstrip() == "---" and (end := next(ends, 0)) else {}


def _chars(one: Listed, listing: Listing, *, described: bool = True) -> int:
    """Of its line, with the line's end: `- name: description`, where the host names it `(file: path)` too."""
    chars = len(f"- {one.name}\n")
    if described or listing.names_file:
        chars += len(": ") if described else len(":")
    if listing.names_file:
        chars += len(f" (file: {one.path})")
    return chars + (len(one.description) if described else 0)


def _lost(skills: Sequence[Listed], listing: Listing, used: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Names of the skills whose description does not fit, and of those that are left out."""
    room = listing.chars_max
    if room is None or sum(_chars(one, listing) for one in skills) <= room:
        return [], []
    bare = sum(_chars(one, listing, described=False) for one in skills)
    if listing.overflow is Overflow.LEAST_USED_BARE:
        left, lost = room - bare, []
        for one in sorted(skills, key=lambda one: -used.get(one.name, 0.0)):
            more = _chars(one, listing) - _chars(one, listing, described=False)
            if more <= left:
                left -= more
            else:
                lost.append(one.name)
        return lost, []
    if bare <= room:
        even = _even(sorted(len(one.description) for one in skills), room - bare)
        return [one.name for one in skills if len(one.description) > even], []
    dropped, left = [], room
    for one in sorted(skills, key=lambda one: (one.scope != "project", one.name)):
        left -= (line := _chars(one, listing, described=False))
        if left < 0:
            left += line
            dropped.append(one.name)
    return [one.name for one in skills if one.name not in dropped], dropped


def _even(lengths: Sequence[int], room: int) -> int:
    """The length at which descriptions are cut so that all fit into `room`; `lengths` ascending."""
    for n, length in enumerate(lengths):
        share = room // (len(lengths) - n)
        if length > share:
            return max(share, 0)
        room -= length
    return max(lengths, default=0)
