"""Names and titles out of people's words: short, with the negation, in their own language."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import CorrectionKind
from hivemind_cli.pipeline.codify.draft import TITLE_CHARS_MAX
from hivemind_cli.pipeline.codify.extractive import draft
from hivemind_cli.pipeline.codify.phrasing import (
    NAME_WORDS_MAX,
    leading,
    name_words,
    sentences,
    title_of,
    typed,
    without_filler,
    without_stories,
)
from hivemind_cli.skills.format import skill_name
from tests.pipeline.codify_loop import correction_

SAID = [
    # What they said, the name, the title.
    (
        "no, we never tag by hand in this repo, always run make release",
        "never-tag-by-hand",
        "We never tag by hand in this repo, always run make release",
    ),
    (
        "the totals are in sums.py, don't put generated code into src/sums.py, it goes to gen/",
        "dont-put-generated-code-sums",
        "The totals are in sums.py, don't put generated code into src/sums.py",
    ),
    ("we use bun here, not npm. always bun add", "use-bun-not-npm", "We use bun here, not npm"),
    (
        "Please stop adding emojis to commit messages.",
        "stop-adding-emojis-commit-messages",
        "Please stop adding emojis to commit messages",
    ),
    (
        "why do you always run the whole suite? run only the tests of the file you touched, the rest takes an hour",
        "run-only-tests-file-touched",
        "Run only the tests of the file you touched, the rest takes an hour",
    ),
    (
        "Du hast schon wieder die Migration von Hand geschrieben. Bitte immer alembic revision --autogenerate nehmen.",
        "immer-alembic-revision-autogenerate-nehmen",
        "Bitte immer alembic revision --autogenerate nehmen",
    ),
    (
        "Bitte nie direkt auf main pushen. Erst ein Branch, dann ein Merge Request, und Katrin schaut drüber.",
        "nie-direkt-auf-main-pushen",
        "Bitte nie direkt auf main pushen",
    ),
    (
        "Non, jamais de force push sur une branche partagée",
        "jamais-force-push-branche-partagee",
        "Jamais de force push sur une branche partagée",
    ),
    (
        "les tests d'intégration tournent dans le conteneur. Jamais directement sur ma machine.",
        "tests-integration-tournent-dans-conteneur",
        "Les tests d'intégration tournent dans le conteneur",
    ),
    (
        "Не трогай файлы в vendor/, мы их обновляем скриптом",
        "ne-trogay-fayly-v-vendor",
        "Не трогай файлы в vendor/, мы их обновляем скриптом",
    ),
    (
        "no uses any en TypeScript, pon siempre el tipo concreto",
        "no-uses-any-en-typescript",
        "No uses any en TypeScript, pon siempre el tipo concreto",
    ),
    (
        "você sempre esquece de rodar o linter. rode make lint antes de cada commit, sem exceção, senão o CI quebra",
        "rode-make-lint-antes-cada",
        "Rode make lint antes de cada commit, sem exceção, senão o CI quebra",
    ),
    (
        "that's not how we do errors. every handler returns problem+json, see api/errors.go for the helpers that do it",
        "every-handler-returns-problem-json",
        "Every handler returns problem+json, see api/errors.go for the helpers that do it",
    ),
    (
        "you keep starting another dev server. mine runs already on 5173, use that one and never start a second",
        "dev-server-never-start-second",
        "Mine runs already on 5173, use that one and never start a second",
    ),
    ("ok but next time ask before you delete anything", "ask-before-delete-anything", None),
    ("No frames. We decided on tables, as on the other pages", "no-frames", None),
    ("pull request titles: imperative, short, no emoji", "pull-request-no-emoji", None),
    (
        "look up addresses in the book before you write, you invented one that is not there",
        "look-addresses-book-write",
        None,
    ),
    ("No. The id comes from the session, it must not be read from the body!", "must-not-read-from-body", None),
    ("never use sudo", "never-use-sudo", "Never use sudo"),
    ("use snake_case for json fields like user_id, never camelCase", "use-snake-case-json-fields", None),
    ("Thanks! But please do not reformat the fixtures", "dont-reformat-fixtures", None),
    ("Listen: every script starts with `set -eu`", "every-script-starts-with-set", None),
    ("this one: https://example.com/a/b?c=d#e\nread the guide first, always", "read-guide-first", None),
]


@pytest.mark.parametrize(("said", "name", "title"), SAID)
def test_a_skill_is_called_by_its_rule(said: str, name: str, title: str | None) -> None:
    made = draft([correction_(quote=said)])
    assert skill_name(made.name, (), made.fallback) == name
    if title is not None:
        assert made.title == title


@pytest.mark.parametrize("said", [said for said, *_ in SAID])
def test_what_an_agent_reads_is_verbatim(said: str) -> None:
    made = draft([correction_(quote=said)])
    rules = [line.text for line in made.lines if line.section == "do"]
    assert rules and all(rule in " ".join(said.split()) for rule in rules)
    assert made.trigger.startswith("Use when about to run `scons archive`, or when asked for something like ")
    assert rules[0] in made.trigger


@pytest.mark.parametrize(
    ("said", "command", "never"),
    [
        ("we never tag by hand, run make release", "git tag v1.4.0", "`git tag …`"),
        ("use yarn add instead of npm install", "npm install left", "`npm install …`"),
        (
            "never delete release branches!",
            "git push origin --delete release/2.3 a/b",
            "`git push … --delete release/2.3 …`",
        ),
        ("commit messages: imperative, no emoji", "git commit -m Added", "`git commit -m Added`"),
        ("always use the python of the virtual environment", "python main.py", "`python main.py`"),
    ],
)
def test_a_call_is_refused_as_far_as_the_words_go(said: str, command: str, never: str) -> None:
    made = draft([correction_(quote=said, act=Act("shell", "Bash", command=command).as_json())])
    assert [line.text for line in made.lines if line.section == "do_not"] == [never]


def test_what_a_program_looks_for_is_no_subcommand() -> None:
    looked = Act("shell", "Bash", command="grep -rn round src").as_json()
    made = draft([correction_(quote="use the index for searching", act=looked)])
    assert made.trigger.startswith("Use when about to run `grep`, or")


def test_a_script_that_cannot_stand_in_a_name_is_named_by_the_act() -> None:
    made = draft([correction_(quote="构建请用 make，不要用 scons。")])
    assert skill_name(made.name, (), made.fallback) == "rule-for-scons-archive"
    made = draft([correction_(quote="テストは pytest で書いてください", act={}, task="ログイン")])
    assert skill_name(made.name, (), made.fallback) == "rule-for-pytest"


def test_a_description_says_when_even_if_nothing_tells_the_moment() -> None:
    said = correction_(quote="keep the functions small", act={}, task="go on")
    assert draft([said]).trigger == "Use when working on this project: keep the functions small"
    written = correction_(quote="keep it small", act=Act("edit", "Edit", path="src/a.py").as_json(), task="yes")
    assert draft([written]).trigger == "Use when writing files like `src/*.py`: keep it small"


def test_of_a_long_quote_stories_questions_and_quotations_are_no_lines() -> None:
    story = "I looked at the branch this morning and was a bit surprised by what I found there in the end. " * 3
    said = f'{story}What happened? "I have kept the old helper for you." Never keep dead code. It goes to gen/old.'
    lines = [line.text for line in draft([correction_(quote=said)]).lines if line.section == "do"]
    assert lines == ["Never keep dead code."]
    plain = [part.strip() + "." for part in (story * 2).split(".") if part.strip()]
    assert without_stories(plain) == plain


def test_what_a_terminal_wrote_is_not_said() -> None:
    pasted = "never start a second server\n$ run dev\n    at start (main.js:3)\nuse mine"
    assert typed(pasted) == "never start a second server\nuse mine"
    assert typed("$ run dev") == "$ run dev"


def test_a_line_that_goes_on_is_one_sentence() -> None:
    assert sentences("when you have changed a file then please always run all the\nlinters\nThen commit.") == [
        "when you have changed a file then please always run all the linters",
        "Then commit.",
    ]


def test_a_proposal_is_the_rule_where_nothing_else_is() -> None:
    assert leading("What is this shade called? Shouldn't we take the one of the logo?") == (
        "Shouldn't we take the one of the logo?"
    )


_WORDS = st.text(st.characters(codec="utf-8"), max_size=200)


@settings(max_examples=200, deadline=None)
@given(
    said=st.one_of(
        _WORDS, st.lists(st.sampled_from(" ".join(row[0] for row in SAID).split()), max_size=60).map(" ".join)
    )
)
def test_whatever_is_said_a_name_and_a_title_come_of_it(said: str) -> None:
    assert len(name_words(said)) <= NAME_WORDS_MAX + 2
    assert len(title_of(said, TITLE_CHARS_MAX)) <= TITLE_CHARS_MAX
    left = without_filler(said)
    assert said.endswith(left) or left == said.strip()[-len(left) :]
    made = draft([correction_(quote=said)])
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", skill_name(made.name, (), made.fallback))


def test_a_call_that_the_words_neither_refuse_nor_name_is_no_line() -> None:
    act = Act("shell", "Bash", command="python docs/build.py --quick").as_json()
    said = {"no, not like that": 1, "nein, bitte auf Englisch": 1, "the build must not be quick": 1}
    for quote, lines in {**said, "always write British English": 0, "commit messages in German please": 0}.items():
        made = draft([correction_(quote=quote, act=act)])
        assert [line.section for line in made.lines].count("do_not") == lines, quote
    refused = correction_(quote="British English please", act=act, kind=CorrectionKind.REJECTED)
    assert any(line.section == "do_not" for line in draft([refused]).lines)
