"""hivemind: coding agents that do not repeat a corrected mistake.

Public names are resolved when first used (PEP 562), so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivemind_cli import memory
    from hivemind_cli.app import Hivemind
    from hivemind_cli.core.config import Config
    from hivemind_cli.llm import Scripted
    from hivemind_cli.memory import connect
    from hivemind_cli.storage.inmemory import InMemoryStore

__all__ = ["Config", "Hivemind", "InMemoryStore", "Scripted", "__version__", "connect", "memory"]

__version__ = "0.1.0"
_HOMES = {
    "Config": "hivemind_cli.core.config",
    "Hivemind": "hivemind_cli.app",
    "InMemoryStore": "hivemind_cli.storage.inmemory",
    "Scripted": "hivemind_cli.llm",
    "connect": "hivemind_cli.memory",
    "memory": "hivemind_cli.memory",
}
"""Public name -> the module that has it, or that it is."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_HOMES[name])
    value: object = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
