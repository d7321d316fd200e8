"""What of a skill, memo or text is embedded: its parts, each with its role."""

import hashlib
from collections.abc import Iterator

from hivemind_cli.index.base import Document, Text

TRIGGER, TASK, BODY = "trigger", "task", "body"


def of_document(document: Document) -> Iterator[tuple[str, str]]:
    """(part, text) of a skill or memo."""
    if document.trigger:
        yield TRIGGER, f"{document.name.replace('-', ' ')}. {document.trigger}"
    for task in document.tasks:
        yield TASK, task
    yield BODY, document.rule or document.text


def of_text(text: Text) -> Iterator[tuple[str, str]]:
    """(part, text) of what can be searched."""
    yield BODY, f"{text.title}\n{text.text}" if text.title else text.text


def digest(part: str, text: str) -> str:
    """Tells whether a part's text is still the one that was embedded."""
    return hashlib.sha256(f"{part}\0{text}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
