"""Adversarial training: learn hidden vectors from which the group is hard to read."""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tunefair.schema import Split
from tunefair.space import Space
from tunefair.strategy import Batch, Objective, Output, Strategy


@dataclass(frozen=True, kw_only=True)
class Adversarial(Strategy):
    reference = (
        "Ganin & Lempitsky (2015), Unsupervised domain adaptation by backpropagation, ICML: "
        "gradient reversal with its ramp. The adversary sees the label as in Zhang, Lemoine & "
        "Mitchell (2018), AIES, but hidden vectors instead of the prediction, and gradients are "
        "not projected. Several diverse adversaries: Han, Baldwin & Cohn (2021), EACL, overlaps "
        "as means over pairs and examples"
    )
    needs_groups_in = frozenset({"train"})

    strength: Annotated[float, Field(ge=0), Space(0.1, 10, log=True)] = 1.0
    """Of the reversed gradient, at the end of its ramp."""
    target: Literal["equalized_odds", "demographic_parity"] = "equalized_odds"
    """equalized_odds: the adversary also sees the label, so only what it does not tell counts."""
    width: Annotated[int, Field(ge=1), Space(64, 1024, log=True)] = 256
    """Hidden units of the adversary."""
    ensemble: Annotated[int, Field(ge=1), Space(1, 3)] = 1
    """Adversaries, whose hidden units are kept from saying the same."""
    diversity: Annotated[float, Field(ge=0)] = 1.0
    """Of the overlap between adversaries, where there are several."""
    adversary_learning_rate_factor: Annotated[float, Field(gt=0), Space(around=10)] = 1.0
    """The adversary's learning rate, relative to the suite's: one that follows the higher rate of
    adapters wins at once, and what is left of the hidden vectors tells nothing."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _AdversarialLoss(self, train, hidden_size)


class _AdversarialLoss(Objective):
    def __init__(self, options: Adversarial, train: Split, hidden_size: int) -> None:
        super().__init__()
        self.strength = options.strength
        self.learning_rate_factor = options.adversary_learning_rate_factor
        self.shown_classes = train.n_classes if options.target == "equalized_odds" else 0
        self.diversity = options.diversity
        seen = hidden_size + self.shown_classes
        self.readers = nn.ModuleList(
            nn.Sequential(nn.Linear(seen, options.width), nn.ReLU())
            for _ in range(options.ensemble)
        )
        self.guesses = nn.ModuleList(
            nn.Linear(options.width, train.n_groups) for _ in range(options.ensemble)
        )

    def forward(self, output: Output, batch: Batch) -> Tensor:
        ramp = 2 / (1 + math.exp(-10 * batch.spent)) - 1  # Ganin & Lempitsky, section 4
        seen = _ReverseGradient.apply(output.hidden, self.strength * ramp)
        if self.shown_classes:
            seen = torch.cat([seen, F.one_hot(batch.label, self.shown_classes)], dim=1)
        read = [reader(seen) for reader in self.readers]
        guesses = (guess(units) for guess, units in zip(self.guesses, read, strict=True))
        losses = [F.cross_entropy(guess, batch.group) for guess in guesses]
        overlaps = [(a.T @ b).square().sum() / len(a) ** 2 for a, b in combinations(read, 2)]
        loss = super().forward(output, batch) + torch.stack(losses).mean()
        return loss + self.diversity * torch.stack(overlaps).mean() if overlaps else loss


class _ReverseGradient(torch.autograd.Function):
    """Identity forwards, minus `strength` times the gradient backwards."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None
