"""LLM providers: one file per vendor, one port; and the choice of one, which asks nobody without consent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.headless import HeadlessCommand
from hivemind_cli.llm.base import BadAnswer, Provider, Reply, Request
from hivemind_cli.llm.headless import Headless, find_program
from hivemind_cli.llm.scripted import Scripted

__all__ = [
    "ENVIRONMENT",
    "PROVIDERS",
    "BadAnswer",
    "Choice",
    "Provider",
    "Reply",
    "Request",
    "Scripted",
    "Setting",
    "choose",
    "describe",
]

CommandOf = Callable[[str, str], HeadlessCommand]
"""(program's path, model or "") -> how to call it."""
CONSENT = "hivemind config set llm.allow true"
ENVIRONMENT = (
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
"""Variables that providers need besides the key: a daemon keeps them only once a model may be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What there is to make a provider of."""

    config: LLMConfig
    env: Mapping[str, str] = field(repr=False)
    """The process's environment, given by the door that may read it."""
    work: Path
    """core.paths.Paths.work: where children run."""
    commands: Mapping[str, CommandOf]
    """Host id -> how its program is called (`hosts`); `app` introduces them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, or none; and why, in words for the person."""

    provider: Provider | None
    reason: str


def choose(setting: Setting) -> Choice:
    """The provider that `setting` allows and finds. ConfigError: it names one we do not know."""
    wanted = setting.config.provider
    if wanted not in ("auto", "none", *PROVIDERS):
        raise ConfigError(
            f"No provider is called {wanted!r}.",
            why=f"hivemind knows auto, none, {', '.join(PROVIDERS)}.",
            fix="Set `llm.provider` to one of these.",
        )
    if wanted == "none":
        return Choice(None, "`llm.provider` is none")
    if not setting.config.allow:
        return Choice(None, "no model may be asked: `llm.allow` is not set")
    missing = []
    for name in PROVIDERS if wanted == "auto" else (wanted,):
        choice = PROVIDERS[name](setting)
        if choice.provider is not None:
            return choice
        missing.append(choice.reason)
    return Choice(None, "; ".join(missing))


def describe(setting: Setting) -> str:
    """One line for `status`: who drafts skills, and how to get the next better drafter."""
    choice = choose(setting)
    if choice.provider is not None:
        return f"{choice.provider.name} ({choice.reason})"
    plain = "extractive: the person's own words, no model"
    if setting.config.provider == "none":
        return f"{plain}. For a model: hivemind config set llm.provider auto"
    if not setting.config.allow:
        found = [name for name, make in PROVIDERS.items() if make(setting).provider is not None]
        there = f"{found[0]} is there; " if found else ""
        return f"{plain}. For drafts by a model ({there}nothing is sent until you allow it): {CONSENT}"
    return f"{plain} ({choice.reason}). Set {setting.config.key_env}, or install and sign in to Claude Code"


def _anthropic(setting: Setting) -> Choice:
    config = setting.config
    key = setting.env.get(config.key_env, "")
    if not key:
        return Choice(None, f"{config.key_env} is not in the environment")
    from hivemind_cli.llm.worker import InWorker  # late: this module is also a program (python -m)

    options = {"key": key, "model": config.model, "base_url": setting.env.get("ANTHROPIC_BASE_URL", "")}
    provider = InWorker("anthropic", options=options, env=setting.env, work=setting.work, timeout_s=config.timeout_s)
    missing = provider.available()
    return Choice(None, missing) if missing else Choice(provider, f"key from {config.key_env}")


def _claude(setting: Setting) -> Choice:
    config = setting.config
    program = find_program("claude", setting.env)
    if not program or "claude" not in setting.commands:
        return Choice(None, "the claude program was not found")
    command = setting.commands["claude"](program, config.model)
    provider = Headless("claude", command, env=setting.env, work=setting.work, timeout_s=config.timeout_s)
    return Choice(provider, program)


PROVIDERS: dict[str, Callable[[Setting], Choice]] = {"anthropic": _anthropic, "claude": _claude}
"""Name -> how to make it, or why not; in the order `auto` tries them."""
