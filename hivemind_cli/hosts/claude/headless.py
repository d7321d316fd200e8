"""`claude -p`: one question on the person's own Claude Code login, with tools, MCP, hooks and history off.

Source: code.claude.com/docs cli-reference, headless and env-vars, read 2026-08-22; Claude Code 2.1.329.
Never `--bare`: it ignores the subscription's login.
"""

import json

from hivemind_cli.core.headless import NO_MENTIONS, SCHEMA, SYSTEM, HeadlessCommand, Said, json_object, number

MODEL = "haiku"
"""Claude Code's own alias for its newest small model."""


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
        model=model,
        sign_in="claude /login",
    )


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
