"""Small programs in place of the hosts' own: they write down how they were called, and answer in the true format.

The formats of claude, codex, gemini, opencode, pi and copilot are what the real programs printed (versions as in
their modules under `hosts`); those of cursor, hermes and openclaw follow their documentation.
"""

import ast
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hivemind_cli.hosts.headless import HEADLESS
from hivemind_cli.llm.headless import Headless

ANSWER = '{"name": "größe"}'
_PROGRAM = """#!{python} -IS
import os, sys
here, argv = {here!r}, sys.argv[1:]
places = [*argv, *os.environ.values()]
given = {{}}
for path in places:
    if path.startswith(os.getcwd()) and os.path.isfile(path):
        given[path] = [open(path).read(), os.stat(path).st_mode & 0o777]
stdin = sys.stdin.read()
with open(here + "/seen", "w") as seen:
    seen.write(repr({{"argv": argv, "env": dict(os.environ), "cwd": os.getcwd(), "stdin": stdin, "files": given}}))
{does}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How one program is called and what it prints; `{answer}` in JSON stands for the model's words."""

    argv: str
    """Split at spaces; `<system>`, `<schema>`, `<prompt>` and `<file>` stand for those."""
    prints: Any
    """A str, a list (JSON lines) or a dict."""
    refused: Any
    """What it prints, or says on stderr (a str), where nobody is signed in."""
    writes: dict[str, Any] = field(default_factory=dict)
    """After which flag stands a file it writes, and what."""
    tokens: tuple[int, int] = (0, 0)
    """(0, 0): it does not tell."""
    cost_usd: float = 0.0
    model: str = ""
    stdin: bool = True
    system: str = "question"
    """Where the system prompt goes: argument, file, or above the question."""


_CODEX_OFF = (
    "hooks shell_tool unified_exec view_image image_generation multi_agent goals sleep_tool apps plugins "
    "skill_search tool_suggest"
)
_USAGE = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}
FORMS: dict[str, Form] = {
    "claude": Form(
        "-p --model haiku --output-format json --json-schema <schema> --tools <empty> --strict-mcp-config "
        "--disallowedTools mcp__* --no-session-persistence --disable-slash-commands "
        '--settings {"disableAllHooks":true} --system-prompt <system>',
        {
            "type": "result",
            "is_error": False,
            "result": "{answer}",
            "total_cost_usd": 0.02,
            "usage": _USAGE,
            "modelUsage": {"claude-haiku-5-5": {"inputTokens": 5, "cacheReadInputTokens": 7, "outputTokens": 3}},
        },
        {"type": "result", "is_error": True, "result": "Invalid API key · Please run /login"},
        tokens=(12, 3),
        cost_usd=0.02,
        model="claude-haiku-5-5",
        system="argument",
    ),
    "codex": Form(
        "exec --skip-git-repo-check --sandbox read-only --ephemeral --ignore-rules "
        + " ".join(f"-c features.{name}=false" for name in _CODEX_OFF.split())
        + ' -c web_search="disabled" -c project_doc_max_bytes=0 --output-schema <file> -o <file> --json -',
        [
            {"type": "thread.started", "thread_id": "01a1"},
            {"type": "turn.started"},
            {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": "{answer}"}},
            {"type": "turn.completed", "usage": {"input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 20}},
        ],
        [
            {"type": "thread.started", "thread_id": "01a1"},
            {"type": "error", "message": "unexpected status 401 Unauthorized"},
            {"type": "turn.failed", "error": {"message": "unexpected status 401 Unauthorized: Missing bearer"}},
        ],
        writes={"-o": "{answer}"},
        tokens=(1000, 20),
    ),
    "cursor": Form(
        "-p --output-format json --mode ask --trust <prompt>",
        {
            "type": "result",
            "is_error": False,
            "result": "{answer}",
            "session_id": "s",
            "usage": {"inputTokens": 40, "outputTokens": 6, "cacheReadTokens": 2},
        },
        "Error: Authentication required. Please run 'agent login' first.",
        tokens=(42, 6),
        stdin=False,
    ),
    "gemini": Form(
        "-o json --approval-mode plan -e none --allowed-mcp-server-names none",
        {
            "session_id": "d26b",
            "response": "{answer}",
            "stats": {"models": {"gemini-3.1-pro": {"tokens": {"prompt": 1000, "candidates": 20, "thoughts": 4}}}},
        },
        {"session_id": "d26b", "error": {"type": "Error", "message": "Please set an Auth method", "code": 41}},
        tokens=(1000, 24),
        model="gemini-3.1-pro",
        system="file",
    ),
    "hermes": Form(
        "-z <prompt> -t todo --usage-file <file>",
        "{answer}\n",
        "hermes -z: agent failed: no credentials for provider",
        writes={
            "--usage-file": {
                "input_tokens": 90,
                "cache_read_tokens": 10,
                "output_tokens": 7,
                "estimated_cost_usd": 0.003,
                "model": "hermes-4",
                "failed": False,
            }
        },
        tokens=(100, 7),
        cost_usd=0.003,
        model="hermes-4",
        stdin=False,
    ),
    "pi": Form(
        "-p --no-session --no-tools --no-extensions --no-skills --no-context-files --no-prompt-templates "
        "--system-prompt <system>",
        "{answer}\n",
        "No API key found for anthropic.\n\nUse /login to log into a provider.",
        system="argument",
    ),
    "opencode": Form(
        "run --pure --format json --agent hivemind --title hivemind",
        [
            {"type": "step_start", "part": {"type": "step-start"}},
            {"type": "text", "part": {"type": "text", "text": "{answer}"}},
            {
                "type": "step_finish",
                "part": {"tokens": {"input": 1000, "output": 20, "reasoning": 1, "cache": {"read": 2}}, "cost": 0.01},
            },
        ],
        [{"type": "error", "error": {"name": "ProviderAuthError", "data": {"message": "Unauthorized: no key"}}}],
        tokens=(1002, 21),
        cost_usd=0.01,
    ),
    "copilot": Form(
        "-s --no-ask-user --available-tools=none --disable-builtin-mcps --no-custom-instructions --no-remote "
        "--no-remote-export --no-auto-update --no-color",
        "{answer}\n",
        "Error: No authentication information found.",
    ),
    "openclaw": Form(
        "infer model run --local --prompt <prompt> --json",
        {"ok": True, "provider": "anthropic", "model": "small", "outputs": [{"text": "{answer}", "mediaUrl": None}]},
        {"ok": False, "error": "No API key found for provider anthropic"},
        model="anthropic/small",
        stdin=False,
    ),
}


def place(folder: Path, host: str, does: str) -> Path:
    """A program of the host's name in `folder` that runs the Python lines `does`."""
    folder.mkdir(exist_ok=True)
    path = folder / HEADLESS[host].program
    path.write_text(_PROGRAM.format(python=sys.executable, here=str(folder), does=does), encoding="utf-8")
    path.chmod(0o755)
    return path


def provider(path: Path, host: str, work: Path, *, model: str = "", timeout_s: float = 10.0) -> Headless:
    """The host's provider over the program at `path`."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(path.parent), "CLAUDECODE": "1", "LANG": "C.UTF-8"}
    return Headless(host, HEADLESS[host].command(str(path), model), env=env, work=work, timeout_s=timeout_s)


def answering(host: str, text: str = ANSWER) -> str:
    """What makes the program answer with `text`, in its own form."""
    form = FORMS[host]
    lines = [f"sys.stdout.write({_printed(form.prints, text)!r})"]
    for flag, content in form.writes.items():
        lines.append(f"open(argv[argv.index({flag!r}) + 1], 'w').write({_printed(content, text)!r})")
    return "\n".join(lines)


def refusing(host: str) -> str:
    """What makes the program say that nobody is signed in."""
    refused = FORMS[host].refused
    stream = "stderr" if isinstance(refused, str) else "stdout"
    return f"sys.{stream}.write({_printed(refused, '')!r})\nsys.exit(1)"


def seen(path: Path) -> dict[str, Any]:
    """How the program at `path` was called."""
    said: dict[str, Any] = ast.literal_eval((path.parent / "seen").read_text(encoding="utf-8"))
    return said


def _printed(value: Any, text: str) -> str:
    if isinstance(value, str):
        return value.replace("{answer}", text)
    if isinstance(value, list):
        return "".join(f"{_printed(line, text)}\n" for line in value)
    return json.dumps(_filled(value, text), ensure_ascii=False)


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, text) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, text) for part in value]
    return value.replace("{answer}", text) if isinstance(value, str) else value
