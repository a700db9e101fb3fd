"""Predict: a classifier's predictions of examples of a task, longest texts first."""

from dataclasses import dataclass

import numpy as np
import torch

from ..environment import memory
from ..schema import Array, Predictions
from .batches import pad
from .device import Machine
from .model import Classifier
from .pace import DivergedError
from .tokens import Encoded, TokenisedTask

_ROWS_CPU, _ROWS_CUDA = 64, 512  # of a batch


def predict(
    classifier: Classifier, data: TokenisedTask, view: str, rows: Array, machine: Machine
) -> Predictions:
    """Return the predictions, with hidden vectors, of those of the task's `rows` in a view.

    Raises
    ------
    DivergedError
        An output is infinite or not a number.
    """
    task, encoded = data.task, data.tokens.views[view]
    entries = encoded.entries(rows)
    rows = encoded.row[entries]
    logits, hidden = answer(classifier, encoded, entries, data.tokens.pad, machine)
    if not np.isfinite(logits).all():
        raise DivergedError("diverged: the model's outputs are not finite numbers")
    probability = torch.from_numpy(logits).double().softmax(dim=1).numpy()
    return Predictions(
        example_id=task.example_id[rows],
        label=task.label[rows],
        groups={name: column[rows] for name, column in task.groups.items()},
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=task.classes,
        hidden=hidden,
        cluster=None if task.cluster is None else task.cluster[rows],
    )


def answer(
    classifier: Classifier, view: Encoded, entries: Array, filler: int, machine: Machine
) -> tuple[Array, Array]:
    """Return logits (n, n_classes) and hidden vectors (n, hidden_size), both float32.

    Where the memory is too small, batches of half the size are tried.
    """
    classifier.eval()
    reading = _Reading(classifier, view, entries, filler, machine)
    size = _ROWS_CUDA if machine.is_cuda else _ROWS_CPU
    while True:
        try:
            return reading.in_batches(size)
        except Exception as error:
            if size == 1 or not memory.ran_out(error):
                raise
        machine.give_back()
        size //= 2


@dataclass(frozen=True)
class _Reading:
    """Some texts of a view, and the classifier that reads them."""

    classifier: Classifier
    view: Encoded
    entries: Array
    filler: int
    machine: Machine

    def in_batches(self, size: int) -> tuple[Array, Array]:
        """Return logits and hidden vectors, from batches of `size` texts of similar length.

        Texts are sorted by length, so that little is padded. The longest come first: if the
        memory is too small for a batch of them, that shows at once.
        """
        order = np.argsort(-self.view.length[self.entries], kind="stable")
        outputs = []
        for begin in range(0, len(order), size):
            inputs = pad(self.view, self.entries[order[begin : begin + size]], self.filler)
            with torch.inference_mode(), self.machine.autocast():
                moved = {name: column.to(self.machine.device) for name, column in inputs.items()}
                output = self.classifier(moved)
            outputs.append((output.logits.cpu().numpy(), output.hidden.cpu().numpy()))
        back = np.argsort(order)
        logits, hidden = (np.concatenate(column)[back] for column in zip(*outputs, strict=True))
        return logits, hidden
