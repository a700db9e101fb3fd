"""The record of an export: what it is, what was proved of it, and what repeats the proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..schema import Array, BadInputError
from ..storage import files, records

RECORD, ANSWERS, REVISION = "tunefair.json", "tunefair-answers.parquet", "revision.json"
HIDDEN = "revision.safetensors"
VERSION = 1


class Bound(NamedTuple):
    """How far an exported model's answers may be from those that were audited."""

    max_difference: float
    """Of any probability."""
    flip_share: float
    """Share of decisions that may differ."""
    because: str
    """What the numbers come from."""


class ProofRow(NamedTuple):
    """What was found on some test texts."""

    attribute: str
    """"" for the whole test set."""
    group: str
    n: int
    max_difference: float
    """Largest difference of a probability from the one that was audited."""
    flips: int
    """Decisions that differ."""


class Probe(NamedTuple):
    """A made-up text, and the probabilities that the folder gave it when it was made."""

    text: str
    probability: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything that a folder says of itself; a card is made from it and from the results."""

    version: int = VERSION
    strategy: str
    use: str
    options: str
    seed: int
    seed_because: str
    suite: str
    cell: str
    run: str
    """The run's folder, seen from this one."""
    command: str
    date: str
    task_source: str
    """Which kind of source the data came from."""
    task: str
    """Fingerprint of the data."""
    examples: str
    """The same, of texts, labels and splits alone."""
    classes: tuple[str, ...]
    attribute: str
    """The group attribute that a revision reads; "" for none."""
    model: str
    model_on_hub: bool
    """Whether `model` is a hub's name."""
    model_fingerprint: str
    max_tokens: int
    weights: str
    """Whether they were kept or trained again."""
    parameters: int
    revision: str
    """"" where nothing revises; how the head holds it; or, where none can, why not."""
    holds_all: bool
    """Whether a pipeline alone decides as was audited; else `tunefair predict` does."""
    longer: int
    """Test texts of more than `max_tokens` tokens."""
    bound: Bound
    proof: tuple[ProofRow, ...]
    probes: tuple[Probe, ...]
    environment: Mapping[str, str]


class Answers(NamedTuple):
    """The audited answers on the test texts, which the proof compares with."""

    example_id: Array  # (n,) str
    prediction: Array  # (n,) int64
    probability: Array  # (n, n_classes) float64


_record = TypeAdapter(Record)


def write(folder: Path, record: Record) -> None:
    """Write a record."""
    files.write(folder / RECORD, _record.dump_json(record, indent=1) + b"\n")


def read(folder: Path) -> Record:
    """Read what `write` wrote.

    Raises
    ------
    BadInputError
        The folder is no export, or one of another version.
    """
    path = folder / RECORD
    if not path.is_file():
        raise BadInputError(f"{folder}: no {RECORD}, so no export; see `tunefair export`")
    try:
        return _record.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInputError(
            f"{path}: not a record of this version ({error.error_count()} errors)"
        ) from None


def write_answers(folder: Path, answers: Answers) -> None:
    """Write the audited answers: ids, decisions, probabilities; no text, label or group."""
    columns = {"example_id": answers.example_id, "prediction": answers.prediction}
    each = {f"p{number}": column for number, column in enumerate(answers.probability.T)}
    records.write_table(folder / ANSWERS, columns | each, {})


def read_answers(folder: Path) -> Answers:
    """Read what `write_answers` wrote."""
    columns, _ = records.read_table(folder / ANSWERS)
    with records.damage_named(folder / ANSWERS):
        each = [columns[f"p{number}"] for number in range(len(columns) - 2)]
        return Answers(columns["example_id"], columns["prediction"], np.stack(each, axis=1))
