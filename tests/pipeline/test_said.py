"""What a person's words are: the fitted model, its features, and what keeps both honest."""

import json
from pathlib import Path
from time import process_time

import pytest

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.records import SaidKind
from hivemind_cli.embedding.hashing import Hashing
from hivemind_cli.pipeline.detect import model
from hivemind_cli.pipeline.detect.features import Phrases, features, language_of, take_apart
from hivemind_cli.pipeline.detect.languages import SPACED
from hivemind_cli.pipeline.detect.lexicon import ANYWHERE, BEFORE, OPENERS
from hivemind_cli.pipeline.detect.said import hear, judge
from hivemind_cli.pipeline.judged import CORRECTION_MIN, SHOWN_MIN

MADE = "Done! I put the new helper into `lib/strings.ts` and updated the imports."


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("no, we keep helpers in src/shared, you should have put it there", SaidKind.CORRECTION),
        ("that's not what i asked, i only wanted the first part. undo the rest", SaidKind.CORRECTION),
        ("don't touch lib, we never edit that by hand", SaidKind.CORRECTION),
        ("it still crashes when i start it: TypeError: undefined is not a function", SaidKind.FAILURE_REPORT),
        ("nothing happens when I click save, the page stays blank", SaidKind.FAILURE_REPORT),
        ("great, now add a settings page with a form for the address", SaidKind.NEW_REQUEST),
        ("yes please", SaidKind.APPROVAL),
        ("looks good, go ahead", SaidKind.APPROVAL),
        ("how does the cache know when to expire?", SaidKind.QUESTION),
    ],
)
def test_plain_cases_are_what_they_are(words: str, kind: SaidKind) -> None:
    (heard,) = hear([(words, MADE)])
    assert heard.kind is kind
    assert heard.correction is (kind is SaidKind.CORRECTION)


@pytest.mark.parametrize(
    ("language", "correction", "approval"),
    [
        ("de", "nein, das ist falsch, wir benutzen hier immer die alte Schnittstelle", "ja super, mach weiter"),
        ("fr", "non, ce n'est pas ça, il ne faut jamais modifier ce fichier", "oui parfait, continue"),
        ("es", "no, eso no es lo que pedí, siempre usamos la otra carpeta", "sí, perfecto, gracias"),
        ("ru", "нет, это неправильно, я просил не трогать этот файл, верни как было", "да, отлично, продолжай"),
        ("zh", "不对，我说的不是这样，不要改这个文件，请改回原来的", "好的，继续"),
        ("ja", "違います、そうではなくて、いつもこのフォルダに置いてください", "はい、ありがとう"),
    ],
)
def test_other_languages_are_read(language: str, correction: str, approval: str) -> None:
    assert language_of(take_apart(correction)) == language
    put_right, went_on = hear([(correction, MADE), (approval, MADE)])
    assert put_right.correction
    assert went_on.confidence < put_right.confidence / 3
    assert not went_on.correction


def test_what_was_said_before_counts() -> None:
    asked = "I can keep the old names or use the new ones everywhere. Which would you prefer?"
    answer, objection = hear([("use the old names", asked), ("use the old names", MADE)])
    assert answer.confidence < objection.confidence


def test_a_hosts_own_record_of_an_interrupt_is_no_guess() -> None:
    (heard,) = hear([("[Request interrupted by user for tool use]", "Running the migration")])
    assert (heard.kind, heard.correction, heard.confidence) == (SaidKind.REJECTION_INTERRUPT, False, 0.0)


def test_an_explicit_rule_against_the_act_is_shown_whatever_the_model_thinks() -> None:
    act = Act(SHELL, "Bash", command="npm install left-pad")
    judged = judge("never npm install here, use pnpm add", act, "Installed.", "add left-pad")
    assert judged.score >= SHOWN_MIN
    assert judged.durable is True


PUSH = Act(SHELL, "Bash", command="git push origin main")


@pytest.mark.parametrize(
    "words",
    [
        "never push to main, we open a branch",
        "you pushed to main. We always open a branch here, please",
        "thanks, but in this project we open a branch, never push to main. Could you do so from now on?",
        "Bitte nie auf main pushen, bei uns gibt es dafür immer einen Branch",
    ],
)
def test_a_rule_about_the_act_lasts(words: str) -> None:
    assert judge(words, PUSH, "Pushed.", "push it").durable is True


@pytest.mark.parametrize(
    ("words", "act", "task"),
    [
        ("now write a check that nobody can ever push to main, always green", PUSH, "push it"),
        ("add a page about what went wrong and what we should have pushed instead", PUSH, "push it"),
        ("no, feature-b", Act(SHELL, "Bash", command="git checkout feature-a"), "check it out"),
        ("it should say 'Revenue' instead of 'Sales'", Act(EDIT, "Write", path="src/fig.tsx", text="Sales"), "caption"),
        ('Bob wrote: "No, never push to main, we always open a branch here." Draft an answer.', PUSH, "push it"),
        ("> never push to main, we always open a branch here\n\nwho wrote this?", PUSH, "push it"),
        ("use the branch, never mind main", PUSH, "push it"),
        ("why did you push it to main instead of a branch?", PUSH, "push it"),
    ],
)
def test_what_only_sounds_like_a_rule_is_none(words: str, act: Act, task: str) -> None:
    judged = judge(words, act, "Done.", task)
    assert judged.durable is not True
    assert judged.score == pytest.approx(hear([(words, "Done.")])[0].confidence, abs=1e-3)


def test_an_answer_is_shown_only_if_the_model_finds_it_a_correction_too() -> None:
    words, asks = "on a branch, not on main. we do all our work on branches", "Where should I push it?"
    answer, told = judge(words, PUSH, asks, "push it"), judge(words, PUSH, "Pushed.", "push it")
    assert answer.score == pytest.approx(hear([(words, asks)])[0].confidence, abs=1e-3)
    assert answer.score < SHOWN_MIN <= told.score
    assert judge("never to main, we use branches", PUSH, asks, "push it").score >= SHOWN_MIN


@pytest.mark.parametrize(
    "words", ["", " ", "\ud800", "a" * 200_000, "\0", "?" * 3000, "```\n" * 500, "é́" * 2000, "\n" * 5000, "🙂" * 400]
)
def test_any_text_is_judged(words: str) -> None:
    for pair in ((words, words), (words, ""), ("no", words)):
        (heard,) = hear([pair])
        assert 0 <= heard.confidence <= 1


@pytest.mark.parametrize("words", ["not, " * 8_000, "isn't it not a " * 4_000, "ever not " * 5_000, "don't " * 8_000])
def test_a_word_said_ten_thousand_times_costs_no_time(words: str) -> None:
    """Each "not" looked for an "ever" in all that stood behind: 40 KB took a second, 100 KB five."""
    began = process_time()
    judge(words, None, "done", "")
    assert process_time() - began < 0.6


def test_order_and_neighbours_do_not_matter() -> None:
    turns = [("no, put it back", MADE), ("thanks", MADE), ("why two queries?", MADE)]
    assert hear(turns) == [hear([one])[0] for one in turns]
    assert hear(turns[::-1]) == hear(turns)[::-1]


def test_vectors_of_another_model_are_not_used() -> None:
    turns = [("no, put it back", MADE)]
    assert not model.load().fits(Hashing())
    assert hear(turns, Hashing()) == hear(turns)


def test_probabilities_are_probabilities() -> None:
    scores = model.load().lexical.score(features("no, use the other one", MADE), {})
    assert sum(scores.kinds.values()) == pytest.approx(1)
    assert 0 < scores.durable < 1
    assert scores.correction > CORRECTION_MIN


def test_every_weight_is_of_a_named_feature() -> None:
    """No vocabulary of any data stands in the weights: only names that features.py can give."""
    fitted = json.loads(Path(model.__file__).with_name("said.json").read_text(encoding="utf-8"))
    known = set(OPENERS) | set(ANYWHERE) | set(BEFORE) | {"other"}
    for tier in ("lexical", "hybrid"):
        for name in fitted[tier]["features"]:
            for part in name.replace("&", " ").replace("+", " ").replace(">", " ").split():
                bare = (
                    part.partition(".")[2] if part.split(".")[0] in ("has", "many", "opens", "opens2", "then") else part
                )
                shape = part.split(".")[0] in SHAPES
                assert bare in known or shape, name


SHAPES = {
    *("words", "words2", "lines", "pasted", "sentences", "brief", "short", "long", "nothing", "asks", "exclaims"),
    *("trails", "fence", "path", "url", "code", "quoted", "image", "list", "caps", "mention", "slash", "number"),
    *("contrast", "comparative", "lower", "shared", "before"),
}


@pytest.mark.parametrize(
    "table", [OPENERS, ANYWHERE, BEFORE, *SPACED.values()], ids=["opens", "has", "before", *SPACED]
)
def test_every_phrase_is_found_where_it_stands(table: dict[str, str]) -> None:
    for name, phrases in table.items():
        for phrase in phrases.split("|"):
            for text in {phrase.rstrip("*"), phrase.replace("*", "xyz")}:
                assert Phrases({name: phrase}).counts(take_apart(text).tokens), phrase
