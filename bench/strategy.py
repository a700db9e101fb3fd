"""The four choices a fine-tuning strategy may make, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from .schema import Array, Predictions, Split
from .space import Space


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

    Its parameters are trained with the model's; its buffers are its state. A batch comes in parts
    where memory is short or several processes train together: examples meet within a part only,
    and of several processes the first one's buffers count.
    """

    learning_rate_factor: float = 1.0
    """Learning rate of the objective's own parameters, relative to the suite's."""

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss of one batch, a scalar."""
        return F.cross_entropy(output.logits, batch.label, reduction="none").mean()


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Base of every strategy; the defaults are plain full fine-tuning.

    Dataclass fields are the options: a suite sets them and the cell id hashes them. A field's
    docstring says what it means, a `Space` in its annotation where a search may look.
    """

    reference: ClassVar[str]
    """The paper, and what deviates from it."""
    binary_only: ClassVar[bool] = False
    """Whether `revise` makes sense for two classes only."""
    needs_views: ClassVar[bool] = False
    """Whether it trains on views that keep the label; without any the task is refused."""
    reads_hidden: ClassVar[bool] = False
    """Whether `revise` reads hidden vectors; they are stored only if something reads them."""

    learning_rate: Annotated[float | None, Space(around=10)] = None
    """Peak learning rate; the suite's when not given."""

    @property
    def needs_groups_in(self) -> frozenset[str]:
        """Where group labels are read: "train" (validation included), "inference"."""
        return frozenset()

    @property
    def first_stage_share(self) -> float:
        """Share of the budget that goes to a first stage, which trains without this strategy.

        The training itself then begins again from the pretrained weights, with what is left, and
        `Split.prediction` says what the first stage made of the training examples. 0: no first
        stage. What only revises needs none declared: it starts from the finished training.
        """
        return 0.0

    def adapt(self, model: nn.Module) -> nn.Module:
        """Choose what is trained: freeze, wrap or extend `model`.

        A parameter may carry `learning_rate_factor`, its rate relative to the model's; the model
        may carry `penalty()`, a scalar that is added to whatever objective there is.
        """
        return model

    def sampling_weights(self, train: Split) -> Array | Mapping[str, Array] | None:
        """Choose what is seen: relative odds (n,) of drawing each example; None: each once.

        Or odds by view: "original" and any of `train.views`, whose examples keep label and group.
        Rows of equal odds come once an epoch, those of odds 0 never; other odds are drawn with
        replacement. torch's global random state is at the cell's seed.
        """
        return None

    def objective(self, train: Split, hidden_size: int) -> Objective:
        """Choose what is minimised: a module called as `objective(output, batch)`."""
        return Objective()

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        """Choose what is revised: change `predictions` by what `validation` teaches.

        Both hold the mitigated attribute as their only group, and hidden vectors (float32, of
        half that precision) where `reads_hidden`. Only `validation` has labels: those of
        `predictions` are all -1. The examples returned are those given, in the same order.
        """
        return predictions
