"""Native keys that a hook and a session file can both make of what was said."""

import hashlib


def digest(text: str) -> str:
    """16 hexadecimal digits of the text's sha256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def prompt_key(prompt_id: str, text: str) -> str:
    """A prompt's native key, still without its count. `prompt_id`: of prompt or turn; "" where hooks know none."""
    return f"{prompt_id}:{digest(text)}:"


def reply_key(prompt_id: str, text: str) -> str:
    """A reply's native key; `text` is stripped first, for hook and transcript differ in the last newline."""
    return f"reply:{prompt_id}:{digest(text.strip())}"
