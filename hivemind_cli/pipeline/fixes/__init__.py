"""What fixed an error here before: derived from stored events when it is asked for, and stored nowhere.

an error's event ─▶ what came after it in its session ─▶ the same job without the error ─▶ what was done in between
"""

from hivemind_cli.pipeline.fixes.likeness import LIKE_MIN, SAME_MIN, Signature
from hivemind_cli.pipeline.fixes.walk import ERROR_KINDS, HOW, Fix, Seen, Step, end_of, seen

__all__ = ["ERROR_KINDS", "HOW", "LIKE_MIN", "SAME_MIN", "Fix", "Seen", "Signature", "Step", "end_of", "seen"]
