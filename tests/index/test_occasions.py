"""What an author says of when a skill applies, told from when it does not."""

import pytest

from hivemind_cli.index.base import Document
from hivemind_cli.index.occasions import of_body, of_description
from hivemind_cli.index.parts import BODY, CHUNK_CHARS, CHUNKS_MAX, TASK, TRIGGER, chunks, of_document


@pytest.mark.parametrize(
    "sentence",
    [
        "Do not use for plain text files.",
        "DO NOT USE FOR: sketches, photos.",
        "Not for drawings (use paint-it).",
        "Never use it on a live machine.",
        "Skip for one-line changes.",
        "For photos use paint-it instead.",
        "Nicht für Fotos.",
        "Ne pas utiliser pour des photos.",
    ],
)
def test_when_not_is_told_from_when(sentence: str) -> None:
    assert of_description(f"Use when drawing charts. {sentence}") == ("Use when drawing charts.", sentence)


@pytest.mark.parametrize(
    "text", ["", "Use when a test is not green.", "Use when people do not know what to do.", "Do not use for photos."]
)
def test_what_says_only_one_thing_stays_whole(text: str) -> None:
    assert of_description(text) == (text, "")


def test_a_section_on_when_not_is_left_out_with_what_is_below_it() -> None:
    body = "# Charts\nDraw.\n## When NOT to use\n- photos\n### More\n- films\n## Steps\n- ink"
    assert of_body(body) == "# Charts\nDraw.\n## Steps\n- ink"
    assert of_body("# Charts\nDraw, not paint.") == "# Charts\nDraw, not paint."


def test_what_is_embedded_of_a_skill_is_bounded_and_never_blank() -> None:
    document = Document(
        id="a",
        kind="skill",
        version=1,
        name="draw-charts",
        workspace_id="w",
        project_id="",
        trigger="Use when drawing charts. Not for photos.",
        text="\n\n".join(f"line {n} " + "word " * 40 for n in range(200)),
        tasks=("", " ", "draw the sales"),
    )
    parts = list(of_document(document))
    assert parts[:2] == [
        (TRIGGER, "draw charts. Use when drawing charts."),
        (TASK, "draw the sales"),
    ]
    assert [part for part, _ in parts[2:]] == [BODY] * CHUNKS_MAX
    assert all(0 < len(text.strip()) <= CHUNK_CHARS for _, text in parts)


def test_a_skill_of_a_name_alone_is_embedded_by_it_and_one_of_nothing_not_at_all() -> None:
    bare = Document(id="a", kind="skill", version=1, name="", workspace_id="w", project_id="", trigger="", text=" \n")
    assert list(of_document(bare)) == []
    named = Document(id="a", kind="skill", version=1, name="x-y", workspace_id="w", project_id="", trigger="", text="")
    assert list(of_document(named)) == [(TRIGGER, "x y")]


def test_chunks_are_cut_between_lines_and_lose_nothing_before_the_limit() -> None:
    lines = ["a" * 30, "b" * 30, "c" * 250, "", "d"]
    found = chunks("\n".join(lines), chars=100, limit=99)
    assert found[0] == "a" * 30 + "\n" + "b" * 30
    assert all(len(one) <= 100 for one in found)
    assert "".join(found).replace("\n", "") == "".join(lines)
    assert chunks("\n".join(lines), chars=100, limit=2) == found[:2]


def test_a_memos_task_and_words_are_embedded_apart() -> None:
    memo = Document(
        id="a",
        kind="memo",
        version=0,
        name="measure first always",
        workspace_id="w",
        project_id="",
        trigger="the order page is slow",
        text="Corrected.",
        rule="measure first, always",
    )
    assert list(of_document(memo)) == [(TASK, "the order page is slow"), (BODY, "measure first, always")]
