"""L2-SP: full fine-tuning with a pull back towards the pretrained weights."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from tunefair.space import Space
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class L2SP(Strategy):
    reference = (
        "Li, Grandvalet & Davoine (2018), Explicit inductive bias for transfer learning, ICML. "
        "The penalty goes through Adam, whose decoupled decay towards 0 stays as it is"
    )

    strength: Annotated[float, Field(ge=0), Space(0.001, 1, log=True)] = 0.01
    """alpha: half of it times the squared distance from the pretrained encoder is added."""
    head_strength: Annotated[float, Field(ge=0), Space(0.001, 1, log=True)] = 0.01
    """beta: the same for the new head's distance from 0."""

    def adapt(self, model: nn.Module) -> nn.Module:
        from tunefair.training.adapters import head_modules

        new = tuple(f"{name}." for name in head_modules(model))
        start = {n: p.detach().clone() for n, p in model.named_parameters()}

        def penalty() -> Tensor:
            total = torch.zeros((), device=next(model.parameters()).device)
            for name, p in model.named_parameters():
                if name.startswith(new):
                    total = total + self.head_strength / 2 * p.square().sum()
                else:
                    start[name] = start[name].to(p.device)  # once: then it is there
                    distance = p - start[name]
                    total = total + self.strength / 2 * distance.square().sum()
            return total

        model.penalty = penalty  # type: ignore[assignment]
        return model
