"""Plan: a suite becomes cells, each named by the hash of what its predictions depend on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..audit import by_default, load_all
from ..schema import BadInputError
from ..strategy import Strategy
from ..suite import Budget, ModelChoice, Suite, Training, Tuning
from . import compose, identity
from .identity import TaskContent

HIDDEN, START, TRAIN, MODEL, VIEW = "hidden", "start", "train", "model", "view:"
"""Artefacts: what a cell may leave besides its answers on validation and test.

Hidden vectors; answers before training; answers on the training split; weights; and, by name and
content, answers on a view. None of them changes what the cell predicts.
"""
TRIAL = " · trial "
"""Stands in the label of a cell that a search makes, between strategy and number."""
_CACHED = ("id", "_strategy")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to be made: task × model × strategy with its options × seed."""

    label: str
    """The strategy's name in this suite; not part of the id, so renaming retrains nothing."""
    use: str
    options: Mapping[str, Mapping[str, Any]]
    """Part of the composition -> every option, defaults filled in."""
    sources: tuple[str, ...]
    """sha256 of each strategy's code: an edited strategy is another cell."""
    strategy_path: tuple[Path, ...] = ()
    seed: int
    task: Mapping[str, Any]
    """Hashes of what it reads of the task: examples, its attribute, views that it trains on."""
    attribute: str
    """The group attribute that it reads; "" where it reads none."""
    model: ModelChoice
    model_fingerprint: str
    budget: Budget
    """Of all stages together."""
    training: Training
    first: "Cell | None" = None
    """The cell that this one starts from; trained once for all that start from it."""
    keeps: Mapping[str, str] = field(default_factory=dict)
    """Artefact -> who asks for it. Not part of the id: what a cell keeps changes no prediction."""
    asked: bool = True
    """Whether a suite names it; else it is only what other cells start from."""

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits: equal predictions, equal folder."""
        return identity.digest(self.definition)[:16]

    @property
    def definition(self) -> dict[str, Any]:
        """All that this cell's predictions depend on, as plain JSON."""
        return {
            "training_version": identity.TRAINING_VERSION,
            "task": dict(self.task),
            "model": identity.of_model(self.model, self.model_fingerprint),
            "use": self.use,
            "options": {name: dict(options) for name, options in self.options.items()},
            "sources": list(self.sources),
            "training": identity.of_training(self.training),
            "budget": self.budget.model_dump(),
            "seed": self.seed,
            "first": self.first.definition if self.first else None,
        }

    @property
    def hidden(self) -> bool:
        """Whether hidden vectors are stored."""
        return HIDDEN in self.keeps

    @property
    def start(self) -> bool:
        """Whether answers before any training are stored."""
        return START in self.keeps

    @property
    def answers_training(self) -> bool:
        """Whether answers on the training split are stored."""
        return TRAIN in self.keeps

    @property
    def keep_model(self) -> bool:
        """Whether the trained weights are stored."""
        return MODEL in self.keeps

    def keeping(self, artefacts: Mapping[str, str]) -> "Cell":
        """Return the same cell, which keeps these artefacts."""
        return replace(self, keeps=artefacts)

    def labelled(self, label: str) -> "Cell":
        """Return the same cell under another label."""
        return replace(self, label=label)

    @property
    def trains(self) -> bool:
        """Whether its first stage leaves something of the budget; else it only revises."""
        return self.first is None or self.first.budget != self.budget

    def strategy(self) -> Strategy:
        """Return the strategy, or composition, that this cell trains; made once a process.

        Raises
        ------
        BadInputError
            A strategy's file is no longer the one that was planned.
        """
        return self._strategy

    @cached_property
    def _strategy(self) -> Strategy:
        names = self.use.split("+")
        if tuple(compose.source(name, self.strategy_path) for name in names) != self.sources:
            raise BadInputError(
                f"{self.use}: its file changed since the run was planned; run again"
            )
        options = self.options if "+" in self.use else self.options[self.use]
        return compose.compose(compose.build(self.use, options, self.strategy_path))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is computed: a strategy of the user's own is no module elsewhere."""
        return {name: value for name, value in vars(self).items() if name not in _CACHED}


def cells(
    suite: Suite, *, folder: Path, task: TaskContent, model: str, attribute: str
) -> list[Cell]:
    """Return every cell of a suite, strategies in the suite's order, seeds innermost.

    Parameters
    ----------
    suite, folder : the suite, its budget an amount, and the folder that its `strategy_path` is
        relative to
    task, model : content of the data, and fingerprint of the pretrained model
    attribute : the mitigated group attribute, "" where the task has none
    """
    made = planner(suite, folder=folder, task=task, model=model, attribute=attribute)
    return made.untuned()


def planner(
    suite: Suite, *, folder: Path, task: TaskContent, model: str, attribute: str
) -> "Planner":
    """Return what makes the cells of a suite; parameters as for `cells`."""
    path = tuple((folder / p).resolve() for p in suite.strategy_path)
    return Planner(suite=suite, path=path, task=task, model=model, attribute=attribute)


def _wishes(suite: Suite, task: TaskContent) -> dict[str, str]:
    """Return the artefacts that every strategy is to leave, and who asks for each."""
    wishes: dict[str, str] = {}
    for name, chosen in load_all(suite.audit.audits or by_default(without=("before",))).items():
        for need in sorted(chosen.needs & {HIDDEN, START}):
            wishes.setdefault(need, f"audit {name}")
    if suite.keep_models:
        wishes[MODEL] = "keep_models"
    return wishes | {f"{VIEW}{name}:{sha[:12]}": "the task" for name, sha in task.views.items()}


def with_seed(cell: Cell, seed: int) -> Cell:
    """Return the cell, and the one that it starts from, with another seed."""
    return replace(cell, seed=seed, first=cell.first and with_seed(cell.first, seed))


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Makes cells from what all cells of a suite share."""

    suite: Suite
    path: tuple[Path, ...]
    task: TaskContent
    model: str
    attribute: str

    @property
    def tuning(self) -> Tuning:
        """The suite's table `[tuning]`."""
        return self.suite.tuning or Tuning()

    @property
    def budget(self) -> Budget:
        """What binds each cell; epochs are counted before cells are laid out."""
        known = self.suite.budget.amount_in_currency
        if known is None:
            raise ValueError("epochs are counted before cells are laid out")
        return known

    def untuned(self) -> list[Cell]:
        """Return the cells of every strategy as the suite says."""
        return self.cells({n: choice.options for n, choice in self.suite.strategies.items()})

    def cells(self, options: Mapping[str, Mapping[str, Any]]) -> list[Cell]:
        """Return a cell for every seed of every strategy with these options, by label."""
        wishes = _wishes(self.suite, self.task)
        composed = {
            label: self.of(label, options[label], self.budget, wishes)
            for label in self.suite.strategies
        }
        return [
            with_seed(cell, seed).labelled(label)
            for label, cell in composed.items()
            for seed in self.suite.seeds
        ]

    def of(
        self, label: str, options: Mapping[str, Any], budget: Budget, keeps: Mapping[str, str]
    ) -> Cell:
        """Return the cell of a strategy of the suite with these options; seed 0."""
        use = self.suite.strategies[label].use or label
        parts = compose.build(use, options, self.path, where=f"strategies.{label}")
        return replace(self.cell(parts, budget, keeps), asked=True)

    def cell(
        self, parts: Mapping[str, Strategy], budget: Budget, keeps: Mapping[str, str]
    ) -> Cell:
        """Return the cell of a composition, with the one that it starts from; seed 0."""
        use = "+".join(parts)
        strategy = compose.compose(parts)
        stage = compose.first_stage(parts, self.path)
        selects = self.suite.training.selects_by_group
        attribute = self.attribute if selects or compose.groups_needed(strategy) else ""
        views = any(part.needs_views for part in parts.values())
        cell = Cell(
            label=f"{use} (first stage)",
            use=use,
            options={name: asdict(part) for name, part in parts.items()},
            sources=tuple(compose.source(name, self.path) for name in parts),
            strategy_path=self.path,
            seed=0,
            task=self.task.read_by(attribute=attribute, views=views),
            attribute=attribute,
            model=self.suite.model,
            model_fingerprint=self.model,
            budget=budget,
            training=self.suite.training,
            keeps=keeps,
            asked=False,
        )
        if stage is None:
            return cell
        rest, share = stage
        if share < 1:
            short = budget.model_copy(update={"amount": budget.amount * share})
            return replace(cell, first=self.cell(rest, short, {TRAIN: f"strategy {use}"}))
        inherited = dict(keeps)
        if any(part.reads_hidden for part in parts.values()):
            inherited.setdefault(HIDDEN, f"strategy {use}")
        own = {name: asker for name, asker in keeps.items() if name != MODEL}  # trains nothing
        return replace(cell, keeps=own, first=self.cell(rest, budget, inherited))


def with_first_stages(cells: Iterable[Cell]) -> list[Cell]:
    """Return every cell that must run for `cells`, each once, a first stage before its followers.

    A first stage that is also a strategy of the suite bears that strategy's label. Each keeps
    what any of those that share it asks for.
    """
    asked = list(cells)
    own = {cell.id: cell for cell in asked}
    needed: dict[str, Cell] = {}
    for cell in (c for one in asked for c in _from_the_first(one)):
        known = needed.get(cell.id) or own.get(cell.id, cell)
        needed[cell.id] = replace(known, keeps={**cell.keeps, **known.keeps})
    return list(needed.values())


def _from_the_first(cell: Cell) -> Iterator[Cell]:
    if cell.first:
        yield from _from_the_first(cell.first)
    yield cell
