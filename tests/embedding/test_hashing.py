"""Hashing: the same everywhere, and near where words are shared."""

import time

import numpy as np

from hivemind_cli.embedding.hashing import Hashing


def test_the_vector_of_a_text_is_fixed() -> None:
    vector = Hashing(16).embed(["Größe: 3"])[0]
    found = {axis: round(float(value), 3) for axis, value in enumerate(vector) if value}
    # As on every machine, since vectors are stored.
    assert found == {1: 0.342, 3: 0.523, 5: -0.418, 7: -0.171, 9: -0.171, 11: -0.589, 14: 0.171}


def test_shared_words_and_word_parts_are_near() -> None:
    text, same_words, inflected, other = Hashing().embed(
        ["rename the folder", "the folder: rename", "renaming folders", "quarterly tax rates"]
    )
    assert text @ same_words > 0.8
    assert text @ inflected > 2 * abs(text @ other)


def test_case_and_width_of_letters_do_not_count() -> None:
    plain, loud, wide = Hashing().embed(["stop it", "STOP IT", "ｓｔｏｐ ｉｔ"])
    assert np.allclose(plain, loud) and np.allclose(plain, wide)


def test_it_is_quick() -> None:
    texts = [f"a text of some ten words or so, number {number}, said quickly" for number in range(500)]
    began = time.process_time()
    Hashing().embed(texts)
    assert time.process_time() - began < 1.0
