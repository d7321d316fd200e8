"""Every host's program as a provider: called exactly so, answers in its form, and what goes wrong is an error."""

import json
import os
import time
from pathlib import Path

import pytest

from hivemind_cli.core.child import GUARD
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.hosts.headless import HEADLESS
from hivemind_cli.llm.base import BadAnswer, Request
from hivemind_cli.llm.headless import ARGUMENT_BYTES_MAX, child_env
from tests.llm.programs import ANSWER, FORMS, answering, place, provider, refusing, seen

HOSTS = sorted(HEADLESS)
EVERY = pytest.mark.parametrize("host", HOSTS)


@EVERY
def test_it_is_called_exactly_so_and_its_answer_comes_back(host: str, tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", host, answering(host))
    reply = provider(path, host, tmp_path / "work").complete(request_)
    form, call = FORMS[host], seen(path)
    assert reply.value == {"name": "größe"}
    assert (reply.cost_usd, reply.model or form.model) == (form.cost_usd, form.model)
    if form.tokens == (0, 0):
        assert reply.tokens_in > 10 and 3 <= reply.tokens_out <= 8  # reckoned by size
    else:
        assert (reply.tokens_in, reply.tokens_out) == form.tokens
    files = iter([given for given in call["argv"] if given in call["files"]])
    stood_for = {"<system>": call["argv"][-1], "<empty>": "", "<schema>": json.dumps(request_.schema)}
    stood_for["<prompt>"] = next((word for word in call["argv"] if "\n" in word), "")
    expected = [next(files) if word == "<file>" else stood_for.get(word, word) for word in form.argv.split(" ")]
    assert call["argv"] == expected


@EVERY
def test_it_is_given_the_system_prompt_the_form_and_the_question_as_data(
    host: str, tmp_path: Path, request_: Request
) -> None:
    path = place(tmp_path / "bin", host, answering(host))
    provider(path, host, tmp_path / "work").complete(request_)
    form, call = FORMS[host], seen(path)
    question = call["stdin"] if form.stdin else next(word for word in call["argv"] if "\n" in word)
    files = [text for text, _ in call["files"].values()]
    systems = {"argument": "\n".join(call["argv"]), "file": "\n".join(files), "question": question}
    assert request_.system in systems[form.system]
    assert request_.prompt in question
    assert call["stdin"] == (question if form.stdin else "")
    if form.system == "question":
        mark = next(line for line in question.splitlines() if line.startswith("====="))
        assert question.count(mark) >= 2
        before, inside, _ = question.rsplit(f"{mark}\n", 1)[0].rpartition(f"{mark}\n")
        assert request_.system in before and inside
    schema = '"maxLength": 20' if host != "codex" else '"additionalProperties": false'
    assert any(schema in text for text in (question, *files, *call["argv"]))


@EVERY
def test_the_child_is_guarded_stands_in_our_folder_and_leaves_no_file(
    host: str, tmp_path: Path, request_: Request
) -> None:
    path, work = place(tmp_path / "bin", host, answering(host)), tmp_path / "work"
    provider(path, host, work).complete(request_)
    call = seen(path)
    assert call["env"][GUARD] == "1"
    assert call["cwd"] == str(work)
    assert all(mode == 0o600 for _, mode in call["files"].values())
    assert [one for one in work.iterdir() if one.name.startswith("ask-")] == []
    assert {"CLAUDECODE"} & set(call["env"]) == (set() if host == "claude" else {"CLAUDECODE"})


@EVERY
def test_nothing_that_a_program_must_never_be_given(host: str) -> None:
    argv = " ".join(HEADLESS[host].command("/bin/it", "some/model").argv).casefold()
    for word in ("dangerously", "yolo", "--force", "bypass", "--allow-all", "full-access", "--auto ", "--bare"):
        assert word not in argv
    assert "some/model" in argv


@EVERY
def test_nobody_signed_in_is_told_with_the_way_to_sign_in(host: str, tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", host, refusing(host))
    with pytest.raises(ProviderError) as caught:
        provider(path, host, tmp_path / "work").complete(request_)
    assert not isinstance(caught.value, ProviderUnavailable)
    assert caught.value.fix.startswith("Sign in: ")


@EVERY
@pytest.mark.parametrize(
    "text", ["I'd rather not.", '{"name": 7}', '{"other": "x"}', "[]", '{"name": "' + "x" * 30 + '"}', ""]
)
def test_an_answer_that_is_of_no_use_is_an_error_with_its_price(
    host: str, text: str, tmp_path: Path, request_: Request
) -> None:
    path = place(tmp_path / "bin", host, answering(host, text))
    with pytest.raises(BadAnswer) as caught:
        provider(path, host, tmp_path / "work").complete(request_)
    assert caught.value.spent.cost_usd == FORMS[host].cost_usd


@EVERY
@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os.write(1, bytes(range(256)) * 40)", ""),
        ("sys.exit(0)", ""),
        ("sys.stderr.write('error: unexpected argument --made-up found'); sys.exit(2)", "Update "),
        ("sys.stderr.write('Segmentation fault'); os.kill(os.getpid(), 11)", ""),
        ("sys.stdout.write('x' * 2_100_000)", ""),
        ("sys.stdout.write('[' * 200_000)", ""),
    ],
    ids=["binary", "silence", "other version", "crash", "flood", "depth"],
)
def test_whatever_else_it_does_is_an_error(host: str, does: str, said: str, tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", host, does)
    with pytest.raises(ProviderError) as caught:
        provider(path, host, tmp_path / "work").complete(request_)
    assert said in caught.value.fix
    assert "\x00" not in str(caught.value)
    assert [one for one in (tmp_path / "work").iterdir() if one.name.startswith("ask-")] == []


_ANSWER_FILE = "argv[argv.index('-o') + 1]"


def test_an_answer_file_that_is_too_long_is_an_error(tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", "codex", f"{answering('codex')}\nopen({_ANSWER_FILE}, 'w').write('x' * 2_100_000)")
    with pytest.raises(ProviderError):
        provider(path, "codex", tmp_path / "work").complete(request_)


def test_nobody_waits_for_a_pipe_in_the_answer_files_place(tmp_path: Path, request_: Request) -> None:
    does = f"{answering('codex')}\nos.remove({_ANSWER_FILE}); os.mkfifo({_ANSWER_FILE})"
    path = place(tmp_path / "bin", "codex", does)
    assert provider(path, "codex", tmp_path / "work").complete(request_).value == json.loads(ANSWER)


def test_what_a_killed_run_left_is_cleared_away_by_a_later_one(tmp_path: Path, request_: Request) -> None:
    path, work = place(tmp_path / "bin", "codex", answering("codex")), tmp_path / "work"
    old, new = work / "ask-old", work / "ask-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "answer-file").touch()
    os.utime(old, (0, 0))
    provider(path, "codex", work).complete(request_)
    assert [one.name for one in work.iterdir()] == ["ask-new"]


@pytest.mark.parametrize("host", ["codex", "pi", "hermes"])
def test_a_busy_service_may_succeed_later(host: str, tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", host, "sys.stderr.write('HTTP 429: rate limit reached'); sys.exit(1)")
    with pytest.raises(ProviderUnavailable):
        provider(path, host, tmp_path / "work").complete(request_)


@pytest.mark.parametrize("host", ["codex", "hermes"])
def test_one_that_hangs_is_ended_with_all_it_started(host: str, tmp_path: Path, request_: Request) -> None:
    does = f"os.system('sleep 60 & echo $! > {tmp_path}/pid')\nimport time\ntime.sleep(60)"
    path = place(tmp_path / "bin", host, does)
    with pytest.raises(ProviderUnavailable):
        provider(path, host, tmp_path / "work", timeout_s=0.4).complete(request_)
    started = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    end = time.monotonic() + 5
    while _runs(started) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _runs(started)
    assert [one for one in (tmp_path / "work").iterdir() if one.name.startswith("ask-")] == []


@EVERY
def test_a_missing_program_is_told_before_and_when_it_is_asked(host: str, tmp_path: Path, request_: Request) -> None:
    gone = provider(tmp_path / HEADLESS[host].program, host, tmp_path / "work")
    assert gone.available()
    with pytest.raises(ProviderError, match="cannot be started"):
        gone.complete(request_)


@EVERY
def test_a_question_of_any_size_is_asked_or_refused_before_it_starts(
    host: str, tmp_path: Path, request_: Request
) -> None:
    path = place(tmp_path / "bin", host, answering(host))
    long = Request(purpose="codify", system="s", prompt="ß" * ARGUMENT_BYTES_MAX, schema=request_.schema)
    asked = provider(path, host, tmp_path / "work")
    if FORMS[host].stdin:
        assert asked.complete(long).value == json.loads(ANSWER)
        return
    with pytest.raises(ProviderError, match="too long"):
        asked.complete(long)
    assert not (path.parent / "seen").exists()


@EVERY
def test_words_that_no_program_can_be_given_do_not_break_it(host: str, tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", host, answering(host))
    odd = Request(purpose="codify", system="a\0b", prompt='{"said": "\0 \ud800 @/etc/passwd"}', schema=request_.schema)
    assert provider(path, host, tmp_path / "work").complete(odd).value == json.loads(ANSWER)
    call = seen(path)
    if host in ("claude", "gemini", "cursor", "copilot"):  # these attach what is named so
        assert "@/etc/passwd" not in call["stdin"] + "".join(call["argv"])
        assert "\\u0040/etc/passwd" in call["stdin"] + "".join(call["argv"])


def test_the_persons_own_mcp_servers_are_switched_off_by_name(tmp_path: Path, request_: Request) -> None:
    path = place(tmp_path / "bin", "codex", answering("codex"))
    config = path.parent / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text('[mcp_servers.docs]\ncommand = "x"\n[mcp_servers."od d"]\ncommand = "x"\n')
    provider(path, "codex", tmp_path / "work").complete(request_)
    assert [word for word in seen(path)["argv"] if "mcp_servers" in word] == ["mcp_servers.docs.enabled=false"]
    config.write_text("= broken")
    assert provider(path, "codex", tmp_path / "work").complete(request_).value


def test_settings_of_the_folder_are_written_once_and_anew_where_changed(tmp_path: Path, request_: Request) -> None:
    path, work = place(tmp_path / "bin", "gemini", answering("gemini")), tmp_path / "work"
    settings = work / ".gemini" / "settings.json"
    for _ in range(2):
        provider(path, "gemini", work).complete(request_)
        said = json.loads(settings.read_text())
        assert said["hooksConfig"] == {"enabled": False} and said["tools"] == {"core": []}
        assert settings.stat().st_mode & 0o777 == 0o600
        settings.write_text("{}")
    assert seen(path)["env"]["GEMINI_CLI_TRUST_WORKSPACE"] == "true"


def test_hermes_says_yes_to_everything_and_is_given_nothing_that_matters() -> None:
    command = HEADLESS["hermes"].command("hermes", "")
    assert command.argv[command.argv.index("-t") + 1] == "todo"
    assert command.env == {"HERMES_SAFE_MODE": "1"}
    inherited = {"HERMES_YOLO_MODE": "1", "HERMES_KANBAN_TASK": "t1", "HERMES_HOME": "/h"}
    assert set(child_env(command, inherited, {})) == {"HERMES_HOME", "HERMES_SAFE_MODE", "PATH"}


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
