"""Options that the commands of `hivemind skillify` have in common."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
Name = Annotated[str, typer.Argument(help="A skill's name.")]
