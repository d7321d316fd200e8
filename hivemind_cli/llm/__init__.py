"""LLM providers: one file per vendor, one port; and the choice of one, which asks nobody without consent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hivemind_cli.core import config
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.headless import ENVIRONMENT as OF_PROGRAMS
from hivemind_cli.core.headless import HeadlessProgram
from hivemind_cli.llm.base import BadAnswer, Busy, Provider, Reply, Request
from hivemind_cli.llm.headless import Headless, find_program
from hivemind_cli.llm.prices import DEAREST, FREE, MODEL, Price, price_of
from hivemind_cli.llm.scripted import Scripted, read_script

__all__ = [
    "CONSENT",
    "ENVIRONMENT",
    "PROVIDERS",
    "BadAnswer",
    "Busy",
    "Choice",
    "Provider",
    "Reply",
    "Request",
    "Scripted",
    "Setting",
    "choose",
    "describe",
    "found",
]

CONSENT = "hivemind config set llm.allow true"
CHANGE = "hivemind config set llm.provider"
ENVIRONMENT = ("ANTHROPIC_BASE_URL", *OF_PROGRAMS)
"""Variables that providers need besides the key: a daemon keeps them only once a model may be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What there is to make a provider of."""

    config: LLMConfig
    env: Mapping[str, str] = field(repr=False)
    """The process's environment, given by the door that may read it."""
    work: Path
    """core.paths.Paths.work: where children run."""
    commands: Mapping[str, HeadlessProgram]
    """Host id -> how its program is called (`hosts`); `app` introduces them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, or none; and why, in words for the person."""

    provider: Provider | None
    reason: str
    model: str = ""
    """The model it asks, as far as known."""
    price: Price = DEAREST
    """What it may cost, before it is asked."""


def choose(setting: Setting) -> Choice:
    """The provider that `setting` allows and finds. ConfigError: it names one we do not know.

    Of several the first is taken, and stays taken while it fails: another account is never charged in its place.
    """
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
    if wanted != "auto":
        return PROVIDERS[wanted](setting)
    there = found(setting)
    if there:
        return next(iter(there.values()))
    return Choice(None, f"no agent's program was found, and {setting.config.key_env} is not in the environment")


def found(setting: Setting) -> dict[str, Choice]:
    """Whoever `auto` could take, in its order, allowed or not."""
    made = {name: make(setting) for name, make in PROVIDERS.items() if name != "scripted"}
    return {name: choice for name, choice in made.items() if choice.provider is not None}


def describe(setting: Setting) -> str:
    """One line for `status`: who drafts skills, why, who else is there, and how to change it."""
    choice = choose(setting)
    if choice.provider is not None:
        auto = setting.config.provider == "auto"
        why = "the first that was found" if auto else "as `llm.provider` says"
        others = [name for name in found(setting) if name != choice.provider.name]
        also = f" Here, too: {', '.join(others)}." if others else ""
        change = f"To change it: {CHANGE} {[*others, 'none'][0] if auto else 'auto'}"
        name = "/".join(filter(None, (choice.provider.name, choice.model)))
        return f"{name}: {choice.reason}; {why}.{also} {change}"
    plain = "extractive: the person's own words, no model"
    if setting.config.provider == "none":
        return f"{plain}. For a model: {CHANGE} auto"
    if not setting.config.allow:
        allowing = replace(setting, config=replace(setting.config, allow=True))
        first = choose(allowing).provider
        there = f"{first.name} is there; " if first else ""
        return f"{plain}. For drafts by a model ({there}nothing is sent until you allow it): {CONSENT}"
    if setting.config.provider == "scripted":
        return f"{plain} ({choice.reason})"
    others = list(found(setting))
    if others:
        return f"{plain} ({choice.reason}). Here are {', '.join(others)}: {CHANGE} {others[0]}"
    way = f"Install and sign in to Claude Code or another agent, or set {setting.config.key_env}"
    return f"{plain} ({choice.reason}). {way}"


def _program(name: str) -> Callable[[Setting], Choice]:
    def make(setting: Setting) -> Choice:
        settings = setting.config
        if name not in setting.commands:
            return Choice(None, f"this version cannot ask {name}")
        host = setting.commands[name]
        path = find_program(host.program, setting.env)
        if not path:
            return Choice(None, f"the program {host.program} was not found")
        command = host.command(path, settings.model)
        provider = Headless(name, command, env=setting.env, work=setting.work, timeout_s=settings.timeout_s)
        price = price_of(command.model) if host.tells_price else FREE
        return Choice(provider, f"your own {path}", command.model, price)

    return make


def _anthropic(setting: Setting) -> Choice:
    settings = setting.config
    key = setting.env.get(settings.key_env, "").strip()
    if not key:
        return Choice(None, f"{settings.key_env} is not in the environment")
    from hivemind_cli.llm.worker import InWorker  # late: this module is also a program (python -m)

    options = {"key": key, "model": settings.model, "base_url": setting.env.get("ANTHROPIC_BASE_URL", "")}
    provider = InWorker("anthropic", options=options, env=setting.env, work=setting.work, timeout_s=settings.timeout_s)
    missing = provider.available()
    if missing:
        return Choice(None, missing)
    model = settings.model or MODEL
    return Choice(provider, f"the key in {settings.key_env}", model, price_of(model))


def _scripted(setting: Setting) -> Choice:
    """For a person's own tests: it is asked only by name."""
    if not setting.config.script:
        return Choice(None, "`llm.script` names no file: hivemind config set llm.script FILE")
    path = Path(setting.env.get("HOME", "/"), setting.config.script.removeprefix("~/"))
    try:
        provider = Scripted(read_script(path))
    except ConfigError as exc:
        return Choice(None, str(exc))
    return Choice(provider, f"the script {path}", price=FREE)


PROVIDERS: dict[str, Callable[[Setting], Choice]] = {
    **{name: _program(name) for name in config.PROGRAMS},
    "anthropic": _anthropic,
    "scripted": _scripted,
}
"""Name -> how to make it, or why not; in the order `auto` tries them."""
