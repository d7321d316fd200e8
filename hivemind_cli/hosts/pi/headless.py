"""`pi -p`: one question, with tools, extensions, skills and history off."""

from hivemind_cli.core.headless import SYSTEM, HeadlessCommand, plain_text


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `pi` at path `program`. Source: its documentation of 1.5.2, and runs of 0.73.1.

    Without extensions there is no MCP either; versions that have none of their own refuse to start with --no-mcp.
    Its JSON mode tells the tokens, but repeats the whole answer with every piece of it.
    """
    return HeadlessCommand(
        argv=(
            program,
            *("-p", "--no-session", "--no-tools", "--no-extensions", "--no-skills"),
            *("--no-context-files", "--no-prompt-templates"),
            *(("--model", model) if model else ()),
            *("--system-prompt", SYSTEM),
        ),
        read=plain_text,
        env_drop=("PI_CODING_AGENT",),
        model=model,
        sign_in="pi, then /login",
    )
