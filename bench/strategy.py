"""The four choices a fine-tuning strategy may make, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from bench.schema import Array, BadInputError, Predictions, Split


class Batch(NamedTuple):
    """What a strategy may know of one training batch besides the model's output."""

    label: Tensor  # (n,) int64
    group: Tensor  # (n,) int64, the mitigated attribute
    spent: float  # fraction of the budget spent, 0 to 1


class Output(NamedTuple):
    """What the classifier returns for a batch."""

    logits: Tensor  # (n, n_classes)
    hidden: Tensor  # (n, hidden_size), the vector that the classification head reads


class Objective(nn.Module):
    """Mean cross-entropy, and the base of every other objective.

    Its parameters are trained with the model's; its buffers are its state.
    """

    learning_rate_factor: float = 1.0
    """Learning rate of the objective's own parameters, relative to the head's."""

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss of one batch, a scalar."""
        return F.cross_entropy(output.logits, batch.label)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Base of every strategy; the defaults are plain full fine-tuning.

    Dataclass fields are the options: a suite sets them and the cell id hashes them. A field's
    docstring says what it means.
    """

    reference: ClassVar[str]
    """The paper, and what deviates from it."""
    needs_groups_in: ClassVar[frozenset[str]] = frozenset()
    """Where group labels are read: "train" (validation included), "inference"."""

    learning_rate: float | None = None
    """Peak learning rate; the suite's when not given."""

    def adapt(self, model: nn.Module) -> nn.Module:
        """Choose what is trained: freeze, wrap or extend `model`."""
        return model

    def sampling_weights(self, train: Split) -> Array | None:
        """Choose what is seen: relative odds (n,) of drawing each example; None: each once."""
        return None

    def objective(self, train: Split, hidden_size: int) -> Objective:
        """Choose what is minimised: a module called as `objective(output, batch)`."""
        return Objective()

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        """Choose what is revised: change `predictions` by what `validation` teaches."""
        return predictions


CHOICES = ("adapt", "sampling_weights", "objective", "revise")


def claims(strategy: Strategy) -> frozenset[str]:
    """Return which of the four choices a strategy makes."""
    if isinstance(strategy, Composition):
        return frozenset().union(*(claims(part) for part in strategy.parts))
    kind = type(strategy)
    return frozenset(c for c in CHOICES if getattr(kind, c) is not getattr(Strategy, c))


@dataclass(frozen=True, kw_only=True)
class Composition(Strategy):
    """Several strategies at once, `a+b`; each choice is made by the one part that claims it."""

    reference = "each part's own"

    names: tuple[str, ...]
    parts: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        """Refuse two parts that claim one choice, by name."""
        for choice in CHOICES:
            rivals = [
                n for n, p in zip(self.names, self.parts, strict=True) if choice in claims(p)
            ]
            if len(rivals) > 1:
                raise BadInputError(
                    f"{'+'.join(self.names)}: {' and '.join(rivals)} both choose {choice!r}; "
                    "compose strategies that make different choices"
                )

    def _maker(self, choice: str) -> Strategy:
        return next((p for p in self.parts if choice in claims(p)), self.parts[0])

    def adapt(self, model: nn.Module) -> nn.Module:
        """Delegate to the part that claims it."""
        return self._maker("adapt").adapt(model)

    def sampling_weights(self, train: Split) -> Array | None:
        """Delegate to the part that claims it."""
        return self._maker("sampling_weights").sampling_weights(train)

    def objective(self, train: Split, hidden_size: int) -> Objective:
        """Delegate to the part that claims it."""
        return self._maker("objective").objective(train, hidden_size)

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        """Delegate to the part that claims it."""
        return self._maker("revise").revise(validation, predictions)


def compose(names: Sequence[str], parts: Sequence[Strategy]) -> Strategy:
    """Return the one strategy, or the composition of several.

    A composition needs groups where any part does, and learns at the rate of the part that
    chooses what is trained (an adapter needs its own), else of the first part that sets one.
    """
    if len(parts) == 1:
        return parts[0]
    rates = [p.learning_rate for p in parts if p.learning_rate is not None]
    trained = [p.learning_rate for p in parts if "adapt" in claims(p)]
    return Composition(
        names=tuple(names), parts=tuple(parts), learning_rate=(trained or rates or [None])[0]
    )


def groups_needed(strategy: Strategy) -> frozenset[str]:
    """Return where a strategy reads group labels: "train", "inference", both or nowhere."""
    if isinstance(strategy, Composition):
        return frozenset().union(*(p.needs_groups_in for p in strategy.parts))
    return strategy.needs_groups_in
