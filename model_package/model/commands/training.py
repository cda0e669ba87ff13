"""Commands that make and evaluate bundles: train, validate, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from model.commands.data_folder import (
    AsIsOption,
    RankedOption,
    SkipSmallOption,
    describe_order,
    find_names,
    print_warnings,
)
from model.commands.terminal import (
    DEFAULT_STORE,
    BundleFolder,
    DataFolder,
    MlflowOption,
    NewBundleFolder,
    StoreOption,
    console,
)
from model.commands.training_progress import show_training
from model.constants import MAX_SEED

if TYPE_CHECKING:
    from model.classifier import Shape
    from model.data.corpus import Corpus
    from model.training import TrainingConfig, TrainingResult

_MAX_OVERLAPS = 10


def train(
    bundle: NewBundleFolder,
    data: DataFolder,
    *,
    config: Annotated[Path | None, typer.Option(help="TOML file with tables [shape] and [training].")] = None,
    architecture: Annotated[str | None, typer.Option(help="Instead of the default network.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training names.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Fixes the split, the initial weights and the order.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or mps; auto takes an accelerator where there is one.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    mlflow: MlflowOption = None,
    as_is: AsIsOption = False,
    skip_small: SkipSmallOption = False,
    ranked: RankedOption = None,
) -> None:
    """Train on a folder of names, write a verified bundle and add it to the store."""
    from model.artifacts import check_writable
    from model.config import read_config
    from model.data.corpus import Reading, load_corpus
    from model.pipeline.fitting import fit_bundle, identify
    from model.registry import tracking

    if mlflow:
        tracking.check_installed()
    shape, training_config = read_config(
        config, architecture=architecture, epochs=epochs, seed=seed, device=device, ranked=ranked
    )
    names, manifest = find_names(data)
    corpus = load_corpus(names, Reading(as_is, skip_small, training_config.ranked))
    print_warnings(corpus.warnings)
    check_writable(bundle)
    check_writable(store)
    identity = identify(corpus, training_config.seed, names, manifest)
    console.print(f"{_describe(corpus)}; training a {shape.architecture}.")
    console.print(describe_order(corpus.names.ranked_labels(), corpus.names.labels, training_config.ranked))
    console.print(_describe_cost(corpus, training_config, shape))
    with show_training() as progress:
        result, metadata = fit_bundle(bundle, corpus, identity, shape, training_config, progress=progress)
    console.print(_metrics_table(metadata.metrics))
    console.print(_describe_result(result, metadata.metrics["validation"]["accuracy"]))
    console.print(f"Bundle {metadata.version} written to {bundle}.")
    _keep(bundle, store, mlflow)


def _keep(bundle: Path, store: Path, mlflow: str | None) -> None:
    """Add a bundle to the store, and record the store in MLflow if a URI is given."""
    from model.registry import tracking
    from model.registry.store import Store

    Store(store).add(bundle)
    console.print(f"Added to {store}.")
    if mlflow:
        tracking.record(Store(store), mlflow)


def _describe_result(result: "TrainingResult", accuracy: float) -> str:
    """Tell the accuracy of the network alone, as seen while it trained, from that of the bundle."""
    best = result.epochs[result.best_epoch - 1]
    return (
        f"Epoch {best.number} of {len(result.epochs)} kept: validation accuracy of the network alone "
        f"{best.validation_accuracy:.3f}; of the bundle, with a share of {result.language_model_share:g} "
        f"of the language models blended in, {accuracy:.3f}."
    )


def _describe_cost(corpus: "Corpus", config: "TrainingConfig", shape: "Shape") -> str:
    from model.costs import estimate
    from model.data.splitting import count_training_names

    n_names = count_training_names(len(corpus.names))
    cost = estimate(n_names, len(corpus.names.labels), config, shape)
    table = f", a table of {cost.table_rows} rows" if cost.table_rows else ""
    return (
        f"{cost.n_epochs} pass(es) over some {n_names} names{table}: about {cost.cpu_seconds / 60:.0f} minutes of CPU, "
        f"{cost.memory_bytes / 1e9:.1f} GB of memory, a bundle of {cost.bundle_bytes / 1e6:.0f} MB."
    )


def _describe(corpus: "Corpus") -> str:
    parts = [f"{len(corpus.names)} names of {len(corpus.names.labels)} labels"]
    if corpus.given:
        parts.append(f"{len(corpus.given)} given names")
    if corpus.outliers:
        parts.append(f"{len(corpus.outliers)} outliers")
    if variants := corpus.count_variants():
        parts.append(f"{variants} variants")
    return ", ".join(parts)


def validate(
    data: DataFolder, *, as_is: AsIsOption = False, skip_small: SkipSmallOption = False, ranked: RankedOption = None
) -> None:
    """Check a folder of names; report counts, duplicates, overlaps and the accuracy that they make possible."""
    from model.data.corpus import Reading
    from model.data.description import describe_data

    reading = Reading(as_is, skip_small, ranked or "auto")
    report = describe_data(find_names(data)[0], reading)
    print_warnings(report.warnings)
    table = Table("label", "lines", "names", "duplicates", "shared with others", "order")
    for row in report.labels:
        counts = map(str, (row.lines, row.names, row.lines - row.names, row.shared))
        table.add_row(row.label, *counts, "ranked" if row.label in report.ranked_labels else "not ranked")
    console.print(table)
    labels = [row.label for row in report.labels]
    console.print(describe_order(report.ranked_labels, labels, reading.ranked))
    for first, second, n in report.overlaps[:_MAX_OVERLAPS]:
        console.print(f"{n} names are both {first} and {second}.")
    if report.given_names or report.outliers or report.variants:
        console.print(
            f"Beside them: {report.given_names} given names, {report.outliers} outliers, {report.variants} variants."
        )
    console.print(
        f"{len(report.labels)} labels, {report.names} names, {report.distinct_names} of them distinct: "
        f"no classifier can be right on more than {report.accuracy_ceiling:.1%}.\nFingerprint {report.fingerprint}"
    )


def evaluate(
    bundle: BundleFolder,
    data: DataFolder,
    report: Annotated[
        Path | None, typer.Option(help="Folder to write figures, plots and a model card to, as the bundle holds them.")
    ] = None,
) -> None:
    """Evaluate a bundle on the test names of the folder that it was trained on, over all and per label."""
    from dataclasses import asdict

    from model.data.corpus import Reading, load_corpus
    from model.pipeline.evaluating import evaluate_bundle, split_trained
    from model.prediction import Predictor
    from model.registry.store import resolve_bundle

    predictor = Predictor.load(resolve_bundle(bundle))
    corpus = load_corpus(find_names(data)[0], Reading.of_bundle(predictor.metadata.training))
    split = split_trained(predictor, corpus)
    evaluation = evaluate_bundle(predictor, split)
    table = Table("label", "names", "precision", "recall", "F1")
    for row in evaluation.labels:
        table.add_row(row.label, str(row.n), *(f"{x:.3f}" for x in (row.precision, row.recall, row.f1)))
    console.print(table)
    console.print(_metrics_table({"test": asdict(evaluation.metrics)}))
    if report:
        from model.artifacts import write_files
        from model.data.composition import slices
        from model.data.outliers import held_out_outliers
        from model.evaluation.report import build_report

        outliers = held_out_outliers(split, predictor.metadata.characters)
        files = build_report(predictor, slices(split), outliers)
        write_files(report, {Path(name).name: content for name, content in files.items()})
        console.print(f"Report written to {report}.")


def _metrics_table(metrics: dict[str, dict[str, float]]) -> Table:
    table = Table("metric", *metrics)
    for metric in next(iter(metrics.values())):
        values = (part[metric] for part in metrics.values())
        table.add_row(metric.replace("_", " "), *(str(int(x)) if metric == "n" else f"{x:.4f}" for x in values))
    return table
