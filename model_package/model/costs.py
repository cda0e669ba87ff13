"""Estimate what a training costs before it starts: passes, table, file, CPU time and memory."""

from dataclasses import dataclass

from model.classifier import Shape
from model.training import TrainingConfig

# Measured by benchmarks/training_scale.py; right within a factor of two.
_SECONDS_AN_EXAMPLE, _SECONDS_A_LABEL = 120e-6, 0.3e-6
_MEMORY, _MEMORY_A_NAME = 5e8, 800
_TABLE_COPIES = 4  # in single precision: weights, the optimiser's numbers, the best epoch, the language models
_FILES = 2  # hold the table, in eight bits a weight


@dataclass(frozen=True)
class Cost:
    """What a training takes: `table_rows` is 0 of a network without a table of n-grams."""

    n_epochs: int
    table_rows: int
    bundle_bytes: float
    cpu_seconds: float
    memory_bytes: float


def estimate(n_names: int, n_labels: int, config: TrainingConfig, shape: Shape) -> Cost:
    """Return about what a training on so many training names and labels takes."""
    n_epochs = config.count_epochs(n_names)
    rows = 2 ** shape.count_bits(n_names, n_labels) if shape.architecture in {"linear", "wide_gru"} else 0
    weights = rows * (n_labels + 1)
    examples = n_epochs * n_names * (1 + config.given_names + config.full_names + config.outliers)
    return Cost(
        n_epochs=n_epochs,
        table_rows=rows,
        bundle_bytes=_FILES * weights,
        cpu_seconds=examples * (_SECONDS_AN_EXAMPLE + _SECONDS_A_LABEL * n_labels),
        memory_bytes=_MEMORY + _MEMORY_A_NAME * n_names + _TABLE_COPIES * 4 * weights,
    )
