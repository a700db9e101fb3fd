"""What a search may change of a strategy: its options' ranges, checked before any training."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic import ValidationError

from ..planning import compose
from ..schema import BadInputError
from ..space import Space
from ..strategy import Strategy
from ..suite import SpaceChoice, StrategyChoice, Suite, Tuning, problems

RATE = "learning_rate"
Options = Mapping[str, Mapping[str, Any]]
"""Part of a composition -> option -> value."""


class Dimension(NamedTuple):
    """One option that a search may change, and between which values."""

    part: str
    option: str
    default: Any
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def size(self) -> float:
        """How many values it has."""
        if self.choices:
            return len(self.choices)
        return self.high - self.low + 1 if self.integer else math.inf


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """What a search may change of one strategy of a suite."""

    label: str
    choice: StrategyChoice
    parts: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> float:
        """How many configurations it holds; one where nothing can be changed."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def written(self, options: Options) -> dict[str, Any]:
        """Return options in the form of a suite: by part only for a composition."""
        suite = self.choice.options
        if len(self.parts) == 1:
            return suite | dict(options.get(self.parts[0], {}))
        parts = {part: {**suite.get(part, {}), **options.get(part, {})} for part in self.parts}
        return {part: chosen for part, chosen in parts.items() if chosen}


def of_suite(suite: Suite, folder: Path) -> dict[str, SearchSpace]:
    """Return label -> its search space; nothing where the suite asks for no tuning.

    `folder` is that of the suite's file.

    Raises
    ------
    BadInputError
        An option that does not exist, a space that is none or leaves the option's own bounds, or
        one that holds fewer configurations than there are trials.
    """
    if suite.tuning is None:
        _check_no_spaces(suite)
        return {}
    path = [(folder / p).resolve() for p in suite.strategy_path]
    return {
        label: _of_strategy(label, choice, suite, path)
        for label, choice in suite.strategies.items()
    }


def _check_no_spaces(suite: Suite) -> None:
    for label, choice in suite.strategies.items():
        if choice.space:
            raise BadInputError(
                f"strategies.{label}.space: nothing is tuned here; add a table [tuning], or "
                "leave it out"
            )


def _of_strategy(
    label: str, choice: StrategyChoice, suite: Suite, path: Sequence[Path]
) -> SearchSpace:
    use = choice.use or label
    where = f"strategies.{label}"
    parts = compose.build(use, choice.options, path, where=where)
    given = _given(choice.space, list(parts), f"{where}.space")
    rate = suite.training.learning_rate
    made = (
        _dimension(parts[part], option, wanted, rate, f"{where}.space.{option}")._replace(
            part=part
        )
        for part, option, wanted in _wanted(parts, choice.options, given, where)
    )
    space = SearchSpace(label=label, choice=choice, parts=tuple(parts), dimensions=tuple(made))
    for dimension in space.dimensions:
        _check_bounds(space, dimension, path)
    trials = (suite.tuning or Tuning()).trials
    if 1 < space.size < trials:
        raise BadInputError(
            f"tuning.trials = {trials}: {where} has {space.size:.0f} configurations; give fewer "
            "trials, or a wider space"
        )
    return space


def _given(
    space: Mapping[str, Any], parts: Sequence[str], where: str
) -> dict[tuple[str, str], SpaceChoice]:
    """Return (part, option) -> what the suite says of its space."""
    by_part = {parts[0]: space} if len(parts) == 1 else space
    if strangers := set(by_part) - set(parts):
        raise BadInputError(
            f"{where}.{min(strangers)}: no part of {'+'.join(parts)!r}; write a table for a part"
        )
    found = {}
    for part, options in by_part.items():
        if not isinstance(options, Mapping):
            raise BadInputError(f"{where}.{part} = {options!r}: give a table, option by option")
        for option, said in options.items():
            try:
                found[part, option] = SpaceChoice.model_validate(said)
            except ValidationError as error:
                raise BadInputError(f"{where}.{option}: {problems(error)}") from None
    return found


def _wanted(
    parts: Mapping[str, Strategy],
    options: Mapping[str, Any],
    given: Mapping[tuple[str, str], SpaceChoice],
    where: str,
) -> Iterator[tuple[str, str, Space]]:
    """Yield every option with a space: the suite's, else the strategy's own where it is not set.

    The learning rate is one, whatever the number of parts: that of the part whose rate counts.
    """
    for part, strategy in parts.items():
        fixed = options if len(parts) == 1 else options.get(part, {})
        names = [field.name for field in fields(strategy)]
        for (owner, option), _ in given.items():
            if owner == part and option not in names:
                raise BadInputError(
                    f"{where}.space.{option}: {part} has no such option (options: "
                    f"{', '.join(names)})"
                )
        for name in names:
            declared = _declared(type(strategy), name)
            said = given.get((part, name))
            own = name not in fixed and (name != RATE or part == _leader(parts))
            if said is not None:
                yield part, name, _narrowed(declared, said, f"{where}.space.{name}")
            elif declared is not None and own:
                yield part, name, declared


def _leader(parts: Mapping[str, Strategy]) -> str:
    """Return the part whose learning rate a composition learns at."""
    trains = [name for name, part in parts.items() if "adapt" in compose.claims(part)]
    sets = [name for name, part in parts.items() if part.learning_rate is not None]
    return [*trains, *sets, *parts][0]


def _declared(kind: type, name: str) -> Space | None:
    """Return the space in a field's annotation; a class that says nothing has its base's."""
    for base in kind.__mro__:
        if name in getattr(base, "__annotations__", {}):
            hint = get_type_hints(base, include_extras=True)[name]
            found = [item for item in _every(hint) if isinstance(item, Space)]
            if found:
                return found[0]
    return None


def _every(hint: Any) -> Iterator[Any]:
    """Yield a type and all that it is made of."""
    yield hint
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _every(part)


def _narrowed(declared: Space | None, said: SpaceChoice, where: str) -> Space:
    """Return the suite's space; an end that it leaves out is that of the strategy's own."""
    old = declared or Space()
    ends = said.low is not None or said.high is not None
    if said.choices:
        if ends or said.log is not None:
            raise BadInputError(f"{where}: give choices, or a range with low and high")
        return Space(choices=said.choices)
    if not ends and said.log is None:
        raise BadInputError(f"{where}: give choices, or a range with low and high")
    return Space(
        old.low if said.low is None else said.low,
        old.high if said.high is None else said.high,
        log=old.log or old.around is not None if said.log is None else said.log,
        around=old.around,
    )


def _dimension(
    strategy: Strategy, option: str, space: Space, rate: float, where: str
) -> Dimension:
    """Return an option's range; `rate` is the suite's learning rate."""
    default = getattr(strategy, option)
    if default is None and option == RATE:
        default = rate
    if space.choices:
        if len(set(map(repr, space.choices))) != len(space.choices):
            raise BadInputError(f"{where}: a choice repeats")
        return Dimension("", option, default, choices=space.choices)
    factor = space.around if isinstance(default, int | float) else None
    low = default / factor if factor and space.low is None else space.low
    high = default * factor if factor and space.high is None else space.high
    log = space.log or bool(factor)
    kinds = set(_every(get_type_hints(type(strategy))[option]))
    integer = int in kinds and float not in kinds
    if low is None or high is None:
        raise BadInputError(f"{where}: give low and high, or choices")
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise BadInputError(f"{where}: low = {low:g}, high = {high:g}: high must not be below low")
    if log and low <= 0:
        raise BadInputError(f"{where}: low = {low:g}: a logarithmic range begins above 0")
    if integer and (low != int(low) or high != int(high)):
        raise BadInputError(f"{where}: low = {low:g}, high = {high:g}: give whole numbers")
    return Dimension("", option, default, low, high, log, integer)


def _check_bounds(space: SearchSpace, dimension: Dimension, path: Sequence[Path]) -> None:
    """Refuse values that the option itself refuses, at either end or among the choices."""
    kind = int if dimension.integer else float
    ends = dimension.choices or (kind(dimension.low), kind(dimension.high))
    where = f"strategies.{space.label}.space.{dimension.option}"
    for value in ends:
        tried = space.written({dimension.part: {dimension.option: value}})
        compose.build("+".join(space.parts), tried, path, where=where)
