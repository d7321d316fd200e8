"""`gemini -p`: one question on the person's own login, with tools, hooks and memory files off."""

import json

from hivemind_cli.core.headless import NO_MENTIONS, SYSTEM_FILE, HeadlessCommand, Said, dig, json_object, number
from hivemind_cli.hosts import values

_NO_HELP = json.dumps({"hooksConfig": {"enabled": False}, "tools": {"core": []}, "context": {"fileName": []}})
"""Settings of the folder a headless run stands in: no hooks, no tools, no memory files."""


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `gemini` at path `program`. Source: its published code, and runs of 0.61.0.

    It acts on `@path` in a question and attaches the file: the sign is therefore written as JSON's escape.
    """
    return HeadlessCommand(
        argv=(
            program,
            *(("-m", model) if model else ()),
            *("-o", "json", "--approval-mode", "plan", "-e", "none", "--allowed-mcp-server-names", "none"),
        ),
        read=_read_headless,
        escape=NO_MENTIONS,
        settings={".gemini/settings.json": _NO_HELP},
        env={"GEMINI_SYSTEM_MD": SYSTEM_FILE, "GEMINI_CLI_TRUST_WORKSPACE": "true"},
        env_drop=("GEMINI_CLI", "GEMINI_SESSION_ID", "GEMINI_PROJECT_DIR", "GEMINI_CWD", "GEMINI_WRITE_SYSTEM_MD"),
        model=model,
        sign_in="gemini",
    )


def _read_headless(stdout: str) -> Said:
    """One object: response, stats by model, or error. Warnings may stand before it."""
    said = json_object(stdout[max(stdout.find("{"), 0) :])
    models = values.mapping(dig(said, "stats.models"))
    return Said(
        answer=said.get("response"),
        failed=str(dig(said, "error.message") or "it failed") if said.get("error") else "",
        model=", ".join(models),
        tokens_in=int(sum(number(used, "tokens.prompt") for used in models.values())),
        tokens_out=int(sum(number(used, "tokens.candidates", "tokens.thoughts") for used in models.values())),
    )
