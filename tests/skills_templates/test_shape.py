"""What we write for people to read says what the code does."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from skills_ref import validate

from hivemind_cli.core.assets import asset
from hivemind_cli.core.records import Scope, SkillLine, SkillRevision, SkillState
from hivemind_cli.skills.format import BODY_LINES_MAX, check, parse, render

MEMORY = asset("skills_templates", "hivemind-memory/SKILL.md")


def test_the_documented_shape_is_the_one_that_is_written() -> None:
    lines = asset("skills_templates", "SKILL.md").read_text().splitlines(keepends=True)
    explained = [line for line in lines if line.startswith("<!--")]
    assert len(explained) > 4
    first, second = "01J0000000000000000000000A", "01J0000000000000000000000B"
    revision = SkillRevision(
        id="r2",
        workspace_id="default",
        project_id="p",
        machine_id="m",
        author="ann",
        skill_id="sk_01J00000000000000000000000",
        name="use-pnpm",
        title="Use pnpm, not npm",
        version=2,
        scope=Scope.PROJECT,
        state=SkillState.LIVE,
        trigger="Use when adding or installing JavaScript packages in this repository, "
        "or when about to run npm install.",
        lines=(
            SkillLine(section="when", text="Adding, installing or updating JavaScript packages here."),
            SkillLine(section="note", text="The registry is the company's own."),
            SkillLine(section="do", text="`pnpm add PACKAGE`; commit `pnpm-lock.yaml`.", correction_ids=(first,)),
            SkillLine(
                section="do_not", text="`npm install`: it writes a second lock file.", correction_ids=(first, second)
            ),
        ),
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert "".join(line for line in lines if line not in explained) == render(revision)


def test_the_skill_about_hivemind_is_a_valid_small_skill(tmp_path: Path) -> None:
    text = MEMORY.read_text()
    (tmp_path / "hivemind-memory").mkdir()
    (tmp_path / "hivemind-memory/SKILL.md").write_text(text)
    assert validate(tmp_path / "hivemind-memory") == []
    assert check(text, "hivemind-memory") == []
    parsed = parse(text)
    assert len(parsed.description) <= 300
    assert parsed.description.startswith("Use when ")
    assert parsed.metadata["hivemind-id"] == "hivemind-memory"
    assert text.count("\n") < BODY_LINES_MAX / 10


def commands() -> list[str]:
    return sorted(set(re.findall(r"`(hivemind [^`]+)`", MEMORY.read_text())))


def test_the_skill_about_hivemind_names_only_commands_that_read() -> None:
    reading = {"recall", "search", "sessions", "corrections", "skillify", "why", "doctor"}
    assert {command.split()[1] for command in commands()} == reading
    assert "hivemind skillify" in commands(), "and none of its subcommands, which decide"
    assert {command.split()[2] for command in commands() if command.split()[1] == "sessions"} == {"show"}


@pytest.mark.parametrize("command", commands())
def test_each_command_that_the_skill_about_hivemind_names_exists(command: str) -> None:
    word = command.split()[1]
    done = subprocess.run(
        [sys.executable, "-m", "hivemind_cli", word, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert word in done.stdout
    assert word == "doctor" or "--json" in done.stdout
