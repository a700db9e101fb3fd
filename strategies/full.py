"""Full fine-tuning: every weight, every example once an epoch, plain cross-entropy."""

from dataclasses import dataclass

from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Full(Strategy):
    reference = "Devlin et al. (2019), BERT, NAACL"
