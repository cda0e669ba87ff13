"""Draw a model's report as PNG bytes. The only importer of matplotlib.

Figures are drawn without pyplot, in matplotlib's own style whatever the user's is, so the same figures give the same
bytes.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from PIL import Image

from model.evaluation.abstention import AbstentionReport
from model.evaluation.confusion import ConfusedPair, order_by_confusion
from model.evaluation.metrics import CalibrationBin, LabelMetrics

_DPI = 110
_INK, _PALE_INK, _GRID_COLOUR, _RIGHT_COLOUR, _WRONG_COLOUR = "#24292f", "#6e7781", "#d0d7de", "#33658a", "#c8553d"
_STYLE: Any = {
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,  # a label may hold a dollar sign
    "axes.edgecolor": _GRID_COLOUR,
    "axes.labelcolor": _INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "grid.color": _GRID_COLOUR,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
# For letters that matplotlib's own font lacks; those that are not installed are passed over.
_FALLBACK_FONTS = ("Noto Sans CJK SC", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "Arial Unicode MS")
_MAX_MISTAKE_SHARE = 0.3  # a share of names; more is as dark
_MAX_LABELS = 50  # more cannot be read in one picture
_MAX_PAIRS = 20
_MAX_LABEL_LENGTH = 22


def confusion_matrix(confusions: NDArray[np.int64], labels: Sequence[str]) -> bytes:
    """Draw how many in a hundred names of each label (L, L) were given each label, confused ones side by side."""
    wrong = confusions - np.diag(np.diag(confusions))
    shown = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:_MAX_LABELS])
    shown = shown[order_by_confusion(confusions[np.ix_(shown, shown)])]
    shares = confusions[np.ix_(shown, shown)] / np.maximum(confusions[shown].sum(axis=1, keepdims=True), 1)
    names = [_short(labels[i]) for i in shown]
    whose = f"the {len(shown)} labels with the most mistakes" if len(shown) < len(labels) else "each label"
    side = max(3.5, 0.19 * len(shown))
    with _figure(1.9 + side, 1.8 + side) as (figure, png):
        axes = figure.subplots()
        _draw_shares(axes, shares, font_size=min(11, max(6.5, 36 * side / len(shown))))
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="answer", ylabel="label", title=f"Answers to 100 names of {whose}")
    return png.getvalue()


def _draw_shares(axes: Axes, shares: NDArray[np.float64], font_size: float) -> None:
    """Colour right answers and mistakes each on its own scale, and write down what is 2% or more."""
    right = np.eye(len(shares), dtype=bool)
    for mask, hue, darkest in ((right, _RIGHT_COLOUR, 1.0), (~right, _WRONG_COLOUR, _MAX_MISTAKE_SHARE)):
        colours = LinearSegmentedColormap.from_list(hue, ["white", hue])
        axes.imshow(np.ma.array(shares, mask=~mask), cmap=colours, vmin=0, vmax=darkest)
        for row, column in zip(*np.nonzero(mask & (shares >= 0.02)), strict=True):
            share = shares[row, column]
            colour = "white" if share > 0.55 * darkest else _INK
            axes.text(column, row, f"{100 * share:.0f}", color=colour, ha="center", va="center", size=font_size)
    axes.set_xticks(np.arange(len(shares) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(shares) + 1) - 0.5, minor=True)
    axes.grid(which="minor", linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def reliability(bins: Sequence[CalibrationBin]) -> bytes:
    """Draw accuracy against confidence, and how many names have which confidence."""
    filled = [row for row in bins if row.n]
    confidence, accuracy = [row.confidence for row in filled], [row.accuracy for row in filled]
    ends = np.abs(np.array([row.accuracy_interval for row in filled]).T - accuracy)
    with _figure(5.6, 6.2) as (figure, png):
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        upper.plot((0, 1), (0, 1), color=_INK, linewidth=0.8, linestyle=(0, (4, 4)))
        upper.text(0.03, 0.94, "right more often than said", color=_PALE_INK)
        upper.text(0.97, 0.04, "right less often than said", color=_PALE_INK, ha="right")
        upper.errorbar(confidence, accuracy, yerr=ends, fmt="o", color=_RIGHT_COLOUR, clip_on=False)
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
        upper.set_title("Is an answer right as often as its probability says?")
        upper.grid()
        lefts, heights = [row.lower for row in bins], [row.n for row in bins]
        lower.bar(lefts, heights, 1 / len(bins), align="edge", color=_RIGHT_COLOUR, edgecolor="white")
        lower.set(xlabel="probability of the answer", ylabel="names")
        for axis in (lower.xaxis, upper.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    return png.getvalue()


def learning_curve(epochs: Sequence[Mapping[str, float]], best_epoch: int) -> bytes:
    """Draw loss and accuracy per epoch, and which epoch was kept."""
    numbers = [epoch["number"] for epoch in epochs]
    with _figure(8.6, 3.8) as (figure, png):
        loss, accuracy = figure.subplots(1, 2)
        for axes, column, colour, what in (
            (loss, "train_loss", _RIGHT_COLOUR, "on the training names"),
            (loss, "validation_nll", _WRONG_COLOUR, "on the validation names"),
            (accuracy, "validation_accuracy", _WRONG_COLOUR, "on the validation names"),
        ):
            axes.plot(numbers, [epoch[column] for epoch in epochs], "o-", color=colour, label=what)
        for axes, title in ((loss, "Loss, in nats a name"), (accuracy, "Accuracy")):
            axes.axvline(best_epoch, color=_INK, linewidth=0.8, linestyle=(0, (4, 4)), label="epoch kept")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.set(xlabel="epoch", title=title)
            axes.grid()
        figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return png.getvalue()


def label_scores(rows: Sequence[LabelMetrics]) -> bytes:
    """Draw F1 and recall with its interval per label, best first; of many labels, the weakest."""
    known = sorted((row for row in rows if row.n), key=lambda row: -row.f1)
    shown = known[-_MAX_LABELS:]
    whose = f"the {len(shown)} weakest labels" if len(shown) < len(known) else "each label"
    recall = np.array([row.recall for row in shown])
    ends = np.abs(np.array([row.recall_interval for row in shown]).T - recall)
    places = np.arange(len(shown))
    with _figure(7, 1.6 + 0.19 * len(shown)) as (figure, png):
        axes = figure.subplots()
        axes.barh(places, [row.f1 for row in shown], color=_GRID_COLOUR, label="F1")
        label = "recall, with its 95% interval"
        axes.errorbar(recall, places, xerr=ends, fmt="o", color=_RIGHT_COLOUR, clip_on=False, label=label)
        axes.set_yticks(places, [f"{_short(row.label)}  {row.f1:.2f}" for row in shown])
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6), title=f"F1 and recall of {whose}")
        axes.grid(axis="x")
        figure.legend(loc="outside lower center", ncols=2)
    return png.getvalue()


def confused_pairs(pairs: Sequence[ConfusedPair]) -> bytes:
    """Draw the pairs of labels that are confused most often, each way."""
    shown = pairs[:_MAX_PAIRS]
    places = range(len(shown))
    one_way, other_way = [pair.first_as_second for pair in shown], [pair.second_as_first for pair in shown]
    with _figure(7, 1.8 + 0.24 * len(shown)) as (figure, png):
        axes = figure.subplots()
        axes.barh(places, one_way, color=_WRONG_COLOUR, label="the first taken for the second")
        axes.barh(places, other_way, left=one_way, color=_GRID_COLOUR, label="the second taken for the first")
        for place, pair in enumerate(shown):
            text = f" {pair.first_as_second} + {pair.second_as_first}"
            axes.text(pair.n, place, text, color=_PALE_INK, va="center", size=8)
        axes.set_yticks(places, [f"{_short(pair.first)}, {_short(pair.second)}" for pair in shown])
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="names")
        axes.set_title("Labels that are taken for each other most often" if shown else "No label is taken for another")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.margins(x=0.15)
        if shown:
            figure.legend(loc="outside lower center", ncols=2)
    return png.getvalue()


def abstention(report: AbstentionReport) -> bytes:
    """Draw how familiar test names and each kind of outliers are, and the threshold between them."""
    everything = np.concatenate([report.familiarity, *(found.familiarity for found in report.outliers.values())])
    first, last = np.quantile(everything, (0.005, 0.995)).tolist()
    edges = np.linspace(first, last, 61)
    with _figure(7, 3.8) as (figure, png):
        axes = figure.subplots()
        axes.stairs(_shares(report.familiarity, edges), edges, label="test names", fill=True, color=_GRID_COLOUR)
        for (kind, found), colour in zip(
            report.outliers.items(), (_WRONG_COLOUR, _RIGHT_COLOUR, _INK, _PALE_INK), strict=False
        ):
            label = f"{kind}, AUROC {found.auroc:.3f}"
            axes.stairs(_shares(found.familiarity, edges), edges, label=label, color=colour, linewidth=1.2)
        axes.axvline(report.threshold, color=_INK, linewidth=0.8, linestyle=(0, (4, 4)))
        axes.set(xlabel="familiarity", ylabel="share", title="Is a string a name at all?")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.legend(loc="outside lower center", ncols=2)
    return png.getvalue()


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of values in each bin; what lies outside counts in the outermost."""
    return np.asarray(np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values))


def _short(label: str) -> str:
    return label if len(label) <= _MAX_LABEL_LENGTH else label[: _MAX_LABEL_LENGTH - 1].rstrip() + "…"


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, io.BytesIO]]:
    """Yield an empty figure of so many inches and where its PNG will be once it is drawn on."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands for it
        mpl.rcdefaults()
        installed = set(fontManager.get_font_names())
        families = ["DejaVu Sans", *(font for font in _FALLBACK_FONTS if font in installed)]
        mpl.rcParams.update(_STYLE | {"font.family": families})
        figure, png = Figure(figsize=(width, height)), io.BytesIO()
        yield figure, png
        figure.savefig(png, format="png", dpi=_DPI)
        picture = _with_palette(np.asarray(Image.open(png).convert("RGB")).astype(np.int64))
        png.seek(0)
        png.truncate()
        picture.save(png, "PNG", optimize=True)


def _with_palette(pixels: NDArray[np.int64]) -> Image.Image:
    """Keep the 256 most frequent colours of (H, W, 3) and round the rest: a third of the bytes, and no metadata."""
    codes, where, counts = np.unique(pixels @ (1 << 16, 1 << 8, 1), return_inverse=True, return_counts=True)
    colours = codes[:, None] >> np.array((16, 8, 0)) & 255
    palette = colours[np.argsort(-counts, kind="stable")[:256]]
    nearest = ((colours[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    picture = Image.fromarray(nearest[where].reshape(pixels.shape[:2]).astype(np.uint8))
    picture.putpalette(palette.ravel().tolist())
    return picture
