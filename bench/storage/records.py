"""Our records in files: the only place that knows how a table is written."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save

from ..reading import parquet_tables
from ..schema import (
    Array,
    BadInputError,
    Contrast,
    CurvePoint,
    CurvePointBand,
    Ledger,
    LeftOut,
    Measurement,
    Metric,
    Outcome,
    ParetoPoint,
    Predictions,
    ReliabilityBin,
    Results,
    Task,
    TaskCard,
)
from . import files

PREDICTIONS = "predictions.parquet"
"""File of a cell's or a yardstick's predictions, in its folder."""
TEXT = "text"
GROUP = "group:"
CLUSTER = "cluster"
VIEW = "view:"
Row = TypeVar("Row", bound=tuple[Any, ...])
_ledger = TypeAdapter(Ledger)
_curve = TypeAdapter(tuple[CurvePoint, ...])
_hardware = TypeAdapter(dict[str, str])


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what reading a damaged file raises into one line that names it: it may hold anything.

    A checksum tells that a file is as it was sealed, not that what was sealed makes sense.

    Raises
    ------
    BadInputError
        Whatever else was raised meanwhile.
    """
    try:
        yield
    except (BadInputError, MemoryError):
        raise
    except Exception as error:
        fault = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadInputError(
            f"{path}: damaged ({fault}); move it away, and `tunefair run` makes it again"
        ) from None


def write_task(path: Path, task: Task) -> None:
    """Write a prepared task as one Parquet file, its card in the schema's metadata."""
    columns: dict[str, Any] = {
        "example_id": task.example_id,
        TEXT: task.text,
        "label": task.label,
        "split": task.split,
    }
    if task.text_pair is not None:
        columns["text_pair"] = task.text_pair
    columns |= {GROUP + name: column for name, column in task.groups.items()}
    columns |= {VIEW + name: column for name, column in task.views.items()}
    if task.cluster is not None:
        columns[CLUSTER] = task.cluster
    facts = {"name": task.name, "classes": list(task.classes), "card": asdict(task.card)}
    write_table(path, columns, facts)


def read_task(path: Path) -> Task:
    """Read a task that `write_task` wrote."""
    columns, facts = read_table(path)
    with damage_named(path):
        return _task(columns, facts)


def _task(columns: Mapping[str, Array], facts: Mapping[str, Any]) -> Task:
    card = facts["card"]
    card |= {name: tuple(card.get(name, ())) for name in ("warnings", "label_kept_in")}
    return Task(
        name=facts["name"],
        example_id=columns["example_id"],
        text=columns["text"],
        text_pair=columns.get("text_pair"),
        label=columns["label"],
        groups=_prefixed(columns, GROUP),
        split=columns["split"],
        classes=tuple(facts["classes"]),
        card=TaskCard(**card),
        views=_prefixed(columns, VIEW),
        cluster=columns.get(CLUSTER),
    )


def write_predictions(path: Path, answers: Mapping[tuple[str, str], Predictions]) -> None:
    """Write the predictions of one model, by (split, view), as one Parquet file.

    Hidden vectors are written beside it as safetensors (float16, an array per split and view).
    """
    parts = list(answers.items())
    first = parts[0][1]
    columns: dict[str, Any] = {
        "example_id": np.concatenate([p.example_id for _, p in parts]),
        "split": np.concatenate([np.full(len(p.label), split) for (split, _), p in parts]),
        "view": np.concatenate([np.full(len(p.label), view) for (_, view), p in parts]),
        "label": np.concatenate([p.label for _, p in parts]),
        "prediction": np.concatenate([p.prediction for _, p in parts]),
    }
    for name in first.groups:
        columns[GROUP + name] = np.concatenate([p.groups[name] for _, p in parts])
    if all(p.cluster is not None for _, p in parts):
        columns[CLUSTER] = np.concatenate([p.cluster for _, p in parts if p.cluster is not None])
    if first.probability is not None:
        stacked = np.concatenate([p.probability for _, p in parts if p.probability is not None])
        columns["probability"] = pa.FixedSizeListArray.from_arrays(
            pa.array(stacked.astype(np.float64).ravel()), len(first.classes)
        )
    write_table(path, columns, {"classes": list(first.classes)})
    hidden = {
        f"{split}/{view}": p.hidden.astype(np.float16)
        for (split, view), p in parts
        if p.hidden is not None
    }
    if hidden:
        files.write(path.with_name("hidden.safetensors"), save(hidden))


def read_predictions(path: Path) -> dict[tuple[str, str], Predictions]:
    """Read what `write_predictions` wrote, keyed by (split, view) in the order written.

    Raises
    ------
    BadInputError
        It is damaged, or a label, prediction or probability is out of its range.
    """
    columns, facts = read_table(path)
    beside = path.with_name("hidden.safetensors")
    with damage_named(beside):
        hidden = load_file(beside) if beside.is_file() else {}
    with damage_named(path):
        answers = _predictions(columns, facts, hidden)
        for table in answers.values():
            check_answers(table)
        return answers


def check_answers(answers: Predictions) -> None:
    """Refuse, with a ValueError, answers that no audit could read."""
    for column in (answers.label, answers.prediction):
        if column.dtype.kind not in "iu":
            raise ValueError("a label or prediction is not a number")
        if len(column) and not 0 <= column.min() <= column.max() < len(answers.classes):
            raise ValueError("a label or prediction is none of the classes")
    stated = answers.probability
    if stated is not None and not ((stated >= 0) & (stated <= 1)).all():
        raise ValueError("a probability is not between 0 and 1")


def _predictions(
    columns: Mapping[str, Array], facts: Mapping[str, Any], hidden: Mapping[str, Array]
) -> dict[tuple[str, str], Predictions]:
    keys = dict.fromkeys(zip(columns["split"].tolist(), columns["view"].tolist(), strict=True))
    probability, cluster = columns.get("probability"), columns.get(CLUSTER)
    answers = {}
    for split, view in keys:
        rows = np.flatnonzero((columns["split"] == split) & (columns["view"] == view))
        answers[split, view] = Predictions(
            example_id=columns["example_id"][rows],
            label=columns["label"][rows],
            groups={n: c[rows] for n, c in _prefixed(columns, GROUP).items()},
            prediction=columns["prediction"][rows],
            probability=None if probability is None else probability[rows],
            classes=tuple(facts["classes"]),
            hidden=hidden.get(f"{split}/{view}"),
            cluster=None if cluster is None else cluster[rows],
        )
    return answers


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write the outcome of a cell into an open folder."""
    answers = {("validation", "original"): outcome.validation}
    answers |= {("test", view): p for view, p in outcome.test.items()}
    if outcome.train is not None:
        answers["train", "original"] = outcome.train
    if outcome.start is not None:
        answers["start", "original"] = outcome.start
    write_predictions(folder / PREDICTIONS, answers)
    files.write(folder / "ledger.json", files.to_json(asdict(outcome.ledger)))
    files.write(folder / "hardware.json", files.to_json(dict(outcome.hardware)))
    curve = {name: [getattr(p, name) for p in outcome.curve] for name in CurvePoint._fields}
    write_table(folder / "curve.parquet", curve, {})


def read_outcome(folder: Path) -> Outcome:
    """Read what `write_outcome` wrote."""
    answers = read_predictions(folder / PREDICTIONS)
    test = {view: p for (split, view), p in answers.items() if split == "test"}
    with damage_named(folder / PREDICTIONS):
        validation, _ = answers["validation", "original"], test["original"]
    with damage_named(folder / "hardware.json"):
        hardware = _hardware.validate_python(files.read_json(folder / "hardware.json"))
    return Outcome(
        test=test,
        validation=validation,
        train=answers.get(("train", "original")),
        start=answers.get(("start", "original")),
        ledger=read_ledger(folder),
        curve=read_curve(folder),
        hardware=hardware,
    )


def read_ledger(folder: Path) -> Ledger:
    """Read what a finished cell spent."""
    path = folder / "ledger.json"
    with damage_named(path):
        return _ledger.validate_python(files.read_json(path))


def read_curve(folder: Path) -> tuple[CurvePoint, ...]:
    """Read how a finished cell learned."""
    path = folder / "curve.parquet"
    curve, _ = read_table(path)
    with damage_named(path):
        points = zip(*(curve[name].tolist() for name in CurvePoint._fields), strict=True)
        return _curve.validate_python(tuple(CurvePoint(*point) for point in points))


def results_json(results: Results) -> str:
    """Return results as JSON: undefined values are null, with their reason beside."""
    tables = {name: value for name, value in vars(results).items() if name != "definitions"}
    definitions = {name: asdict(metric) for name, metric in results.definitions.items()}
    return files.to_json(tables | {"definitions": definitions})


def read_results(path: Path) -> Results:
    """Read results that `results_json` wrote."""
    table = files.read_json(path)
    try:
        return Results(
            measurements=tuple(_rows(Measurement, table["measurements"])),
            contrasts=tuple(_rows(Contrast, table["contrasts"])),
            definitions={name: _metric(m) for name, m in table["definitions"].items()},
            left_out=tuple(_rows(LeftOut, table["left_out"])),
            reliability=tuple(_rows(ReliabilityBin, table["reliability"])),
            curves=tuple(_rows(CurvePointBand, table["curves"])),
            clusters=int(table["clusters"]),
            trade_off=tuple(_rows(ParetoPoint, table["trade_off"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInputError(f"{path}: not results of this version ({error})") from None


def _rows(kind: type[Row], table: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield records; null is NaN where the field is a number that cannot be None."""
    numbers = {name for name, hint in kind.__annotations__.items() if hint is float}
    for row in table:
        yield kind(**{k: np.nan if v is None and k in numbers else v for k, v in row.items()})


def _metric(row: dict[str, Any]) -> Metric:
    """Return a definition; an end of its range that is null is infinite."""
    low, high = row["low"], row["high"]
    return Metric(
        **row | {"low": -np.inf if low is None else low, "high": np.inf if high is None else high}
    )


def _prefixed(columns: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): column
        for name, column in columns.items()
        if name.startswith(prefix)
    }


def write_table(path: Path, columns: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write columns (arrays of equal length) as Parquet, JSON facts in the schema's metadata."""
    table = pa.table({name: _arrow(column) for name, column in columns.items()})
    table = table.replace_schema_metadata({"tunefair": json.dumps(facts, sort_keys=True)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    files.write(path, sink.getvalue().to_pybytes())


def _arrow(column: Any) -> Any:
    if isinstance(column, np.ndarray) and column.dtype.kind in "OU":
        return pa.array(column.tolist(), pa.string())
    return column if isinstance(column, pa.Array) else pa.array(column)


def read_table(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what `write_table` wrote."""
    try:
        table = parquet_tables.read(path, pq.read_schema(path).names)
        facts = json.loads((table.schema.metadata or {})[b"tunefair"])
        return {name: _numpy(name, table[name]) for name in table.column_names}, facts
    except (OSError, pa.ArrowException, KeyError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: not a table of tunefair ({error})") from None


def _numpy(name: str, column: Any) -> Array:
    array = column.combine_chunks()
    if pa.types.is_fixed_size_list(array.type):
        width = array.type.list_size
        return np.asarray(array.values.to_numpy(zero_copy_only=False)).reshape(-1, width)
    if pa.types.is_nested(array.type):
        raise ValueError(f"column {name!r} holds {array.type}")
    values = np.asarray(array.to_numpy(zero_copy_only=False))
    if not pa.types.is_string(array.type) or name.startswith((TEXT, VIEW)):
        return values  # texts stay Python strings: a fixed width would be that of the longest
    return values.astype(str)
