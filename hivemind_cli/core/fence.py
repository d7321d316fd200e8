"""The fence around everything we say to an agent, so that it, and we, can tell our words from a person's."""

import re

OPEN = "<hivemind-recall>"
CLOSE = "</hivemind-recall>"
LEAD = "Recorded by hivemind from corrections people made in earlier work here:"
_FENCED = re.compile(r"<hivemind-recall>.*?(?:</hivemind-recall>|\Z)", re.DOTALL)
_TAG = re.compile(r"</?hivemind-recall>", re.IGNORECASE)


def fenced(parts: list[str]) -> str:
    """The block that reaches the agent: one fence, our label, then the parts."""
    inside = "\n\n".join(_untagged(part).strip() for part in parts)
    return f"{OPEN}\n{LEAD}\n\n{inside}\n{CLOSE}"


def _untagged(text: str) -> str:
    """Without any tag of ours, also one that taking out another would put together."""
    while (bare := _TAG.sub("", text)) != text:
        text = bare
    return text


def unfenced(text: str) -> str:
    """`text` without any block of ours: what we said is never taken for a person's words."""
    return _FENCED.sub("", text).strip() if OPEN in text else text
