"""The data that ships agrees with itself: lists, cores, origins, ledger, everyday names."""

import csv
import gzip
import importlib
import math
from collections import Counter
from pathlib import Path

import pytest

from model.prediction import Predictor
from model.utils import fold, normalize, unmark

DATA = Path(__file__).parents[1] / "data"
FOLDERS = {"surnames": DATA / "names", "given_names": DATA / "given_names"}
KINDS = pytest.mark.parametrize("kind", FOLDERS)


def _lists(folder: Path) -> dict[str, list[str]]:
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(folder.glob("*.txt"))}


def _table(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _everyday() -> list[dict[str, str]]:
    with (DATA / "everyday.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _variants() -> list[tuple[str, str, str]]:
    return [(label, *line.split("\t")) for label, lines in _lists(DATA / "variants").items() for line in lines]  # type: ignore[misc]


def test_every_variant_is_of_a_name_of_its_label_and_is_none_itself() -> None:
    of_label, every = set(), set()
    for folder in FOLDERS.values():
        for label, names in _lists(folder).items():
            of_label |= {(label, name) for name in names}
            every |= set(map(fold, names))
    assert {(label, name) for label, name, _ in _variants()} <= of_label
    assert every.isdisjoint(fold(variant) for _, _, variant in _variants())


def test_variants_are_few_and_built_from_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DATA))
    built = importlib.import_module("variants").collect(DATA)
    assert [(label, *row) for label, rows in built.items() for row in rows] == _variants()
    assert max(Counter((label, name) for label, name, _ in _variants()).values()) == 2
    assert max(Counter(label for label, _, _ in _variants()).values()) <= 3000


@pytest.mark.parametrize(
    ("label", "name", "expected"),
    [
        ("Arabic", "Mohammed", {"Mohamed", "Mohammad"}),
        ("Arabic", "Rashid", {"Rachid", "Rashed", "Rasheed"}),
        ("Armenian", "Hakobyan", {"Hagopian", "Hakobian", "Akobyan"}),
        ("Chinese", "Xiaoming", {"Hsiao-Ming"}),
        ("Chinese", "Zhiqiang", {"Chih-Chiang"}),
        ("German", "Müller", {"Mueller"}),
        ("Greek", "Konstantinidis", {"Constantinides"}),
        ("Japanese", "Fujita", {"Huzita"}),
        ("Japanese", "Shimizu", {"Simizu"}),
        ("Korean", "Ji-hun", {"Ji-Hoon", "Chi-Hun", "Jihun", "Ji Hun"}),
        ("Persian", "Mohammadpour", {"Mohammadpoor", "Mohammadpur"}),
        ("Russian", "Chekhov", {"Chekhoff", "Tchekhoff", "Tschechow"}),
        ("Russian", "Pushkin", {"Pouchkine", "Puschkin"}),
        ("Serbian", "Đorđević", {"Djordjevich", "Djordjevitch"}),
        ("Ukrainian", "Shevchenko", {"Szewczenko", "Schewtschenko"}),
        ("Finnish", "Virtanen", set()),
    ],
)
def test_names_are_written_by_the_systems_of_their_label(
    label: str, name: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DATA))
    assert expected <= set(importlib.import_module("variants").vary(name, label))


def test_kana_show_long_vowels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DATA))
    variants = importlib.import_module("variants")
    assert [variants.spell_kana(kana) for kana in ("さとう", "りょうへい", "しゅうじ", "いっちょう", "はっち")] == [
        "satou", "ryouhei", "shuuji", "itchou", "hatchi",
    ]  # fmt: skip
    assert list(variants.long_vowels("satou")) == [("Sato", "Satou"), ("Sato", "Satoh")]


@KINDS
def test_every_name_has_its_origin(kind: str) -> None:
    origins = [(row["label"], row["name"]) for row in _table("origins.tsv.gz") if row["kind"] == kind]
    names = [(label, name) for label, names in _lists(FOLDERS[kind]).items() for name in names]
    assert origins == names


@KINDS
def test_every_core_leads_its_list(kind: str) -> None:
    lists, cores = _lists(FOLDERS[kind]), _lists(DATA / "cores" / kind)
    assert list(cores) == list(lists)
    for label, core in cores.items():
        kept = set(lists[label])
        leading = [name for name in core if name in kept]
        assert set(lists[label][: len(leading)]) == set(leading), label
        assert lists[label][:5] == leading[:5], label
        assert len(leading) > 0.85 * len(core), label  # spellings that differ in marks alone are one name


@KINDS
def test_nothing_stands_in_the_ledger_and_in_a_list(kind: str) -> None:
    removed = {
        (row["from"], fold(row["name"]))
        for row in _table("removed.tsv.gz")
        if row["kind"] == kind and not row["reason"].startswith("no name")
    }
    kept = {(label, fold(name)) for label, names in _lists(FOLDERS[kind]).items() for name in names}
    assert not removed & kept


def test_every_label_is_large_enough() -> None:
    sizes = {label: len(names) for label, names in _lists(FOLDERS["surnames"]).items()}
    assert 60 <= len(sizes) <= 80
    assert [label for label, size in sizes.items() if size < 250] == ["Vietnamese"]  # it has few surnames
    given = {label: len(names) for label, names in _lists(FOLDERS["given_names"]).items()}
    assert given.keys() == sizes.keys()
    assert min(given.values()) >= 90


def test_no_listed_outlier_is_a_name() -> None:
    """A word with marks is none where only the same letters without them are a name."""
    listed = {normalize(text): kind for kind, strings in _lists(DATA / "outliers").items() for text in strings}
    spelled = {normalize(name) for folder in FOLDERS.values() for names in _lists(folder).values() for name in names}
    spelled |= {normalize(row["name"]) for row in _everyday()}
    names = spelled | set(map(unmark, spelled))
    assert not {text: listed[text] for text in names & listed.keys()}


def test_common_given_names_stay_whoever_has_them_too() -> None:
    lists, cores = _lists(FOLDERS["given_names"]), _lists(DATA / "cores" / "given_names")
    common = _lists(DATA / "cores" / "common_given_names")
    assert sum(map(len, common.values())) > 10_000
    for label, names in common.items():
        assert not set(names) & set(cores[label]), label
        assert set(map(fold, names)) <= set(map(fold, lists[label])), label
    assert {"Spanish", "French", "Portuguese", "German"} <= {
        label for label, names in lists.items() if "Victor" in names or "Víctor" in names
    }


@pytest.mark.parametrize("word", ["With", "From", "Have", "Been", "Pour"])
def test_a_word_that_is_said_every_day_is_no_name_for_being_a_rare_one(word: str) -> None:
    assert not [label for folder in FOLDERS.values() for label, names in _lists(folder).items() if word in names]


def test_outliers_are_of_many_kinds_and_stay_small() -> None:
    kinds = _lists(DATA / "outliers")
    assert len(kinds) > 40
    assert sum(map(len, kinds.values())) < 70_000
    assert all(len(strings) == len(set(strings)) > 60 and all(strings) for strings in kinds.values())


def test_everyday_names_are_sound() -> None:
    labels = set(_lists(FOLDERS["surnames"]))
    rows = _everyday()
    assert sum(row["kind"] == "surname" for row in rows) >= 1500
    assert all(set(row["labels"].split("|")) <= labels for row in rows)
    assert max(Counter((row["kind"], fold(row["name"])) for row in rows).values()) == 1


def test_the_shipped_bundle_knows_everyday_names() -> None:
    """A floor, under what the README states: names that everyone knows must not get lost."""
    rows = [row for row in _everyday() if row["kind"] == "surname"]
    predictions = Predictor.load(DATA.parent / "artifacts").predict([row["name"] for row in rows], top_k=3)
    truths = [set(row["labels"].split("|")) for row in rows]
    hits = [bool(truth & set(answer.labels)) for truth, answer in zip(truths, predictions, strict=True)]
    assert math.fsum(hits) / len(hits) > 0.9


# Labels whose names nobody takes for those of another group; what lies between (Turkic, Caucasian, Jewish) is left out.
FAR_APART = (
    {"Chinese", "Japanese", "Korean", "Vietnamese"},
    {"Arabic", "Hindi", "Persian"},
    {
        "Bulgarian",
        "Croatian",
        "Czech",
        "Macedonian",
        "Polish",
        "Russian",
        "Serbian",
        "Slovak",
        "Slovenian",
        "Ukrainian",
    },
    {"Danish", "Dutch", "English", "German", "Icelandic", "Irish", "Norwegian", "Swedish"},
    {"French", "Italian", "Portuguese", "Romanian", "Spanish"},
    {"Estonian", "Finnish"},
)


def test_common_names_are_not_taken_for_those_of_a_far_away_language() -> None:
    predictor = Predictor.load(DATA.parent / "artifacts")
    cores = {label: [fold(name) for name in core] for label, core in _lists(DATA / "cores" / "surnames").items()}
    wrong = []
    for group in FAR_APART:
        for label in group:
            names = cores[label][:60]
            for name, prediction in zip(names, predictor.predict(names, top_k=1), strict=True):
                answer, confidence = prediction.labels[0], math.exp(prediction.log_probs[0])
                elsewhere = any(answer in other for other in FAR_APART if other is not group)
                if confidence > 0.8 and elsewhere and name not in cores[answer]:
                    wrong.append(f"{name} ({label}): {answer}, {confidence:.2f}")
    assert not wrong
