"""What training changes in a module: taken out to be kept, and put back."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def changing(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters that are trained, and all buffers, by name."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return trained | dict(module.named_buffers())


def put_back(module: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Give a module the values that were kept of what training changes."""
    with torch.no_grad():
        for name, tensor in changing(module).items():
            tensor.copy_(kept[name])
