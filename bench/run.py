"""Run a suite: train the cells that are missing, and predict the yardsticks."""

import shlex
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from . import plugins, prepare, yardsticks
from .audit import PACKAGE, by_default
from .environment import provenance
from .facts import CellFacts, ModelCard, RunFacts, StrategyFacts
from .gating import rules
from .launch import local
from .launch import ray as remote
from .launch.progress import Watch
from .launch.slots import Slots
from .launch.worker import Job
from .planning import compose, missing, plan
from .planning.plan import Cell
from .schema import BadInputError, Predictions, Task
from .storage import examples, files, records, run_folder
from .suite import Suite, Training, is_shipped, read


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a suite is run this time; none of it changes a result."""

    file: Path
    text: str
    """The file's content when it was read; it may be edited meanwhile."""
    runs: Path
    only: tuple[str, ...]
    jobs: str
    device: str
    processes: int
    """Processes that train a cell together."""
    launcher: str
    address: str
    cell_timeout_seconds: float
    console: Console


def run(suite: Suite, wishes: Wishes) -> int:
    """Train what is missing and predict the yardsticks; return how many cells failed."""
    folder = wishes.runs / suite.name
    slots = Slots.initial(wishes.device, wishes.jobs, wishes.processes)
    with files.locked(folder):
        check_owner(suite, wishes.file, folder)
        with wishes.console.status("preparing task and cells"):
            prepared = prepare.prepare(
                suite, folder=wishes.file.parent, cache=wishes.runs / ".cache"
            )
        if suite.budget.epochs:
            words = prepare.budget_in_words(suite, prepared)
            wishes.console.print(f"budget: {words}", markup=False, highlight=False)
        jobs = jobs_of(prepared, folder, only=wishes.only, device=wishes.device)
        jobs = [replace(j, processes=wishes.processes if j.cell.trains else 1) for j in jobs]
        announce(jobs, folder, wishes.console)
        examples.write(folder, prepared.task)
        run_folder.write_facts(folder, facts_of(prepared, wishes.text, command(suite, wishes)))
        failed = train_missing(jobs, folder, slots, wishes)
        run_folder.name_models(folder, [(j.cell.label, j.cell.seed, j.cell.id) for j in jobs])
        with wishes.console.status("predicting the yardsticks"):
            predict_yardsticks(prepared, folder)
    return failed


def command(suite: Suite, wishes: Wishes) -> str:
    """Return the command that makes a run again, as one types it in a shell."""
    shipped = is_shipped(wishes.file)
    words = ["tunefair", "run", wishes.file.stem if shipped else str(wishes.file)]
    words += ["--seeds", str(len(suite.seeds))]
    words += ["--only", ",".join(wishes.only)] if wishes.only else []
    return shlex.join(words)


def check_owner(suite: Suite, file: Path, run: Path) -> None:
    """Refuse a folder that holds the run of another suite of the same name; note whose it is.

    A suite's file that was edited, or moved, is still the same suite.
    """
    other = run_folder.owner(run)
    if other is not None and not other.samefile(file) and _name_in(other) == suite.name:
        raise BadInputError(
            f"name = {suite.name!r}: {run} holds the run of another suite of this name, {other}; "
            f"give {file} another name, or choose another folder with --runs"
        )
    run_folder.write_owner(run, file)


def _name_in(file: Path) -> str:
    try:
        return read(file).name
    except BadInputError:
        return ""


def check_processes(suite: Suite, processes: int) -> None:
    """Refuse more processes a cell than a batch has examples."""
    if processes > suite.training.batch_size:
        raise BadInputError(
            f"--processes-per-cell {processes}: a batch has {suite.training.batch_size} examples"
        )


def check_names(suite: Suite) -> None:
    """Refuse gate rules, audits and yardsticks that do not exist, before anything is loaded."""
    rules.check(suite.gate)
    for kind, wanted, known in (
        ("audit.audits", suite.audit.audits, plugins.names(PACKAGE)),
        ("yardsticks", suite.yardsticks, sorted(yardsticks.YARDSTICKS)),
    ):
        for name in wanted:
            if name not in known:
                raise BadInputError(f"{kind}: no {name!r}; there are: {', '.join(known)}")


def facts_of(prepared: prepare.Prepared, text: str, command: str) -> RunFacts:
    """Return everything that a report of this suite states besides its numbers."""
    suite = prepared.suite
    cells = [CellFacts(id=c.id, strategy=c.label, seed=c.seed) for c in prepared.cells]
    first = {cell.label: cell for cell in reversed(prepared.cells)}
    strategies = [
        _strategy_facts(first[label], choice.options) for label, choice in suite.strategies.items()
    ]
    strategies += [_yardstick_facts(name, prepared.task) for name in suite.yardsticks]
    return RunFacts(
        suite=suite.name,
        date=provenance.today(),
        task=prepared.content.whole,
        content=prepared.content.parts,
        audits=suite.audit.audits or by_default(without=("before",)),
        pairs=suite.audit.pairs,
        training_counts=run_folder.training_counts(prepared.task),
        suite_toml=text,
        card=prepared.task.card,
        model=ModelCard(
            name=suite.model.source,
            fingerprint=prepared.cells[0].model_fingerprint,
            max_tokens=suite.model.max_tokens,
            head_kept=suite.model.head == "keep",
        ),
        strategies=tuple(strategies),
        cells=tuple(cells),
        currency=suite.budget.currency,
        amount=suite.budget.amount,
        reference=suite.reference_strategy,
        selection_rule=_selection_rule(suite.training, has_groups=bool(prepared.task.groups)),
        settings=suite.audit.settings,
        environment=provenance.environment(),
        commit=provenance.commit(),
        command=command,
        data_audit=prepared.data_audit,
        cut_texts=prepared.cut_texts,
    )


def _selection_rule(training: Training, *, has_groups: bool = True) -> str:
    """Return in words which weights make the predictions."""
    if training.selection == "last":
        return "the last step of the budget; nothing was selected on any split"
    used = "validation groups were used" if training.selects_by_group else "no groups were used"
    return (
        f"the best of {training.checkpoints} checkpoints by {training.selection}, at equal "
        f"fractions of the budget{f'; {used}' if has_groups else ''}"
    )


def _strategy_facts(cell: Cell, options: Mapping[str, Any]) -> StrategyFacts:
    strategy = cell.strategy()
    parts = dict(zip(cell.use.split("+"), compose.parts_of(strategy), strict=True))
    selected = {"validation"} if cell.training.selects_by_group else set[str]()
    return StrategyFacts(
        label=cell.label,
        use=cell.use,
        options=", ".join(f"{name} = {value}" for name, value in options.items()),
        choices=compose.claims(strategy),
        trains="+".join(name for name, part in parts.items() if "adapt" in compose.claims(part)),
        needs_groups_in=compose.groups_needed(strategy) | selected,
        reference="; ".join(part.reference for part in parts.values()),
    )


def _yardstick_facts(name: str, task: Task) -> StrategyFacts:
    reads = name in yardsticks.READ_GROUPS and bool(task.groups)
    where = frozenset({"train", "inference"} if reads else ())
    return StrategyFacts(label=name, use=name, yardstick=True, needs_groups_in=where)


def train_missing(jobs: Sequence[Job], run: Path, slots: Slots, wishes: Wishes) -> int:
    """Train every job whose cell is not finished; return how many failed."""
    console = wishes.console
    for folder in (run / "cells", run / "yardsticks"):
        files.remove_drafts(folder)
        files.put_back(folder)
    for job in jobs:
        _set_aside_damaged(job.destination, console)
    waiting = to_be_done(jobs, run)
    _remove_spent_checkpoints(run / "cells", but={job.checkpoints for job in waiting})
    if not waiting:
        console.print(f"all {len(jobs)} cells are finished already", highlight=False)
        return 0
    reasons: list[str] = []
    with Watch(console, len(waiting)) as watch:

        def finished(job: Job, reason: str) -> None:
            watch.end(job, reason)
            failure = run_folder.failure_file(run, job.cell.id)
            failure.unlink(missing_ok=True)
            if reason:
                reasons.append(reason)
                files.write(failure, files.to_json({"reason": reason}))
            else:
                slots.learn(job.device, records.read_ledger(job.destination).peak_memory_bytes)

        _launcher(wishes, slots, watch, finished).launch(waiting)
    return len(reasons)


def _remove_spent_checkpoints(cells: Path, but: Collection[Path]) -> None:
    """Remove the checkpoints of finished cells, which workers that died could not remove."""
    for folder in set(cells.glob(".*.checkpoints")).difference(but):
        if run_folder.is_finished(folder.with_name(folder.name[1:].removesuffix(".checkpoints"))):
            shutil.rmtree(folder, ignore_errors=True)


def _launcher(
    wishes: Wishes, slots: Slots, watch: Watch, finished: Callable[[Job, str], None]
) -> local.Launcher | remote.Launcher:
    """Return what runs the cells: on this machine or on a Ray cluster."""
    seconds = wishes.cell_timeout_seconds
    if wishes.launcher == "local":
        return local.Launcher(slots, watch.update, finished, timeout_seconds=seconds)
    if wishes.processes > 1:
        raise BadInputError("--processes-per-cell: only with --launcher local")
    most = None if wishes.jobs == "auto" else len(slots.devices)
    return remote.Launcher(wishes.address, most, seconds, watch.update, finished)


def _set_aside_damaged(folder: Path, console: Console) -> None:
    if files.stands(folder) and not run_folder.is_finished(folder):
        shelf = files.set_aside(folder)
        console.print(f"[yellow]damaged[/]: {folder.name} was set aside as {shelf}")


def to_be_done(jobs: Sequence[Job], run: Path) -> list[Job]:
    """Return the jobs whose cells are not finished, or lack something that is asked for."""
    todo = missing.work([job.cell for job in jobs], run)
    return [
        replace(job, cell=todo[job.cell.id].cell, again=bool(todo[job.cell.id].lacking))
        for job in jobs
        if job.cell.id in todo
    ]


def announce(jobs: Sequence[Job], run: Path, console: Console) -> None:
    """Say before anything begins what will be trained, why, and about how long it takes."""
    todo = missing.work([job.cell for job in jobs], run)
    for line in missing.explained(todo, run, missing.previous(run)):
        console.print(line, markup=False, highlight=False)


def predict_yardsticks(prepared: prepare.Prepared, run: Path) -> None:
    """Predict with every yardstick that has not predicted this task yet."""
    for name in prepared.suite.yardsticks:
        folder = run_folder.yardstick_folder(run, name, prepared.content.whole)
        if files.is_sealed(folder):
            continue
        validation, test = yardsticks.YARDSTICKS[name](prepared.task)
        answers = {("validation", "original"): validation, ("test", "original"): test}
        files.write_sealed(folder, partial(_write_answers, answers))


def _write_answers(answers: Mapping[tuple[str, str], Predictions], folder: Path) -> None:
    records.write_predictions(folder / "predictions.parquet", answers)


def with_seeds(suite: Suite, number: int | None) -> Suite:
    """Return the suite with its first `number` seeds, new ones added if it has fewer."""
    if number is None:
        return suite
    more = (s for s in range(number + len(suite.seeds)) if s not in suite.seeds)
    seeds = [*suite.seeds[:number], *(next(more) for _ in range(number - len(suite.seeds)))]
    return suite.model_copy(update={"seeds": tuple(seeds)})


def jobs_of(
    prepared: prepare.Prepared, run: Path, *, only: Sequence[str], device: str
) -> list[Job]:
    """Return a job per cell of the strategies in `only`, or of all, and of their first stages."""
    if strangers := set(only) - set(prepared.suite.strategies):
        known = ", ".join(prepared.suite.strategies)
        raise BadInputError(f"--only {sorted(strangers)[0]}: no strategy here; there are: {known}")
    cells = [c for c in prepared.cells if not only or c.label in only]
    return [
        Job(
            cell=cell,
            task_file=prepared.task_file,
            tokens_folder=prepared.tokens_folder,
            destination=run_folder.cell_folder(run, cell.id),
            after=run_folder.cell_folder(run, cell.first.id) if cell.first else None,
            device=device,
        )
        for cell in plan.with_first_stages(cells)
    ]
