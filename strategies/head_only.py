"""Head only: the encoder stays as it was pretrained; what reads it is trained."""

from dataclasses import dataclass

from torch import nn

from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class HeadOnly(Strategy):
    reference = (
        "Kumar et al. (2022), Fine-tuning can distort pretrained features, ICLR (linear probing). "
        "The pooler counts as head where there is one"
    )

    learning_rate: float | None = 1e-3
    """Peak rate; a new head needs a higher one than pretrained weights."""

    def adapt(self, model: nn.Module) -> nn.Module:
        from tunefair.training.adapters import head_modules

        model.requires_grad_(False)
        for name in head_modules(model):
            model.get_submodule(name).requires_grad_(True)
        return model
