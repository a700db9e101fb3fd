"""Predict: classify the texts of a file with an exported folder, all that was audited applied."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ..reading import columns, tables
from ..schema import BadInputError, Predictions
from ..storage import files
from . import proof, record, revision, verify
from .showing import bar


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Which columns of which file hold what."""

    file: Path
    text: str
    pair: str = ""
    group: str = ""
    """The attribute that a revision reads; its own name if not given."""


def predict(
    folder: Path, texts: Texts, console: Console, *, strategy_path: Sequence[Path] = ()
) -> Predictions:
    """Return the answers to the texts of a file, a row a text, in the file's order.

    Raises
    ------
    BadInputError
        The folder was edited, or the file lacks a column, a text or a group that is known.
    """
    verify.check_files(folder)
    known = record.read(folder)
    learned = revision.read(folder)
    group = (texts.group or learned.attribute) if learned and learned.attribute else ""
    wanted = [name for name in (texts.text, texts.pair, group) if name]
    source = columns.Source(texts.file, tables.read(texts.file, wanted))
    request = proof.Request(
        texts=_texts(source, texts),
        classes=known.classes,
        hidden=learned is not None and learned.reads_hidden,
        truncation=True,
    )
    groups = {}
    if learned and group:
        groups = {learned.attribute: source.categories(group).strings}
    with bar(console, "classifying") as progress:
        found = proof.alone(folder, request, progress)
    ids = np.array([f"row{i + 1}" for i in range(len(request.texts))])
    answers = found.predictions(ids, groups, known.classes)
    return revision.apply(folder, answers, folders=strategy_path)


def _texts(source: columns.Source, texts: Texts) -> list[str | dict[str, str]]:
    first = _column(source, texts.text)
    if not texts.pair:
        return list(first)
    second = _column(source, texts.pair)
    return [{"text": a, "text_pair": b} for a, b in zip(first, second, strict=True)]


def _column(source: columns.Source, name: str) -> list[str]:
    values: list[str | None] = source.strings(name).to_pylist()
    for number, value in enumerate(values):
        if not (value or "").strip():
            source.refuse(name, number, "no text")
    return [str(value) for value in values]


def as_csv(answers: Predictions) -> str:
    """Return a row a text: the decision, and a probability a class."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["prediction", *(f"probability of {name}" for name in answers.classes)])
    probability = np.asarray(answers.probability)
    for decision, row in zip(answers.prediction, probability, strict=True):
        writer.writerow([answers.classes[decision], *(f"{p:.9g}" for p in row)])
    return out.getvalue()


def write(path: Path, answers: Predictions) -> None:
    """Write the answers as CSV.

    Raises
    ------
    BadInputError
        The file's ending is another.
    """
    if path.suffix.lower() != ".csv":
        raise BadInputError(f"--out {path}: give a name that ends in .csv")
    files.write(path, as_csv(answers))
