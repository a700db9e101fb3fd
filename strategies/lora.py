"""LoRA: the pretrained weights stay, low-rank updates of some projections and the head learn."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from tunefair.space import Space
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Lora(Strategy):
    reference = (
        "Hu et al. (2022), LoRA, ICLR. Everything between the adapted encoder and the labels is "
        "trained in full: peft alone freezes the pooler under a head that is new"
    )

    learning_rate: float | None = 1e-3
    """Peak rate; adapters need a higher one than pretrained weights."""
    rank: Annotated[int, Field(ge=1), Space(2, 64, log=True)] = 8
    alpha: Annotated[float, Field(gt=0), Space(8, 128, log=True)] = 32
    """Updates are scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1), Space(0, 0.3)] = 0.1
    """Of the adapters' inputs."""
    target_modules: tuple[str, ...] | Literal["all-linear"] = ()
    """Names of the layers that are adapted; empty: queries and values."""
    modules_to_save: tuple[str, ...] = ()
    """Modules trained in full; empty: the pooler and the head, as far as the model has them."""
    init: Literal["lora", "pissa"] = "lora"
    """PiSSA starts from principal singular vectors (Meng et al. 2024); kept merged."""
    use_dora: bool = False
    """Learn magnitudes apart from directions (Liu et al. 2024, DoRA, ICML)."""
    use_rslora: bool = False
    """Scale by alpha / sqrt(rank) (Kalajdzievski 2023, rsLoRA)."""

    def adapt(self, model: nn.Module) -> nn.Module:
        from peft import LoraConfig

        from tunefair.training.adapters import attach, attention_inputs, head_modules, save_merged

        config = LoraConfig(
            task_type="SEQ_CLS",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules or attention_inputs(model),
            modules_to_save=list(self.modules_to_save) or head_modules(model),
            init_lora_weights="pissa" if self.init == "pissa" else True,
            use_dora=self.use_dora,
            use_rslora=self.use_rslora,
        )
        adapted = attach(model, config)
        return save_merged(adapted) if self.init == "pissa" else adapted
