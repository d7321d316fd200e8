"""What joins the same mistake in other words, and what never does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.core.acts import Act
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.records import Correction, CorrectionKind, Tombstone
from hivemind_cli.pipeline.detect.recurrence import Keys, error_class
from hivemind_cli.pipeline.wording import polarity
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.recurrence_cases import act_of, correction_of, exact_key, measure, read, shuffled


def told(number: int, act: str, words: str, project: str = "p", **changes: Any) -> Correction:
    found = correction_of({"project": project}, {"act": act, "words": words}, number)
    return replace(found, **changes)


def keys_of(*corrections: Correction, store: Store | None = None) -> list[str]:
    store = store or InMemoryStore()
    return [one.recurrence_key for one in Keys().give(corrections, store)]


def joined(*sayings: tuple[str, str]) -> bool:
    return len(set(keys_of(*(told(n, act, words) for n, (act, words) in enumerate(sayings))))) == 1


class Meanings:
    """An embedder that knows which texts mean the same."""

    name = "meanings"
    dim = 8

    def __init__(self, *groups: Sequence[str]) -> None:
        self.places = {text: n for n, group in enumerate(groups) for text in group}
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], *, tokens_max: int = 256) -> NDArray[np.float32]:
        self.embedded += texts
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[self.places.setdefault(text, len(self.places))] = 1
        return rows


# how well


@pytest.mark.parametrize(("half", "recall_min"), [("dev", 0.52), ("held", 0.52), ("fresh", 0.38)])
def test_most_wordings_of_a_mistake_are_joined_and_hardly_any_two_mistakes(half: str, recall_min: float) -> None:
    sayings = read(half)
    precisions, recalls = [], []
    for seed in range(3):
        some = shuffled(sayings, seed)
        found = measure(some, keys_of(*(saying.correction for saying in some)))
        precisions.append(found.precision)
        recalls.append(found.recall)
        assert found.purity >= 0.96
        assert found.near_joined <= 0.08 * found.near_pairs
    assert sum(precisions) / 3 >= 0.95
    assert min(recalls) >= recall_min
    exact = measure(sayings, [exact_key(saying.correction) for saying in sayings])
    assert exact.recall < 0.7 * min(recalls) and exact.precision < sum(precisions) / 3


def test_there_are_enough_mistakes_to_measure_on() -> None:
    for half in ("dev", "held"):
        names = [saying.mistake for saying in read(half)]
        assert len(set(names)) >= 60 and len(names) >= 160
    assert not {saying.mistake for saying in read("dev")} & {saying.mistake for saying in read("held")}


# what is one


@pytest.mark.parametrize(
    "sayings",
    [
        [("$ npm install x", "use pnpm, not npm"), ("$ npm ci", "npm again?! pnpm please")],
        [("$ git push -f", "never force push to main"), ("$ git push --force", "no more force pushes to main!!")],
        [("> pkg/a.go\n  x", "tabs, not spaces"), ("> cmd/b.go\n  y", "indent with tabs instead of spaces")],
        [("$ sudo apt install jq", "don't use sudo"), ("$ sudo systemctl stop x", "stop using sudo!")],
        [
            ("> db/1.sql\nx", "never edit an applied migration"),
            ("> db/2.sql\ny", "applied migratoins are never edited"),
        ],
        [("$ npm install x", "hier nur pnpm benutzen statt npm"), ("$ npm i y", "il faut pnpm, pas npm")],
    ],
)
def test_the_same_rule_in_other_words_is_one_mistake(sayings: list[tuple[str, str]]) -> None:
    assert joined(*sayings)


def test_the_rule_itself_joins_across_projects() -> None:
    here, there = told(1, "$ npm i x", "use pnpm, not npm"), told(2, "$ npm i y", "use pnpm instead of npm", "other")
    assert len(set(keys_of(here, there))) == 1


# what is not


@pytest.mark.parametrize(
    "sayings",
    [
        [("$ docker build .", "use podman, not docker"), ("$ podman build .", "use docker, not podman")],
        [("> a.go\n  x", "tabs, not spaces"), ("> b.go\n\tx", "spaces, not tabs")],
        [("$ git merge x", "always squash when you merge"), ("$ git merge --squash x", "never squash when you merge")],
        [("$ vite", "8080, not 3000!"), ("$ vite", "3000, not 8080!")],
        [("> a.py\nx", "use f-strings, not format()"), ("> b.py\ny", "use format() instead of f-strings")],
        [("> a.py\nx", "verwende f-strings statt format()"), ("> b.py\ny", "verwende format() statt f-strings")],
    ],
)
def test_opposite_rules_are_never_one(sayings: list[tuple[str, str]]) -> None:
    assert not joined(*sayings)
    texts = [words for _, words in sayings]
    alike = Keys(Meanings(texts))
    given = alike.give([told(n, act, words) for n, (act, words) in enumerate(sayings)], InMemoryStore())
    assert given[0].recurrence_key != given[1].recurrence_key


@pytest.mark.parametrize(
    "sayings",
    [
        [
            ("> src/a.py\nx", "don't touch the parser. Put it back and use a wrapper instead"),
            ("> src/b.py\ny", "don't touch the invoice. Put it back and use the receipt instead"),
        ],
        [("$ git commit -m x", "sign off your commits with -s"), ("$ git commit -m y", "no emoji in commit messages")],
        [("$ pytest", "run tests with uv run pytest"), ("$ pytest -v", "use -q, the output is too long")],
        [("> src/a.ts\nx", "no default exports"), ("> src/a.ts\ny", "colours come from the theme")],
        [
            ("> Cart.ts\nx", "date helpers belong in util/dates.ts"),
            ("> Cart.ts\ny", "money helpers belong in util/money.ts"),
        ],
        [("$ rm x", "no!"), ("$ rm y", "no!")],
    ],
)
def test_one_command_or_path_does_not_make_two_rules_one(sayings: list[tuple[str, str]]) -> None:
    assert not joined(*sayings)


@pytest.mark.parametrize(
    ("words", "wanted", "unwanted"),
    [
        ("use tabs, not spaces", {"tab"}, {"space"}),
        ("instead of npm use pnpm", {"pnpm"}, {"npm"}),
        ("rsync is not how we do it", set(), {"rsync"}),
        ("never commit without running the linter", {"linter"}, {"commit"}),
        ("don't forget the linter", {"linter"}, set()),
        ("ruft nie rsync auf", set(), {"rsync"}),
        ("you indented with spaces again, tabs please", {"tab"}, {"indent", "space"}),
        ("dockerではなくpodmanを使って", set(), {"docker"}),
        ("", set(), set()),
    ],
)
def test_what_is_wanted_and_what_is_not_is_read_from_the_grammar(
    words: str, wanted: set[str], unwanted: set[str]
) -> None:
    yes, no = polarity(words)
    assert (wanted <= yes, unwanted <= no, yes & no) == (True, True, frozenset())


# meaning


def test_other_languages_and_other_words_are_joined_by_an_embedder_only() -> None:
    first, second = "sleeping makes it flaky", "Bitte aktiv auf das Ergebnis warten"
    some = [told(1, "> tests/a.py\nsleep(1)", first), told(2, "> tests/b.py\nsleep(1)", second)]
    assert len(set(keys_of(*some))) == 2
    meanings = Meanings([first, second])
    given = Keys(meanings).give(some, InMemoryStore())
    assert given[0].recurrence_key == given[1].recurrence_key
    assert sorted(meanings.embedded) == sorted([first, second]), "each text is embedded once"
    apart = Keys(Meanings()).give(some, InMemoryStore())
    assert apart[0].recurrence_key != apart[1].recurrence_key
    elsewhere = [some[0], replace(some[1], project_id="other")]
    assert len({one.recurrence_key for one in Keys(meanings).give(elsewhere, InMemoryStore())}) == 2
    noes = [told(1, "$ rm x", "no!"), told(2, "$ rm y", "no!")]
    assert len({one.recurrence_key for one in Keys(Meanings(["no!"])).give(noes, InMemoryStore())}) == 2


class Broken(Meanings):
    """A model that went away."""

    def embed(self, texts: Sequence[str], *, tokens_max: int = 256) -> NDArray[np.float32]:
        raise ModelError("The worker is gone.")


def test_a_model_that_fails_costs_no_correction_and_no_join_by_words() -> None:
    some = [told(1, "$ npm i x", "use pnpm, not npm"), told(2, "$ npm i y", "use pnpm instead of npm")]
    given = Keys(Broken()).give(some, InMemoryStore())
    assert [one.recurrence_key for one in given] == keys_of(*some)
    assert len({one.recurrence_key for one in given}) == 1


# what no words say


def hand_edit(number: int, before: str, after: str, path: str = "app/a.py") -> Correction:
    one = told(number, f"> {path}\n{before}", "")
    return replace(one, kind=CorrectionKind.HAND_EDIT, before=before, after=after, cause="changed lines")


def test_the_same_change_by_hand_is_one_mistake_and_another_change_is_not() -> None:
    same = (
        hand_edit(1, "print('a done')", "logger.info('a done')"),
        hand_edit(2, "print(b)", "logger.info(b)", "app/b.py"),
    )
    other = hand_edit(3, "x = load(path)", "x = read(path)", "app/a.py")
    keys = keys_of(*same, other)
    assert keys[0] == keys[1] != keys[2]


def retry(number: int, command: str, error: str) -> Correction:
    one = told(number, f"$ {command}", "")
    return replace(one, kind=CorrectionKind.TOOL_RETRY, before=f"{command}\n{error}", after="uv run pytest")


def test_an_error_is_known_again_by_command_and_class() -> None:
    keys = keys_of(
        retry(1, "pytest tests/a", "File '/a/b.py', line 3\nModuleNotFoundError: No module named 'requests'"),
        retry(2, "pytest tests/b", "File '/c/d.py', line 40\nModuleNotFoundError: No module named 'httpx'"),
        retry(3, "pytest tests/b", "error: unrecognized arguments: --fast"),
        retry(4, "ruff check", "ModuleNotFoundError: No module named 'httpx'"),
    )
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(key.startswith("retry|") for key in keys)
    assert error_class("") == ""


def test_a_check_that_fails_after_a_done_is_keyed_by_the_check_and_its_error() -> None:
    reds = [
        replace(
            told(n, "> src/a.py\nx", ""),
            kind=CorrectionKind.RED_AFTER_DONE,
            cause=f"said done, then `{command}` failed",
            after="AssertionError: 1 != 2",
        )
        for n, command in enumerate(["pytest tests/a.py", "pytest tests/b.py -x", "make lint"])
    ]
    keys = keys_of(*reds)
    assert keys[0] == keys[1] != keys[2]


# replay, pruning


def test_the_same_corrections_in_the_same_order_have_the_same_keys_however_they_are_batched() -> None:
    some = [saying.correction for saying in shuffled(read("dev"), 7)][:80]
    at_once, one_by_one = InMemoryStore(), InMemoryStore()
    whole = Keys().give(some, at_once)
    keys = Keys()
    for n, one in enumerate(some):
        given = keys.give([one], one_by_one)
        assert given == keys.give([one], one_by_one), "not stored: as if never given"
        one_by_one.append(given)
        if n % 20 == 0:
            keys = Keys()  # a new process
    assert [row.record for row in one_by_one.find(Correction)] == whole
    assert Keys().give(some, one_by_one) == whole, "what is stored keeps its key"


def test_nothing_joins_a_pruned_correction_and_no_key_tells_its_words() -> None:
    store = InMemoryStore()
    keys = Keys()
    first = told(1, "$ npm i x", "use zebrafish, not npm")
    store.append(keys.give([first], store))
    [old] = [row.record for row in store.find(Correction)]
    assert "zebra" not in old.recurrence_key and "npm" not in old.recurrence_key
    tombstone = Tombstone(
        id="t", workspace_id="default", host=first.host, session_id=first.session_id, occurred_at=datetime.now(UTC)
    )
    store.prune(first.host, first.session_id, tombstone)
    again = replace(first, id="c2", session_id="s-2", quote="zebrafish, not npm, please", act=act_json("$ npm i y"))
    [new] = keys.give([again], store)
    assert new.recurrence_key != old.recurrence_key
    assert keys_of(again, store=store) == [new.recurrence_key]


def test_what_was_to_be_forgotten_is_read_from_the_store_again() -> None:
    """A prune must leave no word in the memory of a process that lives for weeks."""
    meanings = Meanings()
    store = InMemoryStore()
    keys = Keys(meanings)
    first, second = (told(n, "$ npm i x", "use zebrafish, not npm") for n in (1, 2))
    store.append(keys.give([first], store))
    keys.give([replace(second, quote="zebrafish please, not npm")], store)
    assert meanings.embedded.count(first.quote) == 1
    keys.forget()
    assert polarity.cache_info().currsize == 0
    keys.give([replace(second, quote="not npm: zebrafish")], store)
    assert meanings.embedded.count(first.quote) == 2


def test_workspaces_share_no_keys_book() -> None:
    here = told(1, "$ npm i x", "use pnpm, not npm")
    there = replace(told(2, "$ npm i y", "npm again? pnpm!"), workspace_id="other")
    assert len(set(keys_of(here, there))) == 2


def act_json(short: str) -> dict[str, str]:
    act = act_of(short)
    assert isinstance(act, Act)
    return act.as_json()
