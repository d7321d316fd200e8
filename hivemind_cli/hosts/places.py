"""Where a session's lines and edits stand, to tell what a rewind took back."""

from collections import OrderedDict, deque

_PLACES_MAX = 20_000
_EDITS_MAX = 1_000


class Places:
    """Counts the named places of a session as they come, and which edits were made behind each. Bounded."""

    def __init__(self) -> None:
        self._here = 0
        self._places: OrderedDict[str, int] = OrderedDict()
        self._edits: deque[tuple[int, str]] = deque(maxlen=_EDITS_MAX)

    def note(self, name: str) -> None:
        """The session has come to `name`; one it came to before keeps its place."""
        if name and name not in self._places:
            self._here += 1
            self._places[name] = self._here
            if len(self._places) > _PLACES_MAX:
                self._places.popitem(last=False)

    def edited(self, call_id: str) -> None:
        """An edit of the agent stands now."""
        self._edits.append((self._here, call_id))

    def back_to(self, name: str) -> list[str]:
        """Calls of the edits made at or behind `name`, which is taken back itself; [] if it is not known."""
        return self._lost(self._places.get(name))

    def behind(self, name: str) -> list[str]:
        """Calls of the edits made behind `name`, which the session goes on from; [] if it is not known."""
        place = self._places.get(name)
        return self._lost(None if place is None else place + 1)

    def _lost(self, place: int | None) -> list[str]:
        if place is None:
            return []
        lost = [call_id for at, call_id in self._edits if at >= place]
        self._edits = deque((edit for edit in self._edits if edit[0] < place), maxlen=_EDITS_MAX)
        return lost
