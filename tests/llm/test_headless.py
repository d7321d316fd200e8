"""`claude -p` as a provider: a real program, run the way the reference says."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm import child
from hivemind_cli.llm.base import WORDS_MAX, Interrupted, Request
from hivemind_cli.llm.headless import Headless, find_program

ENV = {
    "PATH": "/usr/bin:/bin",
    "CLAUDECODE": "1",
    "CLAUDE_CODE_SESSION_ID": "s",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "CLAUDE_CODE_OAUTH_TOKEN": "kept",
    "CLAUDE_CONFIG_DIR": "/kept",
}


@pytest.fixture
def claude(program: Path, tmp_path: Path) -> Headless:
    """The provider over the program."""
    return Headless("claude", headless(str(program)), env=ENV, work=tmp_path / "work", timeout_s=5)


def _answers(program: Path, said: object, *, code: int = 0) -> None:
    (program.parent / "answer.json").write_text(said if isinstance(said, str) else json.dumps(said))
    (program.parent / "answer.sh").write_text(f"cat {program.parent}/answer.json; exit {code}")


def test_it_is_called_with_everything_switched_off(claude: Headless, program: Path, request_: Request) -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}
    said = {
        "is_error": False,
        "result": "",
        "structured_output": {"name": "it"},
        "total_cost_usd": 0.02,
        "usage": usage,
    }
    _answers(program, said)
    reply = claude.complete(request_)
    assert reply.value == {"name": "it"}
    assert (reply.cost_usd, reply.tokens_in, reply.tokens_out, reply.model) == (0.02, 12, 3, "haiku")
    argv = (program.parent / "argv").read_text().split("\0")[:-1]
    assert argv == [
        *("-p", "--model", "haiku", "--output-format", "json"),
        *("--json-schema", json.dumps(request_.schema), "--tools", "", "--strict-mcp-config"),
        *("--disallowedTools", "mcp__*", "--no-session-persistence", "--disable-slash-commands"),
        *("--settings", '{"disableAllHooks":true}', "--system-prompt", request_.system),
    ]
    assert (program.parent / "stdin").read_text() == request_.prompt
    assert (program.parent / "cwd").read_text().strip().endswith("/work")


def test_the_child_has_our_guard_and_none_of_the_sessions_marks(
    claude: Headless, program: Path, request_: Request
) -> None:
    _answers(program, {"result": '{"name": "it"}'})
    claude.complete(request_)
    env = dict(line.split("=", 1) for line in (program.parent / "env").read_text().splitlines() if "=" in line)
    assert env["HIVEMIND_INTERNAL"] == "1"
    assert env["CLAUDE_CODE_OAUTH_TOKEN"] == "kept"
    assert env["CLAUDE_CONFIG_DIR"] == "/kept"
    assert not {"CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_ENTRYPOINT"} & set(env)
    assert env["PATH"].startswith(str(program.parent))


@pytest.mark.parametrize(
    ("file", "text", "env", "kept"),
    [
        (".claude.json", '{"oauthAccount": {"accountUuid": "u"}}', {}, False),
        (".claude/.credentials.json", '{"claudeAiOauth": {"accessToken": "t"}}', {}, False),
        (
            "elsewhere/.claude.json",
            '{"oauthAccount": {"accountUuid": "u"}}',
            {"CLAUDE_CONFIG_DIR": "{home}/elsewhere"},
            False,
        ),
        (".claude.json", "{}", {"CLAUDE_CODE_OAUTH_TOKEN": "t"}, False),
        (".claude.json", '{"oauthAccount": null}', {}, True),
        (".claude.json", "{torn", {}, True),
        (".claude.json", '{"oauthAccount": {"accountUuid": "u"}}', {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, True),
    ],
)
def test_a_key_is_not_charged_in_place_of_the_persons_subscription(
    program: Path, tmp_path: Path, request_: Request, file: str, text: str, env: dict[str, str], kept: bool
) -> None:
    _answers(program, {"result": '{"name": "it"}'})
    home = tmp_path / "person"
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    (home / file).write_text(text)
    around = {name: value.replace("{home}", str(home)) for name, value in env.items()}
    around |= {"PATH": "/usr/bin:/bin", "HOME": str(home), "ANTHROPIC_API_KEY": "key-for-tests-7f3a"}
    Headless("claude", headless(str(program)), env=around, work=tmp_path / "work", timeout_s=5).complete(request_)
    assert ("key-for-tests-7f3a" in (program.parent / "env").read_text()) is kept


@pytest.mark.parametrize(
    ("said", "code", "later"),
    [
        ({"is_error": True, "result": "API Error: 529 overloaded"}, 1, True),
        ({"is_error": True, "result": "Invalid API key · Please run /login"}, 1, False),
        ({"is_error": False, "result": "fine"}, 3, False),
        ("Please update.", 0, False),
        ("[1]", 0, False),
        ("", 127, False),
    ],
)
def test_a_failed_run_is_an_error(
    claude: Headless, program: Path, request_: Request, said: object, code: int, later: bool
) -> None:
    _answers(program, said, code=code)
    with pytest.raises(ProviderError) as caught:
        claude.complete(request_)
    assert isinstance(caught.value, ProviderUnavailable) is later


def test_what_a_failed_run_cost_is_known_though_it_may_succeed_later(
    claude: Headless, program: Path, request_: Request
) -> None:
    usage = {"input_tokens": 5000, "output_tokens": 900}
    _answers(program, {"is_error": True, "result": "API Error: 529", "total_cost_usd": 0.07, "usage": usage}, code=1)
    with pytest.raises(Interrupted) as caught:
        claude.complete(request_)
    spent = caught.value.spent
    assert (spent.cost_usd, spent.tokens_in, spent.tokens_out) == (0.07, 5000, 900)


@pytest.mark.parametrize("failed", [{"is_error": True, "result": "bad key {key}\u001b[31m"}, "bad key {key}"])
def test_no_secret_that_a_program_prints_reaches_an_error(
    claude: Headless, program: Path, request_: Request, failed: object
) -> None:
    key = "sk" + "-ant-api03-" + "Ab3" * 30
    _answers(program, json.loads(json.dumps(failed).replace("{key}", key)), code=1)
    with pytest.raises(ProviderError, match=r"bad key \[redacted:") as caught:
        claude.complete(request_)
    assert "Ab3" not in str(caught.value) and str(caught.value).isprintable()


def test_a_models_name_of_any_length_makes_no_long_receipt(claude: Headless, program: Path, request_: Request) -> None:
    _answers(program, {"result": '{"name": "it"}', "modelUsage": {"m" * 100_000: {}}})
    assert len(claude.complete(request_).model) == WORDS_MAX


def test_a_timeout_ends_the_whole_process_group(program: Path, tmp_path: Path, request_: Request) -> None:
    (program.parent / "answer.sh").write_text(f"sleep 60 & echo $! > {program.parent}/grandchild; wait")
    slow = Headless("claude", headless(str(program)), env=ENV, work=tmp_path / "work", timeout_s=1.0)
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        slow.complete(request_)
    assert time.monotonic() - started < 30
    grandchild = int((program.parent / "grandchild").read_text())
    for _ in range(500):
        if not _runs(grandchild):
            break
        time.sleep(0.02)
    assert not _runs(grandchild)


def test_a_flood_is_stopped_at_the_cap(claude: Headless, program: Path, request_: Request) -> None:
    (program.parent / "answer.sh").write_text("exec yes")
    with pytest.raises(ProviderError, match="more than"):
        claude.complete(request_)


def test_a_program_that_reads_nothing_still_answers(tmp_path: Path) -> None:
    done = child.run(["/bin/echo", "hi"], stdin=b"x" * 5_000_000, env={}, cwd=tmp_path, timeout_s=5)
    assert done.stdout == b"hi\n"


def test_what_a_program_leaves_behind_does_not_keep_its_answer_from_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "GRACE_S", 0.05)
    script = "(while :; do echo noise >&2; sleep 0.01; done) & echo $! > left; echo hi"
    started = time.monotonic()
    done = child.run(["/bin/sh", "-c", script], stdin=b"x" * 500_000, env={}, cwd=tmp_path, timeout_s=20)
    assert (done.code, done.stdout) == (0, b"hi\n")
    assert time.monotonic() - started < 15
    left = int((tmp_path / "left").read_text())
    while _runs(left) and time.monotonic() - started < 20:
        time.sleep(0.01)
    assert not _runs(left)


def test_a_child_is_niced_and_inherits_no_files(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        script = "sleep 0.2; nice; ls /proc/self/fd | wc -l"
        done = child.run(["/bin/sh", "-c", script], stdin=b"", env={"PATH": "/usr/bin:/bin"}, cwd=tmp_path, timeout_s=5)
    nice, files = done.stdout.split()
    assert int(nice) >= 10
    assert int(files) <= 4  # 0, 1, 2 and the listing's own


def test_a_missing_program_is_an_error(tmp_path: Path, request_: Request) -> None:
    gone = Headless("claude", headless(str(tmp_path / "none")), env=ENV, work=tmp_path)
    assert gone.available()
    with pytest.raises(ProviderError, match="cannot be started"):
        gone.complete(request_)


def test_a_program_is_found_on_the_path_or_where_installers_put_it(tmp_path: Path) -> None:
    folder = tmp_path / ".nvm/versions/node/v22.1.0/bin"
    folder.mkdir(parents=True)
    (folder / "claude").write_text("")
    assert find_program("claude-none", {"HOME": str(tmp_path)}) == ""
    (folder / "claude").chmod(0o755)
    assert find_program("claude", {"HOME": str(tmp_path), "PATH": "/nowhere"}) == str(folder / "claude")


def test_folders_of_the_path_that_nobody_may_read_or_that_are_relative_are_passed_over(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin" / "claude").rename(tmp_path / "claude")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    path = f".:{tmp_path}/file/under-a-file:{tmp_path}/{'x' * 300}"
    assert find_program("claude", {"PATH": path}) == ""
    assert find_program("claude", {"PATH": f"{path}:{tmp_path}"}) == str(tmp_path / "claude")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_the_path_that_belongs_to_somebody_else_is_passed_over(program: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    look = "import os, sys; from hivemind_cli.llm.headless import find_program as find; os.setuid(65534); "
    look += "print(repr(find('claude', {'PATH': sys.argv[1]})))"
    call = [sys.executable, "-c", look, str(closed / "bin")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False
