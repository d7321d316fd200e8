"""What `doctor` says of the program's version, and that a program which hangs or lies stops nothing."""

from pathlib import Path

import pytest

from hivemind_cli.app import host_versions
from hivemind_cli.app.checkup import OK, WARN
from hivemind_cli.hosts import HOSTS

CLAUDE = HOSTS["claude"]


@pytest.mark.parametrize(
    ("script", "levels", "words"),
    [
        ("echo '2.1.329 (Claude Code)'", [OK], "2.1.329 is here"),
        ("echo 99.0.0", [OK], "99.0.0 is here"),
        ("echo 2.1.5", [WARN], "2.1.5 is here; hivemind was tested with 2.1.329"),
        ("echo no number; exit 3", [], ""),
    ],
)
def test_the_version_stands_beside_the_one_that_was_tested(
    tmp_path: Path, script: str, levels: list[str], words: str
) -> None:
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = list(host_versions.look_at_versions([CLAUDE], {"PATH": f"{tmp_path}:/usr/bin:/bin"}))
    told = [one for one in found if "is here" in one.what]
    assert [one.level for one in told] == levels
    assert all(words in one.what for one in told)


def test_a_program_of_npm_is_not_started(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@someone" / "code"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "@someone/code", "version": "2.1.330", "bin": {"claude": "cli"}}')
    (package / "cli").write_text('#!/bin/sh\ntouch "$(dirname "$0")/started"; echo 1.0\n')
    (package / "cli").chmod(0o755)
    (tmp_path / "claude").symlink_to(package / "cli")
    assert host_versions.version("claude", {"PATH": f"{tmp_path}:/usr/bin:/bin"}) == "2.1.330"
    assert not (tmp_path / "started").exists() and not (package / "started").exists()


def test_what_it_does_not_allow_is_told_though_the_program_is_not_there() -> None:
    (finding,) = host_versions.look_at_versions([CLAUDE], {"PATH": "/nonexistent"})
    assert CLAUDE.LIMITS[0] in finding.what
