"""Find strategies by name, check their options, and compose several into one."""

import ast
import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import tunefair

from .. import plugins
from ..schema import Array, BadInputError, Predictions, Split, Task
from ..strategy import Objective, Strategy
from .identity import bare
from .unspaced import unspaced

PACKAGE = "tunefair.strategies"
CHOICES = ("adapt", "sampling_weights", "objective", "revise")
PLAIN = "full"
"""What a first stage trains where no other part says."""
_CONTRACTS = frozenset({"tunefair.schema", "tunefair.space", "tunefair.strategy"})


def claims(strategy: Strategy) -> frozenset[str]:
    """Return which of the four choices a strategy makes."""
    return frozenset(
        choice
        for part in parts_of(strategy)
        for choice in CHOICES
        if getattr(type(part), choice) is not getattr(Strategy, choice)
    )


def parts_of(strategy: Strategy) -> tuple[Strategy, ...]:
    """Return the parts of a composition, or the strategy itself as its only part."""
    return strategy.parts if isinstance(strategy, Composition) else (strategy,)


@dataclass(frozen=True, kw_only=True)
class Composition(Strategy):
    """Several strategies at once, `a+b`; each choice is made by the one part that claims it."""

    reference = "each part's own"

    names: tuple[str, ...]
    parts: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        """Refuse two parts that claim one choice, by name."""
        for choice in CHOICES:
            rivals = [
                n for n, p in zip(self.names, self.parts, strict=True) if choice in claims(p)
            ]
            if len(rivals) > 1:
                raise BadInputError(
                    f"{'+'.join(self.names)}: {' and '.join(rivals)} both choose {choice!r}; "
                    "compose strategies that make different choices"
                )

    def _maker(self, choice: str) -> Strategy:
        return next((p for p in self.parts if choice in claims(p)), self.parts[0])

    def adapt(self, model: nn.Module) -> nn.Module:
        """Delegate to the part that claims it."""
        return self._maker("adapt").adapt(model)

    def sampling_weights(self, train: Split) -> Array | Mapping[str, Array] | None:
        """Delegate to the part that claims it."""
        return self._maker("sampling_weights").sampling_weights(train)

    def objective(self, train: Split, hidden_size: int) -> Objective:
        """Delegate to the part that claims it."""
        return self._maker("objective").objective(train, hidden_size)

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        """Delegate to the part that claims it."""
        return self._maker("revise").revise(validation, predictions)


def compose(parts: Mapping[str, Strategy]) -> Strategy:
    """Return the one strategy, or the composition of several.

    A composition learns at the rate of the part that chooses what is trained (an adapter needs
    its own), else of the first part that sets one.
    """
    if len(parts) == 1:
        return next(iter(parts.values()))
    rates = [p.learning_rate for p in parts.values() if p.learning_rate is not None]
    trained = [p.learning_rate for p in parts.values() if "adapt" in claims(p)]
    return Composition(
        names=tuple(parts),
        parts=tuple(parts.values()),
        learning_rate=next(iter(trained or rates), None),
    )


def first_stage(
    parts: Mapping[str, Strategy], folders: Iterable[Path] = ()
) -> tuple[dict[str, Strategy], float] | None:
    """Return the parts of a composition's first stage and its share of the budget, if it has one.

    What only revises starts from all that the other parts train, at the whole budget. What
    declares a first stage starts from a short training of the other parts.

    Raises
    ------
    BadInputError
        A declared share leaves nothing for one of the stages.
    """
    shares = {name: p.first_stage_share for name, p in parts.items() if p.first_stage_share}
    revising = {name: 1.0 for name, part in parts.items() if claims(part) == {"revise"}}
    name, share = next(iter([*revising.items(), *shares.items()]), ("", 0.0))
    if not name:
        return None
    if name not in revising and not 0 < share < 1:
        raise BadInputError(f"{name}: first_stage_share = {share:g}: give one between 0 and 1")
    rest = {n: part for n, part in parts.items() if n != name}
    rest = rest or {PLAIN: find(PLAIN, folders)()}
    rate = compose(parts).learning_rate
    if compose(rest).learning_rate is None and rate is not None:
        first = next(iter(rest))
        rest[first] = replace(rest[first], learning_rate=rate)
    return rest, share


def groups_needed(strategy: Strategy) -> frozenset[str]:
    """Return where a strategy reads group labels: "train", "inference", both or nowhere."""
    return frozenset[str]().union(*(part.needs_groups_in for part in parts_of(strategy)))


def check(strategy: Strategy, task: Task, attribute: str, *, where: str) -> None:
    """Refuse a task that a strategy cannot be used on, before anything is spent.

    Raises
    ------
    BadInputError
        No groups where some are needed, a group to revise that validation lacks, no view to
        train on where one is needed, or more than two classes for a strategy of two.
    """
    if any(part.binary_only for part in parts_of(strategy)) and len(task.classes) != 2:  # noqa: PLR2004
        raise BadInputError(f"{where}: is for two classes; {task.name!r} has {len(task.classes)}")
    if any(part.needs_views for part in parts_of(strategy)) and not trainable_views(task):
        raise BadInputError(
            f"{where}: task {task.name!r} has no view that keeps the label and changes a training "
            "text; ask for its views, or give a lexicon and label_kept_in"
        )
    needed = groups_needed(strategy)
    if needed and not attribute:
        raise BadInputError(f"{where}: needs groups; task {task.name!r} has none")
    if "inference" in needed:
        group = task.groups[attribute]
        known, asked = (
            {str(g) for g in group[task.split == split]} for split in ("validation", "test")
        )
        if missing := sorted(asked - known):
            raise BadInputError(f"{where}: validation has no {attribute} {missing[0]!r}")


def trainable_views(task: Task) -> dict[str, Array]:
    """Return view -> which training examples it changes (n,), of views that keep the label."""
    train = task.split == "train"
    same_label = (name for name in task.card.label_kept_in if name in task.views)
    changed = {name: np.asarray(task.views[name][train] != "") for name in same_label}
    return {name: rows for name, rows in changed.items() if rows.any()}


def find(name: str, folders: Iterable[Path] = ()) -> type[Strategy]:
    """Return the strategy class that the file of that name defines.

    Raises
    ------
    BadInputError
        No such file, a file without exactly one strategy, or one that names no reference.
    """
    kind = plugins.find(PACKAGE, name, Strategy, folders)
    if not hasattr(kind, "reference"):
        raise BadInputError(
            f"strategies/{name}.py: {kind.__name__} has no `reference`: name the paper, and what "
            "deviates from it"
        )
    return kind


def source(name: str, folders: Iterable[Path] = ()) -> str:
    """Return the sha256 of a strategy's file and of our helpers that it imports.

    An edited strategy is another strategy, unless only comments, docstrings or the spaces of a
    search changed; the contracts have no say in what it computes.
    """
    file = Path(inspect.getfile(find(name, folders)))
    content = b"\0".join(bare(unspaced(p.read_bytes())) for p in (file, *_helpers(file)))
    return hashlib.sha256(content).hexdigest()


def _helpers(file: Path) -> list[Path]:
    imports = [n for n in ast.walk(ast.parse(file.read_bytes())) if isinstance(n, ast.ImportFrom)]
    modules = {
        name
        for statement in imports
        for name in (
            f"{statement.module}",
            *(f"{statement.module}.{alias.name}" for alias in statement.names),
        )
        if name.split(".")[0] == "tunefair"
    }
    root = Path(tunefair.__file__).parents[1]
    paths = (root / f"{name.replace('.', '/')}.py" for name in sorted(modules - _CONTRACTS))
    return [path for path in paths if path.is_file()]


def build(
    use: str, options: Mapping[str, Any], folders: Iterable[Path] = (), *, where: str = "options"
) -> dict[str, Strategy]:
    """Return the parts of `use` ("a" or "a+b") by name, their options checked.

    Parameters
    ----------
    use : names of strategy files, joined by +
    options : of one strategy its options; of a composition part -> options
    folders : the user's own strategy files, looked into first
    where : the key in the suite, for messages

    Raises
    ------
    BadInputError
        An unknown strategy or option, a wrong type, or two parts that claim one choice.
    """
    names = use.split("+")
    if len(set(names)) != len(names):
        raise BadInputError(f"{where}: {use!r} names a strategy twice")
    by_part = {names[0]: options} if len(names) == 1 else options
    if strangers := set(by_part) - set(names):
        raise BadInputError(
            f"{where}: {sorted(strangers)[0]}: no part of {use!r}; "
            f"write options as {{{names[0]} = {{...}}}}"
        )
    folders = list(folders)
    parts = {}
    for name in names:
        kind = find(name, folders)
        parts[name] = plugins.with_options(kind, by_part.get(name, {}), where=f"{where}: {name}")
    compose(parts)
    return parts
