"""What follows the data where no setting says it: the table, the batches and the passes."""

import pytest

from model.classifier import Shape
from model.data.splitting import Split
from model.training import TrainingConfig, train

HUGE = 10_000_000


def test_a_setting_wins_over_the_data() -> None:
    config = TrainingConfig(epochs=9, batch_size=7)
    assert (config.count_epochs(HUGE), config.rows_a_batch(HUGE), Shape(ngram_bits=3).count_bits(HUGE, 9)) == (9, 7, 3)


@pytest.mark.parametrize(("n_names", "n_labels"), [(10, 2), (1000, 500), (62_000, 43), (800_000, 172), (HUGE, 2000)])
def test_more_names_take_no_more_passes_no_smaller_batches_and_no_smaller_table(n_names: int, n_labels: int) -> None:
    config, shape = TrainingConfig(), Shape()
    assert config.count_epochs(2 * n_names) <= config.count_epochs(n_names)
    assert config.rows_a_batch(2 * n_names) >= config.rows_a_batch(n_names)
    assert shape.count_bits(2 * n_names, n_labels) >= shape.count_bits(n_names, n_labels)


def test_more_labels_take_no_more_rows_and_the_file_stays_bounded() -> None:
    bits = [Shape().count_bits(HUGE, n_labels) for n_labels in (10, 100, 1000, 10_000)]
    assert bits == sorted(bits, reverse=True)
    assert all(2**b * (n + 1) * 2 <= 2**27 for b, n in zip(bits, (10, 100, 1000, 10_000), strict=True))


def test_the_bundle_says_what_was_chosen(split: Split) -> None:
    result = train(split, TrainingConfig(epochs=1), Shape("linear"))
    assert result.training_config.batch_size == TrainingConfig().rows_a_batch(len(split.train))
    assert result.config.ngram_bits == Shape().count_bits(len(split.train), len(split.train.labels))
