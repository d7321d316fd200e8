"""The command line: parse, call the app, print. One file per command."""


def main() -> None:
    """Run the `hivemind` command."""
    raise SystemExit("not built yet")
