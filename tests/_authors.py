"""Populations whose texts are written by authors: texts of one author are scored alike."""

from dataclasses import dataclass, replace

import numpy as np

from tests._population import Models, Population
from tunefair.schema import Evidence


@dataclass(frozen=True, kw_only=True)
class Authors:
    """Authors of one group each, with texts of both labels."""

    population: Population
    texts: int
    """By each author."""
    correlation: float
    """Of two texts' scores, label and group given, where one author wrote both."""

    def evidence(
        self, n: int, models: Models, rng: np.random.Generator, *, named: bool = True
    ) -> Evidence:
        """Return what the models answer on n texts; `named`: their authors are known."""
        label, group, _ = self.population.texts(n, rng)
        author = np.concatenate([_numbers(group, g, self.texts) for g in np.unique(group)])
        share = self.correlation / self.population.agreement
        difficulty = np.sqrt(share) * rng.normal(size=author.max() + 1)[author]
        difficulty += np.sqrt(1 - share) * rng.normal(size=n)
        made = self.population.evidence((label, group, difficulty), models, rng)
        names = np.char.add("author ", author.astype(str)) if named else None
        return replace(made, test=tuple(replace(p, cluster=names) for p in made.test))


def _numbers(group: np.ndarray, chosen: int, texts: int) -> np.ndarray:
    """Return the authors of a group's texts, which stand in a row."""
    first = chosen * len(group)  # more than any group has
    return first + np.arange((group == chosen).sum()) // texts
