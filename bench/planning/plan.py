"""Plan: a suite becomes cells, each named by the hash of what defines it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import tunefair

from .. import audit
from ..schema import BadInputError
from ..strategy import Strategy
from ..suite import Budget, ModelChoice, Suite, Training
from . import compose


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
    task: str
    """Fingerprint of the task: its source, options and content."""
    attribute: str
    model: ModelChoice
    model_fingerprint: str
    budget: Budget
    """Of all stages together."""
    training: Training
    first: "Cell | None" = None
    """The cell that this one starts from; trained once for all that start from it."""
    hidden: bool = False
    """Hidden vectors are stored because an audit or a second stage reads them."""
    answers_training: bool = False
    """Predictions of the training split are stored because a second stage reads them."""
    start: bool = False
    """Answers before any training are stored too because an audit reads them."""
    keep_model: bool = False
    version: str = field(default=tunefair.__version__)

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits: equal definitions, equal folder."""
        text = json.dumps(self.definition, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def definition(self) -> dict[str, Any]:
        """What makes this cell this cell, as plain JSON."""
        records = {
            name: getattr(self, name).model_dump() for name in ("model", "budget", "training")
        }
        plain = {
            name: value
            for name, value in vars(self).items()
            if name not in {"label", "strategy_path", "id", *records}
        }
        return plain | records | {"first": self.first.definition if self.first else None}

    @property
    def trains(self) -> bool:
        """Whether its first stage leaves something of the budget; else it only revises."""
        return self.first is None or self.first.budget != self.budget

    def strategy(self) -> Strategy:
        """Return the strategy, or composition, that this cell trains.

        Raises
        ------
        BadInputError
            A strategy's file is no longer the one that was planned.
        """
        names = self.use.split("+")
        if tuple(compose.source(name, self.strategy_path) for name in names) != self.sources:
            raise BadInputError(
                f"{self.use}: its file changed since the run was planned; run again"
            )
        options = self.options if "+" in self.use else self.options[self.use]
        return compose.compose(compose.build(self.use, options, self.strategy_path))


def cells(suite: Suite, *, folder: Path, task: str, model: str, attribute: str) -> list[Cell]:
    """Return every cell of a suite, strategies in the suite's order, seeds innermost.

    Parameters
    ----------
    suite, folder : the suite, and the folder that its `strategy_path` is relative to
    task, model : fingerprints of the data and of the pretrained model
    attribute : the mitigated group attribute, "" where the task has none
    """
    path = tuple((folder / p).resolve() for p in suite.strategy_path)
    compositions = {
        label: compose.build(
            choice.use or label, choice.options, path, where=f"strategies.{label}"
        )
        for label, choice in suite.strategies.items()
    }
    audits = audit.load_all(suite.audit.audits or audit.by_default())
    needed = frozenset(need for chosen in audits.values() for need in chosen.needs)
    revisers = (part for parts in compositions.values() for part in parts.values())
    common = Cell(
        label="",
        use="",
        options={},
        sources=(),
        strategy_path=path,
        seed=0,
        task=task,
        attribute=attribute,
        model=suite.model,
        model_fingerprint=model,
        budget=suite.budget,
        training=suite.training,
        hidden="hidden" in needed or any(part.reads_hidden for part in revisers),
        start="start" in needed,
        keep_model=suite.keep_models,
    )
    composed = {label: _composed(parts, common) for label, parts in compositions.items()}
    return [
        replace(_with_seed(cell, seed), label=label)
        for label, cell in composed.items()
        for seed in suite.seeds
    ]


def _with_seed(cell: Cell, seed: int) -> Cell:
    return replace(cell, seed=seed, first=cell.first and _with_seed(cell.first, seed))


def _composed(parts: Mapping[str, Strategy], common: Cell) -> Cell:
    """Return the cell of a composition, with the one that it starts from."""
    use = "+".join(parts)
    cell = replace(
        common,
        label=f"{use} (first stage)",
        use=use,
        options={name: asdict(part) for name, part in parts.items()},
        sources=tuple(compose.source(name, common.strategy_path) for name in parts),
    )
    found = compose.first_stage(parts, common.strategy_path)
    if found is None:
        return cell
    rest, share = found
    if share == 1:
        return replace(cell, first=_composed(rest, common))
    budget = common.budget.model_copy(update={"amount": common.budget.amount * share})
    short = replace(common, budget=budget, hidden=False, start=False, keep_model=False)
    return replace(cell, first=_composed(rest, replace(short, answers_training=True)))


def with_first_stages(cells: Iterable[Cell]) -> list[Cell]:
    """Return every cell that must run for `cells`, each once, a first stage before its followers.

    A first stage that is also a strategy of the suite bears that strategy's label.
    """
    asked = list(cells)
    own = {cell.id: cell for cell in asked}
    needed = {c.id: own.get(c.id, c) for cell in asked for c in _from_the_first(cell)}
    return list(needed.values())


def _from_the_first(cell: Cell) -> Iterator[Cell]:
    if cell.first:
        yield from _from_the_first(cell.first)
    yield cell
