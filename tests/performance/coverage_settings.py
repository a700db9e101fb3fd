"""The populations and designs that intervals and tests are simulated in: docs/uncertainty.md."""

from dataclasses import dataclass, replace

import numpy as np

from tests._population import Population

FIVE = np.array([0.30, 0.25, 0.20, 0.15, 0.10])
EIGHT = np.array([0.20, 0.18, 0.15, 0.13, 0.11, 0.09, 0.08, 0.06])
REDDITBIAS = np.array([0.45, 0.68, 0.51, 0.56, 0.64])
"""Base rates of the five groups of RedditBias, smallest group last."""
EFFECTS = {"x1": 1.0, "x3": 3.0}
"""Seed effects: as in our own grids, and three times that, where seeds dominate."""


@dataclass(frozen=True)
class Setting:
    """One population and design."""

    name: str
    n: int
    seeds: int
    population: Population
    strategies: int = 3
    """Of the run: they moderate each other's seed variances."""
    first: Population | None = None
    """Of the first strategy, the reference, if it is another."""

    def population_of(self, strategy: int) -> Population:
        """Return what a strategy's models are drawn from."""
        return self.population if strategy or self.first is None else self.first


def population(gap: float = 0.0, share: np.ndarray = FIVE, **choices: object) -> Population:
    """Return groups whose TPRs (and FPRs, by half) spread evenly over `gap`."""
    lean = np.linspace(-0.5, 0.5, len(share))
    base = choices.pop("base", np.full(len(share), 0.5))
    return Population(
        share=share, base=base, tpr=0.80 + gap * lean, fpr=0.26 + gap / 2 * lean, **choices
    )


def times(effect: float, made: Population) -> Population:
    """Return a population whose seeds' effects are so many times as large."""
    return replace(made, seed_all=effect * made.seed_all, seed_group=effect * made.seed_group)


def settings() -> list[Setting]:
    """Return the settings that every interval is simulated in."""
    made = [
        Setting(f"n={n} K={k} gap={gap:.2f}", n, k, population(gap))
        for n in (500, 2000)
        for k in (3, 5)
        for gap in (0.0, 0.05, 0.10, 0.24)
    ]
    for n in (500, 2000):
        others = {
            "K=3 base rates of RedditBias, gap=0.10": population(0.10, base=REDDITBIAS),
            "K=3 eight groups, gap=0.10": population(0.10, EIGHT),
            "K=3 overconfident, gap=0.05": population(0.05, sharpness=2.9),
            "K=3 seeds disagree more, gap=0.05": population(0.05, agreement=0.2),
        }
        made += [Setting(f"n={n} {name}", n, 3, p) for name, p in others.items()]
        made.append(Setting(f"n={n} K=1 gap=0.10", n, 1, population(0.10)))
    return made


def larger() -> list[Setting]:
    """Return the settings in which seeds dominate or the test set is large."""
    return [
        Setting(f"n={n} K={k} effects {name}, gap={gap:.2f}", n, k, times(effect, population(gap)))
        for n, k, name, gap in (
            (2000, 2, "x1", 0.10),
            (2000, 2, "x3", 0.10),
            (2000, 3, "x3", 0.0),
            (2000, 3, "x3", 0.10),
            (2000, 5, "x3", 0.10),
            (10_000, 3, "x3", 0.0),
            (10_000, 3, "x3", 0.10),
            (10_000, 2, "x3", 0.10),
        )
        for effect in (EFFECTS[name],)
    ]


def broken() -> list[Setting]:
    """Return the settings in which an assumption fails: what no interval of ours covers."""
    alike = population(0.10, shared=0.5)
    lost = population(0.10, collapse=0.1)
    return [
        Setting("n=2000 K=3 seeds share half of their effect, gap=0.10", 2000, 3, alike),
        Setting("n=2000 K=3 1 seed in 10 collapses, gap=0.10", 2000, 3, lost),
    ]


def trained_again() -> list[Setting]:
    """Return the settings in which strategies that do not differ are compared."""
    made = [
        Setting(f"n={n} K={k} effects {name}", n, k, times(effect, population()))
        for n in (500, 2000, 10_000, 100_000)
        for k in (2, 3, 5)
        for name, effect in EFFECTS.items()
    ]
    made += [replace(s, name=f"{s.name}, six strategies", strategies=6) for s in made[6:12]]
    return [*made, *_not_alike()]


def _not_alike() -> list[Setting]:
    plain = population()
    return [
        Setting("n=2000 K=3 the reference's effects x3", 2000, 3, plain, first=times(3, plain)),
        Setting("n=2000 K=3 the reference's effects x2", 2000, 3, plain, first=times(2, plain)),
        Setting("n=2000 K=3 seeds share half", 2000, 3, replace(plain, shared=0.5)),
        Setting("n=2000 K=3 1 seed in 10 collapses", 2000, 3, replace(plain, collapse=0.1)),
    ]
