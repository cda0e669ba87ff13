"""Verbs that ask a bundle about names: predict, explain."""

from typing import Annotated, Literal

import typer

from model.commands.terminal import BundleFolder, console
from model.constants import DEFAULT_TOP_K

_LONGEST_BAR = 30


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
