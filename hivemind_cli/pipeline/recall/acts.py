"""Documents by the act they correct, so that a tool call looks at a few of them and not at all."""

from collections.abc import Iterable

from hivemind_cli.core.acts import Act
from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.matching import act_keys
from hivemind_cli.pipeline.wording import Polarity, opposite


class ActBook:
    """Built from all documents; read-only, so any thread may ask."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self._pages: dict[str, list[Document]] = {}
        self._memos: list[Document] = []
        self._places: set[tuple[str, str]] = set()
        for document in documents:
            self._places.add((document.workspace_id, document.project_id))
            if document.kind == "memo":
                self._memos.append(document)
            for value in document.acts:
                for key in act_keys(Act.of(value))[:1]:
                    self._pages.setdefault(key, []).append(document)

    def speaks_in(self, scope: Scope) -> bool:
        """Is there anything at all that `scope` may see?"""
        return any((scope.workspace_id, project) in self._places for project in ("", scope.project_id))

    def near(self, act: Act, scope: Scope) -> list[Document]:
        """Documents in `scope` with an act of the same head, path class or tool."""
        found: dict[str, Document] = {}
        for key in act_keys(act):
            for document in self._pages.get(key, ()):
                if document.workspace_id == scope.workspace_id and document.project_id in ("", scope.project_id):
                    found[document.id] = document
        return list(found.values())

    def overruled(self, document: Document, scope: Scope) -> bool:
        """Did a person ask for the opposite in `scope` later, which no skill says yet?"""
        later = [
            memo
            for memo in self._memos
            if memo.occurred_at_ms > document.occurred_at_ms
            and (memo.workspace_id, memo.project_id) == (scope.workspace_id, scope.project_id)
        ]
        if not later:
            return False
        rules = [Polarity.of(line) for line in document.rule.split("\n") if not line.startswith("`")]
        return any(opposite(rule, Polarity.of(memo.rule)) for memo in later for rule in rules)
