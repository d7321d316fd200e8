"""Who is asked: nobody without consent, then what is there."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm import Setting, choose, describe

KEY = {"ANTHROPIC_API_KEY": "key-for-tests-7f3a"}


def _setting(config: LLMConfig, env: Mapping[str, str], work: Path) -> Setting:
    return Setting(config=config, env=env, work=work, commands={"claude": headless})


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


def test_a_key_comes_before_the_program(program: Path, tmp_path: Path, sdk: None) -> None:
    choice = choose(_setting(LLMConfig(allow=True), {**KEY, "PATH": str(program.parent)}, tmp_path))
    assert choice.provider is not None and choice.provider.name == "anthropic"
    assert KEY["ANTHROPIC_API_KEY"] not in repr(choice)


def test_the_program_is_used_without_a_key(program: Path, tmp_path: Path) -> None:
    setting = _setting(LLMConfig(allow=True), {"PATH": str(program.parent)}, tmp_path)
    choice = choose(setting)
    assert choice.provider is not None and choice.provider.name == "claude"
    assert describe(setting) == f"claude ({program})"


def test_with_nothing_there_the_reason_and_the_way_out_are_told(tmp_path: Path) -> None:
    setting = _setting(LLMConfig(allow=True, key_env="MY_KEY"), {"PATH": "/nowhere"}, tmp_path)
    choice = choose(setting)
    assert choice.provider is None
    assert "MY_KEY" in choice.reason and "claude" in choice.reason
    assert "Set MY_KEY" in describe(setting)


def test_none_means_none(program: Path, tmp_path: Path) -> None:
    assert choose(_setting(LLMConfig(allow=True, provider="none"), KEY, tmp_path)).provider is None


def test_a_misspelt_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clade"):
        choose(_setting(LLMConfig(provider="clade"), {}, tmp_path))


def test_the_setting_hides_the_environment(tmp_path: Path) -> None:
    assert KEY["ANTHROPIC_API_KEY"] not in repr(_setting(LLMConfig(), KEY, tmp_path))
