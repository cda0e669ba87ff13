"""Commands that ask a bundle about names: predict, explain, similar."""

from typing import Annotated, Literal

import typer

from model.commands.terminal import BundleFolder, console
from model.constants import DEFAULT_NEIGHBOURS, DEFAULT_TOP_K, MAX_NEIGHBOURS

_MAX_BAR_WIDTH = 30
_LEAST_SHOWN = 0.005


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
    from model.registry.store import resolve_bundle

    predictor = Predictor.load(resolve_bundle(bundle))
    for name, prediction in zip(names, predictor.predict(names, top_k, prior), strict=True):
        answers = zip(prediction.labels, prediction.log_probs, strict=True)
        labels = ", ".join(f"{label} {exp(p):.1%}" for label, p in answers)
        console.print(f"{name}: " + "; ".join(filter(None, (prediction.abstained, labels))))


def explain(
    bundle: BundleFolder,
    name: Annotated[str, typer.Argument(help="The name.")],
    label: Annotated[str | None, typer.Option(help="The label to explain; the most probable one if left out.")] = None,
) -> None:
    """Print what each letter adds to the log-probability of a label."""
    from math import exp

    from model.explain.contributions import explain as explain_label
    from model.prediction import Predictor
    from model.registry.store import resolve_bundle

    explanation = explain_label(Predictor.load(resolve_bundle(bundle)), name, label)
    console.print(f"{explanation.label} {exp(explanation.log_prob):.1%}")
    largest = max(map(abs, explanation.contributions))
    for character, contribution in zip(explanation.characters, explanation.contributions, strict=True):
        bar = ("+" if contribution > 0 else "-") * round(_MAX_BAR_WIDTH * abs(contribution) / max(largest, 1e-9))
        console.print(f"{character}  {contribution:+6.2f}  {bar}")
    if abs(explanation.lexicon) >= _LEAST_SHOWN:
        console.print(f"listed among the names of the data: {explanation.lexicon:+.2f}")


def similar(
    bundle: BundleFolder,
    name: Annotated[str, typer.Argument(help="The name.")],
    label: Annotated[str | None, typer.Option(help="The label to search; the most probable one if left out.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=MAX_NEIGHBOURS, help="How many names.")] = DEFAULT_NEIGHBOURS,
) -> None:
    """Print the training names of a label that are most like a name, without case and diacritics, and how like."""
    from model.explain.similar_names import SimilarNames
    from model.explain.similar_names import similar as find_similar
    from model.prediction import Predictor
    from model.registry.store import resolve_bundle

    folder = resolve_bundle(bundle)
    found = find_similar(Predictor.load(folder), SimilarNames.load(folder), name, label, n)
    console.print(found.label if found.neighbours else f"No training name of {found.label} is like it.")
    for neighbour in found.neighbours:
        console.print(f"{neighbour.similarity:.2f}  {neighbour.name}")
