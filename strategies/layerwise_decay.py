"""Layerwise decay: the deeper a layer lies under the head, the slower it learns."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import nn

from tunefair.space import Space
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class LayerwiseDecay(Strategy):
    reference = (
        "Howard & Ruder (2018), Universal language model fine-tuning (discriminative rates), ACL; "
        "the factor is that of Clark et al. (2020), ELECTRA, ICLR. No gradual unfreezing"
    )

    decay: Annotated[float, Field(gt=0, le=1), Space(0.6, 1)] = 0.8
    """Each layer's rate, relative to that of the layer above; the head learns at the full rate."""

    def adapt(self, model: nn.Module) -> nn.Module:
        layers = max(_stacks(model), key=len)
        depth = {
            id(p): len(layers) - i for i, layer in enumerate(layers) for p in layer.parameters()
        }
        below = len(layers) + 1  # the embeddings, until the first layer is met
        for parameter in model.parameters():
            if id(parameter) in depth:
                below = 0  # what follows the layers lies above them
            steps = depth.get(id(parameter), below)
            parameter.learning_rate_factor = self.decay**steps  # type: ignore[attr-defined]
        return model


def _stacks(model: nn.Module) -> list[nn.ModuleList]:
    return [module for module in model.modules() if isinstance(module, nn.ModuleList)]
