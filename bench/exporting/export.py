"""Export: one finished cell becomes a folder that transformers reads alone, and that is proved."""

import os
import shlex
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from ..environment import provenance
from ..facts import StrategyFacts
from ..planning import model_folder
from ..schema import BadInputError, Outcome, Predictions
from ..storage import files
from ..suite import ModelChoice
from . import card, proof, record
from .figures import figures
from .hold import hold
from .record import Answers, Probe, Record
from .showing import bar
from .source import Source, find
from .weights import Weights, weights

_BYTES_A_PARAMETER = 4
_SPARE_BYTES = 50 * 2**20
"""What tokenizer, record and card take at most, besides the weights."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be exported, and where to."""

    run: Path
    strategy: str
    seed: int | None
    out: Path
    packs: tuple[str, ...] = ()
    """Names of further documents: see `packs`."""
    console: Console

    @property
    def command(self) -> str:
        """The command that makes this export again."""
        words = ["tunefair", "export", str(self.run), self.strategy]
        words += [] if self.seed is None else ["--seed", str(self.seed)]
        words += [word for pack in self.packs for word in ("--pack", pack)]
        return shlex.join([*words, "--out", str(self.out)])


def export(wish: Wish) -> Record:
    """Write the folder of one cell, whole or not at all, once it is proved.

    Raises
    ------
    BadInputError
        There is no such cell, the folder exists, the disk has no room for it, or what was
        exported does not answer as was audited.
    """
    card.check(wish.packs)
    if files.stands(wish.out):
        raise BadInputError(f"--out {wish.out}: exists already; choose another, or remove it")
    with wish.console.status("looking for the cell"):
        source = find(wish.run, wish.strategy, wish.seed)
    wish.console.print(f"{source.name}: {source.because}", markup=False, highlight=False)
    check_room(source.cell.model, wish.out, wish.console)
    wish.out.parent.mkdir(parents=True, exist_ok=True)
    with weights(source, wish.console) as found:
        made: list[Record] = []
        files.write_sealed(wish.out, partial(_fill, wish, source, found, made))
    return made[0]


def check_room(model: ModelChoice, out: Path, console: Console) -> None:
    """Say how much the weights take, and refuse a disk that has no room for them.

    Raises
    ------
    BadInputError
        There is less room than they take.
    """
    shapes = model_folder.shapes(model_folder.locate(model)).values()
    needed = _BYTES_A_PARAMETER * sum(int(np.prod(shape)) for shape in shapes) + _SPARE_BYTES
    parent = next(p for p in (out.absolute(), *out.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(parent).free
    console.print(
        f"the folder takes up to {needed / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free",
        highlight=False,
    )
    if free < needed:
        raise BadInputError(
            f"--out {out}: {free / 1e6:,.0f} MB are free and up to {needed / 1e6:,.0f} MB are "
            "needed; make room, or choose another disk"
        )


def _fill(wish: Wish, source: Source, found: Weights, made: list[Record], folder: Path) -> None:
    """Write everything into an open folder."""
    from . import assemble  # torch and transformers take seconds to import

    task = source.prepared.task
    with wish.console.status("assembling the model"):
        model = assemble.load(source.trained, found.folder, task.classes)
        assemble.save(model, source.cell, folder)
        held = hold(source.cell, found.outcome, model, folder, partial(_unrevised, source, folder))
        if held.revision and held.holds_all:
            assemble.save(model, source.cell, folder)
    expected = _expected(source.outcome)
    record.write_answers(folder, expected)
    longer = _longer(source)
    exam = proof.exam(task, expected, truncation=longer > 0)
    made_up = list(proof.made_up(folder))
    with bar(wish.console, "proving, in a process without tunefair") as progress:
        sat = exam.answers(folder, progress, probes=made_up, folders=source.cell.strategy_path)
    rows = proof.table(exam, sat.answers)
    proof.check(rows, held.bound, wish.out, ties=proof.ties(expected, held.bound))
    probes = map(Probe, made_up, map(tuple, sat.probes.tolist()))
    strategy = next(s for s in source.facts.strategies if s.label == source.chosen.strategy)
    written = _record(wish, source, strategy)(
        weights=found.origin,
        parameters=sum(p.numel() for p in model.model.parameters()),
        revision=held.revision,
        holds_all=held.holds_all,
        longer=longer,
        bound=held.bound,
        proof=rows,
        probes=tuple(probes),
    )
    record.write(folder, written)
    with wish.console.status("measuring, for the card"):
        groups = source.outcome.test["original"].groups
        measured = figures(source.run, source.chosen.strategy, source.chosen.seed, groups)
        card.write(folder, written, measured, wish.packs)
    made[:] = [written]


def _record(wish: Wish, source: Source, strategy: StrategyFacts) -> "partial[Record]":
    """Return a record that still lacks what was found."""
    cell, task = source.cell, source.prepared.task
    run = os.path.relpath(source.run.resolve(), wish.out.resolve())
    return partial(
        Record,
        strategy=source.chosen.strategy,
        use=cell.use,
        options=strategy.options,
        seed=cell.seed,
        seed_because=source.because,
        suite=source.facts.suite,
        cell=cell.id,
        run=run,
        command=wish.command,
        date=provenance.today(),
        task_source=source.prepared.suite.task.source,
        task=source.prepared.content.whole,
        examples=source.prepared.content.examples,
        classes=task.classes,
        attribute=cell.attribute,
        model=cell.model.source,
        model_on_hub=cell.model.revision is not None,
        model_fingerprint=cell.model_fingerprint,
        max_tokens=cell.model.max_tokens,
        environment=provenance.environment(),
    )


def _expected(outcome: Outcome) -> Answers:
    answers = outcome.test["original"]
    if answers.probability is None:
        raise BadInputError("the cell's probabilities are not known")
    return Answers(answers.example_id, answers.prediction, answers.probability)


def _longer(source: Source) -> int:
    """Return how many test texts are cut."""
    return sum(row.cut for row in source.prepared.cut_texts if not row.attribute)


def _unrevised(source: Source, folder: Path, split: str) -> Predictions:
    """Return the answers of the model itself, of a cell that stored only the revised ones."""
    task = source.prepared.task
    table = source.outcome.validation if split == "validation" else source.outcome.test["original"]
    answers = Answers(table.example_id, table.prediction, np.asarray(table.probability))
    exam = proof.exam(task, answers, truncation=True)
    texts = proof.texts_of(task, exam.rows)
    found = proof.alone(folder, proof.Request(texts, task.classes, hidden=True, truncation=True))
    plain = found.predictions(table.example_id, table.groups, task.classes)
    return replace(plain, label=table.label)
