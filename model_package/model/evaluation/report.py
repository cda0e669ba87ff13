"""Build a bundle's report: metrics in JSON, plots and a model card. Returns bytes, writes no file.

All of it follows from a Predictor and labelled names, so `evaluate` makes the same report again from the bundle.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from model.artifacts import BundleMetadata
from model.data.dataset import Dataset
from model.evaluation.abstention import AbstentionReport, evaluate_abstention
from model.evaluation.intervals import Interval
from model.evaluation.model_card import write_card
from model.evaluation.slice_evaluation import SliceEvaluation, evaluate_slice
from model.prediction import Predictor

_DIGITS = 6


def build_report(
    predictor: Predictor, slices: Mapping[str, Dataset], outliers: Mapping[str, Sequence[str]]
) -> dict[str, bytes]:
    """Return the report's files by their names in the bundle; the first slice, the test names, is evaluated in detail.

    Raises:
        DataError: a slice is empty, or its labels are not those of the bundle.
    """
    evaluations = {name: evaluate_slice(predictor, name, dataset) for name, dataset in slices.items()}
    abstention = evaluate_abstention(predictor, slices, outliers)
    files = {
        "metrics.json": _to_json(_document(predictor.metadata, evaluations, abstention)),
        "MODEL_CARD.md": write_card(predictor, evaluations, abstention).encode(),
        **_draw(predictor.metadata, next(iter(evaluations.values())), abstention),
    }
    return {f"report/{name}": content for name, content in files.items()}


def _draw(metadata: BundleMetadata, main: SliceEvaluation, abstention: AbstentionReport) -> dict[str, bytes]:
    from model.evaluation import plots  # matplotlib takes half a second

    return {
        "labels.png": plots.label_scores(main.labels),
        "pairs.png": plots.confused_pairs(main.pairs),
        "confusion.png": plots.confusion_matrix(main.confusions, metadata.labels),
        "reliability.png": plots.reliability(main.calibration),
        "abstention.png": plots.abstention(abstention),
        "learning_curve.png": plots.learning_curve(metadata.training["epochs"], metadata.training["best_epoch"]),
    }


def _document(
    metadata: BundleMetadata, evaluations: Mapping[str, SliceEvaluation], abstention: AbstentionReport
) -> dict[str, Any]:
    main = next(iter(evaluations.values()))
    return {
        "model": {"version": metadata.version, "data_fingerprint": metadata.data.fingerprint},
        "slices": {
            name: {"n": evaluation.metrics.n}
            | {
                metric: _figure(getattr(evaluation.metrics, metric), interval)
                for metric, interval in evaluation.intervals.items()
            }
            for name, evaluation in evaluations.items()
        },
        "labels": {
            row.label: {
                "n": row.n,
                "precision": _figure(row.precision, row.precision_interval),
                "recall": _figure(row.recall, row.recall_interval),
                "f1": row.f1,
            }
            for row in main.labels
        },
        "calibration": [
            {
                "lower": row.lower,
                "upper": row.upper,
                "n": row.n,
                "confidence": row.confidence,
                "accuracy": _figure(row.accuracy, row.accuracy_interval),
            }
            for row in main.calibration
        ],
        "abstention": {
            "threshold": abstention.threshold,
            "refused_names": abstention.refused,
            "refused_names_by_label": abstention.refused_by_label,
            "outliers": {
                kind: {"n": len(found.familiarity), "auroc": found.auroc, "refused": found.refused}
                for kind, found in abstention.outliers.items()
            },
        },
        "confused_pairs": [asdict(pair) | {"n": pair.n} for pair in main.pairs],
        "surest_mistakes": [asdict(mistake) for mistake in main.mistakes],
    }


def _figure(value: float, interval: Interval) -> dict[str, float]:
    return {"value": value, "low": interval[0], "high": interval[1]}


def _to_json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(_rounded(document), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
