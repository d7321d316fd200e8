"""Consent and caps are a person's to change at any time, in the file too: a daemon that runs asks by what holds now."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind, checkup
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import LLMCall, SkillRevision
from hivemind_cli.core.settings import load
from tests.app.talk import Talk

ALLOWED = """\
[llm]
allow = true
provider = "scripted"
script = "~/answers.jsonl"
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A home in which a script may be asked."""
    (tmp_path / "answers.jsonl").write_text('{"error": "no", "times": 99}')
    found = Paths.from_env({"HOME": str(tmp_path)})
    found.make()
    found.config.write_text(ALLOWED)
    return found


@pytest.fixture
def owner(paths: Paths) -> Iterator[OwnedHivemind]:
    env = {"HOME": str(paths.home), "PATH": "/usr/bin:/bin"}
    opened = Hivemind.own(paths, load(paths, env).config, env=env)
    yield opened
    opened.close()


def _corrected(owner: OwnedHivemind, tree: Path, session: str, *, task: str, wrong: str, words: str) -> None:
    if not tree.is_dir():
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
    talk = Talk(owner.paths, tree, session)
    talk.starts()
    talk.says(task)
    talk.runs(wrong)
    talk.replies()
    talk.says(words)
    talk.replies()
    talk.ends()
    assert owner.settle(20)


@pytest.mark.parametrize(
    "edited",
    [ALLOWED.replace("true", "false"), "", "[llm", ALLOWED.replace("scripted", "none")],
    ids=["false", "nothing", "no TOML", "another provider"],
)
def test_whoever_edits_the_file_is_heeded_without_a_restart(owner: OwnedHivemind, tmp_path: Path, edited: str) -> None:
    tree = tmp_path / "work" / "app"
    _corrected(
        owner, tree, "s1", task="add left-pad", wrong="npm install left-pad", words="no, we use pnpm here, never npm"
    )
    asked = owner.store.count(LLMCall)
    assert asked > 0
    owner.paths.config.write_text(edited)
    _corrected(
        owner, tree, "s2", task="run the tests", wrong="python -m unittest", words="no, always run pytest, not unittest"
    )
    assert owner.store.count(LLMCall) == asked
    drafters = [row.record.drafter for row in owner.store.find(SkillRevision)]
    assert drafters == ["extractive", "extractive"]


def test_doctor_says_why_nobody_drafts_and_nothing_to_whoever_is_served(paths: Paths, tmp_path: Path) -> None:
    def told(provider: str, **env: str) -> list[str]:
        config = Config(llm=LLMConfig(allow=True, provider=provider))
        found = checkup.look(paths, config, {"HOME": str(tmp_path / "nobody"), "PATH": str(tmp_path), **env})
        return [finding.what for finding in found if "No model drafts" in finding.what]

    assert told("none") == []
    assert told("codex") == ["No model drafts skills: the program codex was not found."]
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert told("codex") == told("auto") == []
    assert told("anthropic") == ["No model drafts skills: ANTHROPIC_API_KEY is not in the environment."]
