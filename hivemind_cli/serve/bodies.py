"""What requests of the REST door hold: the schema, the check and the words of the OpenAPI document in one.

Values of tables are plain JSON: a vector is a list of numbers, a time ISO 8601 text, JSON itself.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

SQL_CHARS_MAX = 1_000_000
TEXT_CHARS_MAX = 1_000_000
LIMIT_MAX = 1000

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)]
Branch = Annotated[Name, Field(description="The branch it is about.")]
Vector = Annotated[list[float], Field(min_length=1, max_length=65_536)]


class Body(BaseModel):
    """A JSON object without names that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(Body):
    """One SQL statement and its parameters."""

    query: Annotated[str, Field(min_length=1, max_length=SQL_CHARS_MAX, description="One statement.")]
    params: Annotated[
        list[Any] | dict[str, Any] | None,
        Field(description="For $1, $2 or %s a list; for :name or %(name)s an object. Always bound, never pasted."),
    ] = None
    branch: Branch = "main"


class Ingest(Body):
    """Many rows at once, all or none. The table is made when it is not there."""

    table: Name
    columns: Annotated[
        dict[str, list[Any]] | None, Field(description="A list a column, all equally long. Or else `rows`.")
    ] = None
    rows: Annotated[list[dict[str, Any]] | None, Field(description="An object a row. Or else `columns`.")] = None
    types: Annotated[
        dict[str, str], Field(description="Of columns of a new table: text, json, vector(384), bigint, double ...")
    ] = {}
    key: Annotated[list[str], Field(description="Columns of a new table's primary key.")] = []
    embed: Annotated[
        dict[str, str], Field(description="Vector column -> text column that hivemind makes its vectors of.")
    ] = {}
    branch: Branch = "main"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.columns is None) == (self.rows is None):
            raise ValueError("give either `columns` or `rows`")
        return self

    def by_column(self) -> dict[str, list[Any]]:
        """The rows a column each; what a row leaves out is NULL."""
        if self.columns is not None:
            return self.columns
        names = dict.fromkeys(name for row in self.rows or () for name in row)
        return {name: [row.get(name) for row in self.rows or ()] for name in names}


class NewBranch(Body):
    """A branch of all the workspace's tables."""

    name: Name
    source: Annotated[Name, Field(description="The branch it leaves.")] = "main"


class Merge(Body):
    """A three-way merge of one branch into another."""

    source: Name
    into: Name = "main"
    policy: Annotated[
        Literal["fail", "ours", "theirs", "newest"],
        Field(description="Where both changed a row: refuse, keep `into`'s, take `source`'s, or the later one."),
    ] = "fail"


class Rollback(Body):
    """A branch as it was."""

    branch: Name
    to_seq: Annotated[int, Field(ge=0, description="A number of a version: `seq` of a step, for one.")]


class NewExperience(Body):
    """What was tried, and how it went."""

    task: Text
    approach: Text
    outcome: Literal["success", "partial", "failure"]
    score: Annotated[float, Field(ge=0, le=1)]
    tools_used: list[str] = []
    lessons: str = ""
    error_trace: str = ""
    metadata: dict[str, Any] = {}
    duration_s: Annotated[float | None, Field(ge=0)] = None
    tokens: Annotated[int | None, Field(ge=0)] = None
    branch: Branch = "main"


class LikeTask(Body):
    """Experiences with tasks like this one."""

    task: Text
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 3
    similarity_min: Annotated[float | None, Field(ge=-1, le=1, description="Cosine of the tasks, at least.")] = None
    branch: Branch = "main"


class Replay(LikeTask):
    """Successes with tasks like this one."""

    score_min: Annotated[float, Field(ge=0, le=1)] = 0.8
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 5


class Strategies(Body):
    """Approaches to tasks like this one, the best first."""

    task: Text
    similarity_min: Annotated[float, Field(ge=-1, le=1, description="Cosine of the tasks, at least.")] = 0.85
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 3
    branch: Branch = "main"


class Context(Body):
    """What is to stand in a prompt for this task."""

    task: Text
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="Successes, at most.")] = 5
    failures: Annotated[int, Field(ge=0, le=LIMIT_MAX, description="Failures, at most.")] = 3
    tokens_max: Annotated[int, Field(ge=20, le=100_000, description="Of the text, about.")] = 800
    branch: Branch = "main"


class NewDebugging(Body):
    """An error, and what resolved it."""

    task: Text
    outcome: Text
    error_trace: str = ""
    tools_used: list[str] = []
    metadata: dict[str, Any] = {}
    branch: Branch = "main"


class LikeError(Body):
    """Errors and tasks like this one."""

    query: Text
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 3
    vector_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    text_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    branch: Branch = "main"


class NewStep(Body):
    """One step of a run; it is durable when it is answered."""

    action: str
    observation: str = ""
    state: Annotated[Any, Field(description="Whatever JSON the loop needs to go on from here.")] = None
    tokens_used: Annotated[int, Field(ge=0)] = 0
    embedding: Vector | None = None
    branch: Branch = "main"


class Search(Body):
    """Words, names, paths or the text of an error."""

    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    error: Annotated[bool, Field(description="`query` is an error's text: what fixed it before?")] = False
    kinds: Annotated[
        list[Literal["prompt", "reply", "tool", "error", "session", "correction", "skill", "memory"]],
        Field(description="Only these; none: all."),
    ] = []
    since: Annotated[AwareDatetime | None, Field(strict=False)] = None
    until: Annotated[AwareDatetime | None, Field(strict=False)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 10


class Asked(BaseModel):
    """Parameters of a query string: text, read as their types."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OnBranch(Asked):
    branch: Branch = "main"


class Newest(OnBranch):
    outcome: Literal["", "success", "partial", "failure"] = ""
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 20


class ByName(Asked):
    name: Name


class Sides(Asked):
    left: Name = "main"
    right: Name


class Into(Asked):
    source: Name
    into: Name = "main"


class Steps(OnBranch):
    after: Annotated[int, Field(ge=0, description="Steps behind this number.")] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 100


class AtStep(OnBranch):
    step: Annotated[int, Field(ge=1)]


class OfState(Asked):
    state: Annotated[Literal["draft", "review", "live", "quarantined", "retired"], Field()] = "live"
