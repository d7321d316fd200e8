"""What answers of the REST door hold, where no dataclass of another room says it; for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A JSON object."""

    model_config = ConfigDict(extra="forbid")


class Column(Answer):
    """Of a result."""

    name: str
    type: str


class Rows(Answer):
    """What a statement gave; of a write, one row with the `count` of rows it changed."""

    columns: list[Column]
    rows: list[dict[str, Any]]
    row_count: int


class Plan(Answer):
    """In words and indexes."""

    plan: str


class TableColumn(Column):
    """Of a table."""

    not_null: bool
    default: str | None
    embeds: str | None
    """The text column that hivemind makes its vectors of."""


class Table(Answer):
    """One table of the workspace."""

    name: str
    columns: list[TableColumn]
    key: list[str]
    own: bool
    """hivemind's own: read by SQL, written by its own calls."""


class Ingested(Answer):
    """How many rows went in."""

    table: str
    row_count: int


class Kept(Answer):
    """What it can be named by from now on."""

    id: str


class Changed(Answer):
    """How many rows are others now."""

    changed: int


class Text(Answer):
    """For a prompt; empty if nothing is known."""

    text: str


class Moment(Answer):
    """A number that all later versions of rows are above."""

    seq: int


class SkillLine(Answer):
    """One line, and the corrections it rests on."""

    section: str
    text: str
    correction_ids: list[str]


class Skill(Answer):
    """What people put right, as a rule."""

    skill_id: str
    name: str
    version: int
    state: str
    scope: str
    project_id: str
    title: str
    trigger: str
    lines: list[SkillLine]
    body: str
