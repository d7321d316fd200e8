"""Answers that were paid, until what came of them is stored: whoever is killed in between does not ask again.

A file an answer, named by what was asked and whom, with its receipt, in a folder of the owner's alone. Gone once the
batch that asked has ended, once a session is forgotten (all of them: an answer may quote any), and after a day. What
failed is not kept: it is asked again, and rests as the receipts say.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.schema import checked

logger = logging.getLogger(__name__)

PURPOSES = ("codify", "check")
"""Of requests whose answers are kept."""
ANSWERS_MAX = 400
"""A batch of 200 corrections asks at most twice for each."""
ANSWER_BYTES_MAX = 64 << 10
"""The longest answer that is asked for has some 8 KB."""
AGE_S_MAX = 86_400


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, its secrets replaced, and the receipt of its call: whoever died may not have stored it."""

    reply: Reply
    receipt: LLMCall


class Answers:
    """The answers in `folder`. Outside a `batch` none is kept or found."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._used: set[Path] | None = None
        """Files that the batch under way wrote or read; None: there is none, or a session was forgotten since."""

    def __repr__(self) -> str:
        return f"Answers({str(self._folder)!r})"

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While answers are asked for and what comes of them is stored. One at a time.

        What it used goes at its end; if it fails it stays, for the next try.
        """
        self.sweep()
        with self._lock:
            self._used = set()
        try:
            yield
            with self._lock:
                _unlink(*self._used or ())
        finally:
            with self._lock:
                self._used = None

    def find(self, request: Request, asked: str) -> Kept | None:
        """What `asked` (provider and model) answered to `request` in a batch that never ended."""
        path = self._path(request, asked)
        with self._lock:
            if self._used is None or request.purpose not in PURPOSES:
                return None
            try:
                kept = _read(path, request)
            except FileNotFoundError:
                return None
            except (OSError, ValueError, TypeError, KeyError, ProviderError):
                logger.info("a kept answer cannot be read; it is asked for again")
                _unlink(path)
                return None
            self._used.add(path)
        return kept

    def keep(self, request: Request, asked: str, kept: Kept) -> None:
        """As long as the batch goes on, or was broken off."""
        from hivemind_cli.core import redact  # dear (it compiles its patterns): not for commands that read receipts

        written = json.dumps(
            {
                "reply": {**asdict(kept.reply), "value": redact.tree(kept.reply.value)},
                "receipt": {**asdict(kept.receipt), "occurred_at": kept.receipt.occurred_at.isoformat()},
            }
        ).encode("ascii")
        path = self._path(request, asked)
        with self._lock:
            if self._used is None or request.purpose not in PURPOSES or len(written) > ANSWER_BYTES_MAX:
                return
            self._used.add(path)
            try:
                self._make_room()
                _write(path, written)
            except OSError:
                logger.warning("an answer could not be kept in %s", self._folder, exc_info=True)

    def sweep(self) -> None:
        """Delete what is too old, or was never finished."""
        with self._lock, suppress(OSError):
            old = time.time() - AGE_S_MAX
            _unlink(*(path for path in self._files() if path.suffix != ".json" or path.stat().st_mtime < old))

    def forget(self) -> None:
        """All of them, and those still to come of the batch under way: it may have read what is forgotten."""
        with self._lock:
            self._used = None
            _unlink(*self._files())
            if self._files():
                logger.warning("answers in %s cannot be deleted: please delete them", self._folder)

    def _path(self, request: Request, asked: str) -> Path:
        schema = json.dumps(request.schema, sort_keys=True)
        question = (asked, request.purpose, request.system, request.prompt, schema, str(request.tokens_max))
        digest = hashlib.sha256("\x1f".join(question).encode("utf-8", "surrogatepass"))
        return self._folder / f"{digest.hexdigest()}.json"

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:
            return []

    def _make_room(self) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        files = self._files()
        if len(files) >= ANSWERS_MAX:
            files.sort(key=lambda path: path.stat().st_mtime)
            _unlink(*files[: len(files) - ANSWERS_MAX + 1])


def _read(path: Path, request: Request) -> Kept:
    told = json.loads(path.read_bytes())
    reply = Reply(**told["reply"])
    checked(reply.value, request.schema)
    occurred_at = datetime.fromisoformat(told["receipt"]["occurred_at"])
    return Kept(reply, LLMCall(**{**told["receipt"], "occurred_at": occurred_at}))


def _write(path: Path, data: bytes) -> None:
    """Aside, then in place: it is there whole or not at all."""
    aside = path.with_suffix(".aside")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:
        file.write(data)
    aside.replace(path)


def _unlink(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
