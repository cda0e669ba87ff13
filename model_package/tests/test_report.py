"""The report that a bundle carries: made again from it, readable by a program and by a person."""

import io
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from model.artifacts import read_bundle
from model.calibration import KEPT_NAMES
from model.data.composition import slices
from model.data.dataset import Dataset
from model.data.outliers import held_out_outliers
from model.data.splitting import Split
from model.errors import DataError
from model.evaluation import plots
from model.evaluation.abstention import AbstentionReport, Rejection, auroc
from model.evaluation.confusion import confused_pairs, count_confusions
from model.evaluation.metrics import calibration_bins, evaluate, label_metrics
from model.evaluation.report import build_report
from model.prediction import Predictor
from model.utils import log_softmax

EPOCHS = [{"number": 1, "train_loss": 2.0, "validation_nll": 1.5, "validation_accuracy": 0.5}]
OUTLIERS = {"noise": ["xq", "qqqqq", "zx"]}
LARGEST = 120 * 1024


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.load(exported)


@pytest.fixture(scope="module")
def report(predictor: Predictor, split: Split) -> dict[str, bytes]:
    return build_report(predictor, {"test": split.test, "validation": split.validation}, OUTLIERS)


def _made_up_abstention(rng: np.random.Generator) -> AbstentionReport:
    names, noise = rng.normal(3, size=50), rng.normal(-3, size=40)
    return AbstentionReport(
        0.0, names, {"test": 0.0}, {"A": 0.0}, {"noise": Rejection(noise, auroc(names, noise), 1.0)}
    )


def _draw_all(labels: tuple[str, ...], n: int, signal: float = 1) -> dict[str, bytes]:
    """Draw every plot of made-up answers to n names."""
    rng = np.random.default_rng(0)
    label_ids = rng.integers(len(labels), size=n)
    log_probs = log_softmax(rng.normal(size=(n, len(labels))) + signal * np.eye(len(labels))[label_ids])
    confusions = count_confusions(log_probs, label_ids)
    return {
        "confusion": plots.confusion_matrix(confusions, labels),
        "reliability": plots.reliability(calibration_bins(log_probs, label_ids)),
        "learning_curve": plots.learning_curve(EPOCHS, 1),
        "labels": plots.label_scores(label_metrics(log_probs, label_ids, labels)),
        "pairs": plots.confused_pairs(confused_pairs(confusions, labels)),
        "abstention": plots.abstention(_made_up_abstention(rng)),
    }


def test_a_bundle_carries_the_report_that_can_be_made_from_it(
    exported: Path, predictor: Predictor, split: Split
) -> None:
    carried = {name: content for name, content in read_bundle(exported).files.items() if name.startswith("report/")}
    assert build_report(predictor, slices(split), held_out_outliers(split, predictor.metadata.characters)) == carried


def test_figures_are_those_of_the_evaluation(report: dict[str, bytes], predictor: Predictor, split: Split) -> None:
    figures = json.loads(report["report/metrics.json"])
    assert sorted(figures["slices"]) == ["test", "validation"]
    assert figures["model"]["version"] == predictor.metadata.version
    for name, dataset in (("test", split.test), ("validation", split.validation)):
        metrics = evaluate(predictor.log_probs(dataset.names), dataset.label_ids, dataset.labels)
        assert figures["slices"][name]["n"] == len(dataset)
        assert figures["slices"][name]["nll"]["value"] == pytest.approx(metrics.nll, abs=1e-6)
        assert figures["slices"][name]["accuracy"]["value"] == round(metrics.accuracy, 6)
        assert metrics.accuracy == predictor.metadata.metrics[name]["accuracy"]
    assert sum(row["n"] for row in figures["labels"].values()) == len(split.test)
    assert sum(row["n"] for row in figures["calibration"]) == len(split.test)


def test_the_card_names_every_slice_the_weakest_label_and_every_plot(report: dict[str, bytes]) -> None:
    card = report["report/MODEL_CARD.md"].decode()
    labels = json.loads(report["report/metrics.json"])["labels"]
    weakest = min(labels, key=lambda label: labels[label]["f1"])
    weak = card.partition("### Weakest labels\n\n")[2].splitlines()
    assert weak[2].startswith(f"| {weakest} |")
    assert "\n| test | " in card
    assert "\n| validation | " in card
    for name in report:
        assert not name.endswith(".png") or f"({name.removeprefix('report/')})" in card


def test_the_card_says_of_which_label_nothing_is_known(predictor: Predictor, split: Split) -> None:
    without = split.test.take(split.test.label_ids != 1)
    report = build_report(predictor, {"test": without}, OUTLIERS)
    assert f"nothing is known of: {predictor.labels[1]}." in report["report/MODEL_CARD.md"].decode()
    assert json.loads(report["report/metrics.json"])["labels"][predictor.labels[1]]["n"] == 0


def test_the_card_shows_what_markdown_would_read_as_its_own(predictor: Predictor, split: Split) -> None:
    card = build_report(predictor, {"test": split.test, "a|b_<i>": split.test}, OUTLIERS)[
        "report/MODEL_CARD.md"
    ].decode()
    assert "\n| a\\|b\\_\\<i\\> | " in card


def test_a_slice_without_names_or_of_other_labels_is_refused(predictor: Predictor, split: Split) -> None:
    empty = split.test.take(np.zeros(len(split.test), dtype=bool))
    other = Dataset(("X", "Y", "Z"), split.test.names, split.test.label_ids, split.test.ranks)
    for dataset in (empty, other):
        with pytest.raises(DataError, match="slice odd"):
            build_report(predictor, {"test": split.test, "odd": dataset}, OUTLIERS)


@pytest.mark.parametrize(
    ("labels", "n", "signal"),
    [
        (("Ham", "Spam"), 20, 1),
        (("A", "B", "C"), 30, 99),  # all right: nothing is confused
        (tuple(f"Label {i}" for i in range(200)), 2000, 3),
        (("日本語", "עברית", "a" * 100, "$x$", "_b", "<i>|`"), 60, 2),
    ],
    ids=["two", "perfect", "two hundred", "odd words"],
)
def test_every_plot_is_a_small_picture_whatever_the_labels(labels: tuple[str, ...], n: int, signal: float) -> None:
    for name, content in _draw_all(labels, n, signal).items():
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.info == {}, name  # no date, no version
            assert min(picture.size) > 100 and max(picture.size) < 1600, name
        assert len(content) < LARGEST, name


def test_a_users_own_style_changes_no_byte_and_is_left_alone() -> None:
    before = plots.learning_curve(EPOCHS, 1)
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30}):
        assert plots.learning_curve(EPOCHS, 1) == before
        assert mpl.rcParams["font.size"] == 30


def test_auroc_is_the_chance_that_a_name_scores_higher() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert auroc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    assert auroc(np.array([0.0, 2.0]), np.array([1.0])) == 0.5


def test_the_report_says_how_much_is_refused(report: dict[str, bytes], predictor: Predictor) -> None:
    abstention = json.loads(report["report/metrics.json"])["abstention"]
    assert abstention["threshold"] == pytest.approx(predictor.metadata.abstention_threshold, abs=1e-6)
    assert abstention["refused_names"]["validation"] < 0.06
    assert abstention["outliers"]["noise"]["n"] == 3
    assert "| noise | 3 | " in report["report/MODEL_CARD.md"].decode()
    assert f"keep {KEPT_NAMES:.1%} of the validation names" in report["report/MODEL_CARD.md"].decode()
