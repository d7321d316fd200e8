"""recurrence_key: the same mistake in other words has the key of the nearest earlier one; another mistake never has.

    correction ─▶ earlier ones that share a telling term ─▶ near enough, and not the opposite? ─▶ its key
                                                           └─ no ─▶ a new key, of its own act and words

A key is a digest: a person may prune the session whose words first made it.
"""

import logging
import math
import re
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from hivemind_cli.core.acts import Act, command_heads
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.records import Correction, CorrectionKind
from hivemind_cli.pipeline.detect.errors import error_lines
from hivemind_cli.pipeline.detect.nearness import JOIN_MIN, Entry, nearness, opposite
from hivemind_cli.pipeline.wording import forget_wordings
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hivemind_cli.embedding.base import Embedder

logger = logging.getLogger(__name__)

BOOK_MAX = 3000
"""Corrections of a workspace that a new one is compared with, the newest."""
CANDIDATES_MAX = 64
"""Of those that share terms, the most: what shares less is not near."""
AROUND_MAX = 48
"""Of each: those that share terms, those of the same act, those of the same project."""
VECTORS_MAX = 4096
EMBEDDED_TOKENS = 64
RARITY_MIN = 0.3
RARITY_MISTAKES_MIN = 10
"""With fewer different mistakes no term is known to be common."""
KEY_CHARS = 20
KEY_TERMS = 8
_ERRORS = (CorrectionKind.TOOL_RETRY, CorrectionKind.RED_AFTER_DONE)
"""What an error tells, not words."""
_NAMED = re.compile(r"'[^'\n]{1,200}'|\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`")
_TYPED = re.compile(r"^[\w.]*(?:error|exception|panic)\b", re.IGNORECASE)


class Keys:
    """Gives recurrence keys. Remembers what one store's corrections say; safe to share between threads.

    With an `embedder` the meaning of the words counts, too; one that fails is done without.
    """

    def __init__(self, embedder: "Embedder | None" = None) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._read_to = 0
        self._books: defaultdict[str, _Book] = defaultdict(_Book)
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def give(self, corrections: Sequence[Correction], store: Store) -> list[Correction]:
        """`corrections` in their order, each with its key. One that is stored already keeps the key it has there."""
        given: list[Correction] = []
        if not corrections:
            return given
        with self._lock:
            self._refresh(store)
            fresh: set[str] = set()
            try:
                for one in corrections:
                    book = self._books[one.workspace_id]
                    known = book.key_of(one.id)
                    given.append(replace(one, recurrence_key=known or self._key(one, book, fresh, store)))
                    if not known:
                        fresh.add(one.id)
                        book.put(given[-1])
            finally:  # they are not stored yet, and may never be; what is stored is read again
                for one in given:
                    if one.id in fresh:
                        self._books[one.workspace_id].drop(one.id)
        return given

    def forget(self) -> None:
        """Remember nothing: what stands in the store is read again. After a prune no word of it is left here."""
        with self._lock:
            self._store, self._read_to = None, 0
            self._books.clear()
            self._vectors.clear()
            forget_wordings()

    def _refresh(self, store: Store) -> None:
        if self._store is not store:
            self._store, self._read_to = store, 0
            self._books.clear()
        if self._read_to:
            rows = store.find(Correction, after=self._read_to)
        else:
            rows = store.find(Correction, newest_first=True, limit=BOOK_MAX)[::-1]
        for row in rows:
            self._books[row.record.workspace_id].put(row.record)
            self._read_to = max(self._read_to, row.seq)

    def _key(self, one: Correction, book: "_Book", fresh: set[str], store: Store) -> str:
        if one.kind in _ERRORS:
            return error_key(one)
        entry = Entry.of(one)
        while found := self._nearest(entry, book):
            if found.id in fresh or store.find(Correction, id=found.id, limit=1):
                return found.recurrence_key
            book.drop(found.id)  # it was pruned
        return _new_key(entry, book)

    def _nearest(self, entry: Entry, book: "_Book") -> Correction | None:
        """The nearest earlier correction of the same mistake."""
        others = book.sharing(entry) if self._embedder is None else book.around(entry)
        cosines = self._cosines(entry, others)
        rarity = cache(book.rarity)
        scored = [
            (nearness(entry, other, rarity, cosine), other) for other, cosine in zip(others, cosines, strict=True)
        ]
        near = sorted((one for one in scored if one[0] >= JOIN_MIN), key=lambda one: (-one[0], one[1].correction.id))
        for _, other in near:
            if not any(opposite(entry, member) for member in book.of_key(other.correction.recurrence_key)):
                return other.correction
        return None

    def _cosines(self, entry: Entry, others: Sequence[Entry]) -> list[float | None]:
        """Of the person's words; None without a model, or where nothing was said."""
        if self._embedder is None or not entry.said or not others:
            return [None] * len(others)
        try:
            self._embed([entry.said, *(other.said for other in others)])
        except ModelError as exc:  # keys are never the reason why a correction is lost
            logger.warning("recurrence goes by words only: %s", exc)
            return [None] * len(others)
        own = self._vectors[entry.said]
        return [float(own @ self._vectors[other.said]) if other.said else None for other in others]

    def _embed(self, texts: Iterable[str]) -> None:
        assert self._embedder is not None
        wanted = list(dict.fromkeys(text for text in texts if text))
        unknown = [text for text in wanted if text not in self._vectors]
        if unknown:
            vectors = self._embedder.embed(unknown, tokens_max=EMBEDDED_TOKENS)
            self._vectors.update(zip(unknown, vectors, strict=True))
        for text in wanted:
            self._vectors.move_to_end(text)
        while len(self._vectors) > max(VECTORS_MAX, len(wanted)):
            self._vectors.popitem(last=False)


class _Book:
    """Corrections of a workspace, by their telling terms and by their keys."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._pages: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._keys: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._acts: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By project, and by act."""
        self._holding: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Term -> how often it stands in each mistake (key): asked for every pair that is compared."""

    def key_of(self, correction_id: str) -> str:
        """ "" if the correction does not stand here."""
        entry = self._entries.get(correction_id)
        return entry.correction.recurrence_key if entry else ""

    def of_key(self, key: str) -> list[Entry]:
        return [self._entries[one] for one in self._keys.get(key, ())]

    def put(self, correction: Correction) -> None:
        if correction.id in self._entries or correction.kind in _ERRORS:
            return
        entry = self._entries[correction.id] = Entry.of(correction)
        self._keys[correction.recurrence_key][correction.id] = None
        for term in entry.words.terms:
            self._pages[term][correction.id] = None
            self._holding[term][correction.recurrence_key] += 1
        for place in _places(entry):
            self._acts[place][correction.id] = None
        while len(self._entries) > BOOK_MAX:
            self.drop(next(iter(self._entries)))

    def drop(self, correction_id: str) -> None:
        entry = self._entries.pop(correction_id, None)
        if entry is None:
            return
        places = [
            (self._keys, entry.correction.recurrence_key),
            *((self._pages, term) for term in entry.words.terms),
            *((self._acts, place) for place in _places(entry)),
        ]
        for term in entry.words.terms:
            held = self._holding[term]
            held[entry.correction.recurrence_key] -= 1
            if held[entry.correction.recurrence_key] <= 0:
                del held[entry.correction.recurrence_key]
            if not held:
                del self._holding[term]
        for pages, name in places:
            pages[name].pop(correction_id, None)
            if not pages[name]:
                del pages[name]

    def sharing(self, entry: Entry) -> list[Entry]:
        """Those that share telling terms with `entry`, what shares most first."""
        weights: defaultdict[str, float] = defaultdict(float)
        for term, weight in entry.words.terms.items():
            for one in self._pages.get(term, ()):
                weights[one] += weight
        best = sorted(weights, key=lambda one: (-weights[one], one))[:CANDIDATES_MAX]
        return [self._entries[one] for one in best]

    def around(self, entry: Entry) -> list[Entry]:
        """As `sharing`, fewer, and the newest of the same act or project, whatever their words."""
        found = {other.correction.id: other for other in self.sharing(entry)[:AROUND_MAX]}
        for place in _places(entry):
            for one in islice(reversed(self._acts.get(place, {})), AROUND_MAX):
                found.setdefault(one, self._entries[one])
        return list(found.values())

    def rarity(self, term: str) -> float:
        """RARITY_MIN for what stands in most mistakes, 1 for what stands in none or one."""
        mistakes = len(self._keys)
        if mistakes < RARITY_MISTAKES_MIN:
            return 1.0
        holding = len(self._holding.get(term, ()))
        return max(RARITY_MIN, min(1.0, 1.0 - math.log(max(holding, 1)) / math.log(mistakes + 1)))


def _places(entry: Entry) -> tuple[str, ...]:
    act = entry.act.signature if entry.act else ""
    return (f"project {entry.correction.project_id}", f"act {act}")


def error_key(correction: Correction) -> str:
    """Of an error and what then worked, or of a check that failed after a done: the command's head and the error."""
    if correction.kind is CorrectionKind.TOOL_RETRY:
        return _digest("retry", Act.of(correction.act).signature, error_class(correction.before.partition("\n")[2]))
    ran = _NAMED.search(correction.cause)
    heads = command_heads(ran[0].strip("`'\"")) if ran else ()
    return _digest("lesson", "red after done", " ".join(heads[:1]), error_class(correction.after))


def error_class(error: str) -> str:
    """An error's line that names its type, else its first telling line, without what differs from time to time."""
    lines = [_NAMED.sub("''", line) for line in error_lines(error).splitlines()]
    return next((line for line in reversed(lines) if _TYPED.match(line)), lines[0] if lines else "").casefold()


def _new_key(entry: Entry, book: _Book) -> str:
    words = entry.words
    act = entry.act.signature if entry.act else ""
    if not words.terms and entry.correction.kind is not CorrectionKind.REJECTED:
        return _digest("lesson", act, entry.correction.id)
    telling = sorted(words.terms, key=lambda term: (-words.terms[term], term))[:KEY_TERMS]
    key = _digest("lesson", act, " ".join(sorted(telling)), " ".join(sorted(words.unwanted)))
    if words.terms and book.of_key(key):  # the same terms, but kept apart
        return _digest("lesson", act, entry.correction.id)
    return key


def _digest(kind: str, *parts: str) -> str:
    digest = sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}|{digest[:KEY_CHARS]}"
