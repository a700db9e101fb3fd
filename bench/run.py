"""Run a suite: train the cells that are missing, and predict the yardsticks."""

import shlex
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from . import plugins, yardsticks
from .audit import PACKAGE
from .gating import rules
from .launch import local
from .launch import ray as remote
from .launch.progress import Watch
from .launch.slots import Slots
from .launch.worker import Job
from .planning import missing, plan
from .planning.plan import Cell
from .preparing import prepare, searching
from .preparing.run_facts import facts_of
from .schema import BadInputError, Predictions
from .storage import examples, files, given_answers, records, run_folder
from .suite import Suite, is_shipped, read
from .tuning import budgets
from .tuning.budgets import BUDGET
from .tuning.phases import Found


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
        say_budget(suite, prepared, wishes.console)
        check_only(suite, wishes.only)
        given = given_answers.read_all(suite.answers, wishes.file.parent, prepared.task)
        found = searched(prepared, folder, slots, wishes) if suite.tuning else {}
        prepared = searching.with_found(prepared, found) if found else prepared
        others = budgets.cells(prepared.planner, prepared.chosen)
        asked = [*prepared.cells, *(c for those in others.values() for c in those)]
        jobs = jobs_of(prepared, _asked(asked, wishes.only), folder, wishes)
        announce(jobs, folder, wishes.console)
        examples.write(folder, prepared.task)
        stated = facts_of(prepared, wishes.text, command(suite, wishes), given)
        if found:
            with wishes.console.status("measuring the trials"):
                stated = searching.with_search(stated, prepared, found, folder)
        run_folder.write_facts(folder, stated)
        failed = train_missing(jobs, folder, slots, wishes)
        run_folder.name_models(folder, [(j.cell.label, j.cell.seed, j.cell.id) for j in jobs])
        if others:
            with wishes.console.status("measuring other budgets"):
                run_folder.write_facts(
                    folder, searching.with_budgets(stated, prepared, others, folder)
                )
        with wishes.console.status("predicting the yardsticks"):
            predict_yardsticks(prepared, folder)
            keep_given(given, folder, prepared.content.whole)
    return failed


def say_budget(suite: Suite, prepared: prepare.Prepared, console: Console) -> None:
    """Say what epochs are in FLOPs."""
    if suite.budget.epochs:
        words = prepare.budget_in_words(suite, prepared)
        console.print(f"budget: {words}", markup=False, highlight=False)


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
    if taken := sorted(set(suite.answers) & yardsticks.YARDSTICKS.keys()):
        raise BadInputError(f"yardsticks.{taken[0]}: is one of ours; give it another name")
    for kind, wanted, known in (
        ("audit.audits", suite.audit.audits, plugins.names(PACKAGE)),
        ("yardsticks", suite.own_yardsticks, sorted(yardsticks.YARDSTICKS)),
    ):
        for name in wanted:
            if name not in known:
                raise BadInputError(f"{kind}: no {name!r}; there are: {', '.join(known)}")


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
    for name in prepared.suite.own_yardsticks:
        folder = run_folder.yardstick_folder(run, name, prepared.content.whole)
        if files.is_sealed(folder):
            continue
        validation, test = yardsticks.YARDSTICKS[name](prepared.task)
        answers = {("validation", "original"): validation, ("test", "original"): test}
        files.write_sealed(folder, partial(_write_answers, answers))


def keep_given(given: Mapping[str, given_answers.Given], run: Path, task: str) -> None:
    """Keep the answers of files as what yardsticks predict; a file may have changed."""
    for label, one in given.items():
        folder = run_folder.yardstick_folder(run, label, task)
        fill = partial(_write_answers, {("test", "original"): one.predictions})
        write = files.replace_sealed if files.stands(folder) else files.write_sealed
        write(folder, fill)


def _write_answers(answers: Mapping[tuple[str, str], Predictions], folder: Path) -> None:
    records.write_predictions(folder / records.PREDICTIONS, answers)


def with_seeds(suite: Suite, number: int | None) -> Suite:
    """Return the suite with its first `number` seeds, new ones added if it has fewer."""
    if number is None:
        return suite
    more = (s for s in range(number + len(suite.seeds)) if s not in suite.seeds)
    seeds = [*suite.seeds[:number], *(next(more) for _ in range(number - len(suite.seeds)))]
    return suite.model_copy(update={"seeds": tuple(seeds)})


def check_only(suite: Suite, only: Sequence[str]) -> None:
    """Refuse the name of a strategy that the suite does not have."""
    if strangers := set(only) - set(suite.strategies):
        known = ", ".join(suite.strategies)
        raise BadInputError(f"--only {sorted(strangers)[0]}: no strategy here; there are: {known}")


def _asked(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """Return the cells of the strategies in `only`, or of all."""
    return [c for c in cells if not only or c.label.partition(BUDGET)[0] in only]


def jobs_of(
    prepared: prepare.Prepared, cells: Sequence[Cell], run: Path, wishes: Wishes
) -> list[Job]:
    """Return a job for each cell, and for each that one of them starts from."""
    return [
        Job(
            cell=cell,
            task_file=prepared.task_file,
            tokens_folder=prepared.tokens_folder,
            destination=run_folder.cell_folder(run, cell.id),
            after=run_folder.cell_folder(run, cell.first.id) if cell.first else None,
            device=wishes.device,
            processes=wishes.processes if cell.trains else 1,
        )
        for cell in plan.with_first_stages(cells)
    ]


def searched(
    prepared: prepare.Prepared, run: Path, slots: Slots, wishes: Wishes
) -> dict[str, Found]:
    """Return what the search of each strategy found, its missing trials trained before."""

    def train(cells: Sequence[Cell]) -> None:
        jobs = jobs_of(prepared, cells, run, wishes)
        announce(jobs, run, wishes.console)
        train_missing(jobs, run, slots, wishes)

    return searching.search(prepared, run, train, wishes.only).made()
