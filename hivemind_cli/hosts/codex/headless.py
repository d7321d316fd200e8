"""`codex exec`: one question on the person's Codex login and model, in a read-only sandbox, without hooks or history.

Source: `codex exec --help` and runs of 0.169.0. Never `--ignore-user-config`: it drops the person's model and provider.
"""

from hivemind_cli.core.headless import (
    ANSWER_FILE,
    SCHEMA_FILE,
    HeadlessCommand,
    Said,
    dig,
    json_lines,
    number,
)


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
            "-c",
            "features.hooks=false",
            "--output-schema",
            SCHEMA_FILE,
            "-o",
            ANSWER_FILE,
            "--json",
            "-",
        ),
        read=_read,
        env_drop=("CODEX_*",),
        env_keep=("CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_CA_CERTIFICATE"),
        model=model,
        sign_in="codex login",
    )


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
