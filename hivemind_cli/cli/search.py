"""`hivemind search`: what of everything stored fits, and what fixed an error here before."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hivemind_cli.cli import when
from hivemind_cli.cli.choices import hosts_known, known
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import ago, console, note, print_json, quoted, say
from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.text import Text

ERROR_BYTES_MAX = 1 << 20
"""Read of a log, from its beginning and its end."""
SESSION_CHARS = 13
KIND_CHARS = 12
LINES = 3
"""Of a snippet, about."""
_COLOURS = {"correction": "yellow", "skill": "cyan", "tool_failure": "red", "memory": "cyan"}
_NAMES_FILE = re.compile(r"(?:\.{0,2}|~)/\S*|\S+\.(?:log|txt|out|err)")
"""Given to `--error`: a path, or the name of a log, and no error text."""
_NAMES = {"tool_failure": "error", "tool_call": "call", "tool_result": "output", "tool_denied": "refused"}


def search(
    query: Annotated[list[str] | None, typer.Argument(help="Words, names, paths or error text.")] = None,
    error: Annotated[
        str | None, typer.Option("--error", help="What fixed this error here before? Its text, a file, or - for stdin.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option("--project", help="Only of this project; may be repeated.")
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Only of this folder's project.")] = False,
    host: Annotated[list[str] | None, typer.Option("--host", help="Only of this agent; may be repeated.")] = None,
    since: Annotated[str, typer.Option("--since", help="Only since then: 7d, 2 weeks, yesterday, 2026-11-01.")] = "",
    until: Annotated[str, typer.Option("--until", help="Only until then; a day to its end.")] = "",
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="Only these: prompt, reply, tool, error, session, correction, skill, memory (by commas)."
        ),
    ] = "",
    file: Annotated[str, typer.Option("--file", help="Only about this file: its path, or the end of it.")] = "",
    session: Annotated[str, typer.Option("--session", help="Only of this session: its id, or the beginning.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", help="How many. [default: 10; 5 errors]", min=1)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")] = False,
) -> None:
    """Search events, sessions, corrections, skills and memories of all projects; this folder's project comes first.

    By words, names and error text; with embeddings (`hivemind embeddings install`) by meaning, too.
    """
    now = datetime.now(UTC)
    door = Door.open()
    words = " ".join(query or ())
    asked: dict[str, Any] = {
        "cwd": str(door.cwd),
        "workspace": os.environ.get("HIVEMIND_WORKSPACE_ID", ""),
        "projects": project or [],
        "here": here,
        "hosts": [known("agent", one, hosts_known()) for one in host or ()],
        "since": when.since(since, now).isoformat() if since else None,
        "until": when.until(until, now).isoformat() if until else None,
        "file": file,
        "session": session,
    } | ({"limit": limit} if limit else {})
    if error is None:
        kinds = [one.strip().rstrip("s") for one in kind.split(",") if one.strip()]
        answer = door.ask("search", **asked, query=_plain(words), kinds=kinds, chars=_snippet_chars(json))
        print_json(answer) if json else _show(answer, words, now)
        return
    from hivemind_cli.cli import known_errors

    text = f"{_error_text(error)} {words}" if words else _error_text(error)
    answer = door.ask("search.error", **asked, error=_plain(text))
    print_json(answer) if json else known_errors.show(answer, now)


def _show(answer: Mapping[str, Any], words: str, now: datetime) -> None:
    """Hits of one session under one another, each with its kind."""
    place = None
    hits: Sequence[Mapping[str, Any]] = answer["hits"]
    for number, hit in enumerate(hits):
        if _place(hit) != place:
            place = _place(hit)
            say(_head(hit, now))
        label = _NAMES.get(hit["kind"], hit["kind"].replace("_", " "))
        colour = _COLOURS.get(hit["kind"], "dim")
        say(f"  [{colour}]{quoted(label, KIND_CHARS):<{KIND_CHARS}}[/]{_marked(hit)}", indent=KIND_CHARS + 2)
        more = answer["more"].get(place, 0)
        if more and (number + 1 == len(hits) or _place(hits[number + 1]) != place):
            say(f"  [dim]{'':<{KIND_CHARS}}{more} more: --session {_session(hit)}[/]", indent=14)
    if not hits:
        note(f"Nothing found for {quoted(words, 80)!r}. Try fewer or other words, or leave filters out.")
    tell_state(answer)


def tell_state(answer: Mapping[str, Any]) -> None:
    """What the person should know of how it was searched."""
    if answer.get("behind"):
        note(f"[dim]{answer['behind']:,} records are not searched yet: they are still being read in.[/]")
    if answer.get("by") == "words" and answer["hits"]:
        note("[dim]By words alone; `hivemind embeddings status` tells why not by meaning.[/]")


def _place(hit: Mapping[str, Any]) -> str:
    return f"{hit['host']}:{hit['session_id']}" if hit["session_id"] else str(hit["id"])


def _head(hit: Mapping[str, Any], now: datetime) -> str:
    at = datetime.fromisoformat(hit["occurred_at"]) if hit["occurred_at"] else None
    told = [f"[bold]{ago(at, now)}[/]" if at else ""]
    told += [quoted(str(hit[name]), 24) for name in ("project", "host")]
    return "  ".join(filter(None, [*told, f"[dim]{_session(hit)}[/]" if hit["session_id"] else ""]))


def _session(hit: Mapping[str, Any]) -> str:
    """The beginning of its id: sessions made at one time share the first figures."""
    return quoted(str(hit["session_id"])[:SESSION_CHARS])


def _marked(hit: Mapping[str, Any]) -> str:
    """The snippet as markup, what matched in bold; whatever it holds, it is shown as text."""
    snippet, text = str(hit["snippet"]), _text("")
    title = str(hit["title"])
    if hit["kind"] == "skill" and title not in snippet:
        text.append(f"{one_line(title)}: ", "bold")
    at = 0
    for start, end in hit["highlights"]:
        text.append(one_line(snippet[at:start]))
        text.append(one_line(snippet[start:end]), "bold green")
        at = end
    text.append(one_line(snippet[at:]))
    return text.markup


def _text(said: str) -> "Text":
    from rich.text import Text

    return Text(said)


def one_line(text: str) -> str:
    """`text` of the same length, nothing in it that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)


def _snippet_chars(json: bool) -> int:
    if json or not console.is_terminal:
        return 240
    return max((console.width - KIND_CHARS - 2) * LINES * 4 // 5, 60)


def _error_text(given: str) -> str:
    """What `--error` names: stdin, a file, or the text itself. ConfigError: nothing came, or no file is there."""
    if given == "-":
        text = _ends(sys.stdin.buffer.read().decode("utf-8", "replace"))
        if not text.strip():
            raise ConfigError("Nothing came on standard input.", fix="some-command 2>&1 | hivemind search --error -")
        return text
    if len(given) >= 1024 or not (_NAMES_FILE.fullmatch(given) or Path(given).is_file()):
        return _ends(given)
    try:
        with Path(given).open("rb") as file:
            return _ends(file.read(64 * ERROR_BYTES_MAX).decode("utf-8", "replace"))
    except OSError as exc:
        fix = "Give the error's text, a file that can be read, or - for standard input."
        raise ConfigError(f"{given} cannot be read.", why=f"{exc.strerror}.", fix=fix) from exc


def _ends(text: str) -> str:
    half = ERROR_BYTES_MAX // 2
    return text if len(text) <= 2 * half else f"{text[:half]}\n{text[-half:]}"


def _plain(text: str) -> str:
    """`text` as JSON can carry it: bytes of a file name that are no UTF-8 become question marks."""
    return text.encode("utf-8", "replace").decode()
