"""The command line: `python -m model VERB`. Parses, delegates, prints; heavy imports stay inside the verbs."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from model.constants import DEFAULT_NEIGHBOURS, DEFAULT_TOP_K, MAX_NEIGHBOURS
from model.errors import ModelError

app = typer.Typer(
    help="Train, check and use a classifier for names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(soft_wrap=True, markup=False, emoji=False)
_MOST_OVERLAPS = 10
_LONGEST_BAR = 30

BundleFolder = Annotated[Path, typer.Argument(help="Folder of the bundle.")]
DataFolder = Annotated[Path, typer.Argument(help="Folder of <Label>.txt files, one name a line.")]


@app.command()
def train(
    bundle: BundleFolder,
    data: DataFolder,
    architecture: Annotated[str, typer.Option(help="rnn, gru or lstm.")] = "gru",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training names.")] = 12,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Fixes the split, the initial weights and the order.")
    ] = 0,
) -> None:
    """Train on a folder of names and write a verified bundle."""
    from model.artifacts import DataIdentity, check_writable
    from model.data import load_dataset
    from model.export import save_bundle
    from model.splitting import split_dataset
    from model.training import TrainingConfig
    from model.training import train as fit

    dataset = load_dataset(data)
    check_writable(bundle)
    identity = DataIdentity(fingerprint=dataset.fingerprint(), names=len(dataset), split_seed=seed)
    split = split_dataset(dataset, seed)
    console.print(f"{len(dataset)} names of {len(dataset.labels)} labels; training a {architecture}.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=None)
        result = fit(
            split,
            TrainingConfig(epochs=epochs, seed=seed),
            architecture=architecture,
            progress=lambda done, total, past: bar.update(
                task,
                completed=done,
                total=total,
                description=f"validation accuracy {past[-1].validation_accuracy:.3f}" if past else "training",
            ),
        )
    metadata = save_bundle(bundle, result, split, identity)
    console.print(_metrics_table(metadata.metrics))
    console.print(f"Epoch {result.best_epoch} of {epochs} kept. Bundle {metadata.version} written to {bundle}.")


app.command("training_model", help="Alias of train.", hidden=True)(train)


@app.command()
def validate(data: DataFolder) -> None:
    """Check a folder of names; report counts, duplicates, overlaps and the accuracy that they make possible."""
    from model.data import describe_data

    report = describe_data(data)
    table = Table("label", "lines", "names", "duplicates", "shared with others")
    for row in report.labels:
        table.add_row(row.label, *map(str, (row.lines, row.names, row.lines - row.names, row.shared)))
    console.print(table)
    for first, second, n in report.overlaps[:_MOST_OVERLAPS]:
        console.print(f"{n} names are both {first} and {second}.")
    console.print(
        f"{len(report.labels)} labels, {report.names} names, {report.distinct_names} of them distinct: "
        f"no classifier can be right on more than {report.accuracy_ceiling:.1%}.\nFingerprint {report.fingerprint}"
    )


@app.command()
def evaluate(
    bundle: BundleFolder,
    data: DataFolder,
    report: Annotated[
        Path | None, typer.Option(help="Folder to write figures, plots and a model card to, as the bundle holds them.")
    ] = None,
) -> None:
    """Judge a bundle on the test names of the folder that it was trained on, over all and per label."""
    from dataclasses import asdict

    from model import evaluation
    from model.data import load_dataset
    from model.errors import DataError
    from model.prediction import Predictor
    from model.splitting import split_dataset

    predictor = Predictor.load(bundle)
    dataset = load_dataset(data)
    if dataset.fingerprint() != predictor.metadata.data.fingerprint:
        raise DataError(f"{data} is not the data that this bundle was trained on: its test names may have been seen.")
    test = split_dataset(dataset, predictor.metadata.data.split_seed).test
    log_probs = predictor.log_probs(test.names)
    table = Table("label", "names", "precision", "recall", "F1")
    for row in evaluation.label_metrics(log_probs, test.label_ids, test.labels):
        table.add_row(row.label, str(row.n), *(f"{x:.3f}" for x in (row.precision, row.recall, row.f1)))
    console.print(table)
    console.print(_metrics_table({"test": asdict(evaluation.evaluate(log_probs, test.label_ids, test.labels))}))
    if report:
        from model.artifacts import write_files
        from model.report import build_report

        files = build_report(predictor, {"test": test})
        write_files(report, {Path(name).name: content for name, content in files.items()})
        console.print(f"Report written to {report}.")


@app.command()
def predict(
    bundle: BundleFolder,
    names: Annotated[list[str], typer.Argument(help="One or more names.")],
    top_k: Annotated[int | None, typer.Option(min=1, help=f"Labels per name; {DEFAULT_TOP_K} if left out.")] = None,
    prior: Annotated[
        Literal["natural", "uniform"], typer.Option(help="Take labels to be as frequent as in training, or alike.")
    ] = "natural",
) -> None:
    """Print the labels that each name looks like, with their probabilities."""
    from math import exp

    from model.prediction import Predictor

    for name, prediction in zip(names, Predictor.load(bundle).predict(names, top_k, prior), strict=True):
        answers = zip(prediction.labels, prediction.log_probs, strict=True)
        console.print(f"{name}: " + ", ".join(f"{label} {exp(p):.1%}" for label, p in answers))


@app.command()
def explain(
    bundle: BundleFolder,
    name: Annotated[str, typer.Argument(help="The name.")],
    label: Annotated[str | None, typer.Option(help="The label to explain; the most probable one if left out.")] = None,
) -> None:
    """Print what each letter adds to the log-probability of a label."""
    from math import exp

    from model.explanation import explain as explain_label
    from model.prediction import Predictor

    explanation = explain_label(Predictor.load(bundle), name, label)
    console.print(f"{explanation.label} {exp(explanation.log_prob):.1%}")
    largest = max(map(abs, explanation.contributions))
    for character, contribution in zip(explanation.characters, explanation.contributions, strict=True):
        bar = ("+" if contribution > 0 else "-") * round(_LONGEST_BAR * abs(contribution) / max(largest, 1e-9))
        console.print(f"{character}  {contribution:+6.2f}  {bar}")


@app.command()
def similar(
    bundle: BundleFolder,
    name: Annotated[str, typer.Argument(help="The name.")],
    label: Annotated[str | None, typer.Option(help="The label to search; the most probable one if left out.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=MAX_NEIGHBOURS, help="How many names.")] = DEFAULT_NEIGHBOURS,
) -> None:
    """Print the training names of a label that are most like a name, without case and diacritics, and how like."""
    from model.prediction import Predictor
    from model.similarity import SimilarNames
    from model.similarity import similar as find_similar

    found = find_similar(Predictor.load(bundle), SimilarNames.load(bundle), name, label, n)
    console.print(found.label if found.neighbours else f"No training name of {found.label} is like it.")
    for neighbour in found.neighbours:
        console.print(f"{neighbour.similarity:.2f}  {neighbour.name}")


def _metrics_table(metrics: dict[str, dict[str, float]]) -> Table:
    table = Table("metric", *metrics)
    for metric in next(iter(metrics.values())):
        values = (part[metric] for part in metrics.values())
        table.add_row(metric.replace("_", " "), *(str(int(x)) if metric == "n" else f"{x:.4f}" for x in values))
    return table


def main() -> None:
    """Run the command line; what goes wrong on purpose becomes one sentence and exit code 1."""
    try:
        app(prog_name="python -m model")
    except ModelError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
