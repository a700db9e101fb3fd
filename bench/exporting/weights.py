"""Weights: those that a cell kept, else the cell is trained again and must answer the same."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from ..launch import local
from ..launch.progress import Watch
from ..launch.slots import Slots
from ..launch.worker import Job
from ..planning import missing, model_folder, plan
from ..planning.plan import MODEL, Cell
from ..schema import BadInputError, Outcome, Predictions
from ..storage import records, run_folder
from .source import Source

KEPT, AGAIN = "kept by the run", "trained again: the same predictions, byte for byte"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Where the trained weights lie, and what the cell that made them left."""

    folder: Path
    origin: str
    outcome: Outcome


@contextmanager
def weights(source: Source, console: Console) -> Iterator[Weights]:
    """Give the weights of a cell for a while; those trained again are removed at the end.

    Raises
    ------
    BadInputError
        The cell trained again does not give the stored predictions, or cannot be trained.
    """
    cell = source.trained
    if model_folder.fingerprint(cell.model) != cell.model_fingerprint:
        raise BadInputError(
            f"model.source = {cell.model.source!r}: its files changed since the run; put back "
            "those that it was made with"
        )
    stored = source.outcome_of(cell)
    kept = run_folder.cell_folder(source.run, cell.id) / run_folder.MODEL
    if stored is not None and kept.is_dir():
        yield Weights(folder=kept, origin=KEPT, outcome=stored)
        return
    with TemporaryDirectory(prefix="tunefair-export-") as scratch:
        seconds = source.outcome.ledger.seconds
        console.print(
            f"{source.name}: its weights were not kept, so it is trained again, which took "
            f"{seconds:.0f} s; keep_models = true in the suite keeps them",
            highlight=False,
        )
        folder = _trained(source, cell, Path(scratch), console)
        now = records.read_outcome(folder)
        _check_same(source, stored, now)
        yield Weights(folder=folder / run_folder.MODEL, origin=AGAIN, outcome=stored or now)


def _trained(source: Source, cell: Cell, scratch: Path, console: Console) -> Path:
    """Train a cell, and before it what it starts from and what the run lacks, in `scratch`."""
    wanted = cell.keeping({**cell.keeps, MODEL: "the export"})
    device = source.outcome.hardware.get("device", "auto")
    jobs: list[Job] = []
    for one in plan.with_first_stages([wanted]):
        held = missing.held(source.run, one.id)
        if one.id != cell.id and held is not None and held >= one.keeps.keys():
            continue
        jobs.append(
            Job(
                cell=one,
                task_file=source.prepared.task_file,
                tokens_folder=source.prepared.tokens_folder,
                destination=run_folder.cell_folder(scratch, one.id),
                after=_place(source, one.first, jobs) if one.first else None,
                device=device,
            )
        )
    reasons: list[str] = []
    with Watch(console, len(jobs)) as watch:
        finished = _listener(watch, reasons)
        slots = Slots.initial(device, "1")
        local.Launcher(slots, watch.update, finished).launch(jobs)
    if reasons:
        raise BadInputError(f"{source.name}: {reasons[0]}; nothing is exported")
    return run_folder.cell_folder(scratch, cell.id)


def _place(source: Source, first: Cell, jobs: list[Job]) -> Path:
    """Return where a first stage's outcome is: among those trained now, else in the run."""
    now = {job.cell.id: job.destination for job in jobs}
    return now.get(first.id) or run_folder.cell_folder(source.run, first.id)


def _listener(watch: Watch, reasons: list[str]) -> Callable[[Job, str], None]:
    def finished(job: Job, reason: str) -> None:
        watch.end(job, reason)
        if reason:
            reasons.append(reason)
        shutil.rmtree(job.checkpoints, ignore_errors=True)

    return finished


def _check_same(source: Source, stored: Outcome | None, now: Outcome) -> None:
    """Refuse weights whose predictions are not, byte for byte, those that were audited."""
    if stored is None:  # a first stage that was removed: its follower's answers are compared
        return
    pairs = [(stored.validation, now.validation)]
    pairs += [(table, now.test[view]) for view, table in stored.test.items() if view in now.test]
    differing = sum(_differing(one, other) for one, other in pairs)
    if differing:
        total = sum(len(one.label) for one, _ in pairs)
        then, here = (", ".join(map(str, o.hardware.values())) for o in (stored, now))
        raise BadInputError(
            f"{source.name}: trained again, {differing:,} of {total:,} answers differ from those "
            f"that were audited, so nothing is exported (made on {then}; now on {here}); use that "
            "machine, or run with keep_models = true"
        )


def _differing(one: Predictions, other: Predictions) -> int:
    """Return how many answers are not the same bytes."""
    if not np.array_equal(one.example_id, other.example_id):
        return len(one.label)
    same = np.asarray(one.prediction == other.prediction)
    if one.probability is not None and other.probability is not None:
        same &= (one.probability == other.probability).all(axis=1)
    return int((~same).sum())
