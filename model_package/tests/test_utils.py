import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.constants import FIRST_CHARACTER_ID, MAX_NAME_LENGTH, UNKNOWN_ID
from model.errors import InvalidNameError
from model.utils import build_vocabulary, clean, encode, fold, log_softmax, transliterate

names = st.text(min_size=1, max_size=40)


@given(names)
def test_folding_twice_changes_nothing(name: str) -> None:
    try:
        folded = fold(name)
    except InvalidNameError:
        return
    assert fold(folded) == folded


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz' -", min_size=1, max_size=30).filter(str.strip))
def test_case_does_not_matter(name: str) -> None:
    assert fold(name.upper()) == fold(name)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Dvořák", "dvorak"),
        ("NGUYỄN", "nguyen"),
        ("Łukasz", "lukasz"),
        ("Groß", "gross"),
        ("İnönü", "inonu"),
        ("Ørsted", "orsted"),
        ("O’Brien", "o'brien"),
        ("van  der\tBerg ", "van der berg"),
        ("Smith\u200b", "smith"),
        ("Ｓｍｉｔｈ", "smith"),
    ],
)
def test_fold(name: str, folded: str) -> None:
    assert fold(name) == folded
    assert fold(unicodedata.normalize("NFD", name)) == folded


@pytest.mark.parametrize("name", ["Йов", "Ёлкин", "हिन्दी", "がく", "Άρης"])
def test_marks_of_other_scripts_stay(name: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFD", name.casefold()) if not unicodedata.combining(c))
    assert fold(name) != unicodedata.normalize("NFC", bare)


@pytest.mark.parametrize(
    "name",
    ["", "  ", "\u200b", "a" * (MAX_NAME_LENGTH + 1), "a\x00b", "\ud800", "a\x1bb", "\ue000", "\ufdfa" * 90, "\n"],
)
def test_refused_names(name: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        fold(name)
    assert not name.strip() or name not in str(caught.value)


def test_longest_name_is_accepted() -> None:
    assert len(clean("a" * MAX_NAME_LENGTH)) == MAX_NAME_LENGTH


@given(names, st.sets(st.characters(), min_size=1, max_size=20))
def test_unknown_characters_become_unknown_and_never_another_letter(name: str, alphabet: set[str]) -> None:
    characters = sorted(alphabet)
    decoded = [
        characters[i - FIRST_CHARACTER_ID] if i != UNKNOWN_ID else None
        for i in encode(name, build_vocabulary(characters))[1:-1]
    ]
    assert decoded == [c if c in alphabet else None for c in name]


def test_log_softmax_sums_to_one_and_survives_large_logits() -> None:
    log_probs = log_softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]]))
    assert np.allclose(np.exp(log_probs).sum(axis=1), 1)
    assert np.allclose(log_probs[0], np.log(0.5))


def test_transliteration_leaves_what_it_cannot_spell_in_known_letters() -> None:
    latin = set("abcdefghijklmnopqrstuvwxyz")
    assert transliterate("щука", latin) == "shchuka"
    assert transliterate("παπαδόπουλοσ", latin) == "papadopoulos"
    assert transliterate("ού", {*latin, "ο", "ύ", "υ"}) == "ού"
    assert transliterate("щука", set("ука")) == "щука"
    assert transliterate("佐々木", latin) == "佐々木"
    assert transliterate("a" * 99 + "щ", latin) == "a" * 99 + "щ"  # it would be too long
