"""Codex CLI: past sessions from its rollout files, `<config folder>/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`.

Source: rollout files and hook payloads of 0.169.0; of older versions, their documented format.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hivemind_cli.hosts import jsonlines, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.codex.reader import Reader

NAME = "codex"
CONFIG_ENV = "CODEX_HOME"

_LINES = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state"})
_ID_CHARS = 36


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every rollout, oldest first, archived ones too. A subagent's is its own file and names its parent's session."""
    folder = config_dir or home / ".codex"
    found: list[Path] = []
    for root in (folder / "sessions", folder / "archived_sessions"):
        found += jsonlines.own_files(root.rglob("rollout-*.jsonl"), root.resolve())
    yield from sorted(found, key=lambda path: (path.name, path))


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first lines is a rollout's, else ()."""
    return (path,) if any(_is_own(value) for value in jsonlines.head(path)) else ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one rollout, in order. OSError if it cannot be read."""
    reader = Reader(path.stem[-_ID_CHARS:])
    return jsonlines.told(path, reader.feed, reader.close)


def _is_own(value: Mapping[str, Any]) -> bool:
    if isinstance(value.get("payload"), dict):
        return values.text(value.get("type")) in _LINES
    first = "instructions" in value and isinstance(value.get("id"), str)
    kind = values.text(value.get("type"))
    return first or "record_type" in value or kind in ("function_call", "function_call_output")
