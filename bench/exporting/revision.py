"""Revision: what the head cannot hold, such as group thresholds, as JSON that `predict` applies.

It holds what the strategy's `revise` learns from: labels, groups and probabilities of the
validation examples, in their order, without ids or texts; and, where it reads them, hidden vectors
beside it. Applying it is calling `revise` again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import load_file, save

from .. import plugins
from ..planning import compose
from ..planning.plan import Cell
from ..schema import Array, BadInputError, Predictions
from ..storage import files, records
from ..strategy import Strategy
from ..training import second_stage
from .record import HIDDEN, REVISION


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The content of the JSON: one strategy, and the validation answers that it learns from."""

    strategy: str
    options: Mapping[str, Any]
    source: str
    """sha256 of the strategy's code."""
    attribute: str
    """The group that every text needs; "" for none."""
    because: str
    """Why the model's head does not hold it."""
    classes: tuple[str, ...]
    reads_hidden: bool
    half: bool
    """Whether hidden vectors are rounded to half precision, as those it learned from."""
    groups: tuple[str, ...]
    """The groups that it knows."""
    label: tuple[int, ...]
    group: tuple[int, ...]
    """Of every validation example, index into `groups`; empty where none is read."""
    probability: tuple[tuple[float, ...], ...]


_learned = TypeAdapter(Learned)


def part_of(cell: Cell) -> tuple[str, Strategy] | None:
    """Return the part of a cell's strategy that revises, and its name; None where none does."""
    names = cell.use.split("+")
    for name, part in zip(names, compose.parts_of(cell.strategy()), strict=True):
        if "revise" in compose.claims(part):
            return name, part
    return None


def write(folder: Path, cell: Cell, validation: Predictions, *, because: str, half: bool) -> None:
    """Write what a cell's revision needs; `validation` are the answers before it."""
    found = part_of(cell)
    if found is None or validation.probability is None:
        raise ValueError("nothing revises these answers")
    name, part = found
    reads_group = bool(cell.attribute) and bool(part.needs_groups_in)
    column = validation.groups[cell.attribute] if reads_group else np.zeros(0, str)
    groups, code = np.unique(column, return_inverse=True)
    learned = Learned(
        strategy=name,
        options=asdict(part),
        source=compose.source(name, cell.strategy_path),
        attribute=cell.attribute if reads_group else "",
        because=because,
        classes=validation.classes,
        reads_hidden=part.reads_hidden,
        half=half,
        groups=tuple(groups.tolist()),
        label=tuple(validation.label.tolist()),
        group=tuple(code.tolist()),
        probability=tuple(map(tuple, validation.probability.tolist())),
    )
    files.write(folder / REVISION, files.to_json(learned))
    if part.reads_hidden and validation.hidden is not None:
        kind = np.float16 if half else np.float32
        files.write(folder / HIDDEN, save({"validation": validation.hidden.astype(kind)}))


def read(folder: Path) -> Learned | None:
    """Read what `write` wrote; None where the model alone decides."""
    path = folder / REVISION
    if not path.is_file():
        return None
    try:
        return _learned.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInputError(
            f"{path}: not a revision of this version ({error.error_count()} errors)"
        ) from None


def apply(folder: Path, answers: Predictions, *, folders: Iterable[Path] = ()) -> Predictions:
    """Return a model's answers as its strategy revises them.

    Parameters
    ----------
    answers : of the exported model, with the group attribute and hidden vectors if it reads them
    folders : strategy files of the user's own

    Raises
    ------
    BadInputError
        A group that validation does not know, or a strategy's file that is another one by now.
    """
    learned = read(folder)
    if learned is None:
        return answers
    found = list(folders)
    if compose.source(learned.strategy, found) != learned.source:
        raise BadInputError(
            f"{folder / REVISION}: the file of strategy {learned.strategy!r} is not the one that "
            "was audited; use that version of tunefair, or give its folder with --strategy-path"
        )
    kind = compose.find(learned.strategy, found)
    options = {name: _frozen(value) for name, value in learned.options.items()}
    strategy = plugins.with_options(kind, options, where=str(folder / REVISION))
    known = _validation(folder, learned)
    if learned.attribute:
        _check_groups(folder, learned, answers)
    if answers.hidden is not None and learned.half:
        rounded = answers.hidden.astype(np.float16).astype(np.float32)
        answers = replace(answers, hidden=rounded)
    revised = strategy.revise(
        second_stage.visible(known, learned.attribute),
        second_stage.unlabelled(answers, learned.attribute),
    )
    return replace(revised, label=answers.label, groups=answers.groups)


def _validation(folder: Path, learned: Learned) -> Predictions:
    hidden = None
    if learned.reads_hidden:
        with records.damage_named(folder / HIDDEN):
            hidden = load_file(folder / HIDDEN)["validation"].astype(np.float32)
    probability = np.array(learned.probability)
    n = len(probability)
    names = np.array(learned.groups, str)
    return Predictions(
        example_id=np.array([f"validation{i}" for i in range(n)]),
        label=np.array(learned.label, np.int64),
        groups={learned.attribute: names[np.array(learned.group)]} if learned.attribute else {},
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=learned.classes,
        hidden=hidden,
    )


def _check_groups(folder: Path, learned: Learned, answers: Predictions) -> None:
    column: Array = answers.groups[learned.attribute]
    if strangers := sorted({str(g) for g in column} - set(learned.groups)):
        known = ", ".join(map(repr, learned.groups))
        raise BadInputError(
            f"{folder}: {learned.attribute} = {strangers[0]!r}: {learned.strategy} learned only "
            f"of {known}"
        )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
