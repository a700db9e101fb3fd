"""Plan: a suite becomes cells, each named by the hash of what defines it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import bench
from bench import compose
from bench.schema import BadInputError
from bench.strategy import Strategy
from bench.suite import Budget, ModelChoice, Suite, Training


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to be made: task × model × strategy with its options × seed."""

    label: str
    """The strategy's name in this suite; not part of the id, so renaming retrains nothing."""
    use: str
    options: Mapping[str, Mapping[str, Any]]
    """Part of the composition -> every option, defaults filled in."""
    sources: tuple[str, ...]
    """sha256 of each strategy file: an edited strategy is another cell."""
    strategy_path: tuple[Path, ...] = ()
    seed: int
    task: str
    """Fingerprint of the task: its source, options and content."""
    attribute: str
    model: ModelChoice
    model_fingerprint: str
    budget: Budget
    training: Training
    hidden: bool = False
    """Hidden vectors are stored because an audit reads them."""
    keep_model: bool = False
    version: str = field(default=bench.__version__)

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
        return plain | records

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
    plan = []
    for label, choice in suite.strategies.items():
        use = choice.use or label
        parts = compose.build(use, choice.options, path, where=f"strategies.{label}")
        common = Cell(
            label=label,
            use=use,
            options={name: asdict(part) for name, part in parts.items()},
            sources=tuple(compose.source(name, path) for name in parts),
            strategy_path=path,
            seed=0,
            task=task,
            attribute=attribute,
            model=suite.model,
            model_fingerprint=model,
            budget=suite.budget,
            training=suite.training,
            hidden="leakage" in suite.audit.audits,
            keep_model=suite.keep_models,
        )
        plan += [replace(common, seed=seed) for seed in suite.seeds]
    return plan
