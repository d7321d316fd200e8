"""What of a skill, memo or text is embedded: its parts, each with its role."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from hivemind_cli.index import occasions
from hivemind_cli.index.base import Document, Text

TRIGGER, TASK, BODY = "trigger", "task", "body"
"""When it applies; under which prompt the mistake happened; what it says."""
CHUNK_CHARS = 800
"""About 200 word pieces, which a model of 256 reads whole."""
CHUNKS_MAX = 2
"""Of a body. More cost as much each and ranked no better (tests/measure/fit_recall.py, with 0, 3, 4, 6 and 12)."""
TASKS_MAX = 8
TEXT_CHUNK_CHARS, TEXT_CHUNKS_MAX, TEXT_HEAD_CHARS = 1000, 3, 120
"""Of what can be searched: a log says at its end what went wrong, and a piece says under which head it stands."""
TEXT_PIECES_MAX = 100


def of_document(document: Document) -> Iterator[tuple[str, str]]:
    """(part, text) of a skill or memo; at most 1 + TASKS_MAX + CHUNKS_MAX of them, none blank."""
    if document.kind == "memo":  # its name is the person's words and its trigger the task's own: never one text
        document = replace(document, name="", trigger="", tasks=(document.trigger, *document.tasks))
    when, _ = occasions.of_description(document.trigger)
    name = document.name.replace("-", " ").strip()
    if document.trigger or not document.tasks:
        text = f"{name}. {when}" if name and when else name or when
        if text.strip():
            yield TRIGGER, text
    for task in document.tasks[:TASKS_MAX]:
        if task.strip():
            yield TASK, task
    body = document.rule or occasions.of_body(document.text)
    for chunk in chunks(body, chars=CHUNK_CHARS, limit=CHUNKS_MAX):
        yield BODY, chunk


def of_text(text: Text) -> Iterator[tuple[str, str]]:
    """(part, text) of what can be searched; of a long one its first pieces and its last, each under its head."""
    whole = f"{text.title}\n{text.text}" if text.title else text.text
    pieces = chunks(whole, chars=TEXT_CHUNK_CHARS, limit=TEXT_PIECES_MAX)
    head = whole.lstrip().partition("\n")[0][:TEXT_HEAD_CHARS]
    kept = pieces if len(pieces) <= TEXT_CHUNKS_MAX else [*pieces[: TEXT_CHUNKS_MAX - 1], pieces[-1]]
    for number, piece in enumerate(kept):
        yield BODY, f"{head}\n{piece}" if number else piece


def chunks(text: str, *, chars: int, limit: int) -> list[str]:
    """The first `limit` pieces of `text` of at most `chars` characters, cut between lines where that can be."""
    found: list[str] = []
    piece = ""
    for line in text.split("\n"):
        line = line.strip()
        while line:
            room = chars - len(piece) - 1 if piece else chars
            if len(line) <= room:
                piece, line = f"{piece}\n{line}" if piece else line, ""
            elif piece:
                found.append(piece)
                piece = ""
            else:
                piece, line = line[:chars], line[chars:]
            if len(found) == limit:
                return found
    return [*found, piece] if piece else found


def digest(part: str, text: str) -> str:
    """Tells whether a part's text is still the one that was embedded."""
    return hashlib.sha256(f"{part}\0{text}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
