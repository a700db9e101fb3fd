"""BitFit: only biases are trained, and the head."""

from dataclasses import dataclass

from torch import nn

from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class BitFit(Strategy):
    reference = (
        "Ben Zaken, Goldberg & Ravfogel (2022), BitFit, ACL. The pooler is trained with the head; "
        "a model without biases (most decoders) trains its head alone"
    )

    learning_rate: float | None = 1e-3
    """Peak rate; biases need a higher one than weights."""

    def adapt(self, model: nn.Module) -> nn.Module:
        from tunefair.training.adapters import head_modules

        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.endswith("bias"))
        for name in head_modules(model):
            model.get_submodule(name).requires_grad_(True)
        return model
