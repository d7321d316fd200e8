"""The values that rooms exchange: frozen, append-only, engine-free.

Event ─detect─▶ Correction ─codify─▶ SkillRevision ─recall─▶ Recall ─feedback─▶ Outcome
   │               ▲ Judgement: what a person or a model says it is
   └─experience─▶ Experience: what was tried for a task, and how it went

Every record has an `id` (a ULID) and a `workspace_id`; storing the same id twice is a no-op.
Times are aware UTC datetimes. Free text in a record has passed `core/redact.py`. What hivemind notes of its own work
(projects, marks, notices, tombstones) stands in marks.py, and is a record like any other.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hivemind_cli.core.marks import JSON as JSON
from hivemind_cli.core.marks import ImportMark as ImportMark
from hivemind_cli.core.marks import Notice as Notice
from hivemind_cli.core.marks import Project as Project
from hivemind_cli.core.marks import Tombstone as Tombstone
from hivemind_cli.core.marks import TranscriptMark as TranscriptMark

DEFAULT_WORKSPACE = "default"
NO_PROJECT = ""
"""`project_id` of what happened in `$HOME`, `/` or a temporary folder, which are no project."""


class EventKind(StrEnum):
    """What happened. The payload's fields for each kind stand beside it.

    wrote   {path, written: [[hash, line]], after: [hash], is?, was?, since?, between?}: an edit's own lines, the file
            after it, digests of it after and before; with `since`, `after` replaces what lies between its ends
    stood   [as `wrote`, or {path, gone}]: files that the agent's commands left otherwise
    edited  [{path, full_path, call_id, removed, added, above, below: [line], gone, by?, cut?}]: a person's changes
    """

    SESSION_START = "session_start"  # source, model?
    PROMPT = "prompt"  # text; rewound?; edited?
    STEER = "steer"  # text; call_id? (a note given with an approval); ran? (a command the person ran), output?
    REPLY = "reply"  # text; stood?
    TOOL_CALL = "tool_call"  # call_id, act (core/acts.py), input; asks? (the host may ask the person about it)
    TOOL_RESULT = "tool_result"  # call_id, act, output, user_modified?; wrote?; stood?
    TOOL_FAILURE = "tool_failure"  # call_id, act, error, not_run? (the host did not even try)
    TOOL_DENIED = "tool_denied"  # call_id, act, by: person|rule|hivemind, words ("" if none were given)
    INTERRUPT = "interrupt"  # for_tool: bool
    COMPACT = "compact"  # trigger
    SUBAGENT_START = "subagent_start"  # agent_id, agent_type, text?
    SUBAGENT_STOP = "subagent_stop"  # agent_id, agent_type, text
    INJECTION = "injection"  # moment, ids, text: what the hook gave without a daemon
    SESSION_END = "session_end"  # reason


class CorrectionKind(StrEnum):
    """How a person put the agent right. All but `said` are structural: facts, not guesses."""

    REJECTED = "rejected"
    INTERRUPTED = "interrupted"
    REVERTED = "reverted"
    HAND_EDIT = "hand_edit"
    REDO = "redo"
    RED_AFTER_DONE = "red_after_done"
    TOOL_RETRY = "tool_retry"  # debugging memory, not a lesson about people
    SAID = "said"


class SaidKind(StrEnum):
    """What a person's words after an agent's turn are."""

    CORRECTION = "correction"
    """What the agent did, said or planned is wrong or unwanted, or must be done otherwise."""
    FAILURE_REPORT = "failure_report"
    """What the agent made does not work; nothing is said about how."""
    REJECTION_INTERRUPT = "rejection_interrupt"
    """The host's own record that the person stopped the agent."""
    NEW_REQUEST = "new_request"
    APPROVAL = "approval"
    QUESTION = "question"
    OTHER = "other"
    """Answers, pasted information."""
    UNKNOWN = "unknown"
    """Cannot be told: neither a yes nor a no."""


PUSHBACK = frozenset({SaidKind.CORRECTION, SaidKind.FAILURE_REPORT, SaidKind.REJECTION_INTERRUPT})
"""Words, or an interrupt, that say that something is not as it should be."""


class SkillState(StrEnum):
    """Where a revision stands in its life."""

    DRAFT = "draft"
    REVIEW = "review"
    LIVE = "live"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class Scope(StrEnum):
    """Who a skill is for."""

    PROJECT = "project"
    USER = "user"
    TEAM = "team"


class Moment(StrEnum):
    """When recall may speak."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    TOOL_CALL = "tool_call"
    SUBAGENT = "subagent"


class Verdict(StrEnum):
    """What came of an injection."""

    HELD = "held"
    RECURRED = "recurred"
    UNKNOWN = "unknown"


class ExperienceKind(StrEnum):
    """What an Experience tells of."""

    ATTEMPT = "attempt"
    """One turn of an agent's work on a task."""
    FIX = "fix"
    """An error, and what was done until it was gone."""


class TaskOutcome(StrEnum):
    """How it went."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing an agent session did, decoded from what its host sent or wrote."""

    id: str
    workspace_id: str
    project_id: str
    machine_id: str
    author: str
    """The login name of the person at the machine."""
    host: str
    session_id: str
    kind: EventKind
    occurred_at: datetime
    """When the hook ran or the transcript says it happened."""
    native_key: str
    """Unique within (host, session_id): the same thing seen by a hook and in a transcript is one Event."""
    turn: int = 0
    """Prompts of this session up to and with this event; 0 before the first."""
    tool: str = ""
    """The host's name of the tool, for tool events."""
    cwd: str = ""
    source: str = "hook"
    """hook, tail (read from the transcript beside a hook), import."""
    payload: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Evidence that a person put the agent right. A provisional memo until a skill carries it."""

    id: str
    workspace_id: str
    project_id: str
    machine_id: str
    author: str
    host: str
    session_id: str
    kind: CorrectionKind
    occurred_at: datetime
    act_event_id: str
    """What the agent did; "" where the host did not show it."""
    reaction_event_id: str
    """What the person did."""
    quote: str
    """The person's words, verbatim but redacted; "" for a silent correction."""
    task: str
    """The prompt under which the agent acted."""
    act: JSON = field(default_factory=dict)
    """core/acts.py: Act of the corrected call; empty when only words were corrected."""
    before: str = ""
    after: str = ""
    """Text or diff: what stood before, and what the person put instead."""
    confidence: float = 1.0
    durable: bool | None = None
    """A lesson for later sessions: yes, no, unknown."""
    cause: str = ""
    """Why the detector decided so, in words a person can read."""
    recurrence_key: str = ""
    """Joins the same mistake in other words."""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a person, or a model, says that a person's turn is. What counts of several: pipeline/judged.py."""

    id: str
    workspace_id: str
    project_id: str
    host: str
    session_id: str
    occurred_at: datetime
    event_id: str
    """What the person did: the reaction that is judged."""
    correction_id: str = ""
    """The correction that was noticed there; "" where nothing had been."""
    by: str
    """person, or provider/model."""
    said: SaidKind
    durable: bool | None = None
    """A lesson for later sessions: yes, no, not said."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillLine:
    """One line of a skill and the corrections that carry it."""

    section: str
    """when, do, do_not, note."""
    text: str
    correction_ids: tuple[str, ...] = ()


CONTRADICTS, ADDS_TO = "contradicts", "adds_to"
"""Of `SkillRevision.relations`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillRevision:
    """One version of a skill. The highest version of a skill_id is the current one."""

    id: str
    workspace_id: str
    project_id: str
    machine_id: str
    author: str
    skill_id: str
    """sk_ + ULID; the same for all versions."""
    name: str
    """Agent Skills name: lower case ASCII, digits, single hyphens, at most 64; equals the folder's name."""
    title: str
    version: int
    scope: Scope
    state: SkillState
    trigger: str
    """The SKILL.md description: when it applies, at most 1,024 characters."""
    lines: tuple[SkillLine, ...]
    body: str = ""
    """Verbatim Markdown where a person edited the file; "" when `lines` say it all."""
    acts: tuple[JSON, ...] = ()
    """The corrected acts (core/acts.py), for recall at the tool call and for the hold."""
    tasks: tuple[str, ...] = ()
    """The prompts under which the mistake happened, for recall at the prompt."""
    applies: JSON = field(default_factory=dict)
    """What the evidence narrows it to: {tools?, languages?: [str], versions?: {tool: str}, everywhere?: true}."""
    moments: tuple[JSON, ...] = ()
    """Its tests: {expect: fire|silent, at: prompt|tool_call, id: of a Correction (fire) or an Event (silent)}."""
    backtest: JSON = field(default_factory=dict)
    """What it would have done in the person's history: {prompts, calls, fired, before, clean, since?, until?}."""
    relations: JSON = field(default_factory=dict)
    """To another skill when it was made: {contradicts?: its skill_id, adds_to?: its skill_id}."""
    drafter: str = "extractive"
    """extractive, person, or provider/model."""
    reason: str = ""
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing recall looked at, and what it decided."""

    id: str
    """skill_id, or the correction's id for a memo."""
    kind: str
    """skill or memo."""
    name: str
    version: int = 0
    bm25: float = 0.0
    cosine: float | None = None
    score: float = 0.0
    """Probability that it applies, 0..1, after what came of it before, its scope and its age."""
    decision: str = ""
    """injected, held, named (in a session's brief); below threshold, margin, repeated, over budget, own correction,
    same lesson, said otherwise since, not the best match, timed out."""
    figures: JSON = field(default_factory=dict)
    """What the score was made of, and held against, by name: see pipeline/recall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """One decision whether to speak, and what was said; silence is stored too."""

    id: str
    workspace_id: str
    project_id: str
    machine_id: str
    author: str
    host: str
    session_id: str
    occurred_at: datetime
    moment: Moment
    event_id: str
    """The Event at which it was decided."""
    query: str
    candidates: tuple[Candidate, ...] = ()
    text: str = ""
    """What the agent received; "" for silence."""
    held: bool = False
    """True if a tool call was denied once with `text` as the reason."""
    tier: str = "lexical"
    """lexical, hybrid, snapshot (given by the hook without a daemon)."""
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one injected skill or memo."""

    id: str
    workspace_id: str
    project_id: str
    session_id: str
    occurred_at: datetime
    recall_id: str
    subject_id: str
    """skill_id or correction id of the memo."""
    verdict: Verdict
    evidence: tuple[str, ...] = ()
    """Event ids."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMCall:
    """A receipt for one call of a provider."""

    id: str
    workspace_id: str
    occurred_at: datetime
    purpose: str
    provider: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    prompt_sha256: str = ""
    result: str = ""
    """ok, or what went wrong."""
    subject: str = ""
    """skill_id it was about; "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillCheck:
    """One run of a skill's tests after it was written. The newest of a kind counts for its version."""

    id: str
    workspace_id: str
    project_id: str
    occurred_at: datetime
    skill_id: str
    version: int
    kind: str
    """moments (does it fire where it must, and nowhere else), replay (the moment with and without it)."""
    passed: bool | None = None
    """None: it proves neither."""
    matcher: str = ""
    """What matched: the matcher's own version and the embedding model's name."""
    figures: JSON = field(default_factory=dict)
    """Counts of the kind, for people and programs."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What an agent did for a task, and how it went by what was seen. The newest of a kind and event counts."""

    id: str
    workspace_id: str
    project_id: str
    machine_id: str
    author: str
    host: str
    session_id: str
    kind: ExperienceKind
    occurred_at: datetime
    """When it was begun; of a fix, when the error was seen."""
    event_id: str
    """The prompt that began the turn; of a fix, the call that showed that the error was gone."""
    task: str
    """The prompt it was done for, which may be an earlier one that this turn goes on with."""
    approach: str
    """What was done, step by step."""
    tools_used: tuple[str, ...] = ()
    outcome: TaskOutcome
    score: float
    """0..1; of a fix, how sure it is that this is what helped."""
    lessons: str = ""
    """What people said and changed, in their words; of a fix, how it was seen that the error was gone."""
    error_trace: str = ""
    metadata: JSON = field(default_factory=dict)
    """What outcome and score rest on: see pipeline/experience."""
    duration_s: float = 0.0
    tokens: int = 0
    """0: the host did not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSkip:
    """A correction the gate decided not to codify, remembered by its recurrence key."""

    id: str
    workspace_id: str
    project_id: str
    occurred_at: datetime
    recurrence_key: str
    correction_ids: tuple[str, ...]
    reason: str


Record = (
    Event
    | Correction
    | Judgement
    | SkillRevision
    | Recall
    | Outcome
    | LLMCall
    | SkillCheck
    | Experience
    | GateSkip
    | Project
    | TranscriptMark
    | ImportMark
    | Notice
    | Tombstone
)

RECORD_TYPES: tuple[type[Record], ...] = (
    Event,
    Correction,
    Judgement,
    SkillRevision,
    Recall,
    Outcome,
    LLMCall,
    SkillCheck,
    Experience,
    GateSkip,
    Project,
    TranscriptMark,
    ImportMark,
    Notice,
    Tombstone,
)
