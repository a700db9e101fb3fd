"""The one training loop: the transformers Trainer, with our batches, budget and learning rate.

No strategy sees it or has a copy of it; that makes the comparison fair.
"""

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from ..strategy import Batch, Objective
from ..suite import Training
from .device import Machine
from .model import Classifier
from .pace import Pace

_NO_LIMIT = 2**40  # steps: the budget ends a cell, not the Trainer


class Learner(nn.Module):
    """The classifier and the objective as one module, so that one optimiser trains both."""

    def __init__(self, classifier: Classifier, objective: Objective, machine: Machine) -> None:
        super().__init__()
        self.classifier, self.objective, self.machine = classifier, objective, machine
        self.to(machine.device)

    def forward(self, inputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Return the loss of a batch; only the classifier computes in bf16."""
        with self.machine.autocast():
            output = self.classifier(inputs)
        loss: Tensor = self.objective(output, batch)
        penalty = getattr(self.classifier.model, "penalty", None)
        return loss if penalty is None else loss + penalty()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a learner is trained, besides its budget."""

    training: Training
    peak_rate: float
    seed: int
    parts: int = 1
    """Parts that each batch is divided into, so that one fits the memory."""


def fit(
    learner: Learner,
    batches: DataLoader[Any],
    pace: Pace,
    recipe: Recipe,
    watchers: Sequence[TrainerCallback] = (),
) -> None:
    """Train until the budget is spent; `watchers` are called after `pace`.

    Raises
    ------
    BadInputError
        The budget is too small for one step.
    DivergedError
        The loss became infinite or not a number.
    """
    with tempfile.TemporaryDirectory() as scratch:  # the Trainer insists on a folder
        loop = _Loop(learner, batches, pace, recipe, scratch)
        for watcher in watchers:
            loop.add_callback(watcher)
        if rank := learner.machine.ranks.rank:
            torch.manual_seed(recipe.seed + 2**32 * rank)  # each process has its own dropout
        loop.train()


def _arguments(machine: Machine, recipe: Recipe, scratch: str) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=scratch,
        max_steps=_NO_LIMIT,
        gradient_accumulation_steps=recipe.parts,
        max_grad_norm=recipe.training.max_gradient_norm,
        weight_decay=recipe.training.weight_decay,
        lr_scheduler_type="constant",  # `Pace` sets the rate of every step
        seed=recipe.seed,
        use_cpu=not machine.is_cuda,
        accelerator_config={"non_blocking": machine.is_cuda},
        disable_tqdm=True,
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        logging_nan_inf_filter=False,  # it would read the loss at every step, which is slow
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,  # a strategy freezes what it does not train
    )
    if machine.is_cuda:
        _one_device(arguments, machine.device)
    return arguments


def _one_device(arguments: TrainingArguments, device: torch.device) -> None:
    """Give the Trainer the cell's device; by itself it takes the first one, or all."""
    _ = arguments.device  # it is computed once, and can be replaced after that
    vars(arguments)["_setup_devices"] = device
    arguments._n_gpu = 1
    torch.cuda.set_device(device)


class _Loop(Trainer):
    loss_is_scaled_for_ga = True  # compute_loss weights each part of a batch by its rows

    def __init__(
        self, learner: Learner, batches: DataLoader[Any], pace: Pace, recipe: Recipe, scratch: str
    ) -> None:
        super().__init__(learner, _arguments(learner.machine, recipe, scratch), callbacks=[pace])
        self.remove_callback(PrinterCallback)
        self.learner, self.batches, self.pace, self.recipe = learner, batches, pace, recipe

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return our own batches; accelerate would give each process different ones."""
        if self.learner.machine.ranks.size > 1:
            return self.batches
        prepared: DataLoader[Any] = self.accelerator.prepare(self.batches)
        return prepared

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """Return a fused AdamW (4 times faster), with a group per rate and weight decay."""
        decayed = set(self.get_decay_parameter_names(self.learner))
        groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in self.learner.named_parameters():
            if parameter.requires_grad:
                decay = self.args.weight_decay if name in decayed else 0.0
                groups[self._peak_rate(name, parameter), decay].append(parameter)
        optimizer = self.optimizer = AdamW(
            [
                {"params": parameters, "peak_rate": rate, "weight_decay": decay}
                for (rate, decay), parameters in groups.items()
            ],
            fused=True,
        )
        return optimizer

    def _peak_rate(self, name: str, parameter: nn.Parameter) -> float:
        """Return a parameter's rate; an objective's is relative to the suite's rate."""
        if name.startswith("objective."):
            objective = self.learner.objective
            return self.recipe.training.learning_rate * objective.learning_rate_factor
        factor: float = getattr(parameter, "learning_rate_factor", 1.0)
        return self.recipe.peak_rate * factor

    def _get_num_items_in_batch(self, batch_samples: Sequence[Any], device: torch.device) -> int:
        size: int = getattr(self.batches.batch_sampler, "batch_size")  # noqa: B009 - of all processes
        return size

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Return this part's share of the batch's mean loss, and charge the part's cost."""
        batch = Batch(inputs["label"], inputs["group"], min(self.pace.before, 1.0))
        loss: Tensor = model(inputs["inputs"], batch)
        loss = loss * (len(batch.label) / (num_items_in_batch or len(batch.label)))
        self.pace.charge(inputs, loss)
        return loss * self.learner.machine.ranks.size  # gradients are averaged over processes

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        """Clip classifier and objective separately: an adversary must not scale the classifier."""
        limit = self.args.max_grad_norm
        if own := list(self.learner.objective.parameters()):
            clip_grad_norm_(own, limit)
        return clip_grad_norm_(self.learner.classifier.parameters(), limit)
