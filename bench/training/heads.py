"""Classification heads: the checkpoint's is replaced by a new one per seed, or kept on request."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from ..schema import BadInputError

_KEEP = "model.head = 'keep'"


def last_linear(model: PreTrainedModel) -> nn.Linear:
    """Return the head: the last linear layer with one output per class.

    Raises
    ------
    BadInputError
        There is none.
    """
    n_classes = model.config.num_labels
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    of_classes = [m for m in linear if m.out_features == n_classes]
    if not of_classes:
        raise BadInputError(f"model {type(model).__name__}: no linear classification head")
    return of_classes[-1]


def renew(model: PreTrainedModel, head: nn.Linear, new: set[str]) -> None:
    """Draw a head's values again if they are a checkpoint's, as the architecture draws them.

    Parameters
    ----------
    new : names of the parameters that were drawn when the model was loaded
    """
    if _names(model, head) <= new:
        return
    for part in (head, *head.parameters()):
        vars(part)["_is_hf_initialized"] = False  # else what was loaded is not drawn
    draw: Callable[[nn.Module], None] = model._init_weights
    with torch.no_grad():
        draw(head)


def keep(model: PreTrainedModel, head: nn.Linear, new: set[str], classes: Sequence[str]) -> None:
    """Keep a checkpoint's head: the row of each class is the one that bears its name.

    Raises
    ------
    BadInputError
        The checkpoint has no head, or one whose classes are called otherwise.
    """
    if _names(model, head) & new:
        raise BadInputError(f"{_KEEP}: the checkpoint has no head; leave it out for a new one")
    rows = _rows({int(row): str(n) for row, n in (model.config.id2label or {}).items()}, classes)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.data = parameter.data[rows].clone()
    head.out_features = len(rows)
    names = dict(enumerate(classes))
    model.config.id2label = names
    model.config.label2id = {name: number for number, name in names.items()}
    vars(model)["num_labels"] = len(rows)


def _rows(id2label: dict[int, str], classes: Sequence[str]) -> list[int]:
    """Return which output of a head is which class, by name; case counts only if it must."""
    for spelling in (str, str.casefold):
        rows = {spelling(name): row for row, name in id2label.items()}
        wanted = [spelling(name) for name in classes]
        if (
            len(rows) == len(id2label)
            and len({*wanted}) == len(wanted)
            and rows.keys() >= {*wanted}
        ):
            return [rows[name] for name in wanted]
    known = ", ".join(repr(name) for name in list(id2label.values())[:10])
    missing = ", ".join(repr(name) for name in classes[:10])
    raise BadInputError(
        f"{_KEEP}: the checkpoint's classes are {known}, the task's {missing}; give them the same "
        "names (id2label in config.json, or the task's labels), or leave it out for a new head"
    )


def _names(model: nn.Module, head: nn.Linear) -> set[str]:
    own = {id(parameter) for parameter in head.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in own}
