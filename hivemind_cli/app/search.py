"""Search for people and agents: what of everything stored fits a query, and where it happened.

request ─▶ Where ─▶ Searcher ─▶ hits that are still stored ─▶ this project's first ─▶ a few of each session
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.app import reading
from hivemind_cli.core.errors import ConfigError, HivemindError
from hivemind_cli.core.project import ProjectIdentity, identify, kept_workspaces, workspace_for
from hivemind_cli.core.records import EventKind, Tombstone
from hivemind_cli.index.base import Text, Where
from hivemind_cli.index.searching import Result, Searcher
from hivemind_cli.index.snippets import Snippet, snippet
from hivemind_cli.pipeline import texts
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind

SESSION = "session"
KINDS: dict[str, tuple[str, ...]] = {
    "prompt": (EventKind.PROMPT, EventKind.STEER),
    "reply": (EventKind.REPLY,),
    "tool": (EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.TOOL_DENIED),
    "error": (EventKind.TOOL_FAILURE,),
    "session": (SESSION,),
    "correction": ("correction",),
    "skill": ("skill",),
    "memory": ("memory",),
}
"""What a person calls it -> kinds of Text."""
LIMIT = 10
LIMIT_MAX = 200
OF_SESSION_MAX = 3
"""Hits of one session that are given, the best; the rest are counted."""
QUERY_CHARS_MAX = 4000
SNIPPET_CHARS, SNIPPET_CHARS_MIN, SNIPPET_CHARS_MAX = 240, 40, 600
FOUND_MAX = 400
"""Looked at: many may be of one session, and only a little near."""
HERE = 1.15
"""The score of what happened in the current project, times this: of two that fit alike it comes first."""
NEAR_MIN = 0.3
"""Score below which what shares no word with the query is not shown: to a model all texts are a little alike."""
SETTLE_S = 1.0
"""So long what was delivered is captured and indexed before a search answers with what is there."""
MEANING_S = 1.0
"""So long the query's vector is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that was found."""

    id: str
    kind: str
    host: str
    project: str
    """The folder's name; "" for none."""
    project_id: str
    session_id: str
    occurred_at: str
    """ISO 8601, UTC; "" if unknown."""
    title: str
    score: float
    bm25: float
    cosine: float | None
    snippet: str
    highlights: tuple[tuple[int, int], ...]
    """[start, end) of `snippet`'s characters."""
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search gives."""

    hits: tuple[Hit, ...]
    """Best first; those of one session together, where its best stands."""
    more: Mapping[str, int]
    """host:session_id -> further hits of that session that were left out."""
    by: str
    """hybrid, or words: no vector took part."""
    behind: int
    """Stored records that cannot be found yet."""


def search(owner: "OwnedHivemind", args: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a request of a door, as JSON. HivemindError: it names something that is not there, or no words."""
    query = spoken(str(args.get("query", "")))
    searcher = opened(owner)
    settle(owner)
    place = here(owner, args)
    where = narrowed(owner.store, args, place, kinds_named(args.get("kinds") or ()))
    meaning = owner.sidecars.meaning(query, within_s=MEANING_S)
    limit = min(max(int(args.get("limit", LIMIT)), 1), LIMIT_MAX)
    found = searcher.search(query, where, meaning=meaning, limit=FOUND_MAX)
    alive = [one for one in still_there(owner.store, found) if one.bm25 > 0 or one.score >= NEAR_MIN]
    chosen, more = _chosen(alive, place.project.id, limit, grouped=not where.session_ids)
    names = reading.project_names(owner.store)
    chars = min(max(int(args.get("chars", SNIPPET_CHARS)), SNIPPET_CHARS_MIN), SNIPPET_CHARS_MAX)
    answer = Answer(
        hits=tuple(_hit(one, query, names, chars) for one in chosen),
        more=more,
        by="hybrid" if any(one.cosine is not None for one in found) else "words",
        behind=behind(owner),
    )
    return asdict(answer)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the person stands."""

    workspace_id: str
    project: ProjectIdentity


def spoken(query: str) -> str:
    """The query's beginning, blanks joined. ConfigError: it has no letter or digit."""
    words = " ".join(query[: 4 * QUERY_CHARS_MAX].encode("utf-8", "replace").decode().split())[:QUERY_CHARS_MAX]
    if not any(char.isalnum() for char in words):
        raise ConfigError(
            "Search for what?", why="There is no word in the query." if words else "", fix="hivemind search QUERY"
        )
    return words


def opened(owner: "OwnedHivemind") -> Searcher:
    """HivemindError: this owner keeps no corpus."""
    if owner.sidecars.searcher is None:
        raise HivemindError("There is nothing to search: no index is kept.", fix="Run `hivemind reindex`.")
    return owner.sidecars.searcher


def settle(owner: "OwnedHivemind") -> None:
    """What was delivered and stored until now can be found, or as much of it as the time allows."""
    owner.look(SETTLE_S / 2)
    owner.sidecars.catch_up(SETTLE_S / 2)


def behind(owner: "OwnedHivemind") -> int:
    """Stored records that the corpus has not seen."""
    corpus = owner.sidecars.corpus
    return texts.behind(owner.store, corpus.cursor()) if corpus else 0


def here(owner: "OwnedHivemind", args: Mapping[str, Any]) -> Place:
    """The workspace and project of the caller's folder."""
    paths, project = owner.paths, identify(str(args.get("cwd", "")), owner.paths.home)
    named = str(args.get("workspace", ""))
    return Place(workspace_for(named, project, kept_workspaces(paths), owner.config.workspace).id, project)


def narrowed(store: Store, args: Mapping[str, Any], place: Place, kinds: tuple[str, ...]) -> Where:
    """The request's filters. HivemindError: one names what is not known."""
    projects: set[str] = set()
    for name in args.get("projects") or ():
        projects |= reading.projects_named(store, str(name))
    if args.get("here"):
        if not place.project.id:
            raise ConfigError("This folder is no project.", fix="Go into one, or name it: `--project NAME`.")
        projects.add(place.project.id)
    hosts = tuple(str(host) for host in args.get("hosts") or ())
    sessions: tuple[str, ...] = ()
    if args.get("session"):
        host, session_id = reading.session_named(store, str(args["session"]))
        hosts, sessions = (host,), (session_id,)
    return Where(
        workspace_id=place.workspace_id,
        project_ids=tuple(sorted(projects)),
        kinds=kinds,
        hosts=hosts,
        session_ids=sessions,
        since_ms=_ms(args.get("since")),
        until_ms=_ms(args.get("until")),
        path=str(args.get("file", "")),
    )


def kinds_named(names: Sequence[str]) -> tuple[str, ...]:
    """Kinds of Text. ConfigError: no such kind."""
    known = {**KINDS, **{kind.value: (kind.value,) for kind in EventKind}}
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no kind {name!r}.", fix=f"Known are {', '.join(KINDS)}.")
    return tuple(dict.fromkeys(kind for name in names for kind in known[name]))


def still_there(store: Store, found: Sequence[Result]) -> list[Result]:
    """Those whose session was not pruned: the corpus follows the store a moment later."""
    pruned = {(row.record.host, row.record.session_id) for row in store.find(Tombstone)} if found else set()
    return [one for one in found if (one.text.host, one.text.session_id) not in pruned]


def _ms(moment: object) -> int | None:
    return int(datetime.fromisoformat(str(moment)).timestamp() * 1000) if moment else None


def _chosen(
    found: Sequence[Result], project_id: str, limit: int, *, grouped: bool
) -> tuple[list[Result], dict[str, int]]:
    """(what is given, host:session_id -> how many more), the current project's before others that fit alike."""

    def weighed(one: Result) -> float:
        return one.score * (HERE if project_id and one.text.project_id == project_id else 1.0)

    sessions: dict[str, list[Result]] = {}
    told: set[tuple[str, str]] = set()
    for one in sorted(found, key=weighed, reverse=True):
        place = f"{one.text.host}:{one.text.session_id}" if one.text.session_id else one.text.id
        said = (place, f"{one.text.kind == SESSION} {' '.join(one.text.text.split())[:SNIPPET_CHARS]}")
        if said not in told:  # a call and its result: once
            told.add(said)
            sessions.setdefault(place, []).append(one)
    given: list[Result] = []
    more: dict[str, int] = {}
    for place, hits in sessions.items():
        hits = [one for one in hits if one.text.kind != SESSION] or hits  # its first prompt is there itself
        taken = hits[: OF_SESSION_MAX if grouped else None][: limit - len(given)]
        given += taken
        if taken and len(hits) > len(taken):
            more[place] = len(hits) - len(taken)
    return given, more


def _hit(one: Result, query: str, names: Mapping[str, str], chars: int) -> Hit:
    text = one.text
    cut = _snippet(text, query, chars)
    at = datetime.fromtimestamp(text.at_ms / 1000, UTC).isoformat() if text.at_ms else ""
    return Hit(
        id=text.id,
        kind=text.kind,
        host=text.host,
        project=names.get(text.project_id, ""),
        project_id=text.project_id,
        session_id=text.session_id,
        occurred_at=at,
        title=text.title,
        score=round(one.score, 4),
        bm25=round(one.bm25, 3),
        cosine=None if one.cosine is None else round(one.cosine, 4),
        snippet=cut.text,
        highlights=tuple(cut.spans),
        paths=text.paths,
    )


def _snippet(text: Text, query: str, chars: int) -> Snippet:
    """Of what is said there; of its title or files, where only they hold the query's words."""
    said = [one for one in (text.text, text.title, " ".join(text.paths)) if one]
    cuts = (snippet(one, query, chars=chars) for one in said)
    return next((cut for cut in cuts if cut.spans), snippet(said[0] if said else "", query, chars=chars))
