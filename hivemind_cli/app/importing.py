"""Past sessions from a host's own files. What hooks captured is not doubled; twice changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hivemind_cli.app.installing import installed_dirs
from hivemind_cli.app.machine import machine_key, this_person
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.project import kept_workspaces
from hivemind_cli.core.records import Event, EventKind, Record
from hivemind_cli.hosts.base import Host
from hivemind_cli.pipeline.capture import Capture
from hivemind_cli.storage.base import Store

BATCH = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What one session file gave."""

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
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
    if not files:
        raise HostError(f"{path} holds no session file.", why="Session files end in .jsonl.")
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
    """Read each file and store what is new; with no store, only count."""
    capture = Capture(
        paths, config, hosts, this_person(), machine_key(paths), kept_workspaces(paths), installed_dirs(paths, hosts)
    )
    done = []
    for host, path in found:
        imported = _one(host, path, capture, store, workspace)
        progress(imported)
        done.append(imported)
    return done


def _one(host: Host, path: Path, capture: Capture, store: Store | None, workspace: str) -> Imported:
    tally = _Tally()
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
        tool_rejections=tally.rejections,
        tool_uses=tally.uses,
        tool_errors=tally.errors,
        edits=tally.edits,
        new=new,
        fault=fault,
    )


class _Tally:
    """Counts what passes by."""

    def __init__(self) -> None:
        self.prompts = self.interrupts = self.rejections = self.uses = self.errors = self.edits = 0

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if isinstance(record, Event):
                self.add(record.kind, record.payload)
            yield record

    def add(self, kind: EventKind, payload: object) -> None:
        act = payload.get("act", {}) if isinstance(payload, dict) else {}
        self.prompts += kind is EventKind.PROMPT
        self.interrupts += kind is EventKind.INTERRUPT
        self.uses += kind is EventKind.TOOL_CALL
        self.edits += kind is EventKind.TOOL_CALL and act.get("kind") == "edit"
        denied = kind is EventKind.TOOL_DENIED
        self.rejections += denied and isinstance(payload, dict) and payload.get("by") == "person"
        self.errors += denied or kind is EventKind.TOOL_FAILURE
