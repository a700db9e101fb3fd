"""Hold: where a cell's revision of predictions goes, into the model's head or beside the model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..planning.plan import Cell
from ..schema import Outcome, Predictions
from ..training import second_stage
from . import proof, revision
from .fold import Asked, UnfoldableError, folded
from .record import Bound

if TYPE_CHECKING:
    from .assemble import Model


class Held(NamedTuple):
    """How a revision is held."""

    revision: str
    """In words; "" where nothing revises."""
    holds_all: bool
    """Whether the model alone decides as was audited."""
    bound: Bound


def hold(
    cell: Cell,
    trained: Outcome,
    model: "Model",
    folder: Path,
    unrevised: Callable[[str], Predictions],
) -> Held:
    """Fold the revision into the model's head, else write it into `folder`.

    Parameters
    ----------
    trained : what the cell left whose weights these are
    model : its head is replaced
    unrevised : split -> the model's own answers, asked only of a cell that trains and revises
    """
    bound = proof.bound(trained.hardware)
    part = revision.part_of(cell)
    if part is None:
        return Held("", True, bound)
    name, strategy = part
    half = not cell.trains  # then it reads hidden vectors as they are stored
    if half:
        before, test = trained.validation, trained.test["original"]
    else:
        before, test = unrevised("validation"), unrevised("test")
    asked = Asked(
        revise=lambda table: strategy.revise(
            second_stage.visible(before, cell.attribute),
            second_stage.unlabelled(table, cell.attribute),
        ),
        head=model.head,
        validation=before,
        attribute=cell.attribute,
    )
    reads = strategy.reads_hidden and half
    try:
        head = folded(asked, biased=model.biased)
        if reads and test.hidden is not None:
            bound = proof.with_half(bound, head, test.hidden)
    except UnfoldableError as error:
        revision.write(folder, cell, before, because=error.reason, half=half)
        bound = proof.around(bound) if reads else bound
        return Held(f"{name}: applied by tunefair predict, for {error.reason}", False, bound)
    model.replace_head(head)
    return Held(f"{name}: folded into the classification head", True, bound)
