"""The tensors that training changes in a module, and how saved values are put back."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def changing(module: nn.Module) -> dict[str, Tensor]:
    """Return the trained parameters and all buffers, by name."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return trained | dict(module.named_buffers())


def put_back(module: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Copy saved values into the trained parameters and the buffers of a module."""
    with torch.no_grad():
        for name, tensor in changing(module).items():
            tensor.copy_(saved[name])
