"""Where a network is trained: the processor, or an accelerator where torch finds one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from model.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "mps"]


def find_device(device: Device) -> Device:
    """Return a device that torch finds; auto is CUDA or MPS where there is one, else the processor.

    Raises:
        ConfigError: torch finds no such device.
    """
    accelerators: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    found: list[Device] = [name for name, is_there in accelerators.items() if is_there] + ["cpu"]
    if device == "auto":
        return found[0]
    if device not in found:
        raise ConfigError(f"torch finds no {device} here; device may be: {', '.join(found)}.")
    return device


@contextmanager
def on_device(classifier: nn.Module, device: Device) -> Iterator[None]:
    """Have a network on a device, in single precision where it knows no double, and bring it back as it was."""
    dtypes = {name: parameter.dtype for name, parameter in classifier.named_parameters()}
    if device == "mps":
        classifier.float()
    classifier.to(device)
    try:
        yield
    finally:
        classifier.cpu()
        for name, parameter in classifier.named_parameters():
            parameter.data = parameter.data.to(dtypes[name])
