"""Files we ship beside the code: the hook, and the templates people read.

A wheel carries them inside the package, a checkout beside it; both places are looked at, in that order.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def asset(folder: str, name: str) -> Path:
    """The path of `folder/name`, e.g. asset("hooks", "hivemind_hook.py"). FileNotFoundError: a broken install."""
    for root in (_PACKAGE / f"_{folder}", _PACKAGE.parent / folder):
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(f"{folder}/{name} is not part of this installation; reinstall hivemind-loop")
