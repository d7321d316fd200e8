"""`python -m hivemind_cli` is the `hivemind` command."""

from hivemind_cli.cli import main

if __name__ == "__main__":
    main()
