"""hivemind: coding agents that do not repeat a corrected mistake.

Public names are resolved when first used, so that importing the package costs nothing.
"""

__version__ = "0.1.0"
