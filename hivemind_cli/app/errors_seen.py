"""Errors that were seen here before, and what fixed them: the likest first, each with its fixes, the surest first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.app import reading, search
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.index.base import Text, Where
from hivemind_cli.index.searching import Searcher
from hivemind_cli.pipeline.fixes import ERROR_KINDS, HOW, SAME_MIN, Fix, Seen, Signature, seen

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind

LIMIT = 5
FOUND_MAX = 60
"""Events looked at for likeness, failures first."""
WALKS_MAX = 10
"""Of them, those whose end is looked for."""
ONE_MIN = 0.9
"""Likeness of two errors that are told as one."""
HERE = 1.05
"""Likeness of what happened in the current project, times this."""
SURE_MAX = 0.97


@dataclass(slots=True)
class _Known:
    """One error, and all that was seen of it."""

    signature: Signature
    likest: Seen
    seen: list[Seen] = field(default_factory=list)


def fixes(owner: "OwnedHivemind", args: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a request of a door, as JSON: {known: [...], by, behind}. ConfigError: the error says nothing."""
    signature = Signature.of(str(args.get("error", "")).encode("utf-8", "replace").decode())
    if not signature:
        raise ConfigError(
            "Which error?", why="These words could be any error's.", fix="Give its own line, as it was printed."
        )
    searcher = search.opened(owner)
    search.settle(owner)
    place = search.here(owner, args)
    texts = _candidates(owner, searcher, signature, search.narrowed(owner.store, args, place, tuple(ERROR_KINDS)))
    found = seen(owner.store, signature, texts, walks_max=WALKS_MAX)
    names = reading.project_names(owner.store)
    known = _ordered(_grouped(found), place.project.id)[: min(max(int(args.get("limit", LIMIT)), 1), FOUND_MAX)]
    return {
        "known": [_told(one, names) for one in known],
        "looked_for": [line.text for line in signature.lines],
        "behind": search.behind(owner),
    }


def _candidates(owner: "OwnedHivemind", searcher: Searcher, signature: Signature, where: Where) -> list[Text]:
    """Events that may show it. Calls that failed are few among all output: they are asked for apart."""
    query = signature.query[: search.QUERY_CHARS_MAX]
    failures, *others = ERROR_KINDS
    found = []
    for kinds in ((failures,), tuple(others)):
        part = replace(where, kinds=tuple(kind.value for kind in kinds))
        found += searcher.search(query, part, limit=FOUND_MAX // 2)
    return [one.text for one in search.still_there(owner.store, found)]


def _grouped(found: Sequence[Seen]) -> list[_Known]:
    known: list[_Known] = []
    for one in found:
        same = next((other for other in known if other.signature.likeness(one.error)[0] >= ONE_MIN), None)
        if same is None:
            same = _Known(Signature.of(one.error), one)
            known.append(same)
        same.seen.append(one)
    return known


def _ordered(known: Sequence[_Known], project_id: str) -> list[_Known]:
    """The same error before what is only like it, what was fixed before what was not."""

    def order(one: _Known) -> tuple[bool, bool, float]:
        likeness = max(each.likeness * (HERE if each.text.project_id == project_id else 1.0) for each in one.seen)
        return likeness < SAME_MIN, not any(each.fix for each in one.seen), -likeness

    return sorted(known, key=order)


def _told(one: _Known, names: Mapping[str, str]) -> dict[str, Any]:
    last = max(one.seen, key=lambda each: each.text.at_ms)
    fixed: dict[tuple[str, ...], list[tuple[Seen, Fix]]] = {}
    for each in one.seen:
        if each.fix:
            fixed.setdefault(each.fix.key, []).append((each, each.fix))
    told = sorted((_fix(group, names) for group in fixed.values()), key=lambda fix: -float(fix["sure"]))
    return {
        "error": one.likest.error,
        "same": one.likest.likeness >= SAME_MIN,
        "likeness": round(one.likest.likeness, 3),
        "tried": one.likest.tried,
        "times": len(one.seen),
        "fixed": sum(each.fix is not None and each.fix.how != "said" for each in one.seen),
        "last": _where(last, names),
        "fixes": told,
    }


def _fix(group: Sequence[tuple[Seen, Fix]], names: Mapping[str, str]) -> dict[str, Any]:
    unsure = 1.0
    for _, fix in group:
        unsure *= 1.0 - fix.sure
    newest, fix = max(group, key=lambda pair: pair[0].text.at_ms)
    return {
        "steps": [asdict(step) for step in fix.steps],
        "worked": fix.worked,
        "how": fix.how,
        "why": HOW[fix.how],
        "sure": round(min(1.0 - unsure, SURE_MAX), 2),
        "times": len(group),
        "event_id": fix.event_id,
        **_where(newest, names),
    }


def _where(one: Seen, names: Mapping[str, str]) -> dict[str, str]:
    text = one.text
    return {
        "host": text.host,
        "project": names.get(text.project_id, ""),
        "project_id": text.project_id,
        "session_id": text.session_id,
        "occurred_at": datetime.fromtimestamp(text.at_ms / 1000, UTC).isoformat(),
    }
