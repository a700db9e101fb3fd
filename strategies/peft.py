"""Any other method of peft: IA3, VeRA, OFT, LoHa, … by its name there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn

from tunefair.schema import BadInputError
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Peft(Strategy):
    reference = (
        "Mangrulkar et al. (2022), PEFT; the default is Liu et al. (2022), IA3, NeurIPS, here on "
        "queries and values alone. Pooler and head are trained in full"
    )

    learning_rate: float | None = 1e-3
    """Peak rate; adapters need a higher one than pretrained weights."""
    method: str = "IA3"
    """A name of peft.PeftType that changes weights; methods that add prompts are refused."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the method's peft config; target_modules default to queries and values."""

    def adapt(self, model: nn.Module) -> nn.Module:
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        from tunefair.training.adapters import attach, attention_inputs, head_modules

        kinds = {str(kind.value): found for kind, found in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
        kind = kinds.get(self.method)
        known = {f.name for f in fields(kind)} if kind else set()
        if kind is None or "target_modules" not in known:
            raise BadInputError(f"peft: method = {self.method!r} is none that changes weights")
        if unknown := set(self.config) - known:
            raise BadInputError(f"peft: config.{min(unknown)}: {self.method} has no such field")
        defaults = {
            "task_type": "SEQ_CLS",
            "target_modules": attention_inputs(model),
            "modules_to_save": head_modules(model),
            "feedforward_modules": [],
        }
        given = {name: _plain(value) for name, value in self.config.items()}
        return attach(model, kind(**{k: v for k, v in defaults.items() if k in known} | given))


def _plain(value: Any) -> Any:
    """Return a suite's tuples as the lists that peft writes to JSON."""
    return list(value) if isinstance(value, tuple) else value
