"""Write a model card in Markdown, in the sections that model hubs have made usual.

It holds for any labels: what they mean is the business of whoever made the lists.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from model.artifacts import BundleMetadata
from model.calibration import KEPT_NAMES
from model.constants import MAX_NAME_LENGTH
from model.evaluation.abstention import AbstentionReport
from model.evaluation.intervals import Interval
from model.evaluation.metrics import LabelMetrics
from model.evaluation.slice_evaluation import SliceEvaluation
from model.prediction import Predictor

_METRICS = {
    "accuracy": "accuracy",
    "top_3_accuracy": "top-3 accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "nll": "negative log-likelihood, nats",
    "expected_calibration_error": "expected calibration error",
}
_METRICS_OF_A_SLICE = ("accuracy", "top_3_accuracy", "macro_f1", "nll")
_MAX_ROWS = 10
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def write_card(predictor: Predictor, evaluations: Mapping[str, SliceEvaluation], abstention: AbstentionReport) -> str:
    """Return the card of a bundle from its evaluation on each slice, the first of them in detail."""
    metadata = predictor.metadata
    main = next(iter(evaluations.values()))
    sections = (
        _purpose(metadata),
        _data(metadata, main.metrics.n),
        _training(metadata, predictor.n_parameters),
        _figures(evaluations),
        _calibration(main),
        _abstention(abstention),
        _labels(main),
        _confusions(main),
        _limits(metadata, main),
        "## Licence\n\nOf the data: see where the names came from.",
    )
    return "\n\n".join(sections) + "\n"


def _purpose(metadata: BundleMetadata) -> str:
    return f"""# Name classifier {metadata.version}

**A label says which list a name resembles; it says nothing about the person who bears it.**

## What it is for

It takes a name, or any other string of up to {MAX_NAME_LENGTH} characters, and says which of {len(metadata.labels)} \
lists of names it resembles, with a probability for each. That is of use over many names, where mistakes average out, \
and as a first guess that somebody checks.

## What it is not for

- Deciding anything about a person: who they are, where they belong, what they may have.
- Deciding whether somebody's name is one: what it calls unfamiliar may still be a name."""


def _data(metadata: BundleMetadata, n_test: int) -> str:
    return f"""## Data

{metadata.data.names:,} names (given names and outliers beside them not counted) \
under {len(metadata.labels)} labels, fingerprint `{metadata.data.fingerprint}`. They \
were split 80/10/10 with seed {metadata.data.split_seed}; a spelling is in one part only, and the most common names of \
a list in order of frequency always train. The figures below come from {n_test:,} names that had no say in training, \
answered as if no list held them; in use, what the data lists is remembered by its labels.

Labels: {", ".join(map(_escape, metadata.labels))}."""


def _training(metadata: BundleMetadata, n_parameters: int) -> str:
    separate_rows = {"epochs", "best_epoch", "language_model_share"}
    settings = {key: value for key, value in metadata.training.items() if key not in separate_rows}
    rows = (
        ("architecture", f"{metadata.architecture}, {n_parameters:,} parameters"),
        ("shape", _pairs({key: value for key, value in metadata.config.items() if key != "architecture"})),
        ("epochs", f"{len(metadata.training['epochs'])}, of which number {metadata.training['best_epoch']} was kept"),
        ("language models added", f"a share of {metadata.training.get('language_model_share', 0):g}, after the epochs"),
        ("settings", _pairs(settings)),
        ("temperature", f"{metadata.temperature:.3f}, fitted on the validation names"),
        ("libraries", _pairs(metadata.libraries)),
        *([("snapshot of the data", metadata.data.snapshot)] if metadata.data.snapshot else []),
        ("commit", metadata.git_commit or "not known"),
        ("made", metadata.created_at.isoformat()),
    )
    return f"""## Training

{_table(("", ""), rows)}

![Loss and accuracy by epoch](learning_curve.png)

Training names are learned under noise and count by how common they are, so the two losses do not compare."""


def _figures(evaluations: Mapping[str, SliceEvaluation]) -> str:
    main = next(iter(evaluations.values()))
    rows = ((title, *_metric(main, metric)) for metric, title in _METRICS.items())
    slices = (
        (_escape(name), f"{evaluation.metrics.n:,}", *_summary(evaluation)) for name, evaluation in evaluations.items()
    )
    columns = ("slice", "names", *(_METRICS[metric] for metric in _METRICS_OF_A_SLICE))
    return f"""## Figures

{_table(("metric", "value", "95% interval"), rows)}

An interval says how a figure would vary over other names of the same kind (bootstrap over names; for labels, Wilson).

### By slice

{_table(columns, slices)}"""


def _summary(evaluation: SliceEvaluation) -> Iterable[str]:
    for metric in _METRICS_OF_A_SLICE:
        yield "{} ({})".format(*_metric(evaluation, metric))


def _calibration(main: SliceEvaluation) -> str:
    value, interval = _metric(main, "expected_calibration_error")
    return f"""### Calibration

Probabilities and the share of right answers lie {value} ({interval}) apart, on the average over \
{len(main.calibration)} bins.

![Share of right answers by probability](reliability.png)"""


def _abstention(abstention: AbstentionReport) -> str:
    rows = (
        (_escape(kind), f"{len(found.familiarity):,}", f"{found.auroc:.3f}", f"{found.refused:.1%}")
        for kind, found in abstention.outliers.items()
    )
    names = ((_escape(name), f"{share:.1%}") for name, share in abstention.refused.items())
    labels = ", ".join(
        f"{_escape(label)} {share:.0%}" for label, share in list(abstention.refused_by_label.items())[:5]
    )
    return f"""### What it calls unfamiliar

An answer below a familiarity of {abstention.threshold:.2f} comes with the remark that the string is unfamiliar. The \
threshold was fitted to keep {KEPT_NAMES:.1%} of the validation names; in use, what the data lists, as a name or as \
none, is not judged by it. AUROC: how often an outlier is less familiar than a test name.

{_table(("strings that are no names", "strings", "AUROC", "called unfamiliar"), rows)}

{_table(("slice of names", "called unfamiliar"), names)}

It is uneven: the labels whose test names are called unfamiliar most often are {labels}.

![Familiarity of names and of other strings](abstention.png)"""


def _labels(main: SliceEvaluation) -> str:
    weakest = sorted((row for row in main.labels if row.n), key=lambda row: row.f1)[:_MAX_ROWS]
    rows = ((_escape(row.label), str(row.n), f"{row.f1:.3f}", *_label_figures(row)) for row in weakest)
    return f"""### Weakest labels

{_table(("label", "names", "F1", "precision", "recall"), rows)}

![F1 and recall of each label](labels.png)"""


def _label_figures(row: LabelMetrics) -> Iterable[str]:
    for value, interval in ((row.precision, row.precision_interval), (row.recall, row.recall_interval)):
        yield "{} ({})".format(*_figure(value, interval))


def _confusions(main: SliceEvaluation) -> str:
    pairs = (
        (_escape(pair.first), _escape(pair.second), str(pair.first_as_second), str(pair.second_as_first))
        for pair in main.pairs[:_MAX_ROWS]
    )
    mistakes = (
        (_escape(row.name), _escape(row.label), _escape(row.predicted), f"{row.confidence:.1%}")
        for row in main.mistakes[:_MAX_ROWS]
    )
    return f"""### Most confused labels

{_table(("first", "second", "first taken for second", "second taken for first"), pairs)}

![Pairs of labels that are confused most often](pairs.png)

![Answers by label](confusion.png)

### Surest mistakes

{_table(("name", "label", "answer", "probability"), mistakes)}"""


def _limits(metadata: BundleMetadata, main: SliceEvaluation) -> str:
    lines = [
        "Test names come from the same lists as training names: on names from elsewhere, expect less.",
        "A name that stands in several lists has one best answer, which is wrong for the others.",
        "Probabilities take labels to be as frequent as in training; where they are not, give a prior.",
        _describe_characters(metadata),
        "Intervals do not cover what another seed, or other lists, would change.",
    ]
    if untested := [_escape(row.label) for row in main.labels if not row.n]:
        lines.append(f"No test name, so nothing is known of: {', '.join(untested)}.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _describe_characters(metadata: BundleMetadata) -> str:
    if not metadata.scripts:
        return f"It knows {len(metadata.characters)} characters; any other letter is transliterated where that can be \
done without knowing the language, and is a gap to it otherwise."
    return (
        f"It knows {len(metadata.characters)} characters of {len(metadata.scripts)} scripts. Another letter of these \
tells its script alone; a name in another script gets no label."
    )


def _metric(evaluation: SliceEvaluation, metric: str) -> tuple[str, str]:
    return _figure(getattr(evaluation.metrics, metric), evaluation.intervals[metric])


def _figure(value: float, interval: Interval) -> tuple[str, str]:
    return f"{value:.3f}", f"{interval[0]:.3f} to {interval[1]:.3f}"


def _pairs(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_escape(str(value))}" for key, value in settings.items())


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (columns, ["---"] * len(columns), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", text)
