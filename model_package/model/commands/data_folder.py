"""What commands that read names share: options, the snapshot behind a folder, warnings, the order of lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from model.commands.terminal import console, progress_console

if TYPE_CHECKING:
    from model.data.manifest import Manifest

AsIsOption = Annotated[
    bool, typer.Option("--as-is", help="Take every line as a name: markup, comments, columns, headers, notices.")
]
SkipSmallOption = Annotated[
    bool, typer.Option("--skip-small", help="Leave out labels with too few names instead of refusing the folder.")
]
RankedOption = Annotated[
    Literal["auto", "yes", "no"] | None,
    typer.Option(help="Whether files begin with the most common names; auto: unless in alphabetical order."),
]
_REASONS = {
    "auto": "the first hundred lines of their files are not in alphabetical order",
    "yes": "so it was decided",
    "no": "so it was decided",
}


def find_names(data: Path) -> "tuple[Path, Manifest | None]":
    """Return the folder of names that an argument means, with the manifest of its snapshot, of which it prints."""
    from model.data.snapshots import resolve_data

    folder, manifest = resolve_data(data)
    if manifest:
        console.print(f"Snapshot {manifest.snapshot}.")
    return folder, manifest


def print_warnings(warnings: Sequence[str]) -> None:
    """Print sentences beside the results."""
    for warning in warnings:
        progress_console.print(f"warning: {warning}")


def describe_order(ranked_labels: Sequence[str], labels: Sequence[str], ranked: str) -> str:
    """Tell of which labels the first names count as the most common ones, and why; the fewer ones by name."""
    if ranked == "auto" and not ranked_labels:
        return "No label counts as ranked: the first hundred lines of each file are in alphabetical order."
    others = [label for label in labels if label not in ranked_labels]
    which = ""
    if others and ranked_labels:
        listed = f"not {', '.join(others)}" if len(others) <= len(ranked_labels) else ", ".join(ranked_labels)
        which = f" ({listed})"
    return (
        f"{len(ranked_labels)} of {len(labels)} labels{which} count as ranked, the most common name first: "
        f"{_REASONS[ranked]}. --ranked decides it for all."
    )
