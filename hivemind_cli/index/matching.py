"""The matcher: does a document apply at a moment? Recall asks it, and so do a skill's tests and its backtest.

prompt      its terms fit the document's tasks and rule (core/match.py), so that it probably applies (weighing.py)
tool call   it is the very act that was corrected (core/same.py); or else its terms fit, better than at a prompt

Words alone count here, also where recall has a model: a backtest asks a hundred thousand moments, and what a skill's
own tests say must not change with what is installed.
"""

from collections.abc import Sequence
from functools import lru_cache

from hivemind_cli.core.acts import OTHER, SHELL, Act
from hivemind_cli.core.match import About, Weights, content
from hivemind_cli.core.same import repeats
from hivemind_cli.index.base import Document
from hivemind_cli.index.weighing import of_fit

MATCHER = 2
"""Raised by one whenever the same document and moment may give another score: live skills are then tested anew."""
TOOL_APPLIES_MIN = 0.85
"""At a tool call words must fit better than at a prompt (.45 of a fit instead of .3): its text is code and names more
than intent."""
MCP = "mcp__"
"""How the names of such tools begin: mcp__server__tool."""
CALL_CHARS_MAX = 4000
"""Of a call's text, compared by its words."""
BY_ACT, BY_WORDS = "act", "words"
_UNQUOTED = str.maketrans("", "", "\"'\\\n")
"""Takes away what may stand inside a word of a shell line and is no part of it."""


def by_act(act: Act, documents: Sequence[Document]) -> list[Document]:
    """Documents whose corrected act this call repeats, the newest correction first; a read repeats nothing."""
    same = [one for one in documents if _repeated(act, one)]
    return sorted(same, key=lambda one: (-one.occurred_at_ms, one.id))


def about(document: Document, weights: Weights) -> About:
    """What `document` is about, ready to be compared."""
    tasks, rule = _terms_of(
        document.id,
        document.version,
        document.trigger,
        document.tasks,
        document.rule or document.text,
    )
    return About.of(tasks, rule, weights)


def act_keys(act: Act) -> tuple[str, ...]:
    """Of a corrected act the first counts; of a call every head does, wherever it stands in the line."""
    if act.kind == SHELL:
        return tuple(f"shell:{head}" for head in act.heads)
    return (act.signature,)


def call_query(act: Act) -> str:
    """A call's text, as it is compared by its words; of a tool of another server its name, too."""
    server = act.tool if act.kind == OTHER and act.tool.startswith(MCP) else ""
    return " ".join((server, act.command, act.path, act.text))[:CALL_CHARS_MAX]


def call_applies_min(applies_min: float) -> float:
    """Probability from which words apply at a tool call; `applies_min` is the prompt's."""
    return max(applies_min, TOOL_APPLIES_MIN)


def fingerprint(applies_min: float, model: str = "") -> str:
    """What a test's result depends on besides the skill. `model` is the embedding model's name, "" for none."""
    return f"{MATCHER} applies_min={applies_min:g}/{call_applies_min(applies_min):g} model={model or 'none'}"


class Matcher:
    """One document against many moments; what it says at each is what recall would say of it there, by words alone.

    That holds for what was made of corrections; any other recall weighs beside the whole collection, here by its fit.
    Recall also weighs a document against others of the same moment, and says each once a session: not asked here.
    """

    def __init__(self, document: Document, weights: Weights, applies_min: float) -> None:
        self.document = document
        self._alone = (document,)
        self._about = about(document, weights)
        self._applies_min = applies_min
        self._call_min = call_applies_min(applies_min)
        self._keys = {key for value in document.acts for key in act_keys(Act.of(value))[:1]}
        self._kinds = {Act.of(value).kind for value in document.acts}
        self._heads = [key.removeprefix("shell:").split(" ") for key in self._keys if key.startswith("shell:")]

    def at_prompt(self, text: str) -> str:
        """BY_WORDS if it applies, "" if not."""
        return BY_WORDS if self._applies(text) >= self._applies_min else ""

    def at_call(self, act: Act) -> str:
        """BY_ACT if the call is the corrected act again, BY_WORDS if its words alone fit, "" if neither."""
        if self._may_repeat(act) and not self._keys.isdisjoint(act_keys(act)) and by_act(act, self._alone):
            return BY_ACT
        return BY_WORDS if self._applies(call_query(act)) >= self._call_min else ""

    def _applies(self, text: str) -> float:
        """Probability, by words alone; 0 where no word is shared, so that nothing need be weighed."""
        fit = self._about.fit(content(text))
        return of_fit(fit) if fit else 0.0

    def _may_repeat(self, act: Act) -> bool:
        """False if no corrected act is of its kind, or no corrected head can stand in the command.

        Reading a shell line, or a path, costs more than all the rest.
        """
        if act.kind != SHELL:
            return act.kind in self._kinds
        if "$'" in act.command:
            return True
        written = act.command.translate(_UNQUOTED)
        return any(all(word in written for word in head) for head in self._heads)


def _repeated(act: Act, document: Document) -> bool:
    words, task = document.rule or document.text, " ".join(document.tasks) or document.trigger
    return any(repeats(act, Act.of(value), words, task) for value in document.acts)


@lru_cache(maxsize=4096)
def _terms_of(
    id: str, version: int, trigger: str, tasks: tuple[str, ...], rule: str
) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    return tuple(content(task) for task in (*tasks, trigger) if task), content(rule)
