"""Settings: the dataclasses below are the schema, the defaults and the reference docs.

Nearest wins, key by key: flag, `HIVEMIND_*`, the project's `.hivemind.toml`, `config.toml`, default.
Read once, at the door, and handed down: no room below `app` reads the environment.
"""

from dataclasses import dataclass, field

PROGRAMS = ("claude", "codex", "cursor", "gemini", "hermes", "pi", "opencode", "copilot", "openclaw")
"""Hosts whose own program can be asked, on the person's own subscription; in the order they are tried."""
PROVIDERS = (*PROGRAMS, "anthropic", "scripted")
"""Who can draft skills. `auto` takes the first that is there, never `scripted`."""


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """[capture]: what is written down."""

    enabled: bool = True
    """False (or HIVEMIND_CAPTURE=false): the hook drops nothing and recall stays silent."""
    only_cli: bool = False
    """Only interactive terminals; sessions started by programs are left alone (HIVEMIND_CAPTURE_ONLY_CLI)."""
    field_kb_max: int = 64
    """Longer text fields are cut; their size and sha256 are kept."""
    quarantine_days: int = 14
    """How long a delivery that could not be decoded is kept."""


@dataclass(frozen=True, slots=True)
class CodifyConfig:
    """[codify]: how corrections become skills."""

    publish: str = "auto"
    """auto: project skills go live at once. review: they wait for `hivemind skillify review`."""
    every_n_turns: int = 20
    """Codify after so many turns of a session, besides its end (HIVEMIND_SKILLIFY_EVERY_N_TURNS)."""
    idle_minutes: int = 10
    """A session silent for so long counts as ended."""
    retire_after_days: int = 90
    """A live skill that nobody needed for so long is proposed for retirement; 0: never."""


@dataclass(frozen=True, slots=True)
class RecallConfig:
    """[recall]: what reaches the agent, and how long we may think about it."""

    enabled: bool = True
    """False: capture goes on, nothing is injected or held."""
    limit: int = 2
    """Skills put in front of one prompt or call, at most."""
    tokens_max: int = 400
    """For each skill."""
    applies_min: float = 0.5
    """Probability that it applies, below which a skill stays silent."""
    margin_min: float = 0.01
    """A skill must lead the first one left out by this much, or all stay silent."""
    hold: str = "once"
    """once: a call that repeats a corrected act is denied once with the rule as the reason. never: only inject."""
    deadline_ms: int = 150
    """At the prompt and the tool call; after this the agent goes on without us."""
    deadline_start_ms: int = 400
    """At session start."""


@dataclass(frozen=True, slots=True)
class LLMConfig:
    """[llm]: who drafts skills when a model may be asked."""

    allow: bool = False
    """Nothing is sent to any provider until this is true."""
    provider: str = "auto"
    """auto: the first agent's program that is here, on your own subscription, else `anthropic` with a key. Or one of
    claude, codex, cursor, gemini, hermes, pi, opencode, copilot, openclaw, anthropic, scripted, none."""
    model: str = ""
    """Empty: the provider's default."""
    key_env: str = "ANTHROPIC_API_KEY"
    """The variable that holds the key; its value is never stored."""
    script: str = ""
    """With `provider = "scripted"`, for your own tests: a JSONL file of answers, one a line."""
    timeout_s: float = 90.0
    """How long one answer may take."""
    usd_per_day: float = 0.25
    """No call is begun that may bring a day (UTC) above this: skills are drafted without a model until the next."""
    tokens_per_day: int = 250_000
    """... nor one that may bring the day's tokens, in and out, above this."""
    calls_day_max: int = 50
    """Calls a day, at most; with an agent's own program, times it is started."""
    judge_calls_day_max: int = 20
    """Of these, calls that decide what the detector is unsure of (up to 20 turns each). 0: it decides alone."""
    evaluate_calls_day_max: int = 20
    """Of these, calls that judge what agents store with `evaluate_and_store`. 0: what the agent itself says counts."""


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """[embedding]: the sentence-embedding model that compares texts by meaning. It runs on this machine."""

    runtime: str = "auto"
    """auto, onnx, sentence_transformers, hashing (no model), none. HIVEMIND_EMBEDDINGS=false is none."""
    model: str = "all-MiniLM-L6-v2"
    """A model's name, or its folder (HIVEMIND_EMBEDDINGS=NAME). Nothing is ever downloaded."""
    threads: int = 1
    """Threads the model may use."""


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """[daemon]: the one process that owns the database."""

    idle_minutes: float = 15.0
    """It leaves after so long without work."""
    memory_mb: int = 64
    """DuckDB's memory_limit."""


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """[storage]: which engine keeps the records."""

    engine: str = "duckdb"
    """duckdb or inmemory."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings."""

    workspace: str = ""
    """HIVEMIND_WORKSPACE_ID; empty: decided for each project (core/project.py)."""
    debug: bool = False
    """HIVEMIND_DEBUG: the daemon's log says more."""
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    codify: CodifyConfig = field(default_factory=CodifyConfig)
    recall: RecallConfig = field(default_factory=RecallConfig)
    llm: LLMConfig = field(default_factory=LLMConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    daemon: DaemonConfig = field(default_factory=DaemonConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
