import pytest

from model.frames import unframe
from model.utils import normalize


@pytest.mark.parametrize(
    "framed",
    [
        "Brown",
        "Brown.",
        '"Brown"',
        "'Brown'",
        "“Brown”",
        "(Brown)",
        "Brown*",
        "Dr. Brown",
        "Prof. Dr. Brown",
        "MR BROWN",
        "Brown Jr.",
        "Brown, Jr.",
        "Brown III",
        "Brown, Ph.D.",
        "J. R. Brown",
        "J.R.Brown",
        "Brown, J.",
        "BROWN J",
        "Brown (note)",
        "Brown [sic]",
        "Brown née Smith",
    ],
)
def test_a_frame_falls_away(framed: str) -> None:
    assert unframe(normalize(framed)) == "brown"


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("Brown, John", "john brown"),
        ("King, Martin Luther, Jr.", "martin luther king"),
        ("佐藤様", "佐藤"),
        ("김철수 씨", "김철수"),
        ('"Pe"', "pe"),
        ("Mag*", "mag"),
        ("Ing (note)", "ing"),
    ],
)
def test_what_stands_around_a_full_name_falls_away(name: str, bare: str) -> None:
    assert unframe(normalize(name)) == bare


@pytest.mark.parametrize(
    "name",
    ["o'brien", "jean-paul", "'t hooft", "st john", "ma", "ii", "josé ortega y gasset", "ó súilleabháin", "n/a", "dr"],
)
def test_what_belongs_to_a_name_stays(name: str) -> None:
    assert unframe(name) == name


@pytest.mark.parametrize("text", ["()", "...", "(…)", "12", "-"])
def test_without_letters_nothing_is_taken(text: str) -> None:
    assert unframe(text) == text
