"""Prepare a suite: load its task once, check it, tokenise it once, and lay out its cells."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from .. import plugins
from .. import task as tasks
from ..audit import load_all
from ..environment import processes
from ..environment.processes import Limits
from ..facts import CutTexts, FactTable
from ..planning import compose, model_folder, plan
from ..planning.identity import TaskContent, content_of, digest
from ..schema import Array, BadInputError, Task
from ..storage import files, records
from ..suite import AuditChoice, BudgetChoice, ModelChoice, Suite, TaskChoice, Training, Tuning
from ..tuning import spaces
from ..tuning.spaces import SearchSpace

CUT_ROWS = "cut.npy"  # written by `training.tokens`, which imports torch
check = tasks.check
DATA_AUDIT = "data_audit.json"
TASK_FILE = "task.parquet"
_SECONDS, _CHARACTERS_A_SECOND = 300.0, 20_000
"""What tokenising may take; honest tokenizers read a million characters a second."""
_MEMORY_BYTES, _BYTES_A_CHARACTER = 4 * 2**30, 64
"""What it may take of memory; honest tokenizers need half of that."""
_MODEL_COPIES = 8
"""Sizes of the weights that counting operations may take of memory, in fp32 with gradients."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A suite that is ready to train: everything is checked, nothing is spent yet."""

    suite: Suite
    """Its budget is an amount, also where it was given in epochs."""
    task: Task
    task_file: Path
    tokens_folder: Path
    cells: tuple[plan.Cell, ...]
    """Of every strategy, as the suite says: what a search changes is not known yet."""
    planner: plan.Planner
    spaces: Mapping[str, SearchSpace]
    """Label -> what is to be searched; nothing where the suite asks for no tuning."""
    content: TaskContent
    """Hashes of what the task holds."""
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Label -> the options that a search chose, as a suite writes them."""

    @property
    def data_audit(self) -> tuple[FactTable, ...]:
        """What is known of the data before any training."""
        path = self.task_file.with_name(DATA_AUDIT)
        with records.damage_named(path):
            return TypeAdapter(tuple[FactTable, ...]).validate_python(files.read_json(path))

    @property
    def cut_texts(self) -> tuple[CutTexts, ...]:
        """How many test texts are longer than `max_tokens`, of all and of each group."""
        path = self.tokens_folder / CUT_ROWS
        if not path.is_file():  # tokens of an older version
            return ()
        with records.damage_named(path):
            rows = np.load(path, allow_pickle=False)
        cut = np.isin(np.arange(len(self.task.label)), rows)
        return tuple(_cut_texts(self.task, cut))


def _cut_texts(task: Task, cut: Array) -> Iterator[CutTexts]:
    test = task.split == "test"
    yield CutTexts("", "", int(test.sum()), int(cut[test].sum()))
    for attribute, column in task.groups.items():
        for group in np.unique(column[test]):
            rows = test & (column == group)
            yield CutTexts(attribute, str(group), int(rows.sum()), int(cut[rows].sum()))


def prepare(suite: Suite, *, folder: Path, cache: Path) -> Prepared:
    """Check everything that can be checked before training starts.

    Parameters
    ----------
    suite, folder : the suite, and the folder of its file, which its relative paths start from
    cache : where the prepared task and its tokens are kept between runs

    Raises
    ------
    BadInputError
        Whatever is wrong with the suite, its task, its model or its strategies.
    """
    with plugins.exits_refused(f"suite {suite.name!r}: a task or strategy"):
        return _prepare(suite, folder, cache)


def _prepare(suite: Suite, folder: Path, cache: Path) -> Prepared:
    source = source_of(suite, folder)
    task_id = tasks.identity(source)
    model = model_folder.placed(suite.model, folder)
    model_id = model_folder.fingerprint(model)
    task_folder = cache / f"task-{task_id[:16]}"
    if not files.is_sealed(task_folder):
        loaded = source.load()
        check(loaded)
        files.write_sealed(task_folder, partial(_write, loaded, source.unused()))
    task = records.read_task(task_folder / TASK_FILE)
    attribute = mitigated_attribute(suite, task)
    _check_rules(suite, task, attribute)
    searched = spaces.of_suite(suite, folder)
    content = content_of(task, compose.trainable_views(task))
    lay_out = partial(
        plan.planner, folder=folder, task=content, model=model_id, attribute=attribute
    )
    suite, named = suite.model_copy(update={"model": model}), suite
    planner = lay_out(_with_flops(suite, 1.0) if suite.budget.epochs else suite)
    cells = planner.untuned()
    for cell in {cell.label: cell for cell in cells}.values():
        compose.check(cell.strategy(), task, attribute, where=f"strategies.{cell.label}")
    tokens_folder = cache / f"tokens-{content.texts[:16]}-{model_id[:16]}-{model.max_tokens}"
    if not files.is_sealed(tokens_folder):
        files.write_sealed(tokens_folder, partial(_encode, task, task_folder, model))
    if suite.budget.epochs:
        reference = next(cell for cell in cells if cell.label == suite.measured_in)
        counted = _flops(reference, suite.budget.epochs, task_folder / TASK_FILE, tokens_folder)
        suite = _with_flops(suite, counted)
        planner = lay_out(suite)
        cells = planner.untuned()
    return Prepared(
        suite=suite.model_copy(update={"model": named.model}),
        task=task,
        task_file=task_folder / TASK_FILE,
        tokens_folder=tokens_folder,
        cells=tuple(cells),
        planner=planner,
        spaces=searched,
        content=content,
    )


def _write(task: Task, unused: Mapping[str, Array], folder: Path) -> None:
    """Write a task and the audit of its data, both made once."""
    from ..data_audit import tables as data_tables  # its statistics take a second to import

    records.write_task(folder / TASK_FILE, task)
    files.write(folder / DATA_AUDIT, files.to_json(data_tables.tables(task, unused)))


def _encode(task: Task, task_folder: Path, model: ModelChoice, folder: Path) -> None:
    """Write a task's tokens, made once, in a process with limits: the tokenizer is not trusted."""
    columns = [c for c in (task.text, task.text_pair, *task.views.values()) if c is not None]
    characters = sum(len(text) for column in columns for text in column)
    limits = Limits(
        seconds=_SECONDS + characters / _CHARACTERS_A_SECOND,
        memory_bytes=_MEMORY_BYTES + _BYTES_A_CHARACTER * characters,
    )
    arguments = (task_folder / TASK_FILE, model, folder)
    where = f"model.source = {model.source!r}"
    processes.limited(_tokenise, *arguments, limits=limits, where=where)


def _tokenise(task_file: Path, model: ModelChoice, folder: Path) -> None:
    from ..training import tokens  # transformers takes seconds to import

    tokens.encode(records.read_task(task_file), model, folder)


def _with_flops(suite: Suite, amount: float) -> Suite:
    return suite.model_copy(update={"budget": BudgetChoice(currency="flops", amount=amount)})


def _flops(cell: plan.Cell, epochs: float, task_file: Path, tokens_folder: Path) -> float:
    """Return what epochs of a strategy take, counted once and kept beside the tokens."""
    cell = cell if cell.trains or not cell.first else cell.first
    known = tokens_folder.parent / f"epochs-{digest([cell.definition, epochs])[:16]}.json"
    if known.is_file():
        with records.damage_named(known):
            return float(files.read_json(known)["flops"])
    size = model_folder.weights_bytes(cell.model)
    limits = Limits(seconds=_SECONDS, memory_bytes=_MEMORY_BYTES + _MODEL_COPIES * size)
    where = f"budget.epochs = {epochs:g}"
    arguments = (cell, epochs, task_file, tokens_folder)
    counted = float(processes.limited(_count, *arguments, limits=limits, where=where))
    files.write(known, files.to_json({"flops": counted}))
    return counted


def _count(cell: plan.Cell, epochs: float, task_file: Path, tokens_folder: Path) -> float:
    from ..training import epochs as counting

    return counting.flops(cell, epochs, task_file, tokens_folder)


def budget_in_words(suite: Suite, prepared: Prepared) -> str:
    """Return what binds each cell; of epochs also what they are in FLOPs."""
    amount, currency = prepared.suite.budget.amount, prepared.suite.budget.currency
    if suite.budget.epochs is None:
        return f"{amount:.4g} {currency} a strategy and seed"
    return (
        f"{suite.budget.epochs:g} epochs of {suite.measured_in!r} are {amount:.3g} FLOPs, "
        "which every strategy gets with every seed"
    )


def source_of(suite: Suite, folder: Path) -> tasks.TaskSource:
    """Return where a suite's task comes from; `folder` is that of its file."""
    return task_source(suite.task, folder=folder, folders=[folder / p for p in suite.task_path])


def task_source(
    choice: TaskChoice, *, folder: Path, folders: Iterable[Path] = ()
) -> tasks.TaskSource:
    """Return where a suite's task comes from, its options checked.

    Relative paths start at `folder`; task files of the user's own lie in `folders`.
    """
    return tasks.load(choice.source, choice.options, folder=folder, folders=folders)


def _check_rules(suite: Suite, task: Task, attribute: str) -> None:
    check_selection(suite.training, task, attribute)
    if suite.tuning:
        check_selection(suite.tuning, task, attribute, where="tuning")
    check_audits(suite.audit, task)


def check_selection(
    rule: Training | Tuning, task: Task, attribute: str, *, where: str = "training"
) -> None:
    """Refuse a rule that reads validation groups on a task without."""
    if rule.selects_by_group and not attribute:
        others = (
            "'validation_log_loss'" if where == "tuning" else "'last' or 'validation_log_loss'"
        )
        raise BadInputError(
            f"{where}.selection = {rule.selection!r}: needs groups; task {task.name!r} has "
            f"none; choose {others}"
        )


def check_audits(chosen: AuditChoice, task: Task) -> None:
    """Refuse an audit that a suite names and that this task, or any run, has nothing for."""
    test = task.split == "test"
    ways_out = {"before": "`tunefair audit FILE --compare OLD` has them; leave the audit out"}
    if not any((texts[test] != "").any() for texts in task.views.values()):
        ways_out["views"] = "ask for the task's views or give a lexicon, or leave the audit out"
    lacked = {"before": "answers of a model before", "views": "changed texts (views)"}
    for name, audit in load_all(chosen.audits).items():
        for need in sorted(audit.needs & ways_out.keys()):
            raise BadInputError(
                f"audit.audits: {name!r} needs {lacked[need]}, of which task {task.name!r} has "
                f"none for its test examples; {ways_out[need]}"
            )


def mitigated_attribute(suite: Suite, task: Task) -> str:
    """Return the attribute that mitigating strategies see: the suite's, else the task's first."""
    attribute = suite.attribute or next(iter(task.groups), "")
    if attribute and attribute not in task.groups:
        raise BadInputError(
            f"attribute = {attribute!r}: task {task.name!r} has {', '.join(task.groups) or 'none'}"
        )
    return attribute
