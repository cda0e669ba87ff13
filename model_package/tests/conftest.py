import random
import shutil
from pathlib import Path

import pytest

from model.artifacts import DataIdentity
from model.classifier import Shape
from model.data.dataset import load_dataset
from model.data.splitting import Split, split_dataset
from model.export import save_bundle
from model.training import TrainingConfig, TrainingResult, train

ENDINGS = {"Alpha": ["ski", "wicz", "czyk"], "Beta": ["ini", "etti", "oni"], "Gamma": ["son", "ton", "field"]}


def write_names(folder: Path, names_per_label: int = 120) -> Path:
    """Write a folder of made-up names that a small network can tell apart by their endings."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    for label, endings in ENDINGS.items():
        names = {
            "".join(rng.choice("bcdfgklmnprst") + rng.choice("aeiou") for _ in range(rng.randint(1, 4))).title()
            + rng.choice(endings)
            for _ in range(names_per_label)
        }
        (folder / f"{label}.txt").write_text("\n".join(sorted(names)) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def names_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_names(tmp_path_factory.mktemp("data") / "names")


@pytest.fixture(scope="session")
def split(names_folder: Path) -> Split:
    return split_dataset(load_dataset(names_folder), seed=0)


@pytest.fixture(scope="session")
def result(split: Split) -> TrainingResult:
    return train(split, TrainingConfig(epochs=4, batch_size=32, outliers=0.5), Shape(ngram_bits=12))


@pytest.fixture(scope="session")
def exported(
    tmp_path_factory: pytest.TempPathFactory, result: TrainingResult, split: Split, names_folder: Path
) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    dataset = load_dataset(names_folder)
    save_bundle(
        folder, result, split, DataIdentity(fingerprint=dataset.fingerprint(), names=len(dataset), split_seed=0)
    )
    return folder


@pytest.fixture
def bundle(tmp_path: Path, exported: Path) -> Path:
    """A copy of the exported bundle, to be spoilt at will."""
    return shutil.copytree(exported, tmp_path / "bundle")


@pytest.fixture(scope="session")
def many_names_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough names that the test part can tell two models apart."""
    return write_names(tmp_path_factory.mktemp("data") / "many_names", names_per_label=450)
