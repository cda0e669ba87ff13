import numpy as np
import pytest
import torch

from model.classifier import ARCHITECTURES, ClassifierConfig, build_classifier
from model.errors import ConfigError
from model.networks.devices import find_device, on_device
from model.networks.inference import compute_outputs
from model.training import TrainingConfig

SEQUENCES = [[1, 5, 6, 2], [1, 7, 2]]


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is an accelerator")
def test_without_an_accelerator_auto_is_the_processor_and_another_is_refused() -> None:
    assert find_device("auto") == find_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="finds no cuda here; device may be: cpu"):
        find_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="device must be one of auto, cpu, cuda, mps"):
        TrainingConfig(device="tpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_run_in_single_precision_and_come_back_in_double(architecture: str) -> None:
    torch.manual_seed(0)
    classifier = build_classifier(ClassifierConfig(architecture, n_characters=20, n_labels=5))
    before = {key: value.dtype for key, value in classifier.state_dict().items()}
    expected = compute_outputs(classifier, SEQUENCES, 6)
    with on_device(classifier, "cpu"):
        classifier.float()  # as on an accelerator without double precision
        assert classifier(torch.tensor(SEQUENCES[:1])).dtype == torch.float32
        assert np.allclose(compute_outputs(classifier, SEQUENCES, 6), expected, atol=1e-5)
    assert {key: value.dtype for key, value in classifier.state_dict().items()} == before
