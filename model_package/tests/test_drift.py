"""What would poison a model is found, and honest names are not."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from model.data.dataset import build_dataset
from model.data.manifest import Manifest, Refused, SourceRecord
from model.data.splitting import Split, split_dataset
from model.pipeline.drift.change import Change
from model.pipeline.drift.findings import Finding
from model.pipeline.drift.incumbent import Incumbent
from model.pipeline.drift.label_mix import check_labels, check_mix, check_new_labels
from model.pipeline.drift.labelling import check_labelling, check_relabelled
from model.pipeline.drift.leakage import check_leakage
from model.pipeline.drift.source import check_source
from model.pipeline.drift.spam import check_spam
from model.utils import fold

# as in the names that the fixtures train on
ENDINGS = {"Alpha": ["ski", "wicz", "czyk"], "Beta": ["ini", "etti", "oni"], "Gamma": ["son", "ton", "field"]}
SYLLABLES = [a + b for a in "bcdfgklmnprst" for b in "aeiou"]


def _make_names(label: str, n: int, seed: int) -> list[str]:
    rng = random.Random(f"{label} {seed}")
    found: dict[str, None] = {}
    while len(found) < n:
        found["".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) + rng.choice(ENDINGS[label])] = None
    return list(found)


BEFORE = {label: _make_names(label, 300, 0) for label in ENDINGS}
FRESH = {label: [name for name in _make_names(label, 100, 1) if name not in BEFORE[label]] for label in ENDINGS}


def _spell(names: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    return {label: {fold(name): name for name in of_label} for label, of_label in names.items()}


def _manifest(**changes: object) -> Manifest:
    source = SourceRecord(location="names.csv", kind="delimited text", sha256="0" * 64, encoding="utf-8")
    manifest = Manifest(
        snapshot="s",
        created_at=datetime.now(UTC),
        parent=None,
        replaces=False,
        source=source,
        left_out=(),
        rows=300,
        added=300,
        known=0,
        repeated=0,
        refused={},
        labels={},
        files={},
    )
    return manifest.model_copy(update=changes)


def _change(added: Mapping[str, Iterable[str]], **changes: object) -> Change:
    after = {label: [*BEFORE.get(label, ()), *added.get(label, ())] for label in {**BEFORE, **added}}
    return Change(_spell(BEFORE), _spell(after), _manifest(**changes))


def _counts(names: Mapping[str, Iterable[str]]) -> dict[str, int]:
    return {label: len(list(of_label)) for label, of_label in names.items()}


def _sentences(findings: Iterable[Finding]) -> str:
    return " ".join(f"[{finding.check}] {finding.sentence}" for finding in findings)


@pytest.fixture(scope="module")
def incumbent(exported: Path) -> Incumbent:
    """A champion that tells the endings apart."""
    return Incumbent.load(exported)


def test_honest_names_pass_every_check(incumbent: Incumbent) -> None:
    change = _change(FRESH)
    split = split_dataset(build_dataset({label: list(names) for label, names in change.after.items()}), 0)
    findings = [
        *check_source(change),
        *check_labels(change),
        *check_mix(_counts(change.after), _counts(change.before), "the last snapshot has"),
        *check_new_labels(change),
        *check_spam(change, incumbent),
        *check_leakage(change, split),
        *check_relabelled(change),
        *check_labelling(change, incumbent, []),
    ]
    assert not _sentences(findings)


def test_the_champion_does_not_look_up_names_that_it_was_not_trained_on(incumbent: Incumbent, split: Split) -> None:
    listed = np.exp(incumbent.predictor.log_probs(split.test.names))
    assert (incumbent.probabilities(split.test.names) != listed).any()
    truth = np.arange(len(split.test)), split.test.label_ids
    assert incumbent.probabilities(split.test.names)[truth].mean() < listed[truth].mean()


def test_the_first_names_of_all_are_compared_with_nothing() -> None:
    change = Change({}, _spell(FRESH), _manifest())
    assert not change.has_before
    assert not _sentences([*check_labels(change), *check_spam(change, None), *check_relabelled(change)])


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_swapped_labels_are_found_and_counted(incumbent: Incumbent, share: float) -> None:
    rng = random.Random(0)
    rows = [[label, name] for label, names in FRESH.items() for name in names]
    for row in rng.sample(rows, round(share * len(rows))):
        row[0] = rng.choice([label for label in ENDINGS if label != row[0]])
    added: dict[str, list[str]] = {}
    for label, name in rows:
        added.setdefault(label, []).append(name)
    (finding,) = check_labelling(_change(added), incumbent, [])
    assert finding.check == "labels swapped"
    estimate = float(finding.sentence.split("%")[0].split()[-1]) / 100
    assert estimate == pytest.approx(share, rel=0.6)


def test_a_label_that_got_the_names_of_another_is_named(incumbent: Incumbent) -> None:
    added = {"Alpha": FRESH["Alpha"], "Gamma": [*FRESH["Gamma"], *FRESH["Gamma"]], "Beta": _make_names("Alpha", 60, 2)}
    assert "labels that have nothing to do" in _sentences(check_labelling(_change(added), incumbent, []))
    many = {label: _make_names(label, 2400, 3) for label in ("Alpha", "Gamma")} | {"Beta": _make_names("Alpha", 40, 2)}
    assert "of the 40 new names of Beta are of other labels" in _sentences(
        check_labelling(_change(many), incumbent, [])
    )


def test_names_known_under_another_label_are_found() -> None:
    change = _change(FRESH | {"Alpha": [*FRESH["Alpha"], *BEFORE["Beta"][:30]]})
    assert "30 of the" in _sentences(check_relabelled(change))
    assert not _sentences(check_relabelled(_change(FRESH | {"Alpha": [*FRESH["Alpha"], *BEFORE["Beta"][:3]]})))


@pytest.mark.parametrize(
    "disguise",
    [
        lambda name: f"{name}x",
        lambda name: f"mc{name}",
        lambda name: f"{name[:2]}q{name[2:]}",
        lambda name: f"{name[:3]}{name[4:]}",
        lambda name: f"{name[:3]}q{name[4:]}",
        lambda name: f"Jan {name}",
    ],
    ids=["a letter behind", "letters before", "a letter more", "a letter less", "another letter", "a word beside"],
)
def test_test_names_in_disguise_are_found(disguise: object) -> None:
    assert callable(disguise)
    held_out = split_dataset(build_dataset(BEFORE), 0).test
    leaked: dict[str, list[str]] = {label: list(names) for label, names in FRESH.items()}
    for name, label_id in zip(held_out.names, held_out.label_ids.tolist(), strict=True):
        leaked[held_out.labels[label_id]].append(disguise(name))
    change = _change(leaked)
    split = split_dataset(build_dataset({label: list(names) for label, names in change.after.items()}), 0)
    assert "test names leaked" in _sentences(check_leakage(change, split))


def test_variants_of_any_names_are_no_leak() -> None:
    change = _change({label: [f"{name}x" for name in names[::4]] for label, names in BEFORE.items()})
    split = split_dataset(build_dataset({label: list(names) for label, names in change.after.items()}), 0)
    assert not _sentences(check_leakage(change, split))


def test_a_flooded_a_drained_and_a_lost_label_are_named() -> None:
    before = {"A": 300, "B": 300, "C": 300}
    assert "A has 700 names where before 300" in _sentences(check_mix({**before, "A": 700}, before, "before"))
    assert "[label drained] A has 100" in _sentences(check_mix({**before, "A": 100}, before, "before"))
    assert not _sentences(check_mix({label: 5 * n for label, n in before.items()}, before, "before"))
    shifted = {"A": 400, "B": 400, "C": 400, "D": 640, "E": 640, "F": 640}
    assert "[label mix]" in _sentences(check_mix(shifted, dict.fromkeys("ABCDEF", 400), "before"))
    without = Change(_spell(BEFORE), _spell({label: BEFORE[label] for label in ("Alpha", "Beta")}), _manifest())
    assert "1 label(s) are gone with 300 names: Gamma" in _sentences(check_labels(without))


def test_a_label_too_small_or_misspelled_is_named_with_what_it_may_be() -> None:
    assert "Betta has 3 (is it Beta?)" in _sentences(check_labels(_change({"Betta": FRESH["Beta"][:3]})))
    assert "The new label BETA is Beta but for case" in _sentences(check_labels(_change({"BETA": FRESH["Beta"]})))
    assert "has 700 names, where the largest had 300" in _sentences(
        check_new_labels(_change({"Delta": _make_names("Alpha", 700, 5)}))
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([*FRESH["Beta"], *(f"buynow{i:03}" for i in range(30))], "share 5 letters in a row"),
        ([f"{name} beta" for name in FRESH["Beta"]], "hold the label itself"),
        (["".join(random.Random(i).choices("qxzwvkjh", k=9)) for i in range(80)], "look like no names"),
    ],
    ids=["variants", "the label", "random letters"],
)
def test_spam_in_a_label_is_found(incumbent: Incumbent, names: list[str], words: str) -> None:
    (finding,) = check_spam(_change(FRESH | {"Beta": names}), incumbent)
    assert words in finding.sentence and "Beta" in finding.sentence
    assert "buynow" not in finding.sentence


def test_spam_in_a_new_label_is_found() -> None:
    spam = [f"buynowbuynow{i:02}" for i in range(100)]
    assert "The new names of Delta repeat each other" in _sentences(check_spam(_change({"Delta": spam}), None))


def test_a_source_that_is_broken_says_how() -> None:
    cut_off = _manifest().source.model_copy(update={"is_cut_off": True})
    assert "ends within its last row" in _sentences(check_source(_change(FRESH, source=cut_off)))
    markup = {"markup": Refused(count=60, places=("2", "7"))}
    assert "60 of 300 rows of names.csv hold markup, the first in line 2, 7" in _sentences(
        check_source(_change(FRESH, refused=markup))
    )
    assert not _sentences(check_source(_change(FRESH, refused={"markup": Refused(count=20, places=("2",))})))
    garbled = {"letters garbled by a wrong encoding": Refused(count=20, places=("2",))}
    assert "letters garbled" in _sentences(check_source(_change(FRESH, refused=garbled)))


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "koi8-r", "cp1253", "iso8859-2", "cp1252"])
def test_an_encoding_that_was_guessed_wrong_is_found(encoding: str) -> None:
    names = {
        "cp1250": ["Wałęsa", "Żółty", "Śląski", "Łącki"],
        "iso8859-2": ["Wałęsa", "Żółty", "Śląski", "Łącki"],
        "cp1253": ["Παπαδόπουλος", "Γεωργίου", "Νικολάου", "Δημητρίου"],
        "cp1252": ["Müller", "Núñez", "Åkesson", "Crête"],
    }.get(encoding, ["Иванов", "Смирнов", "Кузнецов", "Попов"])
    misread = [name.encode(encoding).decode("cp1252", "replace") for name in names]
    guessed = _manifest().source.model_copy(update={"encoding": "windows-1252"})
    found = _sentences(check_source(_change({"Alpha": misread}, source=guessed)))
    assert ("Save it as UTF-8" in found) is (encoding != "cp1252")
