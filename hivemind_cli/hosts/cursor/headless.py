"""`cursor-agent -p`: one question on the person's own login, read-only."""

from hivemind_cli.core.headless import NO_MENTIONS, PROMPT, HeadlessCommand, Said, json_object, number


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `cursor-agent` at path `program`. From its documentation and other people's runs; not run by us.

    It knows no way to switch its hooks off: what keeps our own out is the guard in the child's environment, and the
    folder it runs in. --trust is about that folder, which is ours and empty.
    """
    return HeadlessCommand(
        argv=(
            program,
            *("-p", "--output-format", "json", "--mode", "ask", "--trust"),
            *(("--model", model) if model else ()),
            PROMPT,
        ),
        stdin="",
        read=_read_headless,
        escape=NO_MENTIONS,
        env_drop=("CURSOR_*",),
        env_keep=("CURSOR_API_KEY", "CURSOR_CONFIG_DIR"),
        model=model,
        sign_in="cursor-agent login",
    )


def _read_headless(stdout: str) -> Said:
    """One object: result, is_error, usage."""
    said = json_object(stdout)
    usage = said.get("usage")
    return Said(
        answer=said.get("result"),
        failed=str(said.get("result") or "it failed") if said.get("is_error") else "",
        tokens_in=int(number(usage, "inputTokens", "cacheReadTokens", "cacheWriteTokens")),
        tokens_out=int(number(usage, "outputTokens")),
    )
