"""The command line as people and programs meet it: real processes, a home of their own."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.core import TyperGroup

from hivemind_cli.cli import AGENTS, app
from hivemind_cli.core.hook_settings import HookSettings
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import SkillLine
from hivemind_cli.core.settings import reference
from hivemind_cli.daemon import lock
from hivemind_cli.daemon.client import Client
from hivemind_cli.hosts import HOSTS
from hivemind_cli.skills import disk
from hivemind_cli.skills.format import render
from tests.app.skills import revision
from tests.cli.terminal import heeds_interrupts

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [
    "demo",
    "install",
    "uninstall",
    "status",
    "doctor",
    "import",
    "corrections",
    "corrections label",
    "corrections judge",
    "skillify",
    "skillify run",
    "skillify review",
    "skillify test",
    "skillify replay",
    "skillify show",
    "skillify log",
    "skillify diff",
    "skillify blame",
    "skillify why",
    "skillify accept",
    "skillify reject",
    "skillify keep",
    "skillify retire",
    "skillify undo",
    "skillify rollback",
    "skillify promote",
    "why",
    "recall",
    "search",
    "experience",
    "experience list",
    "experience find",
    "experience show",
    "experience context",
    "experience add",
    "experience fixes",
    "run",
    "run list",
    "run show",
    "run history",
    "run resume",
    "run branches",
    "run diff",
    "run merge",
    "run rollback",
    "sql",
    "mcp",
    "mcp install",
    "mcp uninstall",
    "serve",
    "token",
    "token create",
    "token list",
    "token revoke",
    "sessions",
    "sessions show",
    "sessions prune",
    "cost",
    "embeddings",
    "embeddings status",
    "embeddings export",
    "embeddings install",
    "embeddings uninstall",
    "reindex",
    "config",
    "config show",
    "config get",
    "config set",
    "daemon",
    "daemon stop",
    "daemon restart",
    "daemon log",
    "bench",
    "bench speed",
    "bench recall",
    "bench search",
    "bench detect",
]
HEAVY = ("duckdb", "tantivy", "anthropic", "watchdog", "re2", "tomlkit", "numpy", "rich.table", "rich.markdown")


@pytest.fixture(autouse=True)
def no_daemon_left(own_home: Path) -> Iterator[None]:
    yield
    Client(Paths.from_env(os.environ)).stop()


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hivemind_cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _groups() -> Iterator[tuple[str, Any]]:
    """(words, command) of every command, groups before their own."""

    def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name in group.list_commands(None):
            command = group.commands[name]
            yield f"{prefix} {name}".strip(), command
            if isinstance(command, TyperGroup):
                yield from walk(f"{prefix} {name}".strip(), command)

    return walk("", typer.main.get_command(app))


def test_these_are_the_commands_in_the_order_a_newcomer_needs_them() -> None:
    assert [name for name, _ in _groups()] == COMMANDS


def test_every_command_says_what_it_does_and_what_its_options_mean() -> None:
    for name, command in _groups():
        assert command.help and len(command.help) > 15, name
        for param in command.params:
            said = getattr(param, "help", None)
            assert said or param.name == "help", f"{name}: {param.name} has no help"


def test_every_command_prints_json_for_programs() -> None:
    for name, command in _groups():
        if name in (
            "config",
            "bench",
            "mcp",
            "token",
            "experience",
            "run",
        ):  # print only their help, or speak JSON alone
            continue
        assert "json" in {param.name for param in command.params}, name


def test_help_fits_a_terminal_and_names_every_command() -> None:
    done = run("--help", COLUMNS="80")
    assert done.returncode == 0 and not done.stderr
    for name in (each for each in COMMANDS if " " not in each):
        assert re.search(rf"^  {name} ", done.stdout, re.M), name
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


def test_help_loads_no_heavy_module() -> None:
    code = (
        "import sys; sys.argv = ['hivemind', '--help']\n"
        "from hivemind_cli.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(re.findall(r"'([^']+)'", done.stderr))
    assert "typer" in loaded
    assert not loaded & set(HEAVY)
    ours = {name for name in loaded if name.startswith("hivemind_cli.")}
    assert {name.split(".")[1] for name in ours} <= {"cli", "core"}


def test_reading_records_loads_no_engine() -> None:
    code = "import hivemind_cli.app.reading, sys; print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not set(re.findall(r"'([^']+)'", done.stderr)) & {"duckdb", "tantivy", "anthropic", "watchdog"}


def test_the_readme_names_every_command_and_no_other() -> None:
    known = {*COMMANDS, "AGENT", *AGENTS}
    for name in (each for each in COMMANDS if " " not in each):
        assert re.search(rf"hivemind {name}\b", README), f"README.md does not name `hivemind {name}`"
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S))
    inline = re.sub(r"^```.*?^```", "", README, flags=re.M | re.S)
    for line in re.findall(r"`hivemind ([^`]+)`", inline) + re.findall(r"\bhivemind (.*)", blocks):
        words = line.split("#")[0].split()
        assert words[0] in known, line
        if len(words) > 1 and words[0] in ("skillify", "config", "daemon") and words[1].isalpha():
            assert f"{words[0]} {words[1]}" in known, line


def test_every_setting_is_documented() -> None:
    assert not [one.key for one in reference() if not one.doc]
    done = run("config", "show", "--docs")
    assert done.returncode == 0
    for one in reference():
        assert one.key in done.stdout
        assert " ".join(one.doc.split())[:60] in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "advice"),
    [
        (["config", "get", "recall.hodl"], 2, "recall.hold"),
        (["config", "set", "recall.hold", "nevr"], 2, "never"),
        (["corrections", "--kind", "sayd"], 2, "'said'"),
        (["corrections", "label"], 1, "label --json"),
        (["corrections", "label", "--since", "soon"], 2, "yesterday"),
        (["corrections", "label", "--project", "none"], 1, "hivemind sessions"),
        (["corrections", "label", "--export", "/nowhere/labels.jsonl"], 1, "/nowhere"),
        (["corrections", "judge"], 5, "llm.allow true"),
        (["import"], 2, "--all"),
        (["import", "/nowhere"], 3, "/nowhere"),
        (["install", "--only", "cluade"], 3, "'claude'"),
        (["why", "nothing"], 1, "hivemind skillify"),
        (["why", "nothing:x"], 2, "NAME:3"),
        (["recall", "explain"], 2, "hivemind recall log"),
        (["recall", "explain", "nope"], 1, "hivemind recall log"),
        (["sessions", "show", "zz"], 1, "hivemind sessions"),
        (["statsu"], 2, "'status'"),
    ],
)
def test_an_error_is_advice_on_stderr_and_has_its_exit_code(words: list[str], code: int, advice: str) -> None:
    done = run(*words)
    assert done.returncode == code, done.stderr
    assert advice in done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_edited_stop_a_dry_run_too(own_home: Path) -> None:
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{ // mine\n}")
    for words in (["install", "--yes"], ["install", "--dry-run"], ["install", "--json"]):
        done = run(*words)
        assert done.returncode == 3 and str(settings) in done.stderr
    assert settings.read_text() == "{ // mine\n}"
    assert not (own_home / ".hivemind").exists()


@pytest.mark.thorough
def test_json_is_alone_on_stdout(own_home: Path) -> None:
    (own_home / ".claude").mkdir()
    for words in (
        "install",
        "status",
        "doctor",
        "corrections",
        "corrections --recurring",
        "corrections label",
        "corrections label --report",
        "skillify",
        "skillify run",
        "recall some words",
        "recall log",
        "sessions",
        "config show",
        "config get recall.hold",
        "config set recall.hold never",
        "daemon",
        "daemon --once",
        "daemon log",
        "daemon restart",
        "daemon stop",
        "daemon --once",
        "uninstall",
    ):
        done = run(*words.split(), "--json")
        assert done.returncode == 0, (words, done.stderr)
        json.loads(done.stdout)
        assert "\x1b" not in done.stdout + done.stderr, words


def test_install_and_purge_leave_a_home_as_it_was(own_home: Path) -> None:
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "opus"}')
    assert run("install", "--yes").returncode == 0
    assert run("status").returncode == 0
    assert {path.name for path in own_home.iterdir()} == {".agents", ".claude", ".hivemind"}
    done = run("uninstall", "--purge", "--yes")
    assert done.returncode == 0 and "byte for byte" in done.stdout
    assert settings.read_text() == '{"model": "opus"}'
    assert list(own_home.rglob("*")) == [settings.parent, settings]


def test_purge_takes_skills_for_every_project_and_says_which_files_stay(own_home: Path, tmp_path: Path) -> None:
    paths, shop = Paths.from_env(os.environ), tmp_path / "shop"
    (own_home / ".claude").mkdir()
    shop.mkdir()
    assert run("install", "--yes").returncode == 0
    for tree, name in ((own_home, "deploy"), (own_home, "tag"), (shop, "build")):
        disk.publish(tree, [tree / ".claude" / "skills"], skill_text(name), name, paths.receipts)
    mine = own_home / ".claude" / "skills" / "tag" / "SKILL.md"
    mine.write_text(mine.read_text() + "- Ask Ann first.\n")
    done = run("uninstall")
    assert "and 2 skills for every project with them" in done.stdout and "1 skill in your projects stays" in done.stdout
    assert run("install", "--yes").returncode == 0
    done = run("uninstall", "--purge", "--yes")
    assert "1 skill for every project removed: deploy" in done.stdout
    assert f"{mine} stays: you wrote in it" in " ".join(done.stdout.split())
    assert str(shop) in done.stdout and (shop / ".claude" / "skills" / "build" / "SKILL.md").is_file()
    left = [path for path in own_home.rglob("*") if path.is_file()]
    assert left == [mine]


def skill_text(name: str) -> str:
    cited = SkillLine(section="do", text="Deploy with make.", correction_ids=("01ARZ3NDEKTSV4RRFFQ69G0001",))
    return render(revision(1, name=name, lines=(cited,)))


@pytest.mark.parametrize(
    "words", ["install --yes", "config set recall.limit 2", "uninstall", "uninstall --purge --yes"]
)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody may write in")
def test_a_home_that_cannot_be_written_is_told_and_is_no_bug_of_ours(words: str) -> None:
    done = run(*words.split(), HOME="/proc/nobody", HIVEMIND_HOME="")
    assert done.returncode == 1 and "mistake of its own" not in done.stderr
    assert "/proc/nobody cannot be used" in done.stderr and "may read and write it" in done.stderr


def test_a_client_that_still_runs_the_hook_wakes_nothing_after_uninstall(own_home: Path) -> None:
    paths = Paths.from_env(os.environ)
    (own_home / ".claude").mkdir()
    assert run("install", "--yes").returncode == 0
    wired = paths.hook_settings.read_bytes()
    assert run("status").returncode == 0
    assert run("uninstall").returncode == 0
    assert run("config", "set", "recall.limit", "2").returncode == 0
    for event in ("UserPromptSubmit", "Stop", "SessionEnd"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(paths.hook), "claude", event],
            input=b'{"session_id": "s", "prompt": "hello"}',
            capture_output=True,
            check=True,
        )
        assert not done.stdout + done.stderr
    assert lock.holder(paths) is None
    assert not list(paths.spool_new.iterdir())
    assert run("install", "--yes").returncode == 0
    assert paths.hook_settings.read_bytes() == wired


def test_a_kept_workspace_is_told_beside_the_json_and_reaches_the_daemon(own_home: Path, tmp_path: Path) -> None:
    (own_home / ".claude").mkdir()
    project = own_home / "shop"
    (project / ".git").mkdir(parents=True)
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    paths = Paths.from_env(os.environ)
    assert run("status").returncode == 0
    assert lock.holder(paths) is not None
    code = f"import os; os.chdir({str(project)!r}); from hivemind_cli.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "install", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HIVEMIND_WORKSPACE_ID": "team"},
        check=True,
    )
    assert (json.loads(done.stdout)[0]["host"], json.loads(done.stdout)[0]["answers"]) == ("claude", True)
    assert "belongs to workspace team" in done.stderr
    assert lock.holder(paths) is None


@pytest.mark.parametrize(("answer", "kept"), [("y", "true"), ("n", "false"), ("", "false")])
def test_consent_to_a_model_is_asked_once_in_a_terminal(own_home: Path, answer: str, kept: str) -> None:
    (own_home / ".claude").mkdir()
    programs = own_home / "bin"
    programs.mkdir()
    (programs / "claude").write_text("#!/bin/sh\n")
    (programs / "claude").chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "HIVEMIND_EMBEDDINGS": "false"}
    question = "May hivemind ask claude to draft skills, and to judge what may be a correction?"
    assert question not in run("install", **env).stderr  # no terminal: nobody is asked
    assert run("config", "get", "llm.allow").stdout == "false\n"
    assert question in in_terminal(f"{answer}\n", "install", **env)
    assert (own_home / ".hivemind" / "config.toml").read_text() == f"[llm]\nallow = {kept}\n"
    asked = HookSettings.parse(Paths.from_env(os.environ).hook_settings.read_bytes()).env
    assert bool(asked) is (kept == "true")
    assert question not in in_terminal("", "install", **env)


def in_terminal(typed: str, *words: str, **env: str) -> str:
    """What `hivemind words` shows in a terminal in which `typed` is typed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hivemind_cli", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )
    os.close(slave)
    if typed:
        os.write(master, typed.encode())
    seen = b""
    with contextlib.suppress(OSError):  # the terminal ends with its last process
        while piece := os.read(master, 65536):
            seen += piece
    os.close(master)
    assert process.wait(timeout=60) == 0, seen
    return " ".join(seen.decode().split())


def test_what_install_made_for_an_absent_agent_goes_with_it(own_home: Path) -> None:
    assert run("install", "--only", "claude").returncode == 0
    assert (own_home / ".claude").is_dir()
    run("status")
    assert run("uninstall", "--purge", "--yes").returncode == 0
    assert not list(own_home.iterdir())
    assert run("uninstall").returncode == 0
    assert not list(own_home.iterdir())


def test_each_agent_has_commands_of_its_own_that_the_help_does_not_list(own_home: Path) -> None:
    assert set(HOSTS) <= set(AGENTS)
    assert run("codex", "status").returncode == 0
    done = run("codex", "install", "--yes")
    assert done.returncode == 0 and "its hook answers" in done.stdout
    assert "wired" in run("codex", "status").stdout
    assert not (own_home / ".claude").exists()
    assert "byte for byte" in run("codex", "uninstall").stdout
    shown = run("--help").stdout
    assert not any(line.split()[:1] == [name] for name in AGENTS for line in shown.splitlines())
    assert "hivemind codex install" in run("install", "--help").stdout


def test_a_transcript_that_grows_without_events_is_shouted_about(own_home: Path) -> None:
    (own_home / ".claude").mkdir()
    run("install", "--yes")
    transcript = own_home / ".claude" / "projects" / "-p" / "0b1c2d3e-0000-4000-8000-000000000000.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_text("{}\n")
    assert "SILENT" not in run("status").stdout
    later = transcript.stat().st_mtime + 3600
    os.utime(transcript, (later, later))
    assert "IS SILENT" in run("status").stdout
    assert run("doctor").returncode == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m hivemind_cli config show --docs | head -n 1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert not done.stderr


def test_an_interrupted_command_ends_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hivemind_cli", "daemon", "--foreground"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        preexec_fn=heeds_interrupts,
    )
    assert process.stderr is not None
    process.stderr.readline()  # its log: it runs
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said
