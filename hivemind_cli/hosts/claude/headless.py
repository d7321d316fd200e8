"""`claude -p`: one question on the person's own Claude Code login, with tools, MCP, hooks and history off.

Source: code.claude.com/docs cli-reference, headless and env-vars, read 2026-08-22; Claude Code 2.1.329.
Never `--bare`: it ignores the subscription's login.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hivemind_cli.core.headless import NO_MENTIONS, SCHEMA, SYSTEM, HeadlessCommand, Said, json_object, number

MODEL = "haiku"
"""Claude Code's own alias for its newest small model."""
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_ACCOUNT = "oauthAccount"
"""In its state, while somebody is signed in; where the token itself is depends on the system."""


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `claude` at path `program`; `model` is an alias or a full name, "" the small one."""
    model = model or MODEL
    return HeadlessCommand(
        argv=(
            program,
            "-p",
            "--model",
            model,
            "--output-format",
            "json",
            "--json-schema",
            SCHEMA,
            "--tools",
            "",
            "--strict-mcp-config",
            "--disallowedTools",
            "mcp__*",
            "--no-session-persistence",
            "--disable-slash-commands",
            "--settings",
            json.dumps({"disableAllHooks": True}, separators=(",", ":")),
            "--system-prompt",
            SYSTEM,
        ),
        read=_read,
        escape=NO_MENTIONS,
        env={
            "CLAUDE_CODE_SKIP_PROMPT_HISTORY": "1",
            # Trying again has one place, and it is not there: left to itself it tries for minutes.
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "MAX_STRUCTURED_OUTPUT_RETRIES": "2",
        },
        # The marks of a session around us would make the child think it is a part of it.
        env_drop=(
            "CLAUDECODE",
            "CLAUDE_CODE_*",
            "CLAUDE_PID",
            "CLAUDE_PROJECT_DIR",
            "CLAUDE_ENV_FILE",
            "CLAUDE_EFFORT",
        ),
        env_keep=(
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH",
            "CLAUDE_CODE_CLIENT_CERT",
            "CLAUDE_CODE_CLIENT_KEY",
            "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "CLAUDE_CODE_TMPDIR",
        ),
        env_drop_more=_keys,
        model=model,
        sign_in="claude /login",
    )


def _keys(env: Mapping[str, str]) -> tuple[str, ...]:
    """With -p it takes a key in the environment before the subscription the person signed in to.

    With another address the key belongs to that, and the subscription does not.
    """
    return _KEYS if _signed_in(env) and not env.get("ANTHROPIC_BASE_URL") else ()


def _signed_in(env: Mapping[str, str]) -> bool:
    home, own = env.get("HOME", "/"), env.get("CLAUDE_CONFIG_DIR")
    login = _document(Path(own or f"{home}/.claude", ".credentials.json")).get("claudeAiOauth")
    return bool(
        env.get("CLAUDE_CODE_OAUTH_TOKEN") or login or _document(Path(own or home, ".claude.json")).get(_ACCOUNT)
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        return json_object(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def _read(stdout: str) -> Said:
    """One object: `type` result, the structured answer beside the text, usage and price."""
    said = json_object(stdout)
    answer, models = said.get("structured_output"), said.get("modelUsage")
    used = list(models.values()) if isinstance(models, dict) else []  # told of failed runs, too, unlike `usage`
    tokens_in = sum(number(one, "inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens") for one in used)
    usage = ("usage.input_tokens", "usage.cache_creation_input_tokens", "usage.cache_read_input_tokens")
    return Said(
        answer=said.get("result") or None if answer in (None, "") else answer,
        failed=str(said.get("result") or said.get("subtype") or "it failed") if said.get("is_error") else "",
        model=", ".join(models) if isinstance(models, dict) else "",
        tokens_in=int(max(tokens_in, number(said, *usage))),
        tokens_out=int(max(sum(number(one, "outputTokens") for one in used), number(said, "usage.output_tokens"))),
        cost_usd=number(said, "total_cost_usd"),
    )
