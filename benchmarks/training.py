"""Compare the architectures, and the way of the PyTorch tutorial, on the same splits: mean ± sd over seeds.

Run `python benchmarks/training.py [--seeds 3] [--data data/names] [--only gru]`; prints a Markdown table.
Architectures are chosen on the validation columns; the test columns are for the record.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model.classifier import ARCHITECTURES, compute_logits
from model.data import Dataset, load_dataset
from model.evaluation import Metrics, evaluate
from model.splitting import Split, split_dataset
from model.training import TrainingConfig, encode_all, train
from model.utils import log_softmax

TUTORIAL = "tutorial"
Outcome = dict[str, float]


class TutorialRnn(nn.Module):
    """The vanilla RNN of "Classifying Names with a Character-Level RNN" (S. Robertson): one-hot in, 128 hidden units.

    Unlike the tutorial's, its alphabet is that of the data.
    """

    def __init__(self, n_tokens: int, n_labels: int, hidden_size: int = 128) -> None:
        super().__init__()
        self.n_tokens = n_tokens
        self.hidden_size = hidden_size
        self.to_hidden = nn.Linear(n_tokens + hidden_size, hidden_size)
        self.to_output = nn.Linear(n_tokens + hidden_size, n_labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to log-probabilities (B, L)."""
        hidden = torch.zeros(len(ids), self.hidden_size)
        combined = torch.empty(0)
        for step in nn.functional.one_hot(ids, self.n_tokens).float().unbind(dim=1):  # (B, n_tokens)
            combined = torch.cat([step, hidden], dim=1)
            hidden = self.to_hidden(combined)
        return nn.functional.log_softmax(self.to_output(combined), dim=1)


def train_tutorial(split: Split, seed: int, n_samples: int = 100_000, learning_rate: float = 0.005) -> list[Metrics]:
    """Train one name at a time by plain SGD on labels drawn uniformly; judge the raw argmax."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    characters = split.train.characters()
    sequences = [torch.tensor([sequence[1:-1]]) for sequence in encode_all(split.train, characters)]
    rows_of = [np.flatnonzero(split.train.label_ids == i) for i in range(len(split.train.labels))]
    network = TutorialRnn(3 + len(characters), len(split.train.labels))
    optimiser = torch.optim.SGD(network.parameters(), learning_rate)
    for _ in range(n_samples):
        label_id = int(rng.integers(len(rows_of)))
        loss = nn.functional.nll_loss(network(sequences[rng.choice(rows_of[label_id])]), torch.tensor([label_id]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def judge(dataset: Dataset) -> Metrics:
        inputs = [sequence[1:-1] for sequence in encode_all(dataset, characters)]
        return evaluate(
            log_softmax(compute_logits(network, inputs, len(dataset.labels))), dataset.label_ids, dataset.labels
        )

    return [judge(split.validation), judge(split.test)]


def train_architecture(architecture: str, split: Split, seed: int) -> list[Metrics]:
    """Train as `python -m model train` does."""
    result = train(split, TrainingConfig(seed=seed), architecture=architecture)
    test_logits = compute_logits(result.classifier, encode_all(split.test, result.characters), result.config.n_labels)
    return [
        evaluate(log_softmax(logits), dataset.label_ids, dataset.labels)
        for logits, dataset in ((result.validation_logits, split.validation), (test_logits, split.test))
    ]


def measure(run: Callable[[], list[Metrics]]) -> Outcome:
    """Return the reported figures of one training."""
    started = time.monotonic()
    validation, test = run()
    return {
        "validation accuracy": validation.accuracy,
        "test accuracy": test.accuracy,
        "test macro-F1": test.macro_f1,
        "test top-3": test.top_3_accuracy,
        "seconds": time.monotonic() - started,
    }


def print_row(name: str, outcomes: list[Outcome]) -> None:
    """Print one row of the table: mean ± sd."""
    cells = []
    for figure in outcomes[0]:
        values = [outcome[figure] for outcome in outcomes]
        digits = 0 if figure == "seconds" else 4
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        cells.append(f"{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Train everything that was asked for and print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    parser.add_argument("--only", nargs="*", default=[*ARCHITECTURES, TUTORIAL])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.data)
    print("| way | validation accuracy | test accuracy | test macro-F1 | test top-3 | seconds |")
    print("|---|---|---|---|---|---|")
    for name in arguments.only:
        run = train_tutorial if name == TUTORIAL else partial(train_architecture, name)
        print_row(name, [measure(partial(run, split_dataset(dataset, seed), seed)) for seed in range(arguments.seeds)])


if __name__ == "__main__":
    main()
