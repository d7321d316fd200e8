"""`copilot -s`: one question on the person's own login, with no tool for the model."""

from hivemind_cli.core.headless import NO_MENTIONS, HeadlessCommand, plain_text


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `copilot` at path `program`. Source: `copilot --help` and runs of 1.0.102.

    No tool exists for the model, so that nothing needs an approval. It knows no way to switch hooks or its history
    off: our own hooks are kept out by the guard in its environment, and its sessions by the folder they stand in.
    """
    return HeadlessCommand(
        argv=(
            program,
            *("-s", "--no-ask-user", "--available-tools=none", "--disable-builtin-mcps", "--no-custom-instructions"),
            *("--no-remote", "--no-remote-export", "--no-auto-update", "--no-color"),
            *((f"--model={model}",) if model else ()),
        ),
        read=plain_text,
        escape=NO_MENTIONS,
        env_drop=("COPILOT_CLI", "COPILOT_ALLOW_ALL", "COPILOT_AGENT_SESSION_ID", "COPILOT_ASSISTED_APPROVAL"),
        model=model,
        sign_in="copilot login",
    )
