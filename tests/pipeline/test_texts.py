"""The corpus follows the store: what can be found, what cannot, and what falls with a pruned session."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.fence import fenced
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import EventKind, SaidKind, SkillState, Tombstone
from hivemind_cli.index.base import Corpus, Where
from hivemind_cli.index.inmemory_corpus import InMemoryCorpus
from hivemind_cli.index.tantivy.texts import TantivyCorpus
from hivemind_cli.pipeline import texts
from hivemind_cli.pipeline.texts import HEAD_CHARS, TAIL_CHARS, bounded
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.judging_loop import judgement_
from tests.pipeline.session import START, Session
from tests.pipeline.test_indexing import correction, revision


class Followed:
    """A store and the corpus that follows it."""

    def __init__(self, corpus: Corpus | None = None) -> None:
        self.store, self.corpus = InMemoryStore(), corpus or InMemoryCorpus()

    def finds(self, query: str, **where: Any) -> list[tuple[str, str]]:
        """(kind, title or text) of what is found, in order of both."""
        while texts.refresh(self.store, self.corpus, limit=3):
            pass
        found = self.corpus.search(query, Where(workspace_id="default", **where), limit=50)
        return sorted((one.text.kind, one.text.title or one.text.text) for one in found)


@pytest.fixture
def followed() -> Followed:
    return Followed()


def test_what_was_said_called_and_answered_is_found(followed: Followed) -> None:
    session = Session(followed.store)
    session.says("please paint the walrus")
    session.runs("brush --coat walrus", error="OutOfPaintError: walrus too large")
    session.replies("The walrus is painted.")
    session.event(EventKind.TOOL_DENIED, act=Act(SHELL, "Bash", command="x").as_json(), by="person", words="no walrus")
    session.event(EventKind.SUBAGENT_STOP, agent_id="1", agent_type="t", text="walrus done")
    assert followed.finds("walrus") == [
        ("prompt", "please paint the walrus"),
        ("reply", "The walrus is painted."),
        ("session", "please paint the walrus"),
        ("subagent_stop", "walrus done"),
        ("tool_call", "brush --coat walrus"),
        ("tool_denied", "x"),
        ("tool_failure", "brush --coat walrus"),
    ]
    assert followed.finds("error too large") == [("tool_failure", "brush --coat walrus")]


def test_bookkeeping_and_our_own_words_are_not_found(followed: Followed) -> None:
    session = Session(followed.store)
    ours = fenced(["walrus"])
    session.says(f"{ours}\nhello")
    session.event(EventKind.INJECTION, moment="prompt", ids=[], text="walrus")
    session.event(EventKind.SESSION_START, source="walrus")
    session.event(EventKind.TOOL_DENIED, act=Act(SHELL, "Bash", command="x").as_json(), by="hivemind", words="walrus")
    session.event(EventKind.TOOL_RESULT, act=Act(SHELL, "Bash", command="cat").as_json(), output=f"a\n{ours}")
    assert followed.finds("walrus") == []
    assert ("prompt", "hello") in followed.finds("hello")


def test_a_session_is_found_by_the_files_it_went_on_to_touch(followed: Followed) -> None:
    session = Session(followed.store)
    session.says("tidy up")
    for n in range(4):
        session.writes(f"src/part{n}.py")
        followed.finds("")  # followed in between
    for n in range(4):
        assert ("session", "tidy up") in followed.finds("tidy", path=f"part{n}.py")
    assert followed.finds("tidy", path="part9.py") == []


def test_an_earlier_prompt_that_an_import_adds_leaves_a_session_its_files(followed: Followed) -> None:
    session = Session(followed.store)
    session.says("tidy up")
    session.writes("src/app.py")
    assert ("session", "tidy up") in followed.finds("tidy", path="app.py")
    followed.store.append([replace(session.says("good morning"), id=new_id(), native_key="imported", turn=1)])
    assert ("session", "good morning") in followed.finds("morning", path="app.py")


def test_a_correction_is_found_until_somebody_says_that_it_is_none(followed: Followed) -> None:
    one = correction()
    followed.store.append([one])
    assert followed.finds("lift") == [("correction", one.quote)]
    followed.store.append([judgement_(one, SaidKind.QUESTION)])
    assert followed.finds("lift") == []


def test_a_skill_is_found_as_it_is_now_until_it_is_retired(followed: Followed) -> None:
    first = revision(correction(), state=SkillState.REVIEW)
    followed.store.append([first])
    assert followed.finds("lift") == [("skill", "use-lift: Use when bringing a module up.")]
    followed.store.append([replace(first, id=new_id(), version=2, trigger="Use crane.")])
    assert followed.finds("crane") == [("skill", "use-lift: Use crane.")]
    followed.store.append([replace(first, id=new_id(), version=3, state=SkillState.RETIRED)])
    assert followed.finds("lift") == []


def test_nothing_of_a_pruned_session_is_found(followed: Followed) -> None:
    for id in ("s1", "s2"):
        session = Session(followed.store, id)
        session.says("feed the walrus")
        session.writes("walrus.py")
    followed.store.append([correction(quote="never feed a walrus")])
    assert len(followed.finds("walrus")) == 7
    tombstone = Tombstone(id=new_id(), workspace_id="default", host="claude", session_id="s1", occurred_at=START)
    followed.store.prune("claude", "s1", tombstone)
    assert {kind for kind, _ in followed.finds("walrus")} == {"prompt", "session", "tool_call"}
    assert followed.finds("walrus", session_ids=("s1",)) == []
    texts.forget(followed.corpus, [("claude", "s2")])
    assert followed.finds("walrus") == []


def test_a_corpus_that_knows_more_than_its_store_is_begun_anew(followed: Followed) -> None:
    Session(followed.store).says("hello walrus")
    assert followed.finds("walrus")
    assert texts.begin(followed.store, followed.corpus) is False
    assert texts.begin(InMemoryStore(), followed.corpus) is True
    assert (followed.corpus.count(), followed.corpus.cursor()) == (0, 0)


def test_how_much_is_not_yet_followed_is_told(followed: Followed) -> None:
    session = Session(followed.store)
    for n in range(5):
        session.says(f"walrus {n}")
    assert texts.behind(followed.store, 0) == 5
    assert texts.refresh(followed.store, followed.corpus, limit=3) == 3
    assert texts.behind(followed.store, followed.corpus.cursor()) == 2


def test_followed_by_tantivy_it_is_the_same(tmp_path: Path) -> None:
    corpus = TantivyCorpus(tmp_path / "texts")
    real, reference = Followed(corpus), Followed()
    for one in (real, reference):
        session = Session(one.store)
        session.says("feed the walrus")
        session.writes("src/walrus.py", "walrus = 1")
        session.runs("feed --now walrus", error="WalrusError")
    for query, path in (("walrus", ""), ("walrus error", "src/walrus.py"), ("feed", "")):
        assert real.finds(query, path=path) == reference.finds(query, path=path) != []
    corpus.close()


def test_of_a_long_text_head_and_tail_are_kept() -> None:
    text = "a" * HEAD_CHARS + "b" * 9000 + "c" * TAIL_CHARS
    assert len(bounded(text)) < HEAD_CHARS + TAIL_CHARS + 10
    assert bounded(text).startswith("a" * HEAD_CHARS)
    assert bounded(text).endswith("c" * TAIL_CHARS)
    assert bounded("short") == "short"


def test_a_call_says_what_it_wrote() -> None:
    store = InMemoryStore()
    act = Act(EDIT, "Write", path="src/a.py", text="walrus = 1")
    event = Session(store).event(EventKind.TOOL_CALL, call_id="1", act=act.as_json(), input={})
    text = texts.of_event(event)
    assert text is not None
    assert (text.title, text.text, text.paths) == ("src/a.py", "walrus = 1", ("src/a.py",))
