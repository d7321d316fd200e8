"""`codex exec`: one question on the person's Codex login and model, in a read-only sandbox, without hooks or history.

Source: `codex exec --help` and runs of 0.169.0. Never `--ignore-user-config`: it drops the person's model and provider.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hivemind_cli.core.headless import (
    ANSWER_FILE,
    SCHEMA_FILE,
    SWITCHES,
    HeadlessCommand,
    Said,
    dig,
    json_lines,
    number,
)

_FEATURES = (
    *("hooks", "shell_tool", "unified_exec", "view_image", "image_generation", "multi_agent", "goals", "sleep_tool"),
    *("apps", "plugins", "skill_search", "tool_suggest"),
)
"""What a question needs nothing of; a version that does not know one of them goes on."""
_SETTINGS = ('web_search="disabled"', "project_doc_max_bytes=0")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `codex` at path `program`; `model` "" is the person's own choice."""
    return HeadlessCommand(
        argv=(
            program,
            "exec",
            *(("-m", model) if model else ()),
            "--skip-git-repo-check",
            "--sandbox",
            "read-only",
            "--ephemeral",
            "--ignore-rules",
            *(word for feature in _FEATURES for word in ("-c", f"features.{feature}=false")),
            *(word for setting in _SETTINGS for word in ("-c", setting)),
            SWITCHES,
            "--output-schema",
            SCHEMA_FILE,
            "-o",
            ANSWER_FILE,
            "--json",
            "-",
        ),
        read=_read,
        switches=_without_servers,
        env_drop=("CODEX_*",),
        env_keep=("CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_CA_CERTIFICATE"),
        model=model,
        sign_in="codex login",
    )


def _without_servers(env: Mapping[str, str]) -> tuple[str, ...]:
    """Each of the person's MCP servers by its name: an empty table on the command line leaves theirs as it is."""
    folder = Path(env.get("CODEX_HOME") or Path(env.get("HOME", "/"), ".codex"))
    try:
        servers = tomllib.loads((folder / "config.toml").read_text("utf-8")).get("mcp_servers", {})
    except (OSError, ValueError):
        return ()
    named = [name for name in servers if _PLAIN.fullmatch(name)] if isinstance(servers, dict) else []
    return tuple(word for name in named for word in ("-c", f"mcp_servers.{name}.enabled=false"))


def _read(stdout: str) -> Said:
    """JSON lines of what happened: the last agent_message is the answer, turn.completed has the usage."""
    answer, failed, tokens_in, tokens_out = None, "", 0, 0
    for line in json_lines(stdout):
        kind = line.get("type")
        if kind == "item.completed" and dig(line, "item.type") == "agent_message":
            answer = str(dig(line, "item.text") or "")
        elif kind == "turn.completed":
            tokens_in += int(number(line, "usage.input_tokens"))
            tokens_out += int(number(line, "usage.output_tokens"))
        elif kind == "turn.failed":
            failed = str(dig(line, "error.message") or "the turn failed")
    return Said(answer=answer, failed=failed, tokens_in=tokens_in, tokens_out=tokens_out)
