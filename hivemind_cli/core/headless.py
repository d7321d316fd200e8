"""How to ask a host's own program one question without a person: values that hosts write and `llm` runs."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SYSTEM, SCHEMA, PROMPT = "{system}", "{schema}", "{prompt}"
"""Whole arguments that are replaced: the system prompt, the answer's JSON Schema, the question."""
SYSTEM_FILE, SCHEMA_FILE = "{system file}", "{schema file}"
"""... by the path of a file that holds it; as values of `env`, too."""
ANSWER_FILE, USAGE_FILE = "{answer file}", "{usage file}"
"""... by the path of a file into which the program writes its answer, or what it used."""
SWITCHES = "{switches}"
"""... by the arguments that `switches` gives, none or several."""

ENVIRONMENT = (
    *("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"),
    *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
    *("CODEX_HOME", "CODEX_API_KEY", "CURSOR_CONFIG_DIR", "CURSOR_API_KEY"),
    *("GEMINI_CLI_HOME", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
    *("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    *("HERMES_HOME", "HERMES_INFERENCE_MODEL", "PI_CODING_AGENT_DIR", "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR"),
    *("COPILOT_HOME", "COPILOT_GITHUB_TOKEN", "COPILOT_MODEL"),
    *("OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH"),
)
"""Variables by which the programs find the person's login, folder and model: those of people who moved them."""
NO_MENTIONS = {"@": "\\u0040"}
"""For `escape`: programs that attach any file a question names as `@path`, whatever tools they may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one run of a program told."""

    answer: Any = None
    """The model's answer: an object, or its JSON text; None if the program gave none."""
    failed: str = ""
    """Why the run failed, in the program's words."""
    model: str = ""
    tokens_in: int = 0
    """0: the program does not tell."""
    tokens_out: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlessCommand:
    """One run of a program: the question in, what the model answered out."""

    argv: tuple[str, ...]
    """No shell. The first is the program's path. Without SYSTEM and SYSTEM_FILE the system prompt stands above the
    question; without SCHEMA and SCHEMA_FILE the schema is told in words."""
    read: Callable[[str], Said]
    """What its stdout says. ValueError, KeyError, TypeError, AttributeError: it does not say what it should."""
    stdin: str = PROMPT
    """PROMPT: the question goes in there, where no other person of the machine reads it; "": nothing does."""
    read_usage: Callable[[str], Said] | None = None
    """... and what its USAGE_FILE says."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Set in the child."""
    env_drop: tuple[str, ...] = ()
    """Variables (fnmatch patterns) the child must not inherit: the marks of a session around us."""
    env_keep: tuple[str, ...] = ()
    """... and those it keeps although a pattern of `env_drop` covers them."""
    env_drop_more: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None
    """Environment -> more of them: keys that would be charged in place of the account the person signed in to."""
    switches: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None
    """Environment -> arguments that switch off what the person has set up for sessions of their own."""
    escape: Mapping[str, str] = field(default_factory=dict)
    """Text that the program would act on in a question -> how the question, a JSON document, says it instead."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Files that must stand in the folder it runs in: relative name -> text."""
    model: str = ""
    """The model asked for; "": the person's own choice."""
    sign_in: str = ""
    """What a person types to sign in, for advice."""

    def arguments(self, filled: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
        """`argv` with its places filled."""
        switches = self.switches(env) if self.switches else ()
        parts = (switches if argument == SWITCHES else (filled.get(argument, argument),) for argument in self.argv)
        return [argument for part in parts for argument in part]


CommandOf = Callable[[str, str], HeadlessCommand]
"""(program's path, model or "") -> how to call it."""


@dataclass(frozen=True, slots=True)
class HeadlessProgram:
    """A host's program that can be asked."""

    program: str
    """Its name on PATH."""
    command: CommandOf
    tells_price: bool = False
    """Does it say what an answer cost? Else an answer counts as paid for, by the person's subscription."""


def json_object(text: str) -> dict[str, Any]:
    """`text` as one JSON object. ValueError: it is none."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def json_lines(text: str) -> Iterable[dict[str, Any]]:
    """The lines of `text` that are JSON objects. ValueError: none is."""
    found = [value for line in text.splitlines() if isinstance(value := _loaded(line), dict)]
    if not found:
        raise ValueError("no line is a JSON object")
    return found


def plain_text(text: str) -> Said:
    """All of stdout is the answer."""
    return Said(answer=text)


def dig(value: Any, dotted: str) -> Any:
    """`value`'s part at keys joined by dots; None if there is none."""
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def number(value: Any, *dotted: str) -> float:
    """The sum of the numbers that stand in `value` at these keys; what is no number, or less than 0, counts 0."""
    parts = (dig(value, keys) for keys in dotted)
    return float(sum(part for part in parts if isinstance(part, int | float) and part == part and 0 < part < 1e12))


def _loaded(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
