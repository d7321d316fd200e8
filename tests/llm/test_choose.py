"""Who is asked: nobody without consent, then what is there."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from hivemind_cli.core.config import PROGRAMS, PROVIDERS, LLMConfig
from hivemind_cli.core.errors import ConfigError, ProviderError
from hivemind_cli.core.headless import HeadlessProgram
from hivemind_cli.core.settings import reference
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm import PROVIDERS as MADE
from hivemind_cli.llm import Request, Setting, choose, describe
from hivemind_cli.llm.prices import FREE, price_of
from hivemind_cli.llm.worker import InWorker

KEY = {"ANTHROPIC_API_KEY": "key-for-tests-7f3a"}
COMMANDS = {
    name: HeadlessProgram(f"{name}-agent" if name == "cursor" else name, headless, tells_price=name == "claude")
    for name in PROGRAMS
}
"""Every host's program is found by its name; how it is called does not matter here."""


def _setting(config: LLMConfig, env: Mapping[str, str], work: Path) -> Setting:
    return Setting(config=config, env=env, work=work, commands=COMMANDS)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK counts as installed, whether it is or not."""
    module = ModuleType("anthropic")
    module.__spec__ = __import__("importlib.machinery").machinery.ModuleSpec("anthropic", None)
    monkeypatch.setitem(sys.modules, "anthropic", module)


def test_nobody_is_asked_without_consent(program: Path, tmp_path: Path, sdk: None) -> None:
    env = {**KEY, "PATH": str(program.parent)}
    setting = _setting(LLMConfig(), env, tmp_path)
    assert choose(setting).provider is None
    assert "hivemind config set llm.allow true" in describe(setting)


def test_the_persons_own_subscription_comes_before_a_key(program: Path, tmp_path: Path, sdk: None) -> None:
    env = {**KEY, "PATH": str(program.parent)}
    choice = choose(_setting(LLMConfig(allow=True), env, tmp_path))
    assert choice.provider is not None and choice.provider.name == "claude"
    by_name = choose(_setting(LLMConfig(allow=True, provider="anthropic"), env, tmp_path))
    assert by_name.provider is not None and by_name.provider.name == "anthropic"
    assert KEY["ANTHROPIC_API_KEY"] not in repr(by_name)


def test_the_programs_are_tried_in_their_order(tmp_path: Path) -> None:
    setting = _setting(LLMConfig(allow=True), {"PATH": str(tmp_path)}, tmp_path)
    for name in reversed(PROGRAMS):
        path = tmp_path / COMMANDS[name].program
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        choice = choose(setting)
        assert choice.provider is not None and choice.provider.name == name
        assert choice.price == (price_of("haiku") if name == "claude" else FREE)


def test_status_is_told_who_was_chosen_why_who_else_and_how_to_change_it(
    program: Path, tmp_path: Path, sdk: None
) -> None:
    env = {**KEY, "PATH": str(program.parent)}
    assert describe(_setting(LLMConfig(allow=True), env, tmp_path)) == (
        f"claude/haiku: your own {program}; the first that was found. Here, too: anthropic. "
        "To change it: hivemind config set llm.provider anthropic"
    )
    named = _setting(LLMConfig(allow=True, provider="anthropic"), env, tmp_path)
    assert describe(named).startswith(
        "anthropic/claude-haiku-4-5: the key in ANTHROPIC_API_KEY; as `llm.provider` says"
    )


def test_one_table_names_the_providers_and_the_docs_name_them_all() -> None:
    assert tuple(MADE) == PROVIDERS
    (doc,) = (setting.doc for setting in reference() if setting.key == "llm.provider")
    assert [name for name in ("auto", "none", *PROVIDERS) if name not in doc] == []


def test_a_script_is_played_only_by_name(tmp_path: Path, request_: Request) -> None:
    script = tmp_path / "answers.jsonl"
    lines = [
        '{"answer": {"name": "judged"}, "purpose": "judge"}',
        '{"text": "{\\"name\\": \\"raw\\"}", "times": 2}',
        "",
        '{"error": "no"}',
    ]
    script.write_text("\n".join(lines))
    config = LLMConfig(allow=True, script=str(script))
    assert choose(_setting(config, {}, tmp_path)).provider is None
    provider = choose(_setting(replace(config, provider="scripted"), {}, tmp_path)).provider
    assert provider is not None
    assert [provider.complete(request_).value for _ in range(2)] == [{"name": "raw"}] * 2
    with pytest.raises(ProviderError, match="no"):
        provider.complete(request_)
    assert provider.complete(replace(request_, purpose="judge")).value == {"name": "judged"}
    with pytest.raises(ProviderError, match="asked 5 times, the last time to codify"):
        provider.complete(request_)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ('{"answer": {}}\n[1]', "answers.jsonl:2 is no answer"),
        ('{"answer": 7}', "answers.jsonl:1 is no answer"),
        ("", "has no answers"),
    ],
)
def test_a_script_that_is_missing_or_wrong_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    script = tmp_path / "answers.jsonl"
    if text is not None:
        script.write_text(text)
    setting = _setting(LLMConfig(allow=True, provider="scripted", script=str(script)), {}, tmp_path)
    assert choose(setting).provider is None
    assert told in describe(setting)
    unnamed = _setting(LLMConfig(allow=True, provider="scripted"), {}, tmp_path)
    assert "hivemind config set llm.script FILE" in describe(unnamed)


def test_with_nothing_there_the_reason_and_the_way_out_are_told(tmp_path: Path) -> None:
    setting = _setting(LLMConfig(allow=True, key_env="MY_KEY"), {"PATH": "/nowhere"}, tmp_path)
    choice = choose(setting)
    assert choice.provider is None
    assert "MY_KEY" in choice.reason and "program" in choice.reason
    assert "or set MY_KEY" in describe(setting)


def test_none_means_none(program: Path, tmp_path: Path) -> None:
    assert choose(_setting(LLMConfig(allow=True, provider="none"), KEY, tmp_path)).provider is None


def test_a_misspelt_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clade"):
        choose(_setting(LLMConfig(provider="clade"), {}, tmp_path))


def test_the_setting_hides_the_environment(tmp_path: Path) -> None:
    assert KEY["ANTHROPIC_API_KEY"] not in repr(_setting(LLMConfig(), KEY, tmp_path))


def test_blank_is_no_key_and_a_line_end_no_part_of_one(tmp_path: Path, sdk: None) -> None:
    config = LLMConfig(allow=True, provider="anthropic")
    assert choose(_setting(config, {"ANTHROPIC_API_KEY": " \n"}, tmp_path)).provider is None
    worker = choose(_setting(config, {"ANTHROPIC_API_KEY": "key-for-tests-7f3a\n"}, tmp_path)).provider
    assert isinstance(worker, InWorker) and worker._options["key"] == KEY["ANTHROPIC_API_KEY"]
