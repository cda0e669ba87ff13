from pathlib import Path

import pytest

from model.classifier import Shape
from model.config import read_config
from model.errors import ConfigError
from model.training import TrainingConfig


def _write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(content)
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert read_config(None) == (Shape(), TrainingConfig())


def test_a_file_wins_over_defaults_and_arguments_over_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, "[shape]\narchitecture = 'lstm'\nhidden_size = 8\n[training]\nepochs = 3\ndropout = 0\n")
    with pytest.raises(ConfigError, match="has no setting 'dropout'"):
        read_config(path)
    path = _write(tmp_path, "[shape]\narchitecture = 'lstm'\ndropout = 0\n[training]\nepochs = 3\nlearning_rate = 1\n")
    shape, training = read_config(path, architecture="cnn", seed=7)
    assert shape == Shape("cnn", dropout=0)
    assert training == TrainingConfig(epochs=3, learning_rate=1, seed=7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[shape\n", "not TOML"),
        ("[net]\n", "unknown table 'net'"),
        ("[shape]\narchitecture = 'transformer'\n", "choose one of"),
        ("[shape]\nhidden_size = 'large'\n", "hidden_size"),
        ("[training]\nepochs = 1.5\n", "epochs"),
        ("[training]\nepochs = 2026-01-01\n", "epochs"),
        ("[training]\nlearning_rate = -1\n", "positive"),
        ("[training]\nlearning_rate = nan\n", "learning_rate"),
        ("[training]\nseed = -1\n", "seed"),
        ("[training]\noutliers = 1e30\n", "outliers"),
        ("[training]\nemphasis = inf\n", "emphasis"),
        ("[shape]\nhidden_size = 1000000000000\n", "hidden_size"),
        ("shape = 3\n", "shape"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        read_config(_write(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.toml")
