"""One tokenizer, any language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import STEM_CHARS, stem, terms, weight

LANGUAGES = {
    "English": "Please run the migrations before deploying, never after!",
    "German": "Bitte führe die Migrationen vor der Auslieferung aus; Straße und Größe zählen.",
    "French": "Exécute les migrations avant le déploiement, s'il te plaît.",
    "Turkish": "Lütfen dağıtımdan önce İstanbul sunucusunu güncelle",
    "Russian": "Запускай миграции перед развёртыванием, а не после",
    "Greek": "Εκτέλεσε τις μεταναστεύσεις πριν",
    "Arabic": "شغّل الترحيلات قبل النشر",
    "Hebrew": "הרץ את ההגירות לפני הפריסה",
    "Hindi": "तैनाती से पहले माइग्रेशन चलाओ",
    "Japanese": "デプロイの前にマイグレーションを実行してください",
    "Chinese": "部署之前请先运行迁移",
    "Korean": "배포하기 전에 마이그레이션을 실행해 주세요",
    "Thai": "รันไมเกรชันก่อนปรับใช้",
    "Vietnamese": "Hãy chạy di trú trước khi triển khai",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_gives_terms(language: str) -> None:
    found = terms(LANGUAGES[language])
    assert len(set(found)) >= 4
    assert all(0 < len(term) <= STEM_CHARS + 2 for term in found)
    assert all(0 <= weight(term) <= 1 for term in found)


def test_case_width_and_composition_do_not_count() -> None:
    assert terms("CAFÉ Straße") == terms("cafe\u0301 STRASSE") == terms("ｃａｆé strasse")


def test_forms_of_a_word_are_one_term() -> None:
    assert set(terms("migration migrations Migrationen")) == {"migrat"}
    assert terms("tests test") == ["test", "test"]
    assert terms("class") == ["class"]


def test_scripts_without_spaces_give_pairs() -> None:
    assert terms("日本語") == ["日本", "本語"]
    assert terms("字") == ["字"]
    assert terms("日本go語") == ["日本", "go", "語"]


def test_combining_marks_are_part_of_their_word() -> None:
    assert terms("हिन्दी में") == ["हिन्दी", "में"]
    assert terms("שָׁלוֹם") == ["שָׁלוֹ"]
    assert terms("字\ufe0f a") == ["字\ufe0f", "a"]


def test_identifiers_and_paths_fall_apart() -> None:
    assert terms("src/app_main.py") == ["src", "app", "main", "py"]


@given(st.text(max_size=200))
def test_no_text_raises_and_order_is_kept(text: str) -> None:
    found = terms(text)
    assert found == terms(text)
    assert all(term and 0 <= weight(term) <= 1 for term in found)
    assert terms(f"{text} {text}") == found + found


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_a_stem_is_never_empty(word: str) -> None:
    assert stem(word)
    assert len(stem(word)) <= STEM_CHARS


def test_function_words_are_terms_themselves() -> None:
    assert all(word == stem(word) for word in STOPWORDS)
    assert {"the", "der", "les"} <= STOPWORDS
