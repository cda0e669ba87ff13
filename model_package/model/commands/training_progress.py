"""How far training is, for a person: a bar on a terminal, a line an epoch where there is none."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model.commands.terminal import progress_console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model.training import Epoch
    from model.training import Progress as ProgressCallback


@contextmanager
def show_training() -> "Iterator[ProgressCallback]":
    """Yield what shows how far training is."""
    if not progress_console.is_terminal:
        yield _EpochLines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console) as bar:
        task = bar.add_task("training", total=1.0)
        yield lambda share, epochs: bar.update(
            task, completed=share, description=_describe_epoch(epochs[-1]) if epochs else "training"
        )


class _EpochLines:
    """Prints a line for each epoch that has finished."""

    def __init__(self) -> None:
        self._n_printed = 0

    def __call__(self, share: float, epochs: "Sequence[Epoch]") -> None:
        for epoch in epochs[self._n_printed :]:
            progress_console.print(f"{_describe_epoch(epoch)}, {epoch.seconds:.1f} s, {share:.0%} done")
        self._n_printed = len(epochs)


def _describe_epoch(epoch: "Epoch") -> str:
    return f"epoch {epoch.number}: validation accuracy of the network alone {epoch.validation_accuracy:.3f}"
