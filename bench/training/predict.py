"""Predict: a classifier's answers on examples of a task, longest texts first."""

import numpy as np
import torch

from ..environment import memory
from ..schema import Array, Predictions, Task
from .batches import pad
from .device import Machine
from .model import Classifier
from .pace import DivergedError
from .tokens import Encoded, Tokens

_ROWS_CPU, _ROWS_CUDA = 64, 512  # of a batch


def predict(
    classifier: Classifier, data: tuple[Task, Tokens], view: str, rows: Array, machine: Machine
) -> Predictions:
    """Return the answers on those of the task's `rows` that a view holds, hidden vectors too.

    Raises
    ------
    DivergedError
        An answer is infinite or not a number.
    """
    task, tokens = data
    encoded = tokens.views[view]
    entries = encoded.entries(rows)
    rows = encoded.row[entries]
    logits, hidden = answer(classifier, encoded, entries, tokens.pad, machine)
    if not np.isfinite(logits).all():
        raise DivergedError("diverged: the model's answers are no numbers")
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

    Fewer rows at a time are tried where the memory is too small.
    """
    classifier.eval()
    size = _ROWS_CUDA if machine.is_cuda else _ROWS_CPU
    while True:
        try:
            return _answer(classifier, view, entries, (filler, size), machine)
        except Exception as error:
            if size == 1 or not memory.ran_out(error):
                raise
        machine.give_back()
        size //= 2


def _answer(
    classifier: Classifier, view: Encoded, entries: Array, batch: tuple[int, int], machine: Machine
) -> tuple[Array, Array]:
    """Answer texts of one length together, so that little is padded.

    The longest go first, so that a memory too small shows at once.
    """
    filler, size = batch
    order = np.argsort(-view.length[entries], kind="stable")
    outputs = []
    for begin in range(0, len(order), size):
        inputs = pad(view, entries[order[begin : begin + size]], filler)
        with torch.inference_mode(), machine.autocast():
            output = classifier({k: v.to(machine.device) for k, v in inputs.items()})
        outputs.append((output.logits.cpu().numpy(), output.hidden.cpu().numpy()))
    back = np.argsort(order)
    logits, hidden = (np.concatenate(column)[back] for column in zip(*outputs, strict=True))
    return logits, hidden
