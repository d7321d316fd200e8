"""The matcher gives what it always gave, or another version; and it says of one document what recall says of it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.acts import EDIT, OTHER, READ, SHELL, Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.match import Weights, content
from hivemind_cli.core.records import Moment
from hivemind_cli.index.base import Document, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.matching import BY_ACT, BY_WORDS, MATCHER, Matcher, about, call_query, fingerprint
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.pipeline.recall import Ask, decide
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.recall.finding import find

WEIGHTS = Weights({"module": 0.4, "build": 0.2})
DOCUMENTS = {
    "task": Document(
        id="a",
        kind="skill",
        version=1,
        name="lift",
        workspace_id="w",
        project_id="p",
        trigger="",
        text="",
        rule="Use lift, never bring.",
        tasks=("bring the module up on the test machine", "restart the lamp"),
        acts=(Act(SHELL, "Bash", command="cd app && bring up --all").as_json(),),
    ),
    "file": Document(
        id="b",
        kind="skill",
        version=3,
        name="lamps",
        workspace_id="w",
        project_id="p",
        trigger="Use when writing lamp tests",
        text="",
        rule="Lamps are tested with a Holder, not with a mock.",
        acts=(Act(EDIT, "Write", path="tests/lamps/one.py", text="lamp = mock(Lamp)").as_json(),),
    ),
    "unspaced": Document(
        id="c", kind="skill", version=1, name="c", workspace_id="w", project_id="p", trigger="构建模块", text="用 make"
    ),
}
MOMENTS: dict[str, str | Act] = {
    "prompt": "please bring the module up, and build the lamp for the test machine",
    "near": "restart all the lamps in the module",
    "far": "write a poem about the sea",
    "spaces": "请构建这个模块",
    "same": Act(SHELL, "Bash", command="sudo bring up lamp --all"),
    "rule": Act(SHELL, "Bash", command="bring up --with lift"),
    "mock": Act(EDIT, "Edit", path="tests/lamps/two.py", text="two = mock(Lamp, wide=True)"),
    "holder": Act(EDIT, "Edit", path="tests/lamps/two.py", text="two = Holder(Lamp).tested()"),
    "words": Act(OTHER, "deploy", text="bring the module up on the test machine"),
    "read": Act(READ, "Read", path="tests/lamps/one.py"),
}
FROZEN: dict[int, dict[str, tuple[float, str]]] = {
    2: {
        "task prompt": (0.9107, "words"),
        "task near": (0.8944, "words"),
        "task far": (0.0, ""),
        "task spaces": (0.0, ""),
        "task same": (0.5238, "act"),
        "task rule": (0.7539, "words"),
        "task mock": (0.25, ""),
        "task holder": (0.2433, ""),
        "task words": (1.0, "words"),
        "task read": (0.3536, ""),
        "file prompt": (0.4806, "words"),
        "file near": (0.4029, "words"),
        "file far": (0.0, ""),
        "file spaces": (0.0, ""),
        "file same": (0.4029, ""),
        "file rule": (0.0, ""),
        "file mock": (0.5641, "act"),
        "file holder": (0.7505, "words"),
        "file words": (0.2224, ""),
        "file read": (0.6438, "words"),
        "unspaced prompt": (0.0, ""),
        "unspaced near": (0.0, ""),
        "unspaced far": (0.0, ""),
        "unspaced spaces": (0.4714, "words"),
        "unspaced same": (0.0, ""),
        "unspaced rule": (0.0, ""),
        "unspaced mock": (0.0, ""),
        "unspaced holder": (0.0, ""),
        "unspaced words": (0.0, ""),
        "unspaced read": (0.0, ""),
    },
}
"""By version: what each document scores by words at each moment, and whether it fires there."""


def table() -> dict[str, tuple[float, str]]:
    found = {}
    for name, document in DOCUMENTS.items():
        matcher = Matcher(document, WEIGHTS, 0.5)
        for moment, said in MOMENTS.items():
            query = said if isinstance(said, str) else call_query(said)
            fires = matcher.at_prompt(said) if isinstance(said, str) else matcher.at_call(said)
            found[f"{name} {moment}"] = (round(about(document, WEIGHTS).fit(content(query)), 4), fires)
    return found


def test_the_version_is_raised_whenever_the_same_moment_scores_otherwise() -> None:
    assert MATCHER in FROZEN, f"add what the matcher of version {MATCHER} gives to FROZEN"
    changed = {
        name: (FROZEN[MATCHER].get(name), now) for name, now in table().items() if FROZEN[MATCHER].get(name) != now
    }
    assert not changed, "the matcher changed: raise MATCHER by one, and add the new table to FROZEN"
    assert len(FROZEN[MATCHER]) == len(DOCUMENTS) * len(MOMENTS)
    assert {fires for _, fires in FROZEN[MATCHER].values()} == {BY_ACT, BY_WORDS, ""}


def test_the_fingerprint_names_all_that_a_test_depends_on() -> None:
    assert len({fingerprint(0.3), fingerprint(0.35), fingerprint(0.3, "m"), fingerprint(0.3, "n")}) == 4
    assert fingerprint(0.3, "m") == fingerprint(0.30, "m")


WORDS = [
    "bring",
    "lift",
    "lamp",
    "module",
    "holder",
    "up",
    "--all",
    "'bring'",
    "br\\ing",
    "sudo",
    "&&",
    "up;",
    "tests/lamps",
]
TEXT = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)
ACT = st.one_of(
    st.builds(lambda text: Act(SHELL, "Bash", command=text), TEXT),
    st.builds(lambda text: Act(SHELL, "Bash", command=f"bash -lc '{text}'"), TEXT),
    st.builds(lambda text, name: Act(EDIT, "Edit", path=f"src/{name}.py", text=text), TEXT, st.sampled_from("ab")),
    st.builds(lambda name: Act(READ, "Read", path=f"src/{name}.py"), st.sampled_from("ab")),
)


@settings(max_examples=200, deadline=None)
@given(
    rule=TEXT, tasks=st.lists(TEXT, min_size=1, max_size=3), acts=st.lists(ACT, max_size=3), moment=st.one_of(TEXT, ACT)
)
def test_it_fires_exactly_where_recall_would_inject(
    rule: str, tasks: list[str], acts: list[Act], moment: str | Act
) -> None:
    fields: dict[str, Any] = {"id": "a", "kind": "skill", "version": 1, "name": "", "text": "t", "trigger": ""}
    fields |= {"workspace_id": "w", "project_id": "p"}
    document = Document(**fields, rule=rule, tasks=tuple(tasks), acts=tuple(act.as_json() for act in acts))
    index = InMemoryIndex()
    index.update([document], [], cursor=1)
    act = None if isinstance(moment, str) else moment
    ask = Ask(
        moment=Moment.TOOL_CALL if act else Moment.PROMPT,
        scope=Scope("w", "p"),
        query=moment if isinstance(moment, str) else moment.short,
        act=act,
    )
    book = ActBook([document])
    decision = decide(
        ask, find(ask, Ranker(index), WEIGHTS, book=book), RecallConfig(), book=book, tried=lambda one: None
    )
    matcher = Matcher(document, WEIGHTS, RecallConfig().applies_min)
    fires = matcher.at_prompt(moment) if isinstance(moment, str) else matcher.at_call(moment)
    assert bool(fires) is bool(decision.given)


@pytest.mark.parametrize(
    "command", ["br\\ing up --all", "'bri'ng up --all", '"bring" "up" --all', "bri\\\nng up --all"]
)
def test_quoting_hides_no_command(command: str) -> None:
    assert Matcher(DOCUMENTS["task"], WEIGHTS, 0.3).at_call(Act(SHELL, "Bash", command=command)) == BY_ACT
