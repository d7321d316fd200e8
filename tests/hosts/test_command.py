"""The command line in a host's settings, run as the host runs it: /bin/sh -c, payload on stdin."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.command import base_python, hook_command, unfailing

ECHO = "import sys; sys.stdout.write(repr((sys.argv[1:], sys.flags.isolated, sys.flags.no_site, sys.stdin.read())))\n"


def run(command: str, payload: bytes = b"{}\n") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["/bin/sh", "-c", command], input=payload, capture_output=True, timeout=30)


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a $HOME; folder"
    folder.mkdir()
    path = folder / "hivemind_hook.py"
    path.write_text(ECHO)
    return path


def test_the_event_is_the_last_word(hook: Path) -> None:
    done = run(hook_command(Path(sys.executable), hook, "claude") + " Stop")
    assert done.stdout.decode() == repr((["claude", "Stop"], 1, 1, "{}\n"))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("gone", ["python", "hook"])
def test_a_vanished_file_says_nothing_and_drains_what_the_host_sends(hook: Path, gone: str) -> None:
    python = Path("/nonexistent/python3") if gone == "python" else Path(sys.executable)
    if gone == "hook":
        hook.unlink()
    done = run(hook_command(python, hook, "claude") + " Stop", payload=b"x" * 2_000_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_broken_hook_is_not_noisy(hook: Path) -> None:
    hook.write_text("this is no Python")
    assert run(hook_command(Path(sys.executable), hook, "claude") + " Stop").stderr == b""


def test_the_shell_becomes_the_hook(hook: Path) -> None:
    hook.write_text("import os; print(os.getpid())")
    with subprocess.Popen(
        ["/bin/sh", "-c", hook_command(Path(sys.executable), hook, "claude") + " Stop"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as shell:
        out, _ = shell.communicate(timeout=30)
    assert int(out) == shell.pid


def test_the_base_python_is_no_virtual_environments(tmp_path: Path) -> None:
    python = base_python()
    assert python.is_absolute()
    assert not (python.parent.parent / "pyvenv.cfg").exists()
    done = subprocess.run(
        [str(python), "-I", "-S", "-c", "import sys; print(sys.prefix == sys.base_prefix)"], capture_output=True
    )
    assert done.stdout == b"True\n"


def test_without_any_python_the_person_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("hivemind_cli.hosts.command._usable", lambda python: False)
    with pytest.raises(HostError, match="Install Python 3"):
        base_python()


def _gone(hook: Path) -> Path:
    hook.unlink()
    return Path(sys.executable)


def _no_program(hook: Path) -> Path:
    python = hook.with_name("python3")
    python.write_bytes(b"\x7fELF of another machine")
    python.chmod(0o755)
    return python


def _killed(hook: Path) -> Path:
    hook.write_text("import os\nos.kill(os.getpid(), 9)\n")
    return Path(sys.executable)


def _fails(hook: Path) -> Path:
    hook.write_text("import sys\nsys.stderr.write('no')\nsys.exit(2)\n")
    return Path(sys.executable)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("broken", [lambda hook: Path("/nonexistent/python3"), _gone, _no_program, _killed, _fails])
def test_where_a_failing_hook_is_a_refusal_none_ever_fails(
    hook: Path, shell: str, broken: Callable[[Path], Path]
) -> None:
    """Gemini CLI and Copilot CLI take another exit code than 0, or text on stderr, for a no."""
    command = unfailing(f"{hook_command(broken(hook), hook, 'gemini')} BeforeAgent")
    done = subprocess.run([shell, "-c", command], input=b"{}", capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_command_that_never_fails_says_what_the_hook_says(hook: Path) -> None:
    done = run(unfailing(f"{hook_command(Path(sys.executable), hook, 'gemini')} BeforeAgent"))
    assert done.stdout.decode() == repr((["gemini", "BeforeAgent"], 1, 1, "{}\n"))
