"""Is a call the corrected act again, or the same work done as the person said? One answer for all who ask.

Recall holds what is done again, the backtest counts it, feedback tells a recurrence from a rule that held.
"""

from functools import lru_cache

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.stopwords import FEEDBACK
from hivemind_cli.core.terms import weight

NAMED_MIN = 0.5
"""Share of the corrected act's terms which the words name, besides its head or path class, that a call must hold to be
the same act."""
WEIGHT_MIN = 0.4
"""Of a term that tells: single letters and pairs stand everywhere."""
FOLLOWED_MIN = 0.5
"""Share of what only the words name that must stand in a written text for it to follow them."""


def names(words: str, act: Act) -> bool:
    """Do the words share a term with the act? If not, they may be about something else altogether."""
    return bool(content(words) & _terms(act))


def repeats(call: Act, corrected: Act, words: str, task: str) -> bool:
    """Is `call` the act that `words` corrected under `task`, and not done as they say? A read repeats nothing."""
    if not _meets(call, corrected) or _indents_apart(call, corrected) or follows(call, corrected, words, task):
        return False
    named = (_known(words) & _corrected(corrected)) - _common(corrected)
    return not named or len(named & _terms(call)) / len(named) >= NAMED_MIN


def follows(call: Act, corrected: Act, words: str, task: str) -> bool:
    """Is `call` of the same kind, with something in it that only the person's words named, not act nor task?

    In a command or a path one such term tells; in a written text, half of them.
    """
    if call.kind != corrected.kind:
        return False
    named = _known(words) - _corrected(corrected) - _known(task) - FEEDBACK
    wanted = frozenset(term for term in named if weight(term) >= WEIGHT_MIN)
    if wanted & content(f"{call.command} {call.path}"):
        return True
    if _meets(call, corrected) and _indents_apart(call, corrected):
        return True
    return bool(wanted) and len(wanted & content(call.text)) / len(wanted) >= FOLLOWED_MIN


def shows_again(corrected: Act, words: str) -> bool:
    """Is a call that `repeats` the act proof that the mistake came back?

    A command is known by its head. Another change of such a file is one only if it holds what the words name.
    """
    return corrected.kind == SHELL or bool((_known(words) & _corrected(corrected)) - _common(corrected))


def _meets(call: Act, corrected: Act) -> bool:
    """Same kind and same head, path class or tool."""
    if call.kind != corrected.kind or call.kind == READ:
        return False
    if call.kind == SHELL and (call.heads or corrected.heads):
        return bool(corrected.heads) and corrected.heads[0] in call.heads
    return call.signature == corrected.signature


def _common(corrected: Act) -> frozenset[str]:
    """The terms that every call has which meets this act: naming them tells none of those calls from another."""
    if corrected.kind == SHELL:
        return content(corrected.heads[0]) if corrected.heads else frozenset()
    return content(corrected.path_class)


def _indents_apart(call: Act, corrected: Act) -> bool:
    return call.kind == EDIT and {_indent(call.text), _indent(corrected.text)} == {"tab", "space"}


def _indent(text: str) -> str:
    """How a text is indented: tab, space, or "" where nothing is."""
    for line in text.splitlines():
        if line[:1] == "\t":
            return "tab"
        if line[:2] == "  ":
            return "space"
    return ""


@lru_cache(maxsize=512)
def _known(text: str) -> frozenset[str]:
    """The same words and task are compared with call after call."""
    return content(text)


@lru_cache(maxsize=512)
def _corrected(act: Act) -> frozenset[str]:
    return _terms(act)


def _terms(act: Act) -> frozenset[str]:
    return content(f"{act.command} {act.path} {act.text}")
