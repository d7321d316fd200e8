"""What the REST door can do: one table of operations, which routes, checks and the OpenAPI document are made of.

Every one is about the workspace in its path, asks the daemon, and gives plain JSON. SQL goes through `memory.query` for
a token that reads and `memory.execute` for one that writes: what may be read or written is decided there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hivemind_cli.app import reading
from hivemind_cli.app.tokens import Token
from hivemind_cli.core.errors import ConfigError, SQLError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import SkillRevision, SkillState
from hivemind_cli.serve import answers, bodies, plain
from hivemind_cli.serve.http.problems import Refused
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.tables import Result
from hivemind_cli.tables import wire
from hivemind_cli.tables.branches import BranchInfo, Change, Conflict, Merged
from hivemind_cli.tables.debugging import Debugged
from hivemind_cli.tables.experiences import PastExperience, Strategy
from hivemind_cli.tables.runs import Resume, RunInfo, StepInfo

Ask = Callable[..., Any]
"""(verb, **arguments) -> the daemon's answer."""
AskMemory = Callable[..., Any]
"""(method, arguments, *, reads) -> the daemon's answer to memory.<method>."""
RESULT_BYTES_MAX = 64 * 1024 * 1024
"""Of one answer that is not streamed, about."""
STREAM_ROWS = 2000
"""Of a stream, sent at once."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where answers come from."""

    paths: Paths
    ask: Ask
    memory: AskMemory
    store: Store
    url: str = ""
    """Of the database with the tables; "": this machine's own."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that may be answered: the token is for the workspace, and the body is as it must be."""

    doors: Doors
    token: Token
    workspace: str
    path: Mapping[str, str]
    body: Any
    """Of the operation's `takes`."""

    def memory(self, method: str, *, reads: bool = True, branch: str = "main", **args: Any) -> Any:
        """Ask for memory.<method> in this workspace."""
        place = {"url": self.doors.url, "workspace": self.workspace, "branch": branch}
        return self.doors.memory(method, {**place, **args}, reads=reads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to ask for."""

    method: str
    path: str
    """Behind /workspaces/{workspace}."""
    does: Callable[[Request], Any]
    """Gives what JSON can say."""
    gives: Any = None
    """The type of that, for the OpenAPI document; None: anything, or nothing."""
    takes: type[BaseModel] | None = None
    """Its JSON body; for GET and DELETE its query string."""
    writes: bool = False
    """A token that only reads is refused."""
    status: int = 200

    @property
    def id(self) -> str:
        """In the OpenAPI document."""
        return self.does.__name__.strip("_")


def query(request: Request) -> dict[str, Any]:
    """Run one SQL statement. A token that writes may also INSERT, UPDATE, DELETE, CREATE, ALTER and DROP."""
    body: bodies.Query = request.body
    method = "execute" if request.token.may_write else "query"
    sent = {"sql": body.query, "params": wire.values_to_json(body.params)}
    answer = request.memory(method, reads=method == "query", branch=body.branch, **sent)
    pages = [wire.result_from_json(answer["page"])]
    try:
        for page in _further(request, answer.get("stream")):
            pages.append(page)
            _bounded(pages)
    finally:
        _close(request, answer.get("stream"))
    rows = [row for page in pages for row in plain.rows(page)]
    return {"columns": plain.columns(pages[0]), "rows": rows, "row_count": len(rows)}


def stream(request: Request) -> Iterator[list[Any]]:
    """Run one SELECT and send its rows a line each (application/x-ndjson), however many: an array of the columns' names
    first, then an array of values a row."""
    body: bodies.Query = request.body
    sent = {"sql": body.query, "params": wire.values_to_json(body.params), "batch_rows": STREAM_ROWS}
    opened = request.memory("stream.open", branch=body.branch, **sent)["stream"]
    try:
        head = True
        for page in _further(request, opened):
            yield [*([list(page.names)] if head else ()), *([plain.said(value) for value in row] for row in page.rows)]
            head = False
    finally:
        _close(request, opened)


def explain(request: Request) -> dict[str, Any]:
    """How a SELECT would be answered, and by which index."""
    body: bodies.Query = request.body
    sent = {"sql": body.query, "params": wire.values_to_json(body.params)}
    return {"plan": request.memory("explain", branch=body.branch, **sent)}


def tables(request: Request) -> list[dict[str, Any]]:
    """The workspace's tables and their columns."""
    return [plain.table(one) for one in request.memory("tables")]


def ingest(request: Request) -> dict[str, Any]:
    """Store many rows at once, all or none. The table is made when it is not there."""
    body: bodies.Ingest = request.body
    count = request.memory(
        "ingest",
        reads=False,
        branch=body.branch,
        table=body.table,
        columns=wire.columns_to_json(body.by_column(), request.doors.paths.handed),
        types={name: wire.type_to_json(plain.type_of(said)) for name, said in body.types.items()},
        key=body.key,
        embed=body.embed,
    )
    return {"table": body.table, "row_count": count}


def branches(request: Request) -> Any:
    """The workspace's branches."""
    return plain.told(request.memory("branch.list"))


def branch_create(request: Request) -> Any:
    """Make a branch: one row, however large the tables are."""
    return plain.told(request.memory("branch.create", reads=False, name=request.body.name, source=request.body.source))


def branch_delete(request: Request) -> None:
    """Delete a branch, and what was written on it."""
    request.memory("branch.delete", reads=False, name=request.body.name)


def diff(request: Request) -> Any:
    """The rows in which two branches differ."""
    return plain.told(request.memory("diff", left=request.body.left, right=request.body.right))


def conflicts(request: Request) -> Any:
    """The rows that both branches changed since they parted, or were merged last."""
    return plain.told(request.memory("conflicts", source=request.body.source, into=request.body.into))


def merge(request: Request) -> Any:
    """Merge one branch into another, three-way, all or nothing."""
    body: bodies.Merge = request.body
    return plain.told(request.memory("merge", reads=False, source=body.source, into=body.into, policy=body.policy))


def rollback(request: Request) -> Any:
    """Put a branch's tables back to an earlier number."""
    body: bodies.Rollback = request.body
    return {"changed": request.memory("rollback", reads=False, branch=body.branch, to_seq=body.to_seq)}


def now(request: Request) -> dict[str, Any]:
    """The number of this moment: what `rollback` goes back to."""
    return {"seq": request.memory("now")}


def experiences(request: Request) -> Any:
    """What was tried last, the newest first."""
    return plain.told(request.memory("experiences.newest", **_sent(request.body)))


def experience_search(request: Request) -> Any:
    """Similar tasks, whatever came of them, the most similar first."""
    return plain.told(request.memory("experiences.search", **_sent(request.body)))


def experience_context(request: Request) -> dict[str, Any]:
    """What worked for similar tasks and what to avoid, as text for a prompt."""
    return {"text": request.memory("experiences.render", **_sent(request.body))}


def experience_append(request: Request) -> Any:
    """Keep what was tried and how it went."""
    return {"id": request.memory("experiences.append", reads=False, **_sent(request.body))}


def experience_replay(request: Request) -> Any:
    """Similar tasks that went well, the most similar first."""
    return plain.told(request.memory("experiences.replay", **_sent(request.body)))


def experience_failures(request: Request) -> Any:
    """Similar tasks that failed: what to avoid."""
    return plain.told(request.memory("experiences.failures", **_sent(request.body)))


def experience_strategies(request: Request) -> Any:
    """Approaches to similar tasks by their mean score."""
    return plain.told(request.memory("experiences.strategies", **_sent(request.body)))


def debugging_append(request: Request) -> Any:
    """Keep an error and what resolved it."""
    return {"id": request.memory("debugging.append", reads=False, **_sent(request.body))}


def debugging_search(request: Request) -> Any:
    """Similar errors and their resolutions, by words and by meaning."""
    return plain.told(request.memory("debugging.search", **_sent(request.body)))


def runs(request: Request) -> Any:
    """The workspace's runs."""
    return plain.told(request.memory("run.list", branch=request.body.branch))


def run_step(request: Request) -> Any:
    """Keep one step of a run. It is durable when it is answered."""
    body: bodies.NewStep = request.body
    sent = {
        "action": body.action,
        "observation": body.observation,
        "state": wire.value_to_json(body.state),
        "tokens_used": body.tokens_used,
        "embedding": None if body.embedding is None else wire.value_to_json(body.embedding),
    }
    return plain.told(
        request.memory("run.step", reads=False, branch=body.branch, run_id=request.path["run_id"], **sent)
    )


def run_history(request: Request) -> Any:
    """The steps of a run, in order."""
    body: bodies.Steps = request.body
    run_id = request.path["run_id"]
    return plain.told(
        request.memory("run.history", branch=body.branch, run_id=run_id, after=body.after, limit=body.limit)
    )


def run_last(request: Request) -> Any:
    """The last step of a run; null if it has none."""
    return plain.told(request.memory("run.last", branch=request.body.branch, run_id=request.path["run_id"]))


def run_at(request: Request) -> Any:
    """One step of a run, by its number."""
    body: bodies.AtStep = request.body
    return plain.told(request.memory("run.at", branch=body.branch, run_id=request.path["run_id"], step=body.step))


def run_resume(request: Request) -> Any:
    """Where a run goes on: its last step and state, and the number of the next step."""
    return plain.told(request.memory("run.resume", branch=request.body.branch, run_id=request.path["run_id"]))


def search(request: Request) -> Any:
    """What of earlier sessions fits: prompts, replies, calls, errors, corrections, skills."""
    body: bodies.Search = request.body
    where = {
        "cwd": "",
        "workspace": request.workspace,
        "since": body.since.isoformat() if body.since else None,
        "until": body.until.isoformat() if body.until else None,
        "limit": body.limit,
    }
    try:
        if body.error:
            return request.doors.ask("search.error", **where, error=body.query)
        return request.doors.ask("search", **where, query=body.query, kinds=body.kinds)
    except ConfigError as exc:  # no word in the query
        raise Refused(400, exc.what, why=exc.why) from exc


def skills(request: Request) -> list[dict[str, Any]]:
    """The workspace's skills: what people put right, as rules."""
    return [plain.skill(one) for one in _skills(request, request.body.state)]


def skill(request: Request) -> dict[str, Any]:
    """One skill, by its name or id."""
    name = request.path["name"]
    found = [one for one in _skills(request) if name in (one.name, one.skill_id)]
    if not found:
        raise Refused(404, "No skill of this workspace has that name.", fix="GET …/skills lists them.")
    return plain.skill(max(found, key=lambda one: (one.state is SkillState.LIVE, one.version)))


def _sent(body: BaseModel) -> dict[str, Any]:
    """A body as arguments; what a stranger wrote never looks like what wire.py packs."""
    return {name: wire.value_to_json(value) for name, value in body.model_dump().items()}


def _further(request: Request, stream: Any) -> Iterator[Result]:
    """The pages of a stream that are still to come."""
    while stream is not None:
        answer = request.memory("stream.next", reads=False, stream=stream)
        if answer["page"] is not None:
            yield wire.result_from_json(answer["page"])
        if answer["done"]:
            return


def _close(request: Request, stream: Any) -> None:
    if stream is not None:
        request.memory("stream.close", stream=stream)


def _bounded(pages: list[Result]) -> None:
    if len(pages) * wire.PAGE_BYTES > RESULT_BYTES_MAX:
        raise SQLError(
            "The answer is too large for one JSON document.",
            why=f"It has more than {sum(len(page.rows) for page in pages):,} rows.",
            fix="Add a LIMIT, or send `Accept: application/x-ndjson` to have it row by row.",
        )


def _skills(request: Request, state: str = "") -> list[SkillRevision]:
    states = [SkillState(state)] if state else []
    found = reading.current_skills(request.doors.store, states=states)
    return [one for one in found if one.workspace_id == request.workspace]


OPERATIONS: tuple[Operation, ...] = (
    Operation(method="GET", path="/tables", does=tables, gives=list[answers.Table]),
    Operation(method="POST", path="/tables/query", does=query, gives=answers.Rows, takes=bodies.Query),
    Operation(method="POST", path="/tables/explain", does=explain, gives=answers.Plan, takes=bodies.Query),
    Operation(
        method="POST",
        path="/tables/ingest",
        does=ingest,
        gives=answers.Ingested,
        takes=bodies.Ingest,
        writes=True,
        status=201,
    ),
    Operation(method="GET", path="/now", does=now, gives=answers.Moment),
    Operation(method="GET", path="/branches", does=branches, gives=list[BranchInfo]),
    Operation(
        method="POST",
        path="/branches",
        does=branch_create,
        gives=BranchInfo,
        takes=bodies.NewBranch,
        writes=True,
        status=201,
    ),
    Operation(method="DELETE", path="/branches", does=branch_delete, takes=bodies.ByName, writes=True, status=204),
    Operation(method="GET", path="/branches/diff", does=diff, gives=list[Change], takes=bodies.Sides),
    Operation(method="GET", path="/branches/conflicts", does=conflicts, gives=list[Conflict], takes=bodies.Into),
    Operation(method="POST", path="/branches/merge", does=merge, gives=Merged, takes=bodies.Merge, writes=True),
    Operation(
        method="POST",
        path="/branches/rollback",
        does=rollback,
        gives=answers.Changed,
        takes=bodies.Rollback,
        writes=True,
    ),
    Operation(
        method="POST",
        path="/experiences",
        does=experience_append,
        gives=answers.Kept,
        takes=bodies.NewExperience,
        writes=True,
        status=201,
    ),
    Operation(method="GET", path="/experiences", does=experiences, gives=list[PastExperience], takes=bodies.Newest),
    Operation(
        method="POST",
        path="/experiences/search",
        does=experience_search,
        gives=list[PastExperience],
        takes=bodies.LikeTask,
    ),
    Operation(
        method="POST",
        path="/experiences/context",
        does=experience_context,
        gives=answers.Text,
        takes=bodies.Context,
    ),
    Operation(
        method="POST",
        path="/experiences/replay",
        does=experience_replay,
        gives=list[PastExperience],
        takes=bodies.Replay,
    ),
    Operation(
        method="POST",
        path="/experiences/failures",
        does=experience_failures,
        gives=list[PastExperience],
        takes=bodies.LikeTask,
    ),
    Operation(
        method="POST",
        path="/experiences/strategies",
        does=experience_strategies,
        gives=list[Strategy],
        takes=bodies.Strategies,
    ),
    Operation(
        method="POST",
        path="/debugging",
        does=debugging_append,
        gives=answers.Kept,
        takes=bodies.NewDebugging,
        writes=True,
        status=201,
    ),
    Operation(
        method="POST", path="/debugging/search", does=debugging_search, gives=list[Debugged], takes=bodies.LikeError
    ),
    Operation(method="GET", path="/runs", does=runs, gives=list[RunInfo], takes=bodies.OnBranch),
    Operation(
        method="POST",
        path="/runs/{run_id}/steps",
        does=run_step,
        gives=StepInfo,
        takes=bodies.NewStep,
        writes=True,
        status=201,
    ),
    Operation(method="GET", path="/runs/{run_id}/steps", does=run_history, gives=list[StepInfo], takes=bodies.Steps),
    Operation(method="GET", path="/runs/{run_id}/last", does=run_last, gives=StepInfo | None, takes=bodies.OnBranch),
    Operation(method="GET", path="/runs/{run_id}/at", does=run_at, gives=StepInfo | None, takes=bodies.AtStep),
    Operation(method="GET", path="/runs/{run_id}/resume", does=run_resume, gives=Resume, takes=bodies.OnBranch),
    Operation(method="POST", path="/search", does=search, takes=bodies.Search),
    Operation(method="GET", path="/skills", does=skills, gives=list[answers.Skill], takes=bodies.OfState),
    Operation(method="GET", path="/skills/{name}", does=skill, gives=answers.Skill),
)
