"""How to ask a host's own program one question without a person: a value that hosts write and `llm` runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SYSTEM, SCHEMA, PROMPT = "{system}", "{schema}", "{prompt}"
"""Whole arguments that are replaced: the system prompt, the answer's JSON Schema, the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlessCommand:
    """One run of a program: the question in, one JSON object on stdout out."""

    argv: tuple[str, ...]
    """No shell. An argument that is SYSTEM, SCHEMA or PROMPT as a whole stands for that text."""
    stdin: str = PROMPT
    """PROMPT: the question goes in there; "": nothing does."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Set in the child."""
    env_drop: tuple[str, ...] = ()
    """Variables (fnmatch patterns) the child must not inherit: the marks of a session around us."""
    env_keep: tuple[str, ...] = ()
    """... and those it keeps although a pattern of `env_drop` covers them."""
    answer: tuple[str, ...] = ("result",)
    """Keys of the stdout object that may hold the answer (an object, or its JSON text); the first present counts."""
    failed: str = ""
    """Key that is true where the run failed."""
    message: str = ""
    """Key of the failure's text."""
    model: str = ""
    """The model asked for."""
    cost_usd: str = ""
    """Key of the price."""
    tokens_in: tuple[str, ...] = ()
    """Dotted keys whose sum is the tokens read."""
    tokens_out: tuple[str, ...] = ()

    def arguments(self, *, system: str, schema: str, prompt: str) -> list[str]:
        """`argv` with its three places filled."""
        filled = {SYSTEM: system, SCHEMA: schema, PROMPT: prompt}
        return [filled.get(argument, argument) for argument in self.argv]
