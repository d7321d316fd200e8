"""Past sessions from a host's own files. What hooks captured is not doubled; twice changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from hivemind_cli.app.installing import installed_dirs
from hivemind_cli.app.machine import machine_key, this_person
from hivemind_cli.core import acts
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import kept_workspaces
from hivemind_cli.core.records import JSON, Event, EventKind, Record
from hivemind_cli.hosts.base import Host
from hivemind_cli.pipeline.capture import Capture
from hivemind_cli.storage.base import Store

BATCH = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What one session gave; the work of its subagents is stored with it, but not counted in it."""

    path: Path
    host: str
    prompts: int
    interrupts: int
    tool_rejections: int
    tool_uses: int
    tool_errors: int
    edits: int
    new: int
    """Records that were not known before."""
    fault: str = ""
    """Why it could not be read, or ""."""


def find(paths: Paths, hosts: dict[str, Host], path: Path | None) -> list[tuple[Host, Path]]:
    """The session files at `path` (a file or a folder), or all of every host's. HostError: there is none."""
    if path is None:
        folders = installed_dirs(paths, hosts)
        return [
            (host, file)
            for host in hosts.values()
            for file in host.find_sessions(paths.home, config_dir=folders[host.NAME])
        ]
    if not path.exists():
        raise HostError(f"{path} is not there.", fix="Give a session file or a folder that holds some.")
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"), key=lambda file: file.with_suffix("").parts)
    if not files:
        raise HostError(
            f"{path} holds no session file.",
            why="Session files end in .jsonl.",
            fix="Give another folder, or --all for every session on this machine.",
        )
    host = hosts["claude"]
    return [(host, file) for file in files]


def import_sessions(
    found: Iterable[tuple[Host, Path]],
    *,
    paths: Paths,
    config: Config,
    hosts: dict[str, Host],
    store: Store | None,
    workspace: str = "",
    progress: Callable[[Imported], None] = lambda imported: None,
) -> list[Imported]:
    """Read each file and store what is new; with no store, only count. One for each session, in the order found.

    The file of a subagent, which stands behind its session's, adds to that session.
    """
    capture = Capture(
        paths, config, hosts, this_person(), machine_key(paths), kept_workspaces(paths), installed_dirs(paths, hosts)
    )
    done: list[Imported] = []
    for host, path in found:
        tally = Tally()
        imported = _one(host, path, capture, store, workspace, tally)
        progress(imported)
        if done and tally.only_subagents:
            done[-1] = replace(done[-1], new=done[-1].new + imported.new, fault=done[-1].fault or imported.fault)
        else:
            done.append(imported)
    return done


def _one(host: Host, path: Path, capture: Capture, store: Store | None, workspace: str, tally: "Tally") -> Imported:
    new = 0
    fault = ""
    try:
        if store is None:
            for one in host.read_transcript(path):
                tally.add(one.kind, one.payload)
        else:
            records = capture.read(host, host.read_transcript(path), store, workspace=workspace)
            watched = tally.watch(records)
            while batch := list(islice(watched, BATCH)):
                new += store.append(batch)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        fault = f"{type(exc).__name__}: {exc}"
    return Imported(
        path=path,
        host=host.NAME,
        prompts=tally.prompts,
        interrupts=tally.interrupts,
        tool_rejections=tally.tool_rejections,
        tool_uses=tally.tool_uses,
        tool_errors=tally.tool_errors,
        edits=tally.edits,
        new=new,
        fault=fault,
    )


class Tally:
    """Counts what passes by, without the work of subagents."""

    def __init__(self) -> None:
        self.prompts = self.interrupts = self.tool_rejections = 0
        self.tool_uses = self.tool_errors = self.edits = 0
        self._own = self._subagents = 0

    @property
    def only_subagents(self) -> bool:
        """Was there something, and all of it done by subagents?"""
        return self._subagents > 0 and self._own == 0

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """`records`, counted as they are taken."""
        for record in records:
            if isinstance(record, Event):
                self.add(record.kind, record.payload)
            yield record

    def add(self, kind: EventKind, payload: JSON) -> None:
        """Count one thing that was seen."""
        if "agent_id" in payload:
            self._subagents += 1
            return
        self._own += 1
        denied = kind is EventKind.TOOL_DENIED
        called = kind is EventKind.TOOL_CALL
        self.prompts += kind is EventKind.PROMPT
        self.interrupts += kind is EventKind.INTERRUPT
        self.tool_uses += called
        self.edits += called and payload["act"].get("kind") == acts.EDIT
        self.tool_rejections += denied and payload.get("by") == "person"
        self.tool_errors += denied or kind is EventKind.TOOL_FAILURE
