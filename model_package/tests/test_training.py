import numpy as np
import pytest
import torch
from torch import nn

from model.calibration import fit_temperature
from model.classifier import ARCHITECTURES, ClassifierConfig, Shape, build_classifier
from model.data.splitting import Split
from model.errors import ConfigError
from model.evaluation.metrics import evaluate, label_metrics
from model.export import export_onnx
from model.networks.inference import compute_outputs
from model.onnx_network import OnnxClassifier
from model.training import TrainingConfig, TrainingResult, train
from model.utils import log_softmax


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_one_forward_and_a_batch_equals_its_singles(architecture: str) -> None:
    torch.manual_seed(0)
    classifier = build_classifier(ClassifierConfig(architecture, n_characters=20, n_labels=5))
    sequences = [[1, *range(3, 3 + n), 2] for n in (1, 4, 4, 9)]
    outputs = compute_outputs(classifier, sequences, 6)
    assert outputs.shape == (4, 6)
    singles = np.concatenate([compute_outputs(classifier, [sequence], 6) for sequence in sequences])
    assert np.allclose(outputs, singles, atol=1e-6)
    assert classifier.training  # the mode is left as it was


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_exports_with_any_batch_and_any_length(architecture: str) -> None:
    torch.manual_seed(0)
    classifier = build_classifier(ClassifierConfig(architecture, n_characters=20, n_labels=5))
    for weights in classifier.parameters():  # a table of n-grams starts with zeros
        nn.init.normal_(weights, std=0.1)
    sequences = [[1, *range(3, 3 + n), 2] for n in (1, 1, 2, 3, 15)] + [[1, *[7] * 100, 2]]
    exported = OnnxClassifier(export_onnx(classifier)).compute_outputs(sequences)
    assert np.allclose(exported, compute_outputs(classifier, sequences, 6), atol=1e-5)


def test_an_architecture_is_one_function_and_one_entry(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_letters(config: ClassifierConfig) -> nn.Module:
        class LastLetters(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(config.n_tokens, config.embedding_size)
                self.readout = nn.Linear(2 * config.embedding_size, config.n_outputs, dtype=torch.float64)

            def forward(self, ids: torch.Tensor) -> torch.Tensor:
                outputs: torch.Tensor = self.readout(self.embedding(ids[:, -3:-1]).flatten(1).double())
                return outputs

        return LastLetters()

    monkeypatch.setitem(ARCHITECTURES, "last_letters", last_letters)
    result = train(split, TrainingConfig(epochs=3), Shape("last_letters"))
    assert max(epoch.validation_accuracy for epoch in result.epochs) > 0.8
    assert export_onnx(result.classifier)


def test_learns_what_can_be_learnt(result: TrainingResult) -> None:
    assert max(epoch.validation_accuracy for epoch in result.epochs) > 0.8


def test_keeps_the_best_epoch(result: TrainingResult, split: Split) -> None:
    best = min(result.epochs, key=lambda epoch: epoch.validation_nll)
    assert result.best_epoch == best.number
    accuracy = (result.validation_outputs[:, :-1].argmax(axis=1) == split.validation.label_ids).mean()
    assert accuracy == best.validation_accuracy


def test_the_table_of_ngrams_is_blended_and_compressed(result: TrainingResult) -> None:
    weights = result.classifier.state_dict()["wide.weights.weight"]
    assert weights.dtype == torch.int8
    assert 0 < result.language_model_share <= 0.5


def test_same_seed_same_weights(split: Split) -> None:
    first, same, other = (
        train(split, TrainingConfig(epochs=1, seed=seed)).classifier.state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_progress_goes_up_to_the_end(split: Split) -> None:
    seen: list[float] = []
    train(split, TrainingConfig(epochs=2), progress=lambda share, _: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"character_dropout": 1},
        {"emphasis": -1},
        {"weight_decay": -1},
    ],
)
def test_unusable_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        TrainingConfig(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", [{"ngram_bits": 0}, {"ngram_bits": 23}, {"hidden_size": 0}, {"dropout": 1}])
def test_unusable_shapes_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Shape(**setting)  # type: ignore[arg-type]


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(ConfigError, match="gru, linear, lstm, rnn, wide_gru"):
        Shape("transformer")


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    probabilities = np.exp(log_softmax(logits))
    labels = np.array([rng.choice(4, p=row) for row in probabilities])
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.05)


def test_metrics_of_a_case_done_by_hand() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])
    truth = np.array([0, 1, 1, 0])
    metrics = evaluate(np.log(probabilities), truth, ("A", "B", "C"))
    assert (metrics.n, metrics.accuracy, metrics.top_3_accuracy) == (4, 0.75, 1.0)
    assert metrics.balanced_accuracy == pytest.approx((1 + 0.5) / 2)
    assert metrics.macro_f1 == pytest.approx((2 * 2 / 5 + 2 * 1 / 3) / 2)  # C occurs nowhere: it has no say
    assert metrics.nll == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.5]).mean())
    # four bins, one name each: gaps .2, .6, .3 and .5
    assert metrics.expected_calibration_error == pytest.approx(1.6 / 4)
    assert [row.n for row in label_metrics(np.log(probabilities), truth, ("A", "B", "C"))] == [2, 2, 0]
