"""Which configurations a search tries: optuna's samplers, asked and told."""

import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from ..suite import Tuning
from .spaces import Dimension, Options, SearchSpace

if TYPE_CHECKING:
    import optuna

_DIGITS = 3
"""Significant digits of what is drawn from a range: options that can be read and typed."""
_PATIENCE = 100
"""Draws for each trial before a finite space is gone through in order."""


def configurations(
    space: SearchSpace, tuning: Tuning, told: Sequence[float | None]
) -> list[Options]:
    """Return what is known of a strategy's trials by now, in order: what each changes.

    Parameters
    ----------
    space, tuning : what may be changed, and how it is searched
    told : how good the first trials were on validation, higher is better; None: failed

    The first configuration changes nothing. `tpe` learns from each trial, so it knows one more
    than it was told; the other samplers know all from the start. Without anything to change all
    are the first one: trials then differ by their seed alone. No configuration repeats otherwise.
    """
    if not space.dimensions or space.size == 1:
        return [{} for _ in range(tuning.trials)]
    known = min(tuning.trials, len(told) + 1) if tuning.sampler == "tpe" else tuning.trials
    seen: list[tuple[Any, ...]] = [tuple(d.default for d in space.dimensions)]
    drawn = _drawn(space, tuning, told, seen)
    while len(seen) < known:
        seen.append(next(drawn))
    return [{}, *(_options(space.dimensions, values) for values in seen[1:])]


def _options(dimensions: Sequence[Dimension], values: Sequence[Any]) -> Options:
    options: dict[str, dict[str, Any]] = {}
    for dimension, value in zip(dimensions, values, strict=True):
        options.setdefault(dimension.part, {})[dimension.option] = value
    return options


def _drawn(
    space: SearchSpace,
    tuning: Tuning,
    told: Sequence[float | None],
    seen: Sequence[tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of one new configuration after the other; `seen` grows meanwhile."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls a part of itself experimental
        study = optuna.create_study(sampler=_sampler(tuning), direction="maximize")
        _tell_first(study, space, told)
    for _ in range(_PATIENCE * tuning.trials):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = study.ask(_distributions(space))
        values = tuple(_value(d, trial.params[_name(d)]) for d in space.dimensions)
        if values in seen:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        number = len(seen)
        yield values
        if number < len(told):
            _tell(study, trial, told[number])
    yield from (v for v in product(*map(_all_values, space.dimensions)) if v not in seen)


def _sampler(tuning: Tuning) -> "optuna.samplers.BaseSampler":
    import optuna

    if tuning.sampler == "random":
        return optuna.samplers.RandomSampler(seed=tuning.seed)
    if tuning.sampler == "tpe":
        first = max(2, tuning.trials // 3)
        return optuna.samplers.TPESampler(seed=tuning.seed, n_startup_trials=first)
    return optuna.samplers.QMCSampler(seed=tuning.seed, scramble=True)


def _tell_first(study: "optuna.Study", space: SearchSpace, told: Sequence[float | None]) -> None:
    """Tell of the first trial, which nobody drew; it also says what there is to draw."""
    import optuna

    value = told[0] if told else None
    study.add_trial(
        optuna.trial.create_trial(
            params={_name(d): _inside(d) for d in space.dimensions},
            distributions=_distributions(space),
            value=0.0 if value is None else value,
        )
    )


def _tell(study: "optuna.Study", trial: "optuna.Trial", value: float | None) -> None:
    import optuna

    if value is None:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, value)


def _distributions(space: SearchSpace) -> "dict[str, optuna.distributions.BaseDistribution]":
    return {_name(d): _distribution(d) for d in space.dimensions}


def _distribution(d: Dimension) -> "optuna.distributions.BaseDistribution":
    """Return a range; choices are drawn by their place, which every sampler can."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if d.choices:
        return IntDistribution(0, len(d.choices) - 1)
    if d.integer:
        return IntDistribution(int(d.low), int(d.high), log=d.log)
    return FloatDistribution(d.low, d.high, log=d.log)


def _name(d: Dimension) -> str:
    return f"{d.part}.{d.option}"


def _value(d: Dimension, drawn: float) -> Any:
    if d.choices:
        return d.choices[int(drawn)]
    if d.integer:
        return int(drawn)
    return min(max(float(f"{drawn:.{_DIGITS}g}"), d.low), d.high)


def _inside(d: Dimension) -> Any:
    """Return where the default stands, or the nearest place inside the range."""
    if d.choices:
        return d.choices.index(d.default) if d.default in d.choices else 0
    default = d.default if isinstance(d.default, int | float) else d.low
    value = min(max(default, d.low), d.high)
    return int(value) if d.integer else float(value)


def _all_values(d: Dimension) -> Sequence[Any]:
    return d.choices or range(int(d.low), int(d.high) + 1)
