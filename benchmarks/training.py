"""Compare every architecture with an n-gram regression, a language model, their ensembles and the PyTorch tutorial.

Run `python benchmarks/training.py run [--ways ...] [--splits 5]`, as several processes if there are cores, then
`python benchmarks/training.py table [--plot docs/accuracy.png]`: mean ± sd over splits, paired differences to the
default with their standard error. Weights of ensembles are chosen on the validation names of each split.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from model.classifier import ARCHITECTURES, Shape
from model.constants import FIRST_CHARACTER_ID
from model.data.corpus import Corpus, load_corpus
from model.data.dataset import Dataset
from model.data.splitting import Split, split_corpus
from model.evaluation.metrics import evaluate
from model.export import export_onnx
from model.networks.inference import compute_outputs
from model.networks.language_model import LanguageModel
from model.onnx_network import OnnxClassifier
from model.token_sequences import TokenSequences
from model.training import TrainingConfig, encode_all, train
from model.utils import log_softmax

DEFAULT, NAMES_ALONE = "default", "default, names alone"
REGRESSION, LANGUAGE = "n-gram logistic regression", "language model per label"
TUTORIAL = "PyTorch tutorial"
FIGURES = ("accuracy", "macro_f1", "balanced_accuracy", "top_3_accuracy", "nll")
EMPHASIS = TrainingConfig.emphasis
RESULTS = Path("build/benchmarks/training")
SIZES = {"bigru": 160, "gru": 192, "lstm": 192, "rnn": 192, "cnn": 160}
EPOCHS = 17
"""What the networks of letters alone need; those with a table of n-grams have learnt by heart before."""

Answers = dict[str, NDArray[np.float64]]
"""Log-probabilities (N, L) of the validation and of the test names."""


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


def train_tutorial(split: Split, seed: int, n_samples: int = 100_000, learning_rate: float = 0.005) -> Answers:
    """Train one name at a time by plain SGD on labels drawn uniformly; judge the raw argmax."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    characters = split.train.characters()
    sequences = [
        torch.from_numpy(sequence[None, 1:-1].astype(np.int64)) for sequence in encode_all(split.train, characters)
    ]
    rows_of = [np.flatnonzero(split.train.label_ids == i) for i in range(len(split.train.labels))]
    network = TutorialRnn(3 + len(characters), len(split.train.labels))
    optimiser = torch.optim.SGD(network.parameters(), learning_rate)
    for _ in range(n_samples):
        label_id = int(rng.integers(len(rows_of)))
        loss = nn.functional.nll_loss(network(sequences[rng.choice(rows_of[label_id])]), torch.tensor([label_id]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 3)
        optimiser.step()
    n_labels = len(split.train.labels)
    encoded = ([ids[1:-1].tolist() for ids in encode_all(part, characters)] for part in (split.validation, split.test))
    return _answers(log_softmax(compute_outputs(network, sequences, n_labels)) for sequences in encoded)


def train_regression(split: Split, seed: int) -> Answers:
    """Fit a logistic regression to 1-to-5-grams."""

    def texts(dataset: Dataset) -> list[str]:
        return [f"^{name}$" for name in dataset.names]

    vectorizer = CountVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, binary=True, dtype=np.float32)
    features = vectorizer.fit_transform(texts(split.train))
    regression = LogisticRegression(C=1, max_iter=300, tol=1e-3, random_state=seed)
    regression.fit(features, split.train.label_ids, sample_weight=split.train.weights(EMPHASIS))
    return _answers(
        regression.predict_log_proba(vectorizer.transform(texts(part))) for part in (split.validation, split.test)
    )


def train_language_model(split: Split, _: int) -> Answers:
    """Count n-grams per label; the exponent is chosen on the validation names."""
    train_names, n_labels = split.train, len(split.train.labels)
    characters = train_names.characters()
    n_tokens = FIRST_CHARACTER_ID + len(characters)
    model = LanguageModel(encode_all(train_names, characters), train_names.label_ids, n_labels, n_tokens)
    weights = train_names.weights(EMPHASIS)
    log_prior = np.log(np.bincount(train_names.label_ids, weights, n_labels) / weights.sum())
    scores = [model.log_probs(encode_all(part, characters)) for part in (split.validation, split.test)]
    candidates = [[log_softmax(sharpness * part + log_prior) for part in scores] for sharpness in (0.4, 0.6, 0.8, 1.0)]
    return _answers(max(candidates, key=lambda parts: _accuracy(parts[0], split.validation)))


def train_network(split: Split, seed: int, way: str) -> tuple[Answers, int, float]:
    """Train as `python -m model train` does, all but the default on names alone; return answers, parameters, cost.

    The cost is in microseconds a name.
    """
    config, shape = _settings(way)
    alone = Split(split.train, split.validation, split.test, None, split.outliers)
    result = train(split if way == DEFAULT else alone, replace(config, seed=seed), shape)
    parts = (encode_all(part, result.characters) for part in (split.validation, split.test))
    outputs = [compute_outputs(result.classifier, part, result.config.n_outputs) for part in parts]
    n_parameters = sum(parameter.numel() for parameter in result.classifier.parameters())
    cost = _microseconds(OnnxClassifier(export_onnx(result.classifier)), encode_all(split.test, result.characters))
    return _answers(log_softmax(part[:, :-1]) for part in outputs), n_parameters, cost


def _settings(way: str) -> tuple[TrainingConfig, Shape]:
    if way in SIZES:
        return TrainingConfig(epochs=EPOCHS), Shape(way, embedding_size=64, hidden_size=SIZES[way])
    return TrainingConfig(), Shape() if way in {DEFAULT, NAMES_ALONE} else Shape(way)


def _microseconds(classifier: OnnxClassifier, sequences: TokenSequences, n: int = 2000) -> float:
    """Return the median CPU time of one call with one name, over five rounds."""
    rounds = []
    singles = [ids.tolist() for ids in islice(sequences, n)]
    for _ in range(5):
        started = time.process_time()
        for sequence in singles:
            classifier.compute_outputs([sequence])
        rounds.append((time.process_time() - started) / n * 1e6)
    return statistics.median(rounds)


def _answers(parts: Iterator[NDArray[np.float64]] | list[NDArray[np.float64]]) -> Answers:
    validation, test = parts
    return {"validation": validation, "test": test}


def _accuracy(log_probs: NDArray[np.float64], dataset: Dataset) -> float:
    return float((log_probs.argmax(axis=1) == dataset.label_ids).mean())


def run(way: str, corpus: Corpus, seed: int) -> None:
    """Train one way on one split and keep its answers; what was kept before stays."""
    target = RESULTS / f"{way}-{seed}.npz"
    if target.exists():
        return
    split, started, cpu = split_corpus(corpus, seed), time.monotonic(), time.process_time()
    others: dict[str, Callable[[Split, int], Answers]] = {
        REGRESSION: train_regression,
        LANGUAGE: train_language_model,
        TUTORIAL: train_tutorial,
    }
    n_parameters, cost = 0, float("nan")
    if way in others:
        answers = others[way](split, seed)
    else:
        answers, n_parameters, cost = train_network(split, seed, way)
    facts = {
        "split": seed,
        "seconds": time.monotonic() - started,
        "cpu_seconds": time.process_time() - cpu,
        "parameters": n_parameters,
        "microseconds": cost,
        "basis": _basis(corpus, way),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    with temporary.open("wb") as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **answers)  # type: ignore[arg-type]
    temporary.replace(target)
    print(
        f"{way}, split {seed}: {_accuracy(answers['test'], split.test):.4f}, {facts['cpu_seconds']:.0f} CPU s",
        flush=True,
    )


def _basis(corpus: Corpus, way: str) -> str:
    """Return what results of a way have in common that may be compared."""
    settings = EMPHASIS if way in {REGRESSION, LANGUAGE, TUTORIAL} else _settings(way)
    return f"{corpus.fingerprint()} {settings}"


def _ensemble(members: list[Answers], validation: Dataset) -> Answers:
    """Mix log-probabilities; weights on a grid, the best on the validation names."""
    grids = np.meshgrid(*[np.linspace(0.1, 1, 10)] * len(members))
    weights = np.stack([grid.ravel() for grid in grids], axis=1)
    weights = np.unique(np.round(weights / weights.sum(axis=1, keepdims=True), 2), axis=0)

    def mix(weight: NDArray[np.float64], part: str) -> NDArray[np.float64]:
        return log_softmax(sum(w * member[part] for w, member in zip(weight, members, strict=True)))  # type: ignore[arg-type]

    best = max(weights, key=lambda weight: _accuracy(mix(weight, "validation"), validation))
    return {part: mix(best, part) for part in ("validation", "test")}


def collect(corpus: Corpus) -> dict[str, list[dict[str, float]]]:
    """Return, by way, the figures of each split in order."""
    results: dict[str, list[dict[str, float]]] = {}
    seeds = sorted({int(path.stem.rpartition("-")[2]) for path in RESULTS.glob("*.npz")})
    for seed in seeds:
        split, answers = split_corpus(corpus, seed), {}
        for path in sorted(RESULTS.glob(f"*-{seed}.npz")):
            with np.load(path) as file:
                facts = json.loads(str(file["facts"]))
                way = path.stem.rpartition("-")[0]
                if facts.pop("basis") != _basis(corpus, way):
                    raise SystemExit(f"{path} is of other data or settings: remove it.")
                answers[way] = {part: file[part] for part in ("validation", "test")}
                results.setdefault(way, []).append(facts | _judge(answers[way], split.test))
        for members in (
            (REGRESSION, LANGUAGE),
            (LANGUAGE, DEFAULT),
            (REGRESSION, DEFAULT),
            (REGRESSION, LANGUAGE, DEFAULT),
        ):
            if all(member in answers for member in members):
                mixed = _ensemble([answers[member] for member in members], split.validation)
                results.setdefault(" + ".join(members), []).append({"split": seed} | _judge(mixed, split.test))
    return results


def _judge(answers: Answers, test: Dataset) -> dict[str, float]:
    metrics = evaluate(answers["test"], test.label_ids, test.labels)
    return {figure: getattr(metrics, figure) for figure in FIGURES}


def print_table(results: dict[str, list[dict[str, float]]]) -> None:
    """Print a Markdown table, best accuracy first; differences are the default's lead, paired by split."""
    default = results.get(DEFAULT, [])
    columns = (
        "way",
        "splits",
        *FIGURES,
        "default's lead, accuracy",
        "lead, macro-F1",
        "parameters",
        "CPU s",
        "µs a name",
    )
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for way, rows in sorted(results.items(), key=lambda item: -statistics.mean(row["accuracy"] for row in item[1])):
        figures = [_mean_and_sd([row[figure] for row in rows]) for figure in FIGURES]
        leads = [_lead(default, rows, figure) if way != DEFAULT else "" for figure in ("accuracy", "macro_f1")]
        facts = [_mean(rows, fact) for fact in ("parameters", "cpu_seconds", "microseconds")]
        print("| " + " | ".join([way, str(len(rows)), *figures, *leads, *facts]) + " |")


def _mean_and_sd(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) if len(values) > 1 else float('nan'):.4f}"


def _lead(default: list[dict[str, float]], rows: list[dict[str, float]], figure: str) -> str:
    """Return the mean difference and its standard error over the splits that both have."""
    mine = {row["split"]: row[figure] for row in default}
    gaps = [mine[row["split"]] - row[figure] for row in rows if row["split"] in mine]
    if len(gaps) < 2:
        return ""
    return f"{statistics.mean(gaps):+.4f} ({statistics.stdev(gaps) / len(gaps) ** 0.5:.4f})"


def _mean(rows: list[dict[str, float]], fact: str) -> str:
    values = [row[fact] for row in rows if row.get(fact) and not np.isnan(row[fact])]
    return f"{statistics.mean(values):,.0f}" if values else ""


def plot(results: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draw accuracy against the cost of one call; lines without a cost: what is no network, and the best ensemble."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    accuracies = {way: statistics.mean(row["accuracy"] for row in rows) for way, rows in results.items()}
    lines = {REGRESSION, LANGUAGE, max(accuracies, key=accuracies.__getitem__)}
    for way, rows in results.items():
        accuracy = accuracies[way]
        costs = [row["microseconds"] for row in rows if not np.isnan(row.get("microseconds", float("nan")))]
        if costs and way != NAMES_ALONE:  # it costs what the default does
            spread = statistics.stdev([row["accuracy"] for row in rows]) if len(rows) > 1 else 0
            colour = "#c8553d" if way == DEFAULT else "#33658a"
            axes.errorbar(statistics.mean(costs), accuracy, spread, fmt="o", color=colour)
            axes.annotate(way, (statistics.mean(costs), accuracy), xytext=(6, 4), textcoords="offset points")
        elif way in lines:
            axes.axhline(accuracy, color="#d0d7de", linewidth=0.8)
            side = "top" if way == LANGUAGE else "bottom"  # the regression's line is close above
            axes.annotate(way, (1, accuracy), xycoords=("axes fraction", "data"), ha="right", va=side, fontsize=8)
    axes.margins(x=0.1)
    axes.set(xlabel="microseconds of CPU a name, one call of ONNX Runtime", ylabel="accuracy on test names")
    axes.set_title("Accuracy and cost", loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what was asked for, or print the table of what was run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    ways = [DEFAULT, NAMES_ALONE, REGRESSION, LANGUAGE, *sorted(ARCHITECTURES.keys() - {Shape.architecture}), TUTORIAL]
    runs.add_argument("--ways", nargs="*", default=ways)
    runs.add_argument("--splits", type=int, nargs="*", default=range(5))
    verbs.add_parser("table").add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    corpus = load_corpus(arguments.data)
    if arguments.verb == "run":
        for way in arguments.ways:
            for seed in arguments.splits:
                run(way, corpus, seed)
        return
    results = collect(corpus)
    print_table(results)
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
